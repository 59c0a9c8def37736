//! The kernel's boundary: every `unsafe` line of the harness is below this module.
//!
//! Each function wraps one system call (or the few that belong together), turns its result into [`std::io::Result`] in one place, and hands out
//! descriptors as [`std::os::fd::OwnedFd`]. Functions name the manual page of their call. None of them keeps state.
#![allow(unsafe_code)]

pub mod arch;
pub mod descriptor;
pub mod ipc;
pub mod landlock;
pub mod local;
pub mod message;
pub mod namespace;
pub mod netlink;
pub mod packet;
pub mod process;
pub mod ptrace;
pub mod seccomp;
pub mod socket;
pub mod terminal;

use std::io;

/// The result of a call that returns -1 for an error, with `errno` read at once.
fn checked<T: PartialOrd + From<i8>>(result: T) -> io::Result<T> {
    if result < T::from(0) { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Repeats a call that a signal interrupted: the session's tick is a signal.
fn retried<T: PartialOrd + From<i8>>(mut call: impl FnMut() -> T) -> io::Result<T> {
    loop {
        match checked(call()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// An I/O error that says which call failed, and on what.
pub fn named(call: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{call}: {error}"))
}
