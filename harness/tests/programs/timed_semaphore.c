/* A semaphore in shared memory that nobody posts, and a wait for it until half a second past 12345 on the clock that starts in 1970. Prints what came of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

int main(void)
{
    sem_t *semaphore = mmap(NULL, sizeof *semaphore, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct timespec past = { .tv_sec = 12345, .tv_nsec = 500000000 };

    if (semaphore == MAP_FAILED)
        return puts("no memory") == EOF;
    if (sem_init(semaphore, 1, 0) == -1)
        return 1;
    if (sem_timedwait(semaphore, &past) == 0)
        return 1;
    return puts(errno == ETIMEDOUT ? "timed out" : errno == EINTR ? "interrupted" : "?") == EOF;
}
