// copies HOW: hands standard input through a pipe to a child that writes it to standard output, with a handler for SIGCHLD and SIGUSR1.
// HOW: well; read-once (an interrupted read ends it), write-once (what a write leaves over is lost), unchecked (a failed fork or pipe goes unseen),
// wait-once (an interrupted wait is not made again). An error is reported on standard error, with exit status 1.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *how;

static int is(const char *word) {
    return strcmp(how, word) == 0;
}

static void fail(const char *call) {
    perror(call);
    _exit(1);
}

static void handle(int signal) {
    (void)signal;
}

static ssize_t read_some(int from, char *bytes, size_t most) {
    ssize_t length;
    do length = read(from, bytes, most);
    while (length == -1 && errno == EINTR && !is("read-once"));
    return length;
}

static void write_all(int to, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(to, bytes, length);
        if (written == -1 && errno == EINTR) continue;
        if (written == -1) fail("write");
        if (is("write-once")) return;
        bytes += written;
        length -= written;
    }
}

static void copy(int from, int to) {
    static char bytes[20000];
    ssize_t length;
    while ((length = read_some(from, bytes, sizeof bytes)) > 0) write_all(to, bytes, length);
    if (length == -1 && !is("read-once")) fail("read");
}

int main(int argc, char **argv) {
    how = argc > 1 ? argv[1] : "well";
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    int ends[2] = {0, 1}, status;
    if (pipe(ends) == -1 && !is("unchecked")) fail("pipe");
    pid_t child = fork();
    if (child == -1 && !is("unchecked")) fail("fork");
    if (child == 0) {
        close(ends[1]);
        copy(ends[0], 1);
        _exit(0);
    }
    close(ends[0]);
    copy(0, ends[1]);
    close(ends[1]);
    pid_t ended;
    do ended = waitpid(child, &status, 0);
    while (ended == -1 && errno == EINTR && !is("wait-once"));
    if (ended == -1 && !is("unchecked")) fail("wait");
    return status != 0;
}
