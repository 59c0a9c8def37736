// hand_over: parent and child take turns in a System V segment by two semaphores, and what they hand over passes through read(2) and write(2) in place;
// then through an atomic flag. Prints what has arrived.
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    int length;
    char bytes[64];
    _Atomic int ready;
    int last;
};

static int set;

static void change(unsigned short number, int by) {
    struct sembuf operation = {number, (short)by, 0};
    while (semop(set, &operation, 1) != 0) {}
}

int main(void) {
    int id = shmget(IPC_PRIVATE, sizeof(struct shared), 0600), input[2];
    struct shared *shared = shmat(id, NULL, 0);
    set = semget(IPC_PRIVATE, 2, 0600);
    semctl(set, 0, SETVAL, 1);
    semctl(set, 1, SETVAL, 0);
    if (pipe(input) != 0) return 1;
    if (fork() == 0) {
        for (;;) {
            change(1, -1);
            if (shared->length == 0) break;
            if (write(1, shared->bytes, shared->length) != shared->length) _exit(1);
            change(0, 1);
        }
        while (atomic_load(&shared->ready) == 0) {}
        if (shared->last != 42) _exit(1);
        shared->last++;
        atomic_store(&shared->ready, 2);
        _exit(0);
    }
    const char *words[] = {"one ", "two ", "three\n", ""};
    for (int i = 0; i < 4; i++) {
        int length = (int)strlen(words[i]);
        if (length > 0 && write(input[1], words[i], length) != length) return 1;
        change(0, -1);
        shared->length = length;
        if (length > 0 && read(input[0], shared->bytes, sizeof shared->bytes) != length) return 1;
        change(1, 1);
    }
    shared->last = 42;
    atomic_store(&shared->ready, 1);
    int status;
    wait(&status);
    int last = shared->last;
    shmdt(shared);
    shmctl(id, IPC_RMID, NULL);
    semctl(set, 0, IPC_RMID);
    return status != 0 || last != 43;
}
