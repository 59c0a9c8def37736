/* A POSIX shared-memory object with a semaphore inside it. Child and parent map it each for
 * themselves, as strangers would. */
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    sem_t full;
    unsigned number;
};

static void check(const char *call, int result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

static struct shared *map(int fd)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        check("mmap", -1);
    return shared;
}

int main(void)
{
    char name[64];
    snprintf(name, sizeof name, "/book-shm-%ld", (long) getpid());
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    check("shm_open", fd);
    /* A new object has length 0: a touch beyond the end is a SIGBUS. */
    check("ftruncate", ftruncate(fd, sizeof(struct shared)));
    struct shared *shared = map(fd);
    /* In place, in the shared memory; the 1 says that processes share it, and not only
     * threads. */
    check("sem_init", sem_init(&shared->full, 1, 0));

    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0) {
        int own = shm_open(name, O_RDWR, 0);
        check("shm_open", own);
        struct shared *elsewhere = map(own);
        elsewhere->number = 42;
        check("sem_post", sem_post(&elsewhere->full));
        _exit(0);
    }
    check("sem_wait", sem_wait(&shared->full));
    printf("the child has left %u\n", shared->number);

    check("waitpid", waitpid(pid, NULL, 0));
    check("sem_destroy", sem_destroy(&shared->full));
    check("shm_unlink", shm_unlink(name));
    return 0;
}
