/* The kernel completes a handshake by itself: connect has returned although nobody has called
 * accept. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void check(const char *call, int result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

static int stream_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check("socket", fd);
    return fd;
}

/* 1 is TCP_ESTABLISHED, 7 is TCP_CLOSE: the states have the numbers of <netinet/tcp.h>. */
static int state(int connection)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    check("getsockopt", getsockopt(connection, IPPROTO_TCP, TCP_INFO, &info, &length));
    return info.tcpi_state;
}

int main(void)
{
    struct sockaddr_in there;
    memset(&there, 0, sizeof there);
    there.sin_family = AF_INET;
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof there;

    int listener = stream_socket();
    /* port 0 leaves the choice to the kernel */
    check("bind", bind(listener, (struct sockaddr *) &there, length));
    check("listen", listen(listener, 1));
    check("getsockname", getsockname(listener, (struct sockaddr *) &there, &length));

    int client = stream_socket();
    printf("state %d before connect\n", state(client));
    check("connect", connect(client, (struct sockaddr *) &there, length));
    printf("state %d after connect, and before accept\n", state(client));
    return 0;
}
