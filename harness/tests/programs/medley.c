// medley ROUNDS: producers and a consumer with a mutex and a condition in shared memory, a System V queue, a semaphore set, a pipe and a pair of sockets, all
// at once and all of it right. Prints nothing; exits 0 if every count comes out.
#include <pthread.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    int stock, taken;
};

struct message {
    long type;
    int value;
};

static struct shared *shared;
static int rounds, queue, set;

static void change(int by) {
    struct sembuf operation = {0, (short)by, 0};
    while (semop(set, &operation, 1) != 0) {}
}

static void produce(long type) {
    for (int i = 0; i < rounds; i++) {
        pthread_mutex_lock(&shared->mutex);
        shared->stock++;
        pthread_cond_signal(&shared->filled);
        pthread_mutex_unlock(&shared->mutex);
        struct message message = {type, i};
        if (msgsnd(queue, &message, sizeof message.value, 0) != 0) _exit(1);
    }
    _exit(0);
}

static void consume(void) {
    for (int i = 0; i < 2 * rounds; i++) {
        pthread_mutex_lock(&shared->mutex);
        while (shared->stock == 0) pthread_cond_wait(&shared->filled, &shared->mutex);
        shared->stock--;
        shared->taken++;
        pthread_mutex_unlock(&shared->mutex);
    }
    _exit(0);
}

static void forward(int out) {
    for (int i = 0; i < 2 * rounds; i++) {
        struct message message;
        if (msgrcv(queue, &message, sizeof message.value, 0, 0) == -1) _exit(1);
        change(-1);
        if (write(out, &message.value, sizeof message.value) != sizeof message.value) _exit(1);
        change(1);
    }
    _exit(0);
}

static void echo(int socket) {
    int value;
    while (read(socket, &value, sizeof value) == sizeof value) {
        value++;
        if (write(socket, &value, sizeof value) != sizeof value) _exit(1);
    }
    _exit(0);
}

int main(int argc, char **argv) {
    rounds = argc > 1 ? atoi(argv[1]) : 3;
    int ends[2], pair[2];
    if (pipe(ends) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t mutex;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &mutex);
    pthread_condattr_t condition;
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->filled, &condition);
    queue = msgget(IPC_PRIVATE, 0600);
    set = semget(IPC_PRIVATE, 1, 0600);
    if (queue == -1 || set == -1 || semctl(set, 0, SETVAL, 1) != 0) return 1;
    for (int child = 0; child < 5; child++) {
        if (fork() != 0) continue;
        close(pair[0]);
        close(ends[0]);
        if (child != 3) close(ends[1]);
        if (child < 2) produce(child + 1);
        if (child == 2) consume();
        if (child == 3) forward(ends[1]);
        echo(pair[1]);
    }
    close(ends[1]);
    close(pair[1]);
    int value, count = 0, sum = 0, status, bad = 0;
    while (read(ends[0], &value, sizeof value) == sizeof value) {
        if (write(pair[0], &value, sizeof value) != sizeof value || read(pair[0], &value, sizeof value) != sizeof value) return 1;
        sum += value;
        count++;
    }
    close(pair[0]);
    while (wait(&status) > 0) bad |= status;
    bad |= count != 2 * rounds || sum != rounds * (rounds - 1) + 2 * rounds || shared->taken != 2 * rounds;
    msgctl(queue, IPC_RMID, NULL);
    semctl(set, 0, IPC_RMID);
    return bad ? 1 : 0;
}
