/* Does something with a file, and says whether it could: `reaches ACT PATH`. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int opens(const char *path, int flags)
{
    int file = open(path, flags, 0644);
    return file == -1 ? -1 : close(file);
}

static int listens(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    return bind(listener, (struct sockaddr *) &address, sizeof address) == -1 ? -1 : listen(listener, 1);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *act = argv[1], *path = argv[2];
    int result = strcmp(act, "read") == 0 ? opens(path, O_RDONLY)
        : strcmp(act, "write") == 0       ? opens(path, O_WRONLY)
        : strcmp(act, "make") == 0        ? (opens(path, O_WRONLY | O_CREAT | O_EXCL) == -1 ? -1 : unlink(path))
        : strcmp(act, "empty") == 0       ? truncate(path, 0)
        : strcmp(act, "remove") == 0      ? unlink(path)
        : strcmp(act, "listen") == 0      ? listens()
                                          : 2;
    puts(result == 0 ? "done" : strerror(errno));
    return 0;
}
