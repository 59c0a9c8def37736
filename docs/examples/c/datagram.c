/* Datagrams keep their boundaries: each arrives whole, or cut off, or empty, and one recv
 * takes one. */
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

int main(void)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check("socket", sock);
    struct sockaddr_in here;
    memset(&here, 0, sizeof here);
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof here;
    /* port 0 leaves the choice to the kernel */
    check("bind", bind(sock, (struct sockaddr *) &here, length));
    check("getsockname", getsockname(sock, (struct sockaddr *) &here, &length));

    const char *texts[] = {"one", "", "a long one"};
    for (int i = 0; i < 3; i++) /* a socket may send to itself */
        check("sendto", sendto(sock, texts[i], strlen(texts[i]), 0,
                               (struct sockaddr *) &here, length));

    for (int i = 0; i < 3; i++) {
        char buffer[6];
        /* MSG_TRUNC asks for its true length, also where the buffer is too small; the rest of
         * it is gone. */
        ssize_t n = recv(sock, buffer, sizeof buffer, MSG_TRUNC);
        check("recv", n);
        int kept = n < (ssize_t) sizeof buffer ? (int) n : (int) sizeof buffer;
        printf("%zd bytes, %d of them here: \"%.*s\"\n", n, kept, kept, buffer);
    }
    return 0;
}
