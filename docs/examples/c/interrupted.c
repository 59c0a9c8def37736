/* A signal interrupts a read: without SA_RESTART it fails with EINTR, with it the kernel makes
 * it again. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

/* Does nothing. That there is a handler is enough: without one a signal kills or is ignored. */
static void handler(int number)
{
    (void) number;
}

static void handle(int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    check("sigaction", sigaction(SIGUSR1, &action, NULL));
}

static void tell(const char *how, int read_end)
{
    char byte;
    ssize_t n = read(read_end, &byte, 1);
    if (n == -1)
        printf("%s: %s\n", how, errno == EINTR ? "EINTR" : strerror(errno));
    else
        printf("%s: %zd byte\n", how, n);
    fflush(stdout);
}

/* A child that sends signal after signal, until it is killed; or fifty, and then one byte. */
static pid_t pester(int write_end)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0) {
        /* getppid is another process as soon as the parent has ended. */
        for (int sent = 0; getppid() == parent && (write_end == -1 || sent < 50); sent++) {
            kill(parent, SIGUSR1);
            usleep(1000);
        }
        _exit(write_end != -1 && write(write_end, "x", 1) == -1);
    }
    return pid;
}

static void end(pid_t child)
{
    check("kill", kill(child, SIGKILL)); /* of a zombie, if it has ended already */
    while (waitpid(child, NULL, 0) == -1 && errno == EINTR)
        ;
}

int main(void)
{
    int ends[2];
    check("pipe", pipe(ends));

    handle(0);
    pid_t child = pester(-1);
    /* Nothing is in the pipe, and nothing comes: only the signal can end this call. */
    tell("without SA_RESTART", ends[0]);
    end(child);

    handle(SA_RESTART);
    child = pester(ends[1]);
    tell("with SA_RESTART", ends[0]);
    end(child);
    return 0;
}
