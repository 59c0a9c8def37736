/* A UDP client: sends one datagram, and sends it again if no answer comes within a second;
 * three times in all.
 *
 *     cc -o udp-client docs/examples/c/udp-client.c && ./udp-client 127.0.0.1 7007 hello
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

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
        fprintf(stderr, "usage: udp-client HOST PORT MESSAGE\n");
        return 2;
    }
    there.sin_port = htons((unsigned short) atoi(argv[2]));

    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check("socket", sock);
    struct timeval second = {.tv_sec = 1};
    check("setsockopt", setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second));

    /* Sends nothing: it notes the server's address, and from now on only datagrams from there
     * are received. */
    check("connect", connect(sock, (struct sockaddr *) &there, sizeof there));

    static char buffer[65536];
    for (int attempt = 0; attempt < 3; attempt++) {
        check("send", send(sock, argv[3], strlen(argv[3]), 0));
        ssize_t n = recv(sock, buffer, sizeof buffer, 0);
        if (n == -1 && errno == EAGAIN)
            continue; /* the time is over */
        check("recv", n);
        fwrite(buffer, 1, (size_t) n, stdout);
        return 0;
    }
    fprintf(stderr, "udp-client: no answer\n");
    return EXIT_FAILURE;
}
