/* A child is killed with SIGKILL, sent by the kernel when a timer runs out, while it is blocked in a read; another dies of SIGPIPE. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    int never[2];
    char c = 0;
    int status;
    if (pipe(never) == -1)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        struct sigevent kill_me = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
        struct itimerspec soon = { .it_value.tv_nsec = 200000000 };
        timer_t timer;
        if (timer_create(CLOCK_MONOTONIC, &kill_me, &timer) == -1 || timer_settime(timer, 0, &soon, NULL) == -1)
            _exit(1);
        _exit(read(never[0], &c, 1) == 1);
    }
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        return 2;
    close(never[0]);
    child = fork();
    if (child == 0)
        _exit(write(never[1], &c, 1) == 1);
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGPIPE)
        return 3;
    return 0;
}
