/* The calls of the chapters as the C library declares them: a second declaration that differs
 * from the headers' does not compile. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

// ANCHOR: spawn
pid_t fork(void);
int execvp(const char *file, char *const argv[]);
pid_t waitpid(pid_t pid, int *status, int options);
void _exit(int status);
// ANCHOR_END: spawn

// ANCHOR: signals
int kill(pid_t pid, int signal);
int sigaction(int signal, const struct sigaction *action, struct sigaction *old);
int sigprocmask(int how, const sigset_t *set, sigset_t *old);
int sigwait(const sigset_t *set, int *signal);
int signalfd(int fd, const sigset_t *set, int flags);
int ppoll(struct pollfd *which, nfds_t count, const struct timespec *limit,
          const sigset_t *mask);
// ANCHOR_END: signals

// ANCHOR: pipe
int pipe(int ends[2]);
int pipe2(int ends[2], int flags);
ssize_t read(int fd, void *buffer, size_t size);
ssize_t write(int fd, const void *buffer, size_t size);
int close(int fd);
int dup2(int from, int to);
// ANCHOR_END: pipe

// ANCHOR: fifo
int mkfifo(const char *path, mode_t mode);
int open(const char *path, int flags, ...);
int unlink(const char *path);
// ANCHOR_END: fifo

// ANCHOR: posix-mq
mqd_t mq_open(const char *name, int flags, ...);
int mq_send(mqd_t queue, const char *message, size_t size, unsigned priority);
ssize_t mq_receive(mqd_t queue, char *buffer, size_t size, unsigned *priority);
ssize_t mq_timedreceive(mqd_t queue, char *buffer, size_t size, unsigned *priority,
                        const struct timespec *until);
int mq_notify(mqd_t queue, const struct sigevent *how);
int mq_getattr(mqd_t queue, struct mq_attr *attributes);
int mq_close(mqd_t queue);
int mq_unlink(const char *name);
// ANCHOR_END: posix-mq

// ANCHOR: sysv-msg
key_t ftok(const char *path, int project);
int msgget(key_t key, int flags);
int msgsnd(int id, const void *message, size_t size, int flags);
ssize_t msgrcv(int id, void *message, size_t size, long mtype, int flags);
int msgctl(int id, int command, struct msqid_ds *data);
// ANCHOR_END: sysv-msg

// ANCHOR: race
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int munmap(void *address, size_t size);
int fcntl(int fd, int command, ...);
// ANCHOR_END: race

// ANCHOR: posix-sem
int sem_init(sem_t *semaphore, int shared, unsigned value);
int sem_wait(sem_t *semaphore);
int sem_timedwait(sem_t *semaphore, const struct timespec *until);
int sem_post(sem_t *semaphore);
int sem_destroy(sem_t *semaphore);
// ANCHOR_END: posix-sem

// ANCHOR: sysv-shm
int shmget(key_t key, size_t size, int flags);
void *shmat(int id, const void *address, int flags);
int shmdt(const void *address);
int shmctl(int id, int command, struct shmid_ds *data);
int semget(key_t key, int count, int flags);
int semop(int id, struct sembuf *operations, size_t count);
int semctl(int id, int number, int command, ...);
// ANCHOR_END: sysv-shm

// ANCHOR: posix-shm
int shm_open(const char *name, int flags, mode_t mode);
int ftruncate(int fd, off_t size);
int shm_unlink(const char *name);
// ANCHOR_END: posix-shm

// ANCHOR: tcp
int socket(int family, int kind, int protocol);
int setsockopt(int socket, int level, int option, const void *value, socklen_t size);
int bind(int socket, const struct sockaddr *address, socklen_t size);
int listen(int socket, int backlog);
int accept(int socket, struct sockaddr *address, socklen_t *size);
int connect(int socket, const struct sockaddr *address, socklen_t size);
ssize_t send(int socket, const void *buffer, size_t size, int flags);
ssize_t recv(int socket, void *buffer, size_t size, int flags);
int shutdown(int socket, int how);
// ANCHOR_END: tcp

// ANCHOR: framing
ssize_t writev(int fd, const struct iovec *parts, int count);
ssize_t sendmsg(int socket, const struct msghdr *message, int flags);
ssize_t recvmsg(int socket, struct msghdr *message, int flags);
// ANCHOR_END: framing

// ANCHOR: udp
ssize_t sendto(int socket, const void *buffer, size_t size, int flags,
               const struct sockaddr *to, socklen_t to_size);
ssize_t recvfrom(int socket, void *buffer, size_t size, int flags,
                 struct sockaddr *from, socklen_t *from_size);
int poll(struct pollfd *which, nfds_t count, int milliseconds);
// ANCHOR_END: udp

// ANCHOR: unix-socket
int socketpair(int family, int kind, int protocol, int ends[2]);
// ANCHOR_END: unix-socket

// ANCHOR: handshake
int getsockopt(int socket, int level, int option, void *value, socklen_t *size);
unsigned if_nametoindex(const char *name);
// ANCHOR_END: handshake

// ANCHOR: watching
long ptrace(enum __ptrace_request request, ...);
int unshare(int flags);
// ANCHOR_END: watching
