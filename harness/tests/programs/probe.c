/* What a program can see and do: one line each. Run natively and in a session, it must say the same. "probe PART [NAME]" does one part. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void say(const char *what, int holds)
{
    printf("%s: %s\n", what, holds ? "yes" : "no");
    fflush(stdout);
}

/* How a child that does this ends. */
static int end_of(void (*act)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        act();
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void write_to_nobody(void)
{
    int ends[2];
    if (pipe(ends) == -1)
        _exit(9);
    close(ends[0]);
    _exit(write(ends[1], "x", 1) == 1);
}

static void terminate_itself(void)
{
    kill(getpid(), SIGTERM);
}

static void signals(void)
{
    int all_default = 1;
    sigset_t mask;
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            all_default = 0;
    }
    say("every disposition is the default", all_default);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    int blocked = 0;
    for (int number = 1; number <= SIGRTMAX; number++)
        blocked += sigismember(&mask, number) == 1;
    say("no signal is blocked", blocked == 0);
    printf("SIGPIPE kills: %d\n", end_of(write_to_nobody));
    printf("SIGTERM to itself kills: %d\n", end_of(terminate_itself));
}

static void family(void)
{
    int status, own = 0, ready[2];
    char c = 0;
    say("the process is not number 1", getpid() != 1);
    say("the parent is another process", getppid() != getpid());
    if (pipe(ready) == -1)
        exit(9);
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            /* The last one's own child outlives it. */
            if (i == 2 && fork() == 0) {
                close(ready[1]);
                _exit(read(ready[0], &c, 1) == 1);
            }
            _exit(i);
        }
    while (waitpid(-1, &status, 0) > 0)
        own++;
    printf("children reaped: %d, then %s\n", own, errno == ECHILD ? "ECHILD" : "another error");
    close(ready[1]);
}

static void tables(void)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    int others = 0;
    while (folder && (entry = readdir(folder)))
        others += entry->d_name[0] != '.' && atoi(entry->d_name) > 2 && atoi(entry->d_name) != dirfd(folder);
    say("no descriptor but 0 to 2", folder && others == 0 && fcntl(0, F_GETFD) != -1 && fcntl(1, F_GETFD) != -1 && fcntl(2, F_GETFD) != -1);
    if (folder)
        closedir(folder);
    for (char **variable = environ; *variable; variable++)
        printf("environment: %.*s\n", (int) strcspn(*variable, "="), *variable);
    printf("umask %03o\n", umask(022));
}

static void loopback(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    char text[6] = "";
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    say("loopback can be bound", bind(listener, (struct sockaddr *) &address, sizeof address) == 0 && listen(listener, 1) == 0);
    getsockname(listener, (struct sockaddr *) &address, &length);
    say("loopback can be connected to", connect(client, (struct sockaddr *) &address, sizeof address) == 0);
    int server = accept(listener, NULL, NULL);
    say("loopback carries data", write(client, "hello", 5) == 5 && read(server, text, 5) == 5 && strcmp(text, "hello") == 0);
}

static void posix(const char *name)
{
    struct mq_attr attributes = { .mq_maxmsg = 4, .mq_msgsize = 16 };
    char message[16];
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    unsigned priority = 0;
    say("a queue carries messages by priority", mq_send(queue, "low", 4, 1) == 0 && mq_send(queue, "high", 5, 9) == 0
        && mq_receive(queue, message, sizeof message, &priority) == 5 && priority == 9);
    say("a queue can be removed", mq_unlink(name) == 0);
    int memory = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    say("shared memory has a length", ftruncate(memory, 4096) == 0);
    char *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (mapped != MAP_FAILED && fork() == 0) {
        mapped[7] = 'x';
        _exit(0);
    }
    wait(NULL);
    say("shared memory is shared", mapped != MAP_FAILED && mapped[7] == 'x');
    say("shared memory can be removed", shm_unlink(name) == 0);
}

static void lock_record(void)
{
    int file = open("record", O_RDWR);
    struct flock first = { .l_type = F_WRLCK, .l_len = 1 }, second = { .l_type = F_WRLCK, .l_start = 1, .l_len = 1 };
    int refused = fcntl(file, F_SETLK, &first) == -1 && (errno == EAGAIN || errno == EACCES);
    _exit(refused && fcntl(file, F_SETLK, &second) == 0 ? 3 : 4);
}

