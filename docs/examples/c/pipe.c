/* A parent writes into a pipe; its child reads to end-of-file and exits with the number of
 * bytes. */
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

/* Reads until every write end is closed. A read returns what is there: three writes need not
 * be three reads. */
static int count(int read_end)
{
    char buffer[512];
    int total = 0;
    for (;;) {
        ssize_t n = read(read_end, buffer, sizeof buffer);
        check("read", n);
        if (n == 0)
            return total;
        total += (int) n;
    }
}

int main(void)
{
    int ends[2];
    check("pipe", pipe(ends));

    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0) {
        /* The child has both ends, too. While it holds a write end itself, it never sees the
         * end. */
        check("close", close(ends[1]));
        _exit(count(ends[0]));
    }

    check("close", close(ends[0]));
    const char *words[] = {"one ", "two ", "three"};
    for (int i = 0; i < 3; i++)
        check("write", write(ends[1], words[i], strlen(words[i])));
    check("close", close(ends[1]));

    int status;
    check("waitpid", waitpid(pid, &status, 0));
    printf("the child has read %d bytes\n", WEXITSTATUS(status));
    return 0;
}
