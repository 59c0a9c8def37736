// time_limits WAY: waits 100 seconds in one call or another, with nobody there to wake it, and prints what came of it and how long that took by the clock.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static struct timespec in(clockid_t clock, int seconds) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_sec += seconds;
    return time;
}

static volatile sig_atomic_t rang;

static void ring(int signal) {
    (void)signal;
    rang++;
}

static int ends[2];
static const struct timespec LONG = {100, 0};

static const char *wait_in(const char *way) {
    struct pollfd polled = {ends[0], POLLIN, 0};
    int result = -2;
    if (!strcmp(way, "poll")) result = poll(&polled, 1, 100000);
    if (!strcmp(way, "ppoll")) result = ppoll(&polled, 1, &LONG, NULL);
    if (!strcmp(way, "select") || !strcmp(way, "pselect")) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(ends[0], &set);
        struct timeval limit = {100, 0};
        result = way[0] == 's' ? select(ends[0] + 1, &set, NULL, NULL, &limit) : pselect(ends[0] + 1, &set, NULL, NULL, &LONG, NULL);
        if (FD_ISSET(ends[0], &set)) return "a set that is not empty";
    }
    if (!strcmp(way, "epoll")) {
        int epoll = epoll_create1(0);
        struct epoll_event event = {.events = EPOLLIN};
        epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
        result = epoll_wait(epoll, &event, 1, 100000);
    }
    if (!strcmp(way, "recv")) {
        int pair[2];
        char byte;
        struct timeval limit = {100, 0};
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0 || setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) return "no socket";
        result = recv(pair[0], &byte, 1, 0);
    }
    if (!strcmp(way, "semop")) {
        int set = semget(IPC_PRIVATE, 1, 0600);
        struct sembuf down = {0, -1, 0};
        result = semtimedop(set, &down, 1, &LONG);
        int error = errno;
        semctl(set, 0, IPC_RMID);
        errno = error;
    }
    if (!strcmp(way, "queue")) {
        struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
        char message[8];
        struct timespec until = in(CLOCK_REALTIME, 100);
        mqd_t queue = mq_open("/time_limits", O_RDWR | O_CREAT, 0600, &attributes);
        mq_unlink("/time_limits");
        result = mq_timedreceive(queue, message, sizeof message, NULL, &until);
    }
    if (!strcmp(way, "semaphore")) {
        sem_t semaphore;
        sem_init(&semaphore, 0, 0);
        struct timespec until = in(CLOCK_REALTIME, 100);
        result = sem_timedwait(&semaphore, &until);
    }
    if (!strcmp(way, "condition")) {
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
        struct timespec until = in(CLOCK_REALTIME, 100);
        pthread_mutex_lock(&mutex);
        errno = pthread_cond_timedwait(&condition, &mutex, &until);
        result = errno ? -1 : 0;
    }
    if (!strcmp(way, "sigwait")) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        result = sigtimedwait(&set, NULL, &LONG);
    }
    if (!strcmp(way, "nanosleep")) result = nanosleep(&LONG, NULL);
    if (!strcmp(way, "until")) {
        struct timespec until = in(CLOCK_MONOTONIC, 100);
        result = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    if (!strcmp(way, "alarm") || !strcmp(way, "itimer")) {
        struct sigaction action = {.sa_handler = ring};
        sigaction(SIGALRM, &action, NULL);
        struct itimerval timer = {{0, 0}, {100, 0}}, left;
        if (way[0] == 'a') alarm(100);
        else setitimer(ITIMER_REAL, &timer, NULL);
        getitimer(ITIMER_REAL, &left);
        if (left.it_value.tv_sec < 99) return "an alarm that is too early";
        pause();
        if (rang != 1 || alarm(0) != 0) return "no alarm, or a second one";
        return "an alarm";
    }
    if (result == -2) return "an unknown way";
    if (result >= 0) return result == 0 ? "0" : "more than 0";
    return errno == ETIMEDOUT ? "ETIMEDOUT" : errno == EAGAIN ? "EAGAIN" : strerror(errno);
}

// Three children wait for different times; the shortest is over first, whatever the order in which they began.
static void race_of_limits(void) {
    int seconds[] = {300, 100, 200};
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            poll(NULL, 0, seconds[i] * 1000);
            dprintf(1, "%d ", seconds[i]);
            _exit(0);
        }
    while (wait(NULL) > 0) {}
}

// Asks the clock how much of its time is left each time that something wakes it.
static void keep_a_deadline(void) {
    double until = now(CLOCK_MONOTONIC) + 100;
    int rounds = 0;
    for (double left; (left = until - now(CLOCK_MONOTONIC)) > 0 && rounds < 50; rounds++) poll(NULL, 0, (int)(left * 500) + 1);
    printf("%s rounds ", rounds < 50 ? "few" : "many");
}

// A timer that the kernel keeps comes before a longer wait that would jump.
static void real_timer_first(void) {
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec setting = {{0, 0}, {0, 200000000}};
    timerfd_settime(timer, 0, &setting, NULL);
    struct pollfd polled = {timer, POLLIN, 0};
    printf("%d ", poll(&polled, 1, 100000));
}

static void storm(void) {
    struct sigaction action = {.sa_handler = ring};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{10, 0}, {10, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (rang < 10) pause();
}

int main(int argc, char **argv) {
    if (argc != 2 || pipe(ends) != 0) return 2;
    setvbuf(stdout, NULL, _IONBF, 0);
    double began = now(CLOCK_MONOTONIC);
    time_t began_time = time(NULL);
    if (!strcmp(argv[1], "race")) race_of_limits();
    else if (!strcmp(argv[1], "deadline")) keep_a_deadline();
    else if (!strcmp(argv[1], "timerfd")) real_timer_first();
    else if (!strcmp(argv[1], "storm")) storm();
    else printf("%s ", wait_in(argv[1]));
    double took = now(CLOCK_MONOTONIC) - began;
    struct timeval ended;
    gettimeofday(&ended, NULL);
    double by_date = ended.tv_sec - began_time;
    printf("%s after %ds\n", by_date - took > 2 || took - by_date > 2 ? "clocks differ" : "", (int)(took / 10 + 0.5) * 10);
    return 0;
}
