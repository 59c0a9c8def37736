/* Takes N of something, and says how many it got: `limits KIND N`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

static long memory_files(long n)
{
    long got = 0;
    while (got < n && syscall(SYS_memfd_create, "limits", 0) != -1)
        got++;
    return got;
}

/* The same, each in a child that executes this program again. */
static long memory_files_elsewhere(long n)
{
    long got = 0;
    for (; got < n; got++) {
        if (fork() == 0) {
            /* What it says is not asked for. */
            close(1);
            execl("/proc/self/exe", "limits", "memory_files", "1", NULL);
            _exit(1);
        }
        wait(NULL);
    }
    return got;
}

static void *one_memory_file(void *unused)
{
    syscall(SYS_memfd_create, "limits", 0);
    return unused;
}

static long memory_files_in_threads(long n)
{
    long got = 0;
    for (; got < n; got++) {
        pthread_t thread;
        pthread_create(&thread, NULL, one_memory_file, NULL);
        pthread_join(thread, NULL);
    }
    return got;
}

/* N MiB together, given back at once. */
static long map(long n, int flags, int file)
{
    long got = 0;
    for (; got < n; got++) {
        void *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, flags, file, 0);
        if (at == MAP_FAILED)
            break;
        munmap(at, 1 << 20);
    }
    return got;
}

static long mapped_shared(long n)
{
    return map(n, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static long mapped_from_a_device(long n)
{
    return map(n, MAP_SHARED, open("/dev/zero", O_RDWR));
}

static long mapped_downwards(long n)
{
    return map(n, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1);
}

static long mapped_privately(long n)
{
    return map(n, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* Half of it in a child. */
static long mapped_by_two(long n)
{
    if (fork() == 0) {
        mapped_shared(n / 2);
        _exit(0);
    }
    wait(NULL);
    return n / 2 + mapped_shared(n - n / 2);
}

/* Each has 50 MiB, all at one time. */
static long children_with_memory(long n)
{
    int gate[2], ready[2];
    char byte;
    if (pipe(gate) == -1 || pipe(ready) == -1)
        return 0;
    long got = 0;
    for (; got < n; got++) {
        if (fork() == 0) {
            close(gate[1]);
            volatile char *memory = malloc(50 << 20);
            for (long at = 0; at < 50 << 20; at += 4096)
                memory[at] = 1;
            write(ready[1], "r", 1);
            read(gate[0], &byte, 1);
            _exit(0);
        }
        read(ready[0], &byte, 1);
    }
    close(gate[1]);
    while (wait(NULL) > 0)
        ;
    return got;
}

/* Blocks of 10 MiB. */
static long blocks(int file, long n)
{
    static char block[10 << 20];
    long got = 0;
    while (got < n && write(file, block, sizeof block) == (ssize_t) sizeof block)
        got++;
    return got;
}

static long blocks_of_a_file(long n)
{
    return blocks(open("blocks", O_CREAT | O_RDWR, 0600), n);
}

static long blocks_in_shared_memory_and_a_file(long n)
{
    int file = shm_open("/limits", O_CREAT | O_RDWR, 0600);
    shm_unlink("/limits");
    return blocks(file, 5) + blocks_of_a_file(n - 5);
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
        { "memory_files", memory_files }, { "memory_files_elsewhere", memory_files_elsewhere },
        { "memory_files_in_threads", memory_files_in_threads }, { "mapped_shared", mapped_shared },
        { "mapped_from_a_device", mapped_from_a_device }, { "mapped_downwards", mapped_downwards }, { "mapped_privately", mapped_privately },
        { "mapped_by_two", mapped_by_two }, { "children_with_memory", children_with_memory }, { "blocks_of_a_file", blocks_of_a_file },
        { "blocks_in_shared_memory_and_a_file", blocks_in_shared_memory_and_a_file },
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
