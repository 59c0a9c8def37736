/* A POSIX message queue: messages keep their boundaries, and the highest priority comes
 * first. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(const char *call, ssize_t result)
{
    if (result == -1) {
        perror(call);
        exit(EXIT_FAILURE);
    }
}

int main(void)
{
    char name[64];
    snprintf(name, sizeof name, "/book-mq-%ld", (long) getpid());
    struct mq_attr wanted = {.mq_maxmsg = 4, .mq_msgsize = 32};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &wanted);
    check("mq_open", queue);

    const char *texts[] = {"sweep", "fire", "cook"};
    const unsigned priorities[] = {1, 9, 1};
    for (int i = 0; i < 3; i++)
        check("mq_send", mq_send(queue, texts[i], strlen(texts[i]), priorities[i]));

    /* As large as any message of this queue may be: with a smaller one mq_receive fails with
     * EMSGSIZE. */
    char buffer[32];
    for (int i = 0; i < 3; i++) {
        unsigned priority;
        ssize_t n = mq_receive(queue, buffer, sizeof buffer, &priority);
        check("mq_receive", n);
        printf("%u %.*s\n", priority, (int) n, buffer);
    }

    check("mq_close", mq_close(queue));
    check("mq_unlink", mq_unlink(name));
    return 0;
}
