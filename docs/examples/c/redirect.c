/* What a shell does for `$(echo hello)`: the child's standard output is a pipe, and the
 * parent reads it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        _exit(EXIT_FAILURE); /* be it the child or the parent */
    }
}

int main(void)
{
    char *argv[] = {"echo", "hello", NULL};
    int ends[2];
    check("pipe2", pipe2(ends, O_CLOEXEC));

    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0) {
        /* The copy that dup2 makes is not close-on-exec, even if the original is. Both
         * originals go at the exec. */
        check("dup2", dup2(ends[1], STDOUT_FILENO));
        execvp(argv[0], argv);
        _exit(127);
    }

    check("close", close(ends[1]));
    char text[512];
    size_t length = 0;
    ssize_t n;
    while ((n = read(ends[0], text + length, sizeof text - length)) > 0)
        length += (size_t) n;
    check("read", n);
    check("waitpid", waitpid(pid, NULL, 0)); /* NULL: we do not ask how it has ended */
    printf("echo has printed \"%.*s\\n\"\n", (int) length - 1, text);
    return 0;
}
