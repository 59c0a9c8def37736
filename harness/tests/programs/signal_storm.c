/* Two thousand signals, each handled, in a parent and a child that answer each other. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t count;

static void counted(int signal)
{
    (void) signal;
    count++;
}

int main(void)
{
    sigset_t usr1, before;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, &before);
    struct sigaction action = { .sa_handler = counted };
    sigaction(SIGUSR1, &action, NULL);
    pid_t parent = getpid();
    pid_t child = fork();
    for (int i = 0; i < 1000; i++) {
        if (child == 0)
            kill(parent, SIGUSR1);
        while (count <= i)
            sigsuspend(&before);
        if (child != 0)
            kill(child, SIGUSR1);
    }
    if (child == 0)
        _exit(0);
    int status;
    if (waitpid(child, &status, 0) != child || status != 0)
        return 1;
    printf("%d\n", (int) count);
    return 0;
}
