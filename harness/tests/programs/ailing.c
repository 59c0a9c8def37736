// ailing WAY: one classic mistake each, for the doctor to find.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static void handle(int signal) {
    (void)signal;
}

// Children that have ended, and that nobody waits for.
static int zombies(void) {
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        siginfo_t info;
        waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    }
    puts("three");
    return 0;
}

// A pipe that the program executed knows nothing of.
static int inherits(void) {
    int ends[2];
    if (pipe(ends) != 0) return 1;
    if (fork() == 0) {
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    close(ends[1]);
    char byte;
    int result = read(ends[0], &byte, 1) != 0;
    wait(NULL);
    return result;
}

// A failed open, and a read from what it gave.
static int uses_failure(void) {
    char byte;
    int file = open("/nonexistent", O_RDONLY);
    return read(file, &byte, 1) == 1;
}

static int leaves(void) {
    return shmget(IPC_PRIVATE, 100, 0600) == -1;
}

// fork's result goes to kill without a look.
static int kills(void) {
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    kill(child, SIGTERM);
    wait(NULL);
    puts("gone");
    return 0;
}

// An interrupted read passes for the end.
static int reads_once(void) {
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGCHLD, &action, NULL);
    char bytes[10];
    long sum = 0;
    ssize_t length;
    while ((length = read(0, bytes, sizeof bytes)) > 0) sum += length;
    printf("%ld bytes\n", sum);
    return 0;
}

// Nobody asks whether the words have arrived.
static int prints_unseen(void) {
    if (write(1, "words\n", 6) == 0) return 1;
    return 0;
}

static int traces(void) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
        perror("ptrace");
        return 1;
    }
    return 0;
}

// So many processes at one time.
static int forks(int count) {
    int ends[2];
    char byte;
    if (pipe(ends) != 0) return 1;
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == -1) {
            perror("fork");
            break;
        }
        if (child != 0) continue;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    close(ends[0]);
    close(ends[1]);
    int status, bad = 0;
    while (wait(&status) > 0) bad |= status;
    return bad != 0;
}

// So many calls, by a child while its parent waits.
static int calls(int count) {
    if (fork() == 0) {
        int file = open("/dev/zero", O_RDONLY);
        char byte;
        for (int i = 0; i < count; i++)
            if (read(file, &byte, 1) != 1) _exit(1);
        _exit(0);
    }
    int status;
    wait(&status);
    return status != 0;
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    if (!strcmp(way, "zombies")) return zombies();
    if (!strcmp(way, "inherits")) return inherits();
    if (!strcmp(way, "uses-failure")) return uses_failure();
    if (!strcmp(way, "leaves")) return leaves();
    if (!strcmp(way, "kills")) return kills();
    if (!strcmp(way, "reads-once")) return reads_once();
    if (!strcmp(way, "prints-unseen")) return prints_unseen();
    if (!strcmp(way, "traces")) return traces();
    if (!strcmp(way, "forks")) return forks(argc > 2 ? atoi(argv[2]) : 500);
    if (!strcmp(way, "calls")) return calls(argc > 2 ? atoi(argv[2]) : 1000);
    return 2;
}
