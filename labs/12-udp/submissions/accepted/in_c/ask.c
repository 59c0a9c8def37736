/* In C: an unconnected socket, recvmsg with MSG_TRUNC, poll for what is left of a deadline on the monotonic clock. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 512

static _Noreturn void fail(const char *call)
{
    fprintf(stderr, "ask: %s: %s\n", call, strerror(errno));
    exit(1);
}

static _Noreturn void usage(void)
{
    fputs("usage: ask [-t MS] [-r TRIES] HOST PORT TEXT\n", stderr);
    exit(2);
}

/* A number from `least` to `most`, of digits alone. */
static long number(const char *text, long least, long most)
{
    if (*text == '\0' || strlen(text) > 9 || strspn(text, "0123456789") != strlen(text))
        usage();
    long n = strtol(text, NULL, 10);
    if (n < least || n > most)
        usage();
    return n;
}

static long long milliseconds(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) == -1)
        fail("clock_gettime");
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void write_all(const char *bytes, size_t left)
{
    while (left > 0) {
        ssize_t count = write(1, bytes, left);
        if (count == -1 && errno != EINTR)
            fail("write");
        if (count > 0) {
            bytes += count;
            left -= count;
        }
    }
}

/* Whether this datagram is the answer; then it is printed. */
static int is_answer(int fd, const struct sockaddr_in *server, const char *id)
{
    char buffer[8 + TEXT_MAX];
    struct sockaddr_in from;
    struct iovec parts = {.iov_base = buffer, .iov_len = sizeof buffer};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &parts, .msg_iovlen = 1};
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
    if (length == -1) {
        if (errno == EINTR || errno == EAGAIN || errno == ECONNREFUSED)
            return 0;
        fail("recvmsg");
    }
    if (length < 8 || (message.msg_flags & MSG_TRUNC) || memcmp(buffer, id, 4) != 0 || from.sin_port != server->sin_port ||
        from.sin_addr.s_addr != server->sin_addr.s_addr)
        return 0;
    uint32_t count;
    memcpy(&count, buffer + 4, sizeof count);
    char line[32 + TEXT_MAX];
    int used = snprintf(line, sizeof line, "%u ", ntohl(count));
    memcpy(line + used, buffer + 8, length - 8);
    used += length - 8;
    line[used++] = '\n';
    write_all(line, used);
    return 1;
}

int main(int argc, char **argv)
{
    long limit = 250, tries = 4;
    int at = 1;
    while (at + 1 < argc && argv[at][0] == '-' && argc - at > 3) {
        if (strcmp(argv[at], "-t") == 0)
            limit = number(argv[at + 1], 1, 1000000);
        else if (strcmp(argv[at], "-r") == 0)
            tries = number(argv[at + 1], 1, 1000);
        else
            usage();
        at += 2;
    }
    if (argc - at != 3)
        usage();
    struct sockaddr_in server = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, argv[at], &server.sin_addr) != 1)
        usage();
    server.sin_port = htons((uint16_t)number(argv[at + 1], 1, 65535));
    size_t length = strlen(argv[at + 2]);
    if (length > TEXT_MAX)
        usage();
    signal(SIGPIPE, SIG_IGN);

    char question[4 + TEXT_MAX];
    if (getrandom(question, 4, 0) != 4)
        fail("getrandom");
    memcpy(question + 4, argv[at + 2], length);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        fail("socket");
    for (long try = 0; try < tries; try++) {
        while (sendto(fd, question, 4 + length, 0, (struct sockaddr *)&server, sizeof server) == -1) {
            /* The refusal of an earlier try may be told here. */
            if (errno != EINTR && errno != ECONNREFUSED)
                fail("sendto");
        }
        long long end = milliseconds() + limit;
        for (;;) {
            long long left = end - milliseconds();
            struct pollfd ready = {.fd = fd, .events = POLLIN};
            int count = poll(&ready, 1, left > 0 ? (int)left : 0);
            if (count == -1 && errno != EINTR)
                fail("poll");
            if (count == 0)
                break;
            if (count == 1 && is_answer(fd, &server, question))
                return 0;
        }
    }
    fputs("ask: no answer\n", stderr);
    return 1;
}
