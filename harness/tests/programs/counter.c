// counter HOW PROCESSES TIMES: children count together in shared memory; prints the total.
// HOW: none; semop, mutex, semaphore (a lock around each step); atomic; copy (memcpy in and out, no lock); copy-locked.
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    volatile int count;
    pthread_mutex_t mutex;
    sem_t semaphore;
    char record[512];
};

static int set;

static void change(int by) {
    struct sembuf operation = {0, (short)by, 0};
    if (semop(set, &operation, 1) != 0) _exit(9);
}

static void copy_and_count(struct shared *shared) {
    char own[512];
    memcpy(own, shared->record, sizeof own);
    int count;
    memcpy(&count, own, sizeof count);
    count++;
    memcpy(own, &count, sizeof count);
    memcpy(shared->record, own, sizeof own);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    const char *how = argv[1];
    int processes = atoi(argv[2]), times = atoi(argv[3]), status, bad = 0;
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &attributes);
    sem_init(&shared->semaphore, 1, 1);
    set = semget(IPC_PRIVATE, 1, 0600);
    semctl(set, 0, SETVAL, 1);
    for (int i = 0; i < processes; i++) {
        if (fork() != 0) continue;
        for (int j = 0; j < times; j++) {
            if (!strcmp(how, "semop")) change(-1), shared->count++, change(1);
            else if (!strcmp(how, "mutex")) pthread_mutex_lock(&shared->mutex), shared->count++, pthread_mutex_unlock(&shared->mutex);
            else if (!strcmp(how, "semaphore")) sem_wait(&shared->semaphore), shared->count++, sem_post(&shared->semaphore);
            else if (!strcmp(how, "atomic")) __atomic_fetch_add(&shared->count, 1, __ATOMIC_SEQ_CST);
            else if (!strcmp(how, "copy")) copy_and_count(shared);
            else if (!strcmp(how, "copy-locked")) change(-1), copy_and_count(shared), change(1);
            else shared->count++;
        }
        _exit(0);
    }
    for (int i = 0; i < processes; i++) wait(&status), bad |= status;
    int copied;
    memcpy(&copied, shared->record, sizeof copied);
    semctl(set, 0, IPC_RMID);
    printf("%d\n", shared->count + copied);
    return bad ? 1 : 0;
}
