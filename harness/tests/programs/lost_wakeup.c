// lost_wakeup [safe]: the child sends one signal; the parent tests a flag and then pauses, which is too late if the signal comes in between.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t came;

static void note(int signal) {
    (void)signal;
    came = 1;
}

int main(int argc, char **argv) {
    int safe = argc > 1 && strcmp(argv[1], "safe") == 0;
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    signal(SIGUSR1, note);
    if (safe) sigprocmask(SIG_BLOCK, &blocked, &before);
    pid_t child = fork();
    if (child == 0) {
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    while (!came) {
        if (safe) sigsuspend(&before);
        else pause();
    }
    while (waitpid(child, NULL, 0) == -1) {}
    puts("came");
    return 0;
}
