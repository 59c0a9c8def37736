/* A System V segment with a semaphore that says when something is in it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

/* The fourth argument of semctl(2), which the caller declares; only the member that is used
 * here. */
union semun {
    int val;
};

static void check(const char *call, int result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

/* Adds to the semaphore; with a negative number, waits until there is enough and takes it. */
static void change(int set, short by)
{
    struct sembuf operation = {.sem_num = 0, .sem_op = by, .sem_flg = 0};
    check("semop", semop(set, &operation, 1));
}

int main(void)
{
    int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    check("shmget", segment);
    int set = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    check("semget", set);
    /* A new semaphore has no value that you may rely on. */
    check("semctl", semctl(set, 0, SETVAL, (union semun){.val = 0}));
    unsigned *number = shmat(segment, NULL, 0);
    if (number == (void *) -1)
        check("shmat", -1);

    pid_t pid = fork(); /* the child inherits the segment where it is attached */
    check("fork", pid);
    if (pid == 0) {
        *number = 42;
        change(set, 1); /* "it is there": the parent may go on the moment this is done */
        _exit(0);
    }
    change(set, -1); /* sleeps until the value is at least 1 */
    printf("the child has left %u\n", *number);

    check("waitpid", waitpid(pid, NULL, 0));
    check("shmdt", shmdt(number));
    check("shmctl", shmctl(segment, IPC_RMID, NULL));
    check("semctl", semctl(set, 0, IPC_RMID));
    return 0;
}
