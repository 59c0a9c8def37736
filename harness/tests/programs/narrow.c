/*
 * A mistake that shows in one place only: the parent makes many calls, then lets a shared value be wrong for as long as one call takes, and makes it right again. The child looks
 * at it once.
 *
 * narrow [HOW [CHILD PARENT]]
 *   wrong    (without an argument) as said
 *   locked   parent and child hold a lock meanwhile
 *   small    the child makes CHILD calls, the parent PARENT, and they share nothing: their schedules can be counted
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    atomic_int wrong;
    pthread_mutex_t lock;
};

static void calls(int count)
{
    while (count-- > 0)
        close(-1);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "wrong";
    int locked = !strcmp(how, "locked"), small = !strcmp(how, "small"), status;
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->lock, &attributes);
    if (fork() == 0) {
        if (small) {
            calls(atoi(argv[2]));
            _exit(0);
        }
        if (locked)
            pthread_mutex_lock(&shared->lock);
        int wrong = shared->wrong;
        if (locked)
            pthread_mutex_unlock(&shared->lock);
        _exit(wrong);
    }
    if (small) {
        calls(atoi(argv[3]));
    } else {
        calls(20);
        if (locked)
            pthread_mutex_lock(&shared->lock);
        shared->wrong = 1;
        close(-1);
        shared->wrong = 0;
        if (locked)
            pthread_mutex_unlock(&shared->lock);
    }
    wait(&status);
    printf("%d\n", WEXITSTATUS(status));
    return 0;
}
