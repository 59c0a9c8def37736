/* Threads that each write through a pipe of their own to the one that made them. All are there at once, so that none gets another's stack. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int ends[4][2];
static pthread_barrier_t all_there;

static void *work(void *argument)
{
    int *end = argument;
    pthread_barrier_wait(&all_there);
    for (char c = 'a'; c < 'a' + 20; c++)
        if (write(end[1], &c, 1) != 1)
            return argument;
    close(end[1]);
    return NULL;
}

int main(void)
{
    pthread_t threads[4];
    pthread_barrier_init(&all_there, NULL, 4);
    for (int i = 0; i < 4; i++)
        if (pipe(ends[i]) == -1 || pthread_create(&threads[i], NULL, work, ends[i]) != 0)
            return 1;
    for (int i = 0; i < 4; i++) {
        void *failed;
        char c;
        int count = 0;
        while (read(ends[i][0], &c, 1) == 1)
            count++;
        if (pthread_join(threads[i], &failed) != 0 || failed || count != 20)
            return 1;
    }
    puts("joined");
    return 0;
}
