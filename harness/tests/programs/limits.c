/* Takes N of something, and says how many it got: `limits KIND N`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long descriptors(long n)
{
    long got = 0;
    while (got < n && dup(0) != -1)
        got++;
    return got;
}

static long processes(long n)
{
    long got = 0;
    pid_t pid;
    while (got < n && (pid = fork()) != -1) {
        if (pid == 0) {
            pause();
            _exit(0);
        }
        got++;
    }
    int saved = errno;
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(NULL) > 0)
        ;
    errno = saved;
    return got;
}

static long shared(long n)
{
    int file = shm_open("/limits", O_CREAT | O_RDWR, 0600);
    if (file == -1)
        return 0;
    shm_unlink("/limits");
    static char block[1 << 20];
    long got = 0;
    while (got < n && write(file, block, sizeof block) == (ssize_t) sizeof block)
        got++;
    return got;
}

static long data(long n)
{
    long got = 0;
    while (got < n && malloc(1 << 20) != NULL)
        got++;
    return got;
}

static long queued(long n)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    union sigval value = { 0 };
    long got = 0;
    while (got < n && sigqueue(getpid(), SIGRTMIN, value) == 0)
        got++;
    return got;
}

static long queues(long n)
{
    long got = 0;
    while (got < n) {
        char name[32];
        snprintf(name, sizeof name, "/limits%ld", got);
        /* One message of 8192 bytes, and what the kernel counts for it. */
        struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 8192 };
        mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, &attributes);
        if (queue == (mqd_t) -1)
            break;
        mq_unlink(name);
        got++;
    }
    return got;
}

static long seconds(long tenths)
{
    struct timespec used;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while (used.tv_sec * 10 + used.tv_nsec / 100000000 < tenths);
    return tenths;
}

static long children(long n)
{
    long got = 0;
    for (; got < n; got++) {
        if (fork() == 0) {
            seconds(4);
            _exit(0);
        }
        wait(NULL);
    }
    return got;
}

static long bytes(long n)
{
    for (long i = 0; i < n; i++)
        putchar('x');
    fflush(stdout);
    exit(0);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; long (*take)(long); } kinds[] = {
        { "descriptors", descriptors }, { "processes", processes }, { "shared", shared }, { "data", data }, { "queued", queued },
        { "queues", queues }, { "seconds", seconds }, { "children", children }, { "bytes", bytes },
    };
    for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(argv[1], kinds[i].name) == 0) {
            long wanted = atol(argv[2]);
            long got = kinds[i].take(wanted);
            printf("%ld %s\n", got, got == wanted ? "all" : strerror(errno));
            return 0;
        }
    return 2;
}
