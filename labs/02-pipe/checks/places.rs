//! The places where a call of the program is made to fail.

use harness::prelude::*;

/// A call in its role, how it can fail, and how a right program may name it.
pub struct Place {
    pub what: &'static str,
    call: Call,
    on: Option<Kind>,
    by: Who,
    nth: u32,
    /// An error that the call can really have there.
    pub errno: i32,
    /// How a line on standard error begins that reports it: with the name of the libc function, of which several end up in one system call.
    pub names: &'static [&'static str],
}

impl Place {
    /// The call fails there, once.
    pub fn fails(&self, errno: i32) -> Fault {
        let fault = fail(self.call, errno).by(self.by).nth(self.nth);
        match self.on {
            Some(kind) => fault.on(kind),
            None => fault,
        }
    }
}

const PIPE: &[&str] = &["pipe: pipe:", "pipe: pipe2:"];
const FORK: &[&str] = &["pipe: fork:"];
const READ: &[&str] = &["pipe: read:", "pipe: readv:"];
pub const WRITE: &[&str] = &["pipe: write:", "pipe: writev:"];
const WAIT: &[&str] = &["pipe: waitpid:", "pipe: wait:", "pipe: wait4:", "pipe: waitid:"];

/// Calls that no signal interrupts.
pub static STARTING: [Place; 3] = [
    Place { what: "the first pipe", call: Pipe, on: None, by: Who::Parent, nth: 1, errno: libc::EMFILE, names: PIPE },
    Place { what: "the second pipe", call: Pipe, on: None, by: Who::Parent, nth: 2, errno: libc::EMFILE, names: PIPE },
    Place { what: "fork", call: Fork, on: None, by: Who::Parent, nth: 1, errno: libc::EAGAIN, names: FORK },
];

/// Calls that wait, and that a signal can interrupt.
pub static INTERRUPTIBLE: [Place; 7] = [
    transfer("the parent's first write to the words pipe", Write, Kind::Pipe, Who::Parent, libc::EIO, WRITE),
    transfer("the child's first read from the words pipe", Read, Kind::Pipe, Who::Children, libc::EIO, READ),
    transfer("the child's first write to standard output", Write, Kind::Standard, Who::Children, libc::ENOSPC, WRITE),
    transfer("the child's first write to the count pipe", Write, Kind::Pipe, Who::Children, libc::EIO, WRITE),
    transfer("the parent's first read from the count pipe", Read, Kind::Pipe, Who::Parent, libc::EIO, READ),
    Place { what: "the wait for the child", call: Wait, on: None, by: Who::Parent, nth: 1, errno: libc::ECHILD, names: WAIT },
    transfer("the parent's first write to standard output", Write, Kind::Standard, Who::Parent, libc::ENOSPC, WRITE),
];

const fn transfer(what: &'static str, call: Call, on: Kind, by: Who, errno: i32, names: &'static [&'static str]) -> Place {
    Place { what, call, on: Some(on), by, nth: 1, errno, names }
}
