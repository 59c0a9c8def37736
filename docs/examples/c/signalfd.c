/* A signal that is read like data: blocked, so that it waits, and taken out of a descriptor. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

int main(void)
{
    sigset_t set;
    check("sigemptyset", sigemptyset(&set));
    check("sigaddset", sigaddset(&set, SIGTERM));
    /* Blocked first: from here on it cannot kill, and cannot be missed. */
    check("sigprocmask", sigprocmask(SIG_BLOCK, &set, NULL));
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    check("signalfd", fd);

    for (int i = 0; i < 2; i++) /* two of a kind are one: signals of this sort do not queue */
        check("kill", kill(getpid(), SIGTERM));

    struct signalfd_siginfo info[2];
    ssize_t n = read(fd, info, sizeof info);
    check("read", n);
    printf("%zu signal: %u\n", (size_t) n / sizeof info[0], info[0].ssi_signo);
    return 0;
}
