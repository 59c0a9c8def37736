/* A thread that is not the leader executes: it takes over the leader's id, and the leader and a third thread are gone. Both wait in futex(2) by then. */
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_run;

static void *wait_for_ever(void *argument)
{
    pthread_barrier_wait(&both_run);
    pthread_mutex_lock(&held);
    return argument;
}

static void *execute(void *argument)
{
    pthread_barrier_wait(&both_run);
    execl("/bin/echo", "echo", "executed by a thread", (char *) NULL);
    return argument;
}

int main(void)
{
    pthread_t waits, executes;
    pthread_mutex_lock(&held);
    pthread_barrier_init(&both_run, NULL, 3);
    if (pthread_create(&waits, NULL, wait_for_ever, NULL) || pthread_create(&executes, NULL, execute, NULL))
        return 1;
    pthread_barrier_wait(&both_run);
    pthread_join(waits, NULL);
    return 1;
}
