/* A tracer: stops a program at its system calls and tells of each write what goes in and what
 * comes out. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(const char *call, long result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

/* The program that is watched. It waits for its tracer first. */
static void tracee(void)
{
    check("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    check("raise", raise(SIGSTOP));
    if (write(STDOUT_FILENO, "hello\n", 6) == 6 && write(-1, "hello\n", 6) == -1)
        _exit(0); /* there is no such descriptor, and that is the point */
    _exit(1);
}

/* Waits for the tracee to stop, or to end: then it is false. */
static bool wait_for_stop(pid_t pid)
{
    int status;
    check("waitpid", waitpid(pid, &status, 0));
    return WIFSTOPPED(status);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* two processes print here: each line at once */
    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0)
        tracee();
    wait_for_stop(pid);
    /* Stops at system calls are then told apart from those for signals: the signal has bit 7
     * set. */
    check("ptrace", ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD));
    bool in_write = false;
    for (;;) {
        check("ptrace", ptrace(PTRACE_SYSCALL, pid, NULL, 0)); /* 0: no signal is delivered */
        if (!wait_for_stop(pid))
            break;
        struct __ptrace_syscall_info info;
        check("ptrace", ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info));
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
            in_write = info.entry.nr == SYS_write;
            if (in_write)
                printf("enters write: descriptor %d, %llu bytes\n", (int) info.entry.args[0],
                       (unsigned long long) info.entry.args[2]);
        } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && in_write) {
            printf("leaves write: result %lld\n", (long long) info.exit.rval);
        }
    }
    printf("the tracee has ended\n");
    return 0;
}
