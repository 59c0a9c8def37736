/* A UDP server: answers each datagram with the number of bytes in it.
 *
 *     cc -o udp-server docs/examples/c/udp-server.c && ./udp-server 7007
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fprintf(stderr, "usage: udp-server PORT\n");
        return 2;
    }

    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check("socket", sock);

    struct sockaddr_in here;
    memset(&here, 0, sizeof here);
    here.sin_family = AF_INET;
    here.sin_port = htons((unsigned short) atoi(argv[1]));
    here.sin_addr.s_addr = htonl(INADDR_ANY);
    socklen_t length = sizeof here;
    check("bind", bind(sock, (struct sockaddr *) &here, length));

    check("getsockname", getsockname(sock, (struct sockaddr *) &here, &length));
    printf("listening %d\n", ntohs(here.sin_port));
    fflush(stdout);

    /* No listen and no accept: one socket serves everyone, and each datagram tells where it
     * is from. */
    static char buffer[65536];
    for (;;) {
        struct sockaddr_in there;
        length = sizeof there;
        ssize_t n = recvfrom(sock, buffer, sizeof buffer, 0,
                             (struct sockaddr *) &there, &length);
        check("recvfrom", n);
        char answer[32];
        int answered = snprintf(answer, sizeof answer, "%zd bytes\n", n);
        if (sendto(sock, answer, (size_t) answered, 0, (struct sockaddr *) &there,
                   length) == -1)
            /* an answer that cannot be sent is lost, as it could be on its way */
            perror("sendto");
    }
}
