/* A stream has no message boundaries; a length in front of each message puts them back. */
#include <arpa/inet.h>
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

/* Length and payload in one call, so that they need not be copied together. (A few bytes go
 * as a whole; in the lab you care for the rest.) */
static void send_frame(int sock, char *payload)
{
    uint32_t length = htonl((uint32_t) strlen(payload));
    struct iovec parts[] = {
        {.iov_base = &length, .iov_len = sizeof length},
        {.iov_base = payload, .iov_len = strlen(payload)},
    };
    ssize_t sent = writev(sock, parts, 2);
    check("writev", sent);
    assert((size_t) sent == sizeof length + strlen(payload));
}

static void receive_exactly(int sock, void *buffer, size_t length)
{
    for (char *rest = buffer; length > 0;) {
        ssize_t n = recv(sock, rest, length, 0);
        check("recv", n);
        assert(n != 0); /* end-of-file inside a frame */
        rest += n;
        length -= (size_t) n;
    }
}

static size_t receive_frame(int sock, char *payload, size_t room)
{
    uint32_t length;
    receive_exactly(sock, &length, sizeof length);
    length = ntohl(length);
    assert(length <= room); /* a length that came from outside is compared before it is used */
    receive_exactly(sock, payload, length);
    return length;
}

int main(void)
{
    /* A pair of connected stream sockets: a TCP connection would behave the same way. */
    int ends[2];
    check("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    char words[][8] = {"one", "two", "three"};

    for (int i = 0; i < 3; i++)
        check("send", send(ends[0], words[i], strlen(words[i]), MSG_NOSIGNAL));
    char buffer[64];
    ssize_t n = recv(ends[1], buffer, sizeof buffer, 0);
    check("recv", n);
    printf("three sends, one recv: %.*s\n", (int) n, buffer);

    for (int i = 0; i < 3; i++)
        send_frame(ends[0], words[i]);
    for (int i = 0; i < 3; i++) {
        size_t length = receive_frame(ends[1], buffer, sizeof buffer);
        printf("a frame: %.*s\n", (int) length, buffer);
    }
    return 0;
}
