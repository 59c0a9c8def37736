/* Makes one object that outlives the process and leaves it: "leaves KIND NAME" with the object's name, or its key for System V. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *kind = argv[1], *name = argv[2];
    int made = -1;
    if (strcmp(kind, "segment") == 0)
        made = shmget(atoi(name), 4096, IPC_CREAT | IPC_EXCL | 0600);
    else if (strcmp(kind, "semaphores") == 0)
        made = semget(atoi(name), 1, IPC_CREAT | IPC_EXCL | 0600);
    else if (strcmp(kind, "messages") == 0)
        made = msgget(atoi(name), IPC_CREAT | IPC_EXCL | 0600);
    else if (strcmp(kind, "queue") == 0)
        made = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL);
    else if (strcmp(kind, "memory") == 0)
        made = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    else if (strcmp(kind, "fifo") == 0)
        made = mkfifo(name, 0600);
    else if (strcmp(kind, "file") == 0)
        made = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    else if (strcmp(kind, "socket") == 0) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        strncpy(address.sun_path, name, sizeof address.sun_path - 1);
        made = bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *) &address, sizeof address);
    } else if (strcmp(kind, "nothing") == 0)
        made = 0;
    return made == -1;
}
