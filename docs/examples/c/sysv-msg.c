/* A System V message queue: the receiver chooses by type, and the type is no part of the
 * message's size. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

struct message {
    long mtype;
    char text[16];
};

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

int main(void)
{
    int queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    check("msgget", queue);

    /* The size counts from behind the type to the end, not from the structure's beginning. */
    size_t size = sizeof(struct message) - offsetof(struct message, text);
    printf("%zu bytes in the structure, %zu in the message\n", sizeof(struct message), size);
    const long types[] = {1, 2, 1};
    const char *texts[] = {"for one, first", "for two", "for one, second"};
    for (int i = 0; i < 3; i++) {
        struct message message = {.mtype = types[i]};
        strcpy(message.text, texts[i]);
        check("msgsnd", msgsnd(queue, &message, size, 0));
    }

    for (long wanted = 2; wanted >= 0; wanted--) {
        struct message message;
        check("msgrcv", msgrcv(queue, &message, size, wanted, 0));
        printf("asked for %ld: type %ld, \"%s\"\n", wanted, message.mtype, message.text);
    }

    /* Nobody else removes it: a queue outlives the processes that use it. */
    check("msgctl", msgctl(queue, IPC_RMID, NULL));
    return 0;
}
