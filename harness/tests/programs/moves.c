/*
 * Parent and child count in shared memory that is moved: grown, shrunk, mapped a second time, and with a hole in it.
 *
 * moves locked|free
 */
#define _GNU_SOURCE
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static char *must(void *mapped)
{
    if (mapped == MAP_FAILED) {
        perror("moves");
        exit(9);
    }
    return mapped;
}

int main(int argc, char **argv)
{
    int locked = argc > 1 && !strcmp(argv[1], "locked");
    char *memory = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    memory[0] = memory[3 * PAGE] = 1;
    char *elsewhere = must(mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memory = must(mremap(memory, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere));
    char *second = must(mremap(memory, 0, 4 * PAGE, MREMAP_MAYMOVE));
    if (munmap(memory + 1 * PAGE, PAGE) == -1 || mremap(second, 4 * PAGE, PAGE, 0) == MAP_FAILED)
        return 8;
    sem_t *lock = (sem_t *) (memory + 2 * PAGE);
    sem_init(lock, 1, 1);
    int child = fork();
    for (int round = 0; round < 2; round++) {
        if (locked)
            sem_wait(lock);
        memory[0]++;
        second[0] += 0;
        memory[3 * PAGE]++;
        if (locked)
            sem_post(lock);
    }
    if (child == 0)
        _exit(0);
    wait(NULL);
    printf("%d %d %d\n", memory[0] - 1, second[0] - 1, memory[3 * PAGE] - 1);
    return 0;
}
