/* Two processes take two semaphores: in opposite orders where it is called with an argument, else in the same one. */
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    (void)argv;
    int set = semget(IPC_PRIVATE, 2, 0600);
    struct sembuf take[2] = {{0, -1, 0}, {1, -1, 0}}, give[2] = {{0, 1, 0}, {1, 1, 0}};
    semctl(set, 0, SETVAL, 1);
    semctl(set, 1, SETVAL, 1);
    int child = fork() == 0;
    int first = child && argc > 1;
    semop(set, &take[first], 1);
    semop(set, &take[!first], 1);
    semop(set, &give[!first], 1);
    semop(set, &give[first], 1);
    if (child) _exit(0);
    wait(0);
    semctl(set, 0, IPC_RMID);
    return 0;
}
