/* In C: one pipe for each copy, waitpid in start order, perror's wording. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 1000

static void report(const char *what, int error)
{
    fprintf(stderr, "spawn: %s: %s (os error %d)\n", what, strerror(error), error);
}

static _Noreturn void usage(void)
{
    fputs("usage: spawn -n N -- CMD ARG...\n", stderr);
    exit(2);
}

/* N in decimal digits, or 0. */
static int number(const char *text)
{
    long n = 0;
    if (*text == '\0')
        return 0;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text))
            return 0;
        n = n * 10 + (*text - '0');
        if (n > MOST)
            return 0;
    }
    return (int)n;
}

/* Starts one copy; the errno of its exec comes through the pipe, which a successful exec closes. -1 if a call of the parent's failed. */
static pid_t start(char **command, int *from)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1) {
        report("pipe2", errno);
        return -1;
    }
    pid_t pid = fork();
    if (pid == -1) {
        report("fork", errno);
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        execvp(command[0], command);
        int error = errno;
        while (write(ends[1], &error, sizeof error) == -1 && errno == EINTR) {
        }
        _exit(127);
    }
    close(ends[1]);
    *from = ends[0];
    return pid;
}

int main(int argc, char **argv)
{
    int n = argc >= 5 && strcmp(argv[1], "-n") == 0 && strcmp(argv[3], "--") == 0 ? number(argv[2]) : 0;
    if (n == 0)
        usage();
    /* A reader that is gone shall be an error of printf, and not the end. */
    signal(SIGPIPE, SIG_IGN);
    static pid_t pids[MOST];
    int failed = 0, started = 0;
    for (; started < n; started++) {
        int from, error = 0;
        pids[started] = start(argv + 4, &from);
        if (pids[started] == -1) {
            failed = 1;
            break;
        }
        /* It comes back at once: either the exec has failed, or the pipe is closed. */
        ssize_t count;
        while ((count = read(from, &error, sizeof error)) == -1 && errno == EINTR) {
        }
        if (count == -1) {
            report("read", errno);
            failed = 1;
        } else if (count == sizeof error) {
            report(argv[4], error);
            failed = 1;
        }
        close(from);
    }
    static int statuses[MOST];
    for (int i = 0; i < started; i++) {
        while (waitpid(pids[i], &statuses[i], 0) == -1) {
            if (errno != EINTR) {
                report("waitpid", errno);
                return 1;
            }
        }
    }
    for (int i = 0; i < started; i++) {
        int exited = WIFEXITED(statuses[i]);
        int value = exited ? WEXITSTATUS(statuses[i]) : WTERMSIG(statuses[i]);
        failed |= !exited || value != 0;
        printf("%s %d\n", exited ? "exit" : "signal", value);
    }
    if (fflush(stdout) == EOF) {
        report("write", errno);
        return 1;
    }
    return failed;
}
