/* A TCP server, as small as it can be and still be right: tells each client how many bytes it
 * has sent.
 *
 *     cc -o tcp-server docs/examples/c/tcp-server.c && ./tcp-server 7007
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(const char *call, int result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

/* Receives to the client's end-of-file, then answers. A client that breaks off is no reason
 * for the server to end. */
static void serve(int connection)
{
    char buffer[4096];
    size_t total = 0;
    ssize_t n;
    while ((n = recv(connection, buffer, sizeof buffer, 0)) > 0)
        total += (size_t) n;
    if (n == -1) {
        perror("recv");
        return;
    }
    int length = snprintf(buffer, sizeof buffer, "%zu bytes\n", total);
    /* A line this short fits a connection's empty buffer, so there is no rest to send. */
    if (send(connection, buffer, (size_t) length, MSG_NOSIGNAL) == -1)
        perror("send");
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fprintf(stderr, "usage: tcp-server PORT\n");
        return 2;
    }

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check("socket", listener);

    /* Without this a server that is started again has to wait until the old connections have
     * left TIME_WAIT. */
    int on = 1;
    check("setsockopt", setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));

    struct sockaddr_in here;
    memset(&here, 0, sizeof here);
    here.sin_family = AF_INET;
    here.sin_port = htons((unsigned short) atoi(argv[1]));
    here.sin_addr.s_addr = htonl(INADDR_ANY);
    socklen_t length = sizeof here;
    check("bind", bind(listener, (struct sockaddr *) &here, length));
    check("listen", listen(listener, 16));

    check("getsockname", getsockname(listener, (struct sockaddr *) &here, &length));
    printf("listening %d\n", ntohs(here.sin_port));
    fflush(stdout);

    for (;;) {
        int connection = accept(listener, NULL, NULL); /* NULL: we do not ask who it is */
        check("accept", connection);
        serve(connection);
        check("close", close(connection));
    }
}
