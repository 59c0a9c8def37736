/* A TCP client: sends one message, says that it was all, and prints what comes back.
 *
 *     cc -o tcp-client docs/examples/c/tcp-client.c && ./tcp-client 127.0.0.1 7007 hello
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char *argv[])
{
    struct sockaddr_in there;
    memset(&there, 0, sizeof there);
    there.sin_family = AF_INET;
    if (argc != 4 || inet_pton(AF_INET, argv[1], &there.sin_addr) != 1) {
        fprintf(stderr, "usage: tcp-client HOST PORT MESSAGE\n");
        return 2;
    }
    there.sin_port = htons((unsigned short) atoi(argv[2]));

    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check("socket", connection);
    check("connect", connect(connection, (struct sockaddr *) &there, sizeof there));

    const char *rest = argv[3];
    while (*rest != '\0') {
        ssize_t sent = send(connection, rest, strlen(rest), MSG_NOSIGNAL);
        check("send", sent);
        rest += sent;
    }
    /* The server learns from this, and from nothing else, that the message is complete. */
    check("shutdown", shutdown(connection, SHUT_WR));

    char buffer[4096];
    for (;;) {
        ssize_t n = recv(connection, buffer, sizeof buffer, 0);
        check("recv", n);
        if (n == 0)
            break;
        fwrite(buffer, 1, (size_t) n, stdout);
    }
    check("close", close(connection));
    return 0;
}
