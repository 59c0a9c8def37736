/* A child makes a pipe and sends its read end to the parent, which reads from a pipe that it
 * has neither made nor inherited. */
#define _GNU_SOURCE
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Room for the ancillary data of one descriptor. The kernel writes structures into it: the
 * union aligns it for them. */
union ancillary {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr alignment;
};

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

static void send_descriptor(int sock, int fd)
{
    char byte = 0; /* at least one byte of data has to go with it */
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    union ancillary ancillary = {0};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.room,
                             .msg_controllen = sizeof ancillary.room};
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(first), &fd, sizeof fd);
    check("sendmsg", sendmsg(sock, &message, MSG_NOSIGNAL));
}

static int receive_descriptor(int sock)
{
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    union ancillary ancillary = {0};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.room,
                             .msg_controllen = sizeof ancillary.room};
    check("recvmsg", recvmsg(sock, &message, MSG_CMSG_CLOEXEC));
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    /* it came, and the whole of it */
    assert(first != NULL && (message.msg_flags & MSG_CTRUNC) == 0);
    assert(first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS);
    int fd;
    memcpy(&fd, CMSG_DATA(first), sizeof fd);
    return fd;
}

int main(void)
{
    int ends[2];
    check("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0) {
        int pipe_ends[2];
        check("pipe2", pipe2(pipe_ends, O_CLOEXEC));
        check("write", write(pipe_ends[1], "hello", 5));
        send_descriptor(ends[1], pipe_ends[0]);
        _exit(0);
    }
    int fd = receive_descriptor(ends[0]);
    char buffer[16];
    ssize_t n = read(fd, buffer, sizeof buffer);
    check("read", n);
    printf("read from the child's pipe: %.*s\n", (int) n, buffer);
    check("waitpid", waitpid(pid, NULL, 0));
    return 0;
}
