//! The harness's own hand in POSIX queues and System V objects: mq_overview(7), sysvipc(7).

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;

/// Attributes and fill of a POSIX queue; mq_getattr(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// Most messages that it holds.
    pub max_messages: i64,
    /// Most bytes of one message.
    pub message_size: i64,
    /// Messages in it now.
    pub messages: i64,
}

/// mq_open(3) of an existing queue, non-blocking, for reading and writing.
pub fn queue_open(name: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: the name is NUL-terminated; without O_CREAT there are no more arguments.
    let queue = checked(unsafe { libc::mq_open(name.as_ptr(), libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC) })?;
    // SAFETY: on Linux a queue's descriptor is a file descriptor; the call made it just now, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(queue) })
}

/// mq_open(3) that makes a queue which must not exist yet.
pub fn queue_create(name: &CStr, max_messages: i64, message_size: i64) -> io::Result<OwnedFd> {
    let mut attributes = MaybeUninit::<libc::mq_attr>::zeroed();
    // SAFETY: zeroed plain integers are a valid value.
    let attributes = unsafe { attributes.assume_init_mut() };
    attributes.mq_maxmsg = max_messages;
    attributes.mq_msgsize = message_size;
    let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_CREAT | libc::O_EXCL;
    // SAFETY: the name is NUL-terminated; mode and attributes follow as mq_open(3) expects with O_CREAT.
    let queue = checked(unsafe { libc::mq_open(name.as_ptr(), flags, 0o600 as libc::c_uint, &raw const *attributes) })?;
    // SAFETY: as in `queue_open`.
    Ok(unsafe { OwnedFd::from_raw_fd(queue) })
}

/// mq_getattr(3).
pub fn queue_state(queue: BorrowedFd<'_>) -> io::Result<QueueState> {
    let mut attributes = MaybeUninit::<libc::mq_attr>::zeroed();
    // SAFETY: the structure has room for the answer.
    checked(unsafe { libc::mq_getattr(queue.as_raw_fd(), attributes.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so the structure is written.
    let attributes = unsafe { attributes.assume_init() };
    Ok(QueueState { max_messages: attributes.mq_maxmsg, message_size: attributes.mq_msgsize, messages: attributes.mq_curmsgs })
}

/// Whether some process is registered for notification: mq_notify(3) then fails with EBUSY.
pub fn queue_is_watched(queue: BorrowedFd<'_>) -> io::Result<bool> {
    let mut event = MaybeUninit::<libc::sigevent>::zeroed();
    // SAFETY: zeroed integers and a null pointer are a valid value.
    let event = unsafe { event.assume_init_mut() };
    event.sigev_notify = libc::SIGEV_NONE;
    // SAFETY: the structure is read during the call only.
    match checked(unsafe { libc::mq_notify(queue.as_raw_fd(), &raw const *event) }) {
        // SAFETY: a null pointer takes the registration back.
        Ok(_) => checked(unsafe { libc::mq_notify(queue.as_raw_fd(), std::ptr::null()) }).map(|_| false),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(true),
        Err(error) => Err(error),
    }
}

/// mq_send(3): fails with EAGAIN where the queue is full.
pub fn queue_send(queue: BorrowedFd<'_>, message: &[u8], priority: u32) -> io::Result<()> {
    // SAFETY: pointer and length are the slice's.
    checked(unsafe { libc::mq_send(queue.as_raw_fd(), message.as_ptr().cast(), message.len(), priority) }).map(drop)
}

/// mq_receive(3): fails with EAGAIN where the queue is empty.
pub fn queue_receive(queue: BorrowedFd<'_>) -> io::Result<(Vec<u8>, u32)> {
    let mut buffer = vec![0u8; usize::try_from(queue_state(queue)?.message_size).unwrap_or(0)];
    let mut priority = 0;
    // SAFETY: pointer and length are the buffer's, which is as long as the queue's messages may be.
    let length = checked(unsafe { libc::mq_receive(queue.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), &raw mut priority) })?;
    buffer.truncate(length.cast_unsigned());
    Ok((buffer, priority))
}

/// mq_unlink(3).
pub fn queue_unlink(name: &CStr) -> io::Result<()> {
    // SAFETY: the name is NUL-terminated.
    checked(unsafe { libc::mq_unlink(name.as_ptr()) }).map(drop)
}

/// The value of one semaphore of a set; semctl(2), GETVAL.
pub fn semaphore_value(set: i32, number: i32) -> io::Result<i32> {
    // SAFETY: GETVAL takes no fourth argument.
    checked(unsafe { libc::semctl(set, number, libc::GETVAL) })
}

/// Removes a System V object of this kind (`shm`, `sem` or `msg`): shmctl(2), semctl(2), msgctl(2) with IPC_RMID.
pub fn remove_system_v(kind: &str, id: i32) -> io::Result<()> {
    let result = match kind {
        // SAFETY: IPC_RMID ignores the structure.
        "shm" => unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) },
        // SAFETY: IPC_RMID takes no fourth argument.
        "sem" => unsafe { libc::semctl(id, 0, libc::IPC_RMID) },
        // SAFETY: IPC_RMID ignores the structure.
        _ => unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) },
    };
    checked(result).map(drop)
}

/// mkfifo(3).
pub fn make_fifo(path: &CStr, mode: u32) -> io::Result<()> {
    // SAFETY: the path is NUL-terminated.
    checked(unsafe { libc::mkfifo(path.as_ptr(), mode) }).map(drop)
}
