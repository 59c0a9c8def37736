//! The harness's own hand in System V message queues: msgget(2), msgop(2), msgctl(2), ftok(3). Never waits.

use std::ffi::CStr;
use std::io;
use std::mem::{MaybeUninit, offset_of};

use super::checked;

/// Most bytes of a message's text that are taken; MSGMAX is 8192 by default.
const MOST_TEXT: usize = 64 << 10;

/// Fill and permissions of a queue; msgctl(2), IPC_STAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageQueueState {
    /// Messages in it now.
    pub messages: u64,
    /// Permission bits.
    pub mode: u32,
}

/// A message as msgsnd(2) and msgrcv(2) lay it out. The text that counts leaves out the type.
#[repr(C)]
struct Message {
    kind: libc::c_long,
    text: [u8; MOST_TEXT],
}

/// The key of a file; ftok(3).
pub fn key(path: &CStr, project: u8) -> io::Result<libc::key_t> {
    // SAFETY: the path is NUL-terminated.
    match unsafe { libc::ftok(path.as_ptr(), i32::from(project)) } {
        -1 => Err(io::Error::last_os_error()),
        // A key is any number, negative ones too.
        key => Ok(key),
    }
}

/// The id of an existing queue.
pub fn open(key: libc::key_t) -> io::Result<i32> {
    // SAFETY: msgget takes no pointers.
    checked(unsafe { libc::msgget(key, 0) })
}

/// Makes a queue that must not exist yet; a key of `IPC_PRIVATE` makes one without a key.
pub fn create(key: libc::key_t) -> io::Result<i32> {
    // SAFETY: msgget takes no pointers.
    checked(unsafe { libc::msgget(key, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) })
}

/// Sends a message: fails with EAGAIN where the queue is full.
pub fn send(queue: i32, kind: i64, text: &[u8]) -> io::Result<()> {
    let mut message = Box::new(Message { kind, text: [0; MOST_TEXT] });
    message.text[..text.len()].copy_from_slice(text);
    // SAFETY: the message begins with its type, and has room for more text than is named.
    checked(unsafe { libc::msgsnd(queue, (&raw const *message).cast(), text.len(), libc::IPC_NOWAIT) }).map(drop)
}

/// The first message with its type: fails with ENOMSG where the queue is empty.
pub fn receive(queue: i32) -> io::Result<(i64, Vec<u8>)> {
    let mut message = Box::new(Message { kind: 0, text: [0; MOST_TEXT] });
    // SAFETY: the message has room for a type and for as much text as is named.
    let length = checked(unsafe { libc::msgrcv(queue, (&raw mut *message).cast(), MOST_TEXT, 0, libc::IPC_NOWAIT) })?;
    Ok((message.kind, message.text[..length.cast_unsigned()].to_vec()))
}

/// msgctl(2), IPC_STAT.
pub fn state(queue: i32) -> io::Result<MessageQueueState> {
    let mut state = MaybeUninit::<libc::msqid_ds>::zeroed();
    // SAFETY: the structure has room for the answer.
    checked(unsafe { libc::msgctl(queue, libc::IPC_STAT, state.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so the structure is written.
    let state = unsafe { state.assume_init() };
    // libc's field is as wide as the system's own, which is not the same everywhere.
    #[allow(clippy::useless_conversion)]
    let mode = u32::from(state.msg_perm.mode) & 0o777;
    Ok(MessageQueueState { messages: state.msg_qnum, mode })
}

/// msgctl(2), IPC_RMID.
pub fn remove(queue: i32) -> io::Result<()> {
    // SAFETY: IPC_RMID ignores the structure.
    checked(unsafe { libc::msgctl(queue, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

// The text begins directly behind the type: msgop(2), struct msgbuf.
const _: () = assert!(offset_of!(Message, text) == size_of::<libc::c_long>());
