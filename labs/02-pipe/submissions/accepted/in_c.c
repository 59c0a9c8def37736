/* In C: a newline after each word, the count as text, stdio for no descriptor but standard error. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void fail(const char *call)
{
    char line[256];
    int length = snprintf(line, sizeof line, "pipe: %s: %s (errno %d)\n", call, strerror(errno), errno);
    if (write(2, line, length) == -1) {
        /* There is nowhere left to say it. */
    }
    _exit(1);
}

static ssize_t read_some(int fd, void *buffer, size_t size)
{
    ssize_t count;
    while ((count = read(fd, buffer, size)) == -1 && errno == EINTR) {
    }
    if (count == -1)
        fail("read");
    return count;
}

static void write_all(int fd, const char *bytes, size_t left)
{
    while (left > 0) {
        ssize_t count = write(fd, bytes, left);
        if (count == -1 && errno != EINTR)
            fail("write");
        if (count > 0) {
            bytes += count;
            left -= count;
        }
    }
}

static _Noreturn void child(int words, int answer)
{
    char buffer[8192];
    unsigned long total = 0;
    ssize_t count;
    while ((count = read_some(words, buffer, sizeof buffer)) > 0) {
        write_all(1, buffer, count);
        total += count;
    }
    char text[32];
    write_all(answer, text, snprintf(text, sizeof text, "%lu", total));
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: pipe WORD...\n", stderr);
        return 2;
    }
    /* A reader that is gone shall be an error of write, and not the end. */
    signal(SIGPIPE, SIG_IGN);
    int words[2], answer[2];
    if (pipe(words) == -1 || pipe(answer) == -1)
        fail("pipe");
    pid_t pid = fork();
    if (pid == -1)
        fail("fork");
    if (pid == 0) {
        close(words[1]);
        close(answer[0]);
        child(words[0], answer[1]);
    }
    close(words[0]);
    close(answer[1]);
    for (int i = 1; i < argc; i++) {
        /* The kernel has put a NUL behind each argument, and it may be changed: one write a word. */
        size_t length = strlen(argv[i]);
        argv[i][length] = '\n';
        write_all(words[1], argv[i], length + 1);
        argv[i][length] = '\0';
    }
    close(words[1]);

    char text[64];
    size_t length = 0;
    ssize_t count;
    while ((count = read_some(answer[0], text + length, sizeof text - 16 - length)) > 0)
        length += count;
    int status;
    while (waitpid(pid, &status, 0) == -1)
        if (errno != EINTR)
            fail("waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "pipe: the child ended with status %#x\n", status);
        return 1;
    }
    memcpy(text + length, " bytes\n", 7);
    write_all(1, text, length + 7);
    return 0;
}
