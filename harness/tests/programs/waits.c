/* Programs that wait: for ever, for a while, or not at all. The first argument says how. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *own_name;

static void must(int result)
{
    if (result == -1) {
        perror("waits");
        exit(9);
    }
}

static void nothing(int signal)
{
    (void) signal;
}

static void reap(void)
{
    int status;
    must(wait(&status));
    if (status != 0)
        exit(8);
}

/* Each of two processes reads what the other would write after its own read. */
static void two_readers(void)
{
    int up[2], down[2];
    char c;
    must(pipe(up));
    must(pipe(down));
    pid_t child = fork();
    must(child);
    int in = child == 0 ? down[0] : up[0], out = child == 0 ? up[1] : down[1];
    must(close(child == 0 ? down[1] : up[1]));
    must(close(child == 0 ? up[0] : down[0]));
    must(read(in, &c, 1));
    must(write(out, &c, 1));
}

/* A process reads to the end of a pipe whose write end it holds itself. */
static void itself(void)
{
    int ends[2];
    char c;
    must(pipe(ends));
    must(read(ends[0], &c, 1));
}

static void take(int set, int number)
{
    struct sembuf operation = { .sem_num = number, .sem_op = -1 };
    must(semop(set, &operation, 1));
}

/* Each takes one semaphore, knows that the other has taken its own, and then waits for that. */
static void semaphores(void)
{
    int set = semget(IPC_PRIVATE, 2, 0600);
    unsigned short ones[2] = { 1, 1 };
    int up[2], down[2];
    char c = 0;
    must(set);
    must(semctl(set, 0, SETALL, ones));
    must(pipe(up));
    must(pipe(down));
    pid_t child = fork();
    must(child);
    take(set, child == 0 ? 1 : 0);
    must(write(child == 0 ? up[1] : down[1], &c, 1));
    must(read(child == 0 ? down[0] : up[0], &c, 1));
    take(set, child == 0 ? 0 : 1);
    if (child == 0)
        _exit(0);
    reap();
}

static void fifo(void)
{
    must(mkfifo("lonely", 0600));
    must(open("lonely", O_RDONLY));
}

static void queue(void)
{
    struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 8 };
    char message[8], name[64];
    snprintf(name, sizeof name, "/%s", own_name);
    mqd_t empty = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    must(empty);
    must(mq_receive(empty, message, sizeof message, NULL));
}

static void message_queue(void)
{
    struct { long kind; char text[8]; } message;
    int id = msgget(IPC_PRIVATE, 0600);
    must(id);
    must(msgrcv(id, &message, sizeof message.text, 0, 0));
}

static void locks(void)
{
    int file = open("locked", O_CREAT | O_RDWR, 0600);
    struct flock whole = { .l_type = F_WRLCK };
    must(file);
    must(fcntl(file, F_SETLKW, &whole));
    pid_t child = fork();
    must(child);
    if (child == 0) {
        must(fcntl(file, F_SETLKW, &whole));
        _exit(0);
    }
    reap();
}

static void sleeps(void)
{
    struct timespec some = { .tv_nsec = 300000000 };
    must(nanosleep(&some, NULL));
}

static void polls(void)
{
    int ends[2];
    must(pipe(ends));
    struct pollfd end = { .fd = ends[0], .events = POLLIN };
    for (int i = 0; i < 3; i++)
        must(poll(&end, 1, 100));
}

static void has_an_alarm(void)
{
    struct sigaction action = { .sa_handler = nothing };
    struct itimerval soon = { .it_value.tv_usec = 300000 };
    must(sigaction(SIGALRM, &action, NULL));
    must(setitimer(ITIMER_REAL, &soon, NULL));
    pause();
}

static void waits_for_a_semaphore_with_a_limit(void)
{
    sem_t semaphore;
    struct timespec until;
    must(sem_init(&semaphore, 0, 0));
    must(clock_gettime(CLOCK_REALTIME, &until));
    until.tv_nsec += 300000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (sem_timedwait(&semaphore, &until) != -1 || errno != ETIMEDOUT)
        exit(7);
}

static void compute(double seconds)
{
    volatile unsigned long sum = 0;
    clock_t until = clock() + (clock_t) (seconds * CLOCKS_PER_SEC);
    do
        for (int i = 0; i < 1000000; i++)
            sum += i;
    while (clock() < until);
}

static void slow_child(void)
{
    pid_t child = fork();
    must(child);
    if (child == 0) {
        compute(0.3);
        _exit(0);
    }
    reap();
}

static void asks_again(void)
{
    pid_t child = fork();
    must(child);
    if (child == 0)
        for (;;)
            pause();
    while (waitpid(child, NULL, WNOHANG) == 0)
        ;
}

static void computes(void)
{
    for (volatile unsigned long i = 0;; i++)
        ;
}

int main(int argc, char **argv)
{
    static const struct { const char *name; void (*way)(void); } ways[] = {
        { "two_readers", two_readers }, { "itself", itself }, { "semaphores", semaphores }, { "fifo", fifo }, { "queue", queue },
        { "message_queue", message_queue }, { "locks", locks }, { "sleeps", sleeps }, { "polls", polls }, { "has_an_alarm", has_an_alarm },
        { "limited", waits_for_a_semaphore_with_a_limit }, { "slow_child", slow_child }, { "asks_again", asks_again }, { "computes", computes },
    };
    own_name = argv[0];
    for (size_t i = 0; argc == 2 && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(argv[1], ways[i].name) == 0) {
            ways[i].way();
            puts("done");
            return 0;
        }
    return 2;
}
