/* A FIFO: two processes that need not be related meet by a name in the file system. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

int main(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/book-fifo-%ld", (long) getpid());
    check("mkfifo", mkfifo(path, 0600));

    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CLOEXEC); /* waits for a reader */
        check("open", fd);
        /* At most PIPE_BUF bytes: no other writer's bytes come in between. */
        check("write", write(fd, "a record\n", 9));
        _exit(0);
    }

    int fd = open(path, O_RDONLY | O_CLOEXEC); /* waits for a writer */
    check("open", fd);
    char buffer[512];
    ssize_t n = read(fd, buffer, sizeof buffer);
    check("read", n);
    fwrite(buffer, 1, (size_t) n, stdout);
    ssize_t end = read(fd, buffer, sizeof buffer);
    check("read", end);
    printf("then %zd: the last writer has closed\n", end);

    check("waitpid", waitpid(pid, NULL, 0));
    check("unlink", unlink(path));
    return 0;
}
