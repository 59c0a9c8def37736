/* A byte string goes through a socket pair by vectors: writev and readv, sendmsg and recvmsg. What the vectors say is looked at afterwards, and the one that is
 * sent lies in memory that the program may only read. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static char head[] = "HEAD", body[] = "0123456789";
static const struct iovec outgoing[] = { { head, 4 }, { body, 0 }, { body, 10 } };
static int ends[2];

static void sent(const char *call, long result, int intact)
{
    char got[64];
    long length = 0, n;
    while ((n = recv(ends[1], got + length, sizeof got - length, MSG_DONTWAIT)) > 0)
        length += n;
    printf("%s %ld %.*s %s\n", call, result, (int) length, got, intact ? "intact" : "changed");
}

static void receive(const char *call, int by_message, int flags)
{
    char first[4] = "....", second[10] = "..........", rest[64];
    struct iovec incoming[] = { { first, 4 }, { second, 10 } }, copy[2];
    struct msghdr message = { .msg_iov = incoming, .msg_iovlen = 2 };
    memcpy(copy, incoming, sizeof copy);
    if (write(ends[0], "HEAD0123456789", 14) != 14)
        return;
    long result = by_message ? recvmsg(ends[1], &message, flags) : readv(ends[1], incoming, 2);
    int intact = memcmp(copy, incoming, sizeof copy) == 0 && message.msg_iov == incoming && message.msg_iovlen == 2;
    printf("%s %ld %.4s%.10s %s\n", call, result, first, second, intact ? "intact" : "changed");
    while (recv(ends[1], rest, sizeof rest, MSG_DONTWAIT) > 0)
        ;
}

int main(void)
{
    struct iovec copy[3];
    memcpy(copy, outgoing, sizeof copy);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
        return 1;
    long result = writev(ends[0], outgoing, 3);
    sent("writev", result, memcmp(copy, outgoing, sizeof copy) == 0);
    struct msghdr message = { .msg_iov = (struct iovec *) outgoing, .msg_iovlen = 3 };
    result = sendmsg(ends[0], &message, 0);
    sent("sendmsg", result, memcmp(copy, outgoing, sizeof copy) == 0 && message.msg_iov == outgoing && message.msg_iovlen == 3);
    receive("readv", 0, 0);
    receive("recvmsg", 1, 0);
    receive("peek", 1, MSG_PEEK);
    return 0;
}
