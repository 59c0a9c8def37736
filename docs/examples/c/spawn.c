/* A child that becomes another program, and a parent that waits for it. */
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
    char *argv[] = {"sh", "-c", "exit 3", NULL};

    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0) {
        execvp(argv[0], argv);
        _exit(127); /* only a failed exec comes here, and it comes here in the child */
    }

    int status;
    check("waitpid", waitpid(pid, &status, 0));
    printf("the status is %d\n", status);
    if (WIFEXITED(status))
        printf("exited with %d\n", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("killed by signal %d\n", WTERMSIG(status));
    return 0;
}