static void lock_file(void)
{
    int file = open("record", O_RDWR);
    _exit(flock(file, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK ? 3 : 4);
}

static void open_for_writing(void)
{
    int end = open("fifo", O_WRONLY);
    _exit(write(end, "through", 7) == 7 ? 0 : 9);
}

static void files(void)
{
    int file = open("record", O_CREAT | O_RDWR, 0600), status;
    struct flock first = { .l_type = F_WRLCK, .l_len = 1 };
    char text[8] = "";
    say("a record can be locked", fcntl(file, F_SETLK, &first) == 0);
    say("a locked record is refused to others, the next one is not", end_of(lock_record) == 3);
    say("a file can be locked", flock(file, LOCK_EX) == 0);
    say("a locked file is refused to others", end_of(lock_file) == 3);
    say("a FIFO can be made", mkfifo("fifo", 0600) == 0);
    if (fork() == 0)
        open_for_writing();
    int end = open("fifo", O_RDONLY);
    say("a FIFO carries data and ends", read(end, text, 7) == 7 && read(end, text, 1) == 0);
    wait(&status);
    say("files can be removed", unlink("fifo") == 0 && unlink("record") == 0);
}

static void system_v(void)
{
    struct { long kind; char text[8]; } message = { 1, "seven" };
    int segment = shmget(IPC_PRIVATE, 4096, 0600), set = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600);
    char *attached = shmat(segment, NULL, 0);
    struct sembuf raise = { .sem_op = 1 }, lower = { .sem_op = -1 };
    if (attached != (char *) -1 && fork() == 0) {
        attached[3] = 'y';
        _exit(semop(set, &raise, 1) != 0);
    }
    say("a semaphore is waited for", semop(set, &lower, 1) == 0);
    wait(NULL);
    say("a segment is shared", attached != (char *) -1 && attached[3] == 'y');
    say("a queue carries a message", msgsnd(queue, &message, 8, 0) == 0 && msgrcv(queue, &message, 8, 1, 0) == 8);
    say("all can be removed", shmctl(segment, IPC_RMID, NULL) == 0 && semctl(set, 0, IPC_RMID) == 0 && msgctl(queue, IPC_RMID, NULL) == 0);
}

static void return_once_asleep(pid_t process)
{
    char path[64], stat[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", process);
    do {
        int file = open(path, O_RDONLY);
        ssize_t length = read(file, stat, sizeof stat - 1);
        stat[length > 0 ? length : 0] = 0;
        close(file);
    } while (!strstr(stat, ") S "));
}

/* A child ends while its parent sleeps in a call that is never restarted; only the end of that child lets another one wake the parent. */
static void disturb_and_then_wake(int set, int wake)
{
    pid_t parent = getpid();
    int held[2];
    char c = 0;
    if (pipe(held) == -1)
        exit(9);
    if (fork() == 0) {
        return_once_asleep(parent);
        _exit(0);
    }
    close(held[1]);
    if (fork() == 0) {
        struct sembuf raise = { .sem_op = 1 };
        if (read(held[0], &c, 1) != 0)
            _exit(9);
        return_once_asleep(parent);
        _exit(set == -1 ? write(wake, &c, 1) != 1 : semop(set, &raise, 1) != 0);
    }
    close(held[0]);
}

static void undisturbed(void)
{
    int set = semget(IPC_PRIVATE, 1, 0600), watch = epoll_create1(0), ends[2];
    struct sembuf lower = { .sem_op = -1 };
    struct epoll_event event = { .events = EPOLLIN };
    if (pipe(ends) == -1 || epoll_ctl(watch, EPOLL_CTL_ADD, ends[0], &event) == -1)
        exit(9);
    disturb_and_then_wake(set, -1);
    say("semop sleeps through a signal that is ignored", semop(set, &lower, 1) == 0);
    while (wait(NULL) > 0)
        ;
    disturb_and_then_wake(-1, ends[1]);
    say("epoll_wait sleeps through a signal that is ignored", epoll_wait(watch, &event, 1, -1) == 1);
    while (wait(NULL) > 0)
        ;
    semctl(set, 0, IPC_RMID);
}

/* Only inside: what the sandbox keeps from the program. */
static void walls(const char *secret)
{
    say("the host's file is out of sight", access(secret, F_OK) == -1 && errno == ENOENT);
    say("/root is out of sight", access("/root", F_OK) == -1);
    say("/home is out of sight", access("/home", F_OK) == -1);
    say("the system cannot be written to", open("/usr/written", O_CREAT | O_WRONLY, 0600) == -1);
    say("the process is no superuser", getuid() != 0 && geteuid() != 0);
    say("no privilege can be gained", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    int processes = 0;
    while (folder && (entry = readdir(folder)))
        processes += atoi(entry->d_name) > 0;
    printf("processes in sight: %d\n", processes);
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "", *name = argc > 2 ? argv[2] : "";
    if (strcmp(part, "signals") == 0)
        signals();
    else if (strcmp(part, "family") == 0)
        family();
    else if (strcmp(part, "tables") == 0)
        tables();
    else if (strcmp(part, "loopback") == 0)
        loopback();
    else if (strcmp(part, "posix") == 0)
        posix(name);
    else if (strcmp(part, "files") == 0)
        files();
    else if (strcmp(part, "system_v") == 0)
        system_v();
    else if (strcmp(part, "undisturbed") == 0)
        undisturbed();
    else if (strcmp(part, "walls") == 0)
        walls(name);
    else if (strcmp(part, "sigpipe") == 0)
        write_to_nobody();
    else if (strcmp(part, "sigterm") == 0)
        terminate_itself();
    else if (strcmp(part, "abort") == 0)
        abort();
    else if (strcmp(part, "status") == 0)
        return 200;
    else
        return 2;
    return 0;
}
