/* Listens at the path given, and sends each client its own two bytes back, the second with a descriptor of the program's file. The ancillary buffer is one byte
   off its alignment on purpose. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    if (bind(listener, (struct sockaddr *) &address, sizeof address) == -1 || listen(listener, 8) == -1)
        return 1;
    if (write(1, "ready\n", 6) != 6)
        return 1;
    for (;;) {
        int client = accept(listener, NULL, NULL);
        char request[2];
        if (client == -1 || read(client, request, sizeof request) != 2)
            return 1;
        int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        _Alignas(8) char buffer[1 + CMSG_SPACE(sizeof file)];
        struct cmsghdr header = { .cmsg_len = CMSG_LEN(sizeof file), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memset(buffer, 0, sizeof buffer);
        memcpy(buffer + 1, &header, sizeof header);
        memcpy(buffer + 1 + CMSG_LEN(0), &file, sizeof file);
        struct iovec part = { request + 1, 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = buffer + 1, .msg_controllen = sizeof buffer - 1 };
        if (send(client, request, 1, 0) != 1 || sendmsg(client, &message, 0) != 1)
            return 1;
        close(file);
    }
}
