/* A child stops itself with SIGSTOP; the parent sees it stopped, continues it, sees it continued, and reaps it. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            raise(SIGSTOP);
        _exit(3);
    }
    int status;
    for (int i = 0; i < 3; i++) {
        if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
            return 1;
        if (kill(child, SIGCONT) == -1)
            return 2;
    }
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 3)
        return 3;
    return 0;
}
