/* A lost update, forced: the child adds 1 between the parent's load and the parent's store.
 * Then the same with one atomic operation each. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(const char *call, int result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

static void load_add_store(atomic_ulong *counter)
{
    unsigned long loaded = atomic_load(counter);
    atomic_store(counter, loaded + 1);
}

static void add(atomic_ulong *counter)
{
    atomic_fetch_add(counter, 1);
}

/* Does something in a child and waits for it: this is how the order below is forced. */
static void in_child(void (*work)(atomic_ulong *), atomic_ulong *counter)
{
    pid_t pid = fork();
    check("fork", pid);
    if (pid == 0) {
        work(counter);
        _exit(0);
    }
    check("waitpid", waitpid(pid, NULL, 0));
}

int main(void)
{
    atomic_ulong *counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counter == MAP_FAILED)
        check("mmap", -1);

    unsigned long loaded = atomic_load(counter); /* 0 */
    in_child(load_add_store, counter);           /* loads 0 as well, and stores 1 */
    /* 1: what the child has stored is overwritten */
    atomic_store(counter, loaded + 1);
    printf("load, add, store in each of two processes: %lu\n", atomic_load(counter));

    atomic_store(counter, 0);
    add(counter);
    in_child(add, counter);
    printf("one atomic addition in each of them: %lu\n", atomic_load(counter));
    return 0;
}
