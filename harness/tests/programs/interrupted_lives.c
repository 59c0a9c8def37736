// interrupted_lives HOW: children that count in shared memory and talk through pipes are stopped and continued, or killed, at whatever point they have come to.
// HOW: kill, stop, kill-forking (the victim makes children all the time), threads (the victim has several). Right under every schedule; exits 0.
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic int *count;

static void work(int times) {
    int ends[2];
    char byte = 'x';
    for (int i = 0; times == 0 || i < times; i++) {
        if (pipe(ends) != 0 || write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1) _exit(3);
        (*count)++;
        close(ends[0]);
        close(ends[1]);
    }
}

static void *work_for_ever(void *unused) {
    work(0);
    return unused;
}

static void make_children(void) {
    for (;;) {
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(1);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "kill";
    count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int stops = !strcmp(how, "stop"), status;
    pid_t victim = fork();
    if (victim == 0) {
        if (stops) work(8), _exit(0);
        if (!strcmp(how, "kill-forking")) make_children();
        if (!strcmp(how, "threads")) {
            pthread_t thread;
            for (int i = 0; i < 2; i++) pthread_create(&thread, NULL, work_for_ever, NULL);
        }
        work(0);
    }
    work(3);
    if (!stops) {
        kill(victim, SIGKILL);
        return waitpid(victim, &status, 0) != victim || !WIFSIGNALED(status);
    }
    for (int i = 0; i < 3; i++) {
        kill(victim, SIGSTOP);
        (*count)++;
        kill(victim, SIGCONT);
    }
    return waitpid(victim, &status, 0) != victim || status != 0;
}
