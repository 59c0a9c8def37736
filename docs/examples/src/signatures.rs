//! The calls of the chapters as the package `libc` declares them. Each line is compared with
//! libc's own declaration when this is compiled; the C side,
//! `signatures.c`, is compared with the C library's headers by a test.

use libc::*;

/// Holds each signature against the function of that name in `libc`: a difference does not
/// compile.
macro_rules! signatures {
    ($(fn $name:ident($($parameters:tt)*) $(-> $result:ty)?;)*) => {
        $(const _: unsafe extern "C" fn($($parameters)*) $(-> $result)? = libc::$name;)*
    };
}

signatures! {
// ANCHOR: spawn
fn fork() -> pid_t;
fn execvp(file: *const c_char, argv: *const *const c_char) -> c_int;
fn waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t;
fn _exit(status: c_int) -> !;
// ANCHOR_END: spawn

// ANCHOR: signals
fn kill(pid: pid_t, signal: c_int) -> c_int;
fn sigaction(signal: c_int, action: *const sigaction, old: *mut sigaction) -> c_int;
fn sigprocmask(how: c_int, set: *const sigset_t, old: *mut sigset_t) -> c_int;
fn sigwait(set: *const sigset_t, signal: *mut c_int) -> c_int;
fn signalfd(fd: c_int, set: *const sigset_t, flags: c_int) -> c_int;
fn ppoll(
    which: *mut pollfd, count: nfds_t, limit: *const timespec, mask: *const sigset_t
) -> c_int;
// ANCHOR_END: signals

// ANCHOR: pipe
fn pipe(ends: *mut c_int) -> c_int;
fn pipe2(ends: *mut c_int, flags: c_int) -> c_int;
fn read(fd: c_int, buffer: *mut c_void, size: size_t) -> ssize_t;
fn write(fd: c_int, buffer: *const c_void, size: size_t) -> ssize_t;
fn close(fd: c_int) -> c_int;
fn dup2(from: c_int, to: c_int) -> c_int;
// ANCHOR_END: pipe

// ANCHOR: fifo
fn mkfifo(path: *const c_char, mode: mode_t) -> c_int;
fn open(path: *const c_char, flags: c_int, ...) -> c_int;
fn unlink(path: *const c_char) -> c_int;
// ANCHOR_END: fifo

// ANCHOR: posix-mq
fn mq_open(name: *const c_char, flags: c_int, ...) -> mqd_t;
fn mq_send(queue: mqd_t, message: *const c_char, size: size_t, priority: c_uint) -> c_int;
fn mq_receive(
    queue: mqd_t, buffer: *mut c_char, size: size_t, priority: *mut c_uint
) -> ssize_t;
fn mq_timedreceive(
    queue: mqd_t, buffer: *mut c_char, size: size_t, priority: *mut c_uint,
    until: *const timespec
) -> ssize_t;
fn mq_notify(queue: mqd_t, how: *const sigevent) -> c_int;
fn mq_getattr(queue: mqd_t, attributes: *mut mq_attr) -> c_int;
fn mq_close(queue: mqd_t) -> c_int;
fn mq_unlink(name: *const c_char) -> c_int;
// ANCHOR_END: posix-mq

// ANCHOR: sysv-msg
fn ftok(path: *const c_char, project: c_int) -> key_t;
fn msgget(key: key_t, flags: c_int) -> c_int;
fn msgsnd(id: c_int, message: *const c_void, size: size_t, flags: c_int) -> c_int;
fn msgrcv(
    id: c_int, message: *mut c_void, size: size_t, mtype: c_long, flags: c_int
) -> ssize_t;
fn msgctl(id: c_int, command: c_int, data: *mut msqid_ds) -> c_int;
// ANCHOR_END: sysv-msg

// ANCHOR: race
fn mmap(
    address: *mut c_void, size: size_t, protection: c_int, flags: c_int,
    fd: c_int, offset: off_t
) -> *mut c_void;
fn munmap(address: *mut c_void, size: size_t) -> c_int;
fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
// ANCHOR_END: race

// ANCHOR: posix-sem
fn sem_init(semaphore: *mut sem_t, shared: c_int, value: c_uint) -> c_int;
fn sem_wait(semaphore: *mut sem_t) -> c_int;
fn sem_timedwait(semaphore: *mut sem_t, until: *const timespec) -> c_int;
fn sem_post(semaphore: *mut sem_t) -> c_int;
fn sem_destroy(semaphore: *mut sem_t) -> c_int;
// ANCHOR_END: posix-sem

// ANCHOR: sysv-shm
fn shmget(key: key_t, size: size_t, flags: c_int) -> c_int;
fn shmat(id: c_int, address: *const c_void, flags: c_int) -> *mut c_void;
fn shmdt(address: *const c_void) -> c_int;
fn shmctl(id: c_int, command: c_int, data: *mut shmid_ds) -> c_int;
fn semget(key: key_t, count: c_int, flags: c_int) -> c_int;
fn semop(id: c_int, operations: *mut sembuf, count: size_t) -> c_int;
fn semctl(id: c_int, number: c_int, command: c_int, ...) -> c_int;
// ANCHOR_END: sysv-shm

// ANCHOR: posix-shm
fn shm_open(name: *const c_char, flags: c_int, mode: mode_t) -> c_int;
fn ftruncate(fd: c_int, size: off_t) -> c_int;
fn shm_unlink(name: *const c_char) -> c_int;
// ANCHOR_END: posix-shm

// ANCHOR: tcp
fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
fn setsockopt(
    socket: c_int, level: c_int, option: c_int, value: *const c_void, size: socklen_t
) -> c_int;
fn bind(socket: c_int, address: *const sockaddr, size: socklen_t) -> c_int;
fn listen(socket: c_int, backlog: c_int) -> c_int;
fn accept(socket: c_int, address: *mut sockaddr, size: *mut socklen_t) -> c_int;
fn connect(socket: c_int, address: *const sockaddr, size: socklen_t) -> c_int;
fn send(socket: c_int, buffer: *const c_void, size: size_t, flags: c_int) -> ssize_t;
fn recv(socket: c_int, buffer: *mut c_void, size: size_t, flags: c_int) -> ssize_t;
fn shutdown(socket: c_int, how: c_int) -> c_int;
// ANCHOR_END: tcp

// ANCHOR: framing
fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t;
fn sendmsg(socket: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
fn recvmsg(socket: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
// ANCHOR_END: framing

// ANCHOR: udp
fn sendto(
    socket: c_int, buffer: *const c_void, size: size_t, flags: c_int,
    to: *const sockaddr, to_size: socklen_t
) -> ssize_t;
fn recvfrom(
    socket: c_int, buffer: *mut c_void, size: size_t, flags: c_int,
    from: *mut sockaddr, from_size: *mut socklen_t
) -> ssize_t;
fn poll(which: *mut pollfd, count: nfds_t, milliseconds: c_int) -> c_int;
// ANCHOR_END: udp

// ANCHOR: unix-socket
fn socketpair(family: c_int, kind: c_int, protocol: c_int, ends: *mut c_int) -> c_int;
// ANCHOR_END: unix-socket

// ANCHOR: handshake
fn getsockopt(
    socket: c_int, level: c_int, option: c_int, value: *mut c_void, size: *mut socklen_t
) -> c_int;
fn if_nametoindex(name: *const c_char) -> c_uint;
// ANCHOR_END: handshake

// ANCHOR: watching
fn ptrace(request: c_uint, ...) -> c_long;
fn unshare(flags: c_int) -> c_int;
// ANCHOR_END: watching
}
