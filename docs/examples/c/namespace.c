/* A PID namespace: a child that is process 1, and whose parent is out of sight. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(const char *call, int result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

int main(void)
{
    /* A user namespace needs no privilege, and inside it this process has them all: so it may
     * have a PID namespace, too. */
    check("unshare", unshare(CLONE_NEWUSER | CLONE_NEWPID));
    /* The new PID namespace is for the children: the number of a process never changes. */
    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0) {
        printf("the child is process %ld, and its parent is process %ld\n", (long) getpid(),
               (long) getppid());
        fflush(stdout); /* _exit does not */
        _exit(0);
    }
    check("waitpid", waitpid(pid, NULL, 0));
    printf("outside it has another number\n");
    return 0;
}
