//! Faults: what a check makes happen at a call, and to which call.
//!
//! A fault is armed by the meaning of a call and the kind of object that it is for, never by a bare count from the program's start: the loader and the
//! Rust runtime make calls of their own. One for fork meets the calls that make a process, and none that makes a thread. The tracer carries it out;
//! [`Fired`] tells how often it did.

pub mod datagram;
pub mod every;
pub mod permitted;

use crate::call::Call;
use crate::session::Program;
use crate::trace::event::{ProcessId, signal_name};
use crate::trace::object::Kind;
pub use datagram::{Fate, delay_datagram, drop_datagram, duplicate_datagram, keep_datagram, swap_datagrams};
pub use every::{Every, every_failure, every_interruption};

/// What happens at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The kernel does nothing and the call fails with this errno.
    Fail(i32),
    /// The kernel does its work, but the caller is told that the call failed with this errno: what a signal that comes late does to connect(2).
    FailAfter(i32),
    /// A transfer of more bytes than this moves only so many.
    Shorten(u64),
    /// The process is killed with SIGKILL before the call is done.
    Kill,
    /// The process is sent this signal when it is about to make the call: it interrupts the call, if that waits.
    Signal(i32),
    /// The process ends with this status instead of its own.
    ExitWith(u8),
    /// The process is held before the call, until the check releases it.
    Hold,
    /// The process is held before the instruction that makes the call, until the check releases it.
    HoldBefore,
    /// The process is held before the call, until no other process of the run can go on.
    Delay,
    /// The datagram that the call sends does not arrive as it was sent.
    Datagram(Fate),
}

/// Which of the calls that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The n-th, counted from 1 over all processes of the program.
    Nth(u32),
    /// Every one.
    Every,
    /// One, then not the next, and so on: for faults that a right program answers by calling again.
    Alternately,
}

/// Which processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Any process of the program.
    Anyone,
    /// The process that was started.
    Parent,
    /// Those that it forked, and theirs.
    Children,
}

/// A fault: an action at certain calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub(crate) action: Action,
    pub(crate) calls: Vec<Call>,
    pub(crate) on: Option<Vec<Kind>>,
    pub(crate) when: When,
    pub(crate) who: Who,
    pub(crate) must_fire: bool,
    /// The name of the program that it is for; any program without one.
    pub(crate) program: Option<String>,
    /// The one started program that it is for, by its number.
    pub(crate) of: Option<usize>,
    /// An argument's index, which of its bits count, and their value.
    pub(crate) argument: Option<(usize, u64, u64)>,
    /// Whether a process is held once the call is done, not before it.
    pub(crate) afterwards: bool,
    pub(crate) longer_than: u64,
    /// Whether calls match whatever their object is.
    pub(crate) on_anything: bool,
    /// The name of the object that it must be for, where there are several of one kind.
    pub(crate) named: Option<&'static str>,
    /// The one process, and the kind of object if any, of a site that was enumerated: they count instead of all other conditions.
    pub(crate) site: Option<(ProcessId, Option<Kind>)>,
}

impl Fault {
    fn new(action: Action, calls: &[Call]) -> Self {
        Self {
            action,
            calls: calls.to_vec(),
            on: None,
            when: When::Nth(1),
            who: Who::Anyone,
            must_fire: true,
            program: None,
            of: None,
            argument: None,
            afterwards: false,
            longer_than: 0,
            on_anything: false,
            named: None,
            site: None,
        }
    }

    /// Only where the call's descriptor refers to an object of this kind. Without it, calls that take a descriptor match on every object between
    /// processes (pipes, FIFOs, sockets, queues), but not on files and the standard streams. For open it is the kind of what the path names, so that
    /// a path that names nothing yet does not match.
    #[must_use]
    pub fn on(mut self, kind: Kind) -> Self {
        self.on.get_or_insert_default().push(kind);
        self
    }

    /// On every object and on none: files and the standard streams too.
    #[must_use]
    pub fn on_anything(mut self) -> Self {
        self.on_anything = true;
        self
    }

    /// Only on standard output, whichever descriptor refers to it.
    #[must_use]
    pub fn on_standard_output(mut self) -> Self {
        self.named = Some("standard output");
        self.on(Kind::Standard)
    }

    /// At the n-th matching call, counted from 1.
    #[must_use]
    pub fn nth(mut self, n: u32) -> Self {
        self.when = When::Nth(n);
        self
    }

    /// At every matching call.
    #[must_use]
    pub fn every(mut self) -> Self {
        self.when = When::Every;
        self
    }

    /// At the first matching call, the third, the fifth …
    #[must_use]
    pub fn alternately(mut self) -> Self {
        self.when = When::Alternately;
        self
    }

    /// Only in these processes.
    #[must_use]
    pub fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// Only in the program of this name.
    #[must_use]
    pub fn in_program(mut self, name: &str) -> Self {
        self.program = Some(name.to_owned());
        self
    }

    /// Only in this program of those that were started, where several of one name run.
    #[must_use]
    pub fn of(mut self, program: Program) -> Self {
        self.of = Some(program.number());
        self
    }

    /// Only where the argument with this index (from 0) has this value, for instance a command of semctl(2).
    #[must_use]
    pub fn where_argument(self, index: usize, value: u64) -> Self {
        self.where_bits(index, 0xffff_ffff, value)
    }

    /// Only where these bits of the argument with this index (from 0) have this value, for instance a flag.
    #[must_use]
    pub fn where_bits(mut self, index: usize, mask: u64, value: u64) -> Self {
        self.argument = Some((index, mask, value & mask));
        self
    }

    /// Holds or delays the process when the call is done, before anything that follows it: what it then does to shared memory comes too late.
    #[must_use]
    pub fn afterwards(mut self) -> Self {
        self.afterwards = true;
        self
    }

    /// Only transfers of more than so many bytes.
    #[must_use]
    pub fn longer_than(mut self, bytes: u64) -> Self {
        self.longer_than = bytes;
        self
    }

    /// A run in which no call matches is nothing to complain of: the handout allows other calls too.
    #[must_use]
    pub fn if_called(mut self) -> Self {
        self.must_fire = false;
        self
    }

    /// The fault in words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let calls =
            if self.calls == Call::ALL { "any call".into() } else { self.calls.iter().map(|call| call.word()).collect::<Vec<_>>().join(" or ") };
        match self.action {
            Action::Fail(errno) => format!("{calls} fails with {}", errno_name(errno)),
            Action::FailAfter(errno) => format!("{calls} does its work, but comes back with {}", errno_name(errno)),
            Action::Shorten(bytes) => format!("{calls} moves only {bytes} byte{} at a time", if bytes == 1 { "" } else { "s" }),
            Action::Kill => format!("the process is killed at {calls}"),
            Action::Signal(signal) => format!("{} comes at {calls}", signal_name(signal)),
            Action::ExitWith(status) => format!("the process exits with status {status}"),
            Action::Hold if self.afterwards => format!("the process is held after {calls}"),
            Action::Hold | Action::HoldBefore => format!("the process is held at {calls}"),
            Action::Delay if self.afterwards => format!("what follows {calls} comes late"),
            Action::Delay => format!("{calls} comes late"),
            Action::Datagram(fate) => format!("{} {}", self.datagram_in_words(), fate.in_words()),
        }
    }
}

/// These calls fail with this errno; see the calls' manual pages for what is possible.
#[must_use]
pub fn fail(calls: impl AsCalls, errno: i32) -> Fault {
    Fault::new(Action::Fail(errno), calls.as_calls())
}

/// These calls are carried out, and then come back with this errno; connect(2) interrupted by a signal, whose handshake goes on.
#[must_use]
pub fn fail_after(calls: impl AsCalls, errno: i32) -> Fault {
    Fault::new(Action::FailAfter(errno), calls.as_calls())
}

/// These transfers move at most so many bytes a call, as the kernel may do on pipes, FIFOs, stream sockets and terminals; those of vectors (writev, sendmsg …)
/// too, wherever in their buffers that is. What only peeks is left alone.
#[must_use]
pub fn short(calls: impl AsCalls, bytes: u64) -> Fault {
    Fault::new(Action::Shorten(bytes), calls.as_calls())
}

/// The process is killed just before it makes one of these calls.
#[must_use]
pub fn kill_at(calls: impl AsCalls) -> Fault {
    Fault::new(Action::Kill, calls.as_calls())
}

/// The process is sent this signal just when it makes one of these calls: one that waits is interrupted.
#[must_use]
pub fn signal_at(calls: impl AsCalls, signal: i32) -> Fault {
    Fault::new(Action::Signal(signal), calls.as_calls())
}

/// A process that exits does so with this status, whatever its own is.
#[must_use]
pub fn exit_with(status: u8) -> Fault {
    Fault::new(Action::ExitWith(status), &[Call::ExitGroup])
}

/// The process is held just before it makes one of these calls, until `Session::release`.
#[must_use]
pub fn hold_at(calls: impl AsCalls) -> Fault {
    Fault::new(Action::Hold, calls.as_calls())
}

/// The process is held just before the instruction that makes one of these calls, until `Session::release`. A signal that comes meanwhile finds the process in
/// its own code: it is handled first, and only then is the call made. (At `hold_at` the call has begun, and a signal interrupts it.)
#[must_use]
pub fn hold_before(calls: impl AsCalls) -> Fault {
    Fault::new(Action::HoldBefore, calls.as_calls())
}

/// The process makes each of these calls only once no other process of the run can go on: the slowest that it can be.
#[must_use]
pub fn delay_at(calls: impl AsCalls) -> Fault {
    Fault::new(Action::Delay, calls.as_calls()).every()
}

/// One call or several.
pub trait AsCalls {
    /// The calls.
    fn as_calls(&self) -> &[Call];
}

impl AsCalls for Call {
    fn as_calls(&self) -> &[Call] {
        std::slice::from_ref(self)
    }
}

impl<const N: usize> AsCalls for [Call; N] {
    fn as_calls(&self) -> &[Call] {
        self
    }
}

impl AsCalls for &[Call] {
    fn as_calls(&self) -> &[Call] {
        self
    }
}

/// How often a fault was carried out, and how many calls matched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fired {
    /// Calls that matched.
    pub matched: u32,
    /// Calls at which it was carried out.
    pub fired: u32,
}

/// The symbolic name of an errno; errno(3).
#[must_use]
pub fn errno_name(errno: i32) -> String {
    let names = [
        (libc::EPERM, "EPERM"),
        (libc::ENOENT, "ENOENT"),
        (libc::ESRCH, "ESRCH"),
        (libc::EINTR, "EINTR"),
        (libc::EIO, "EIO"),
        (libc::ENXIO, "ENXIO"),
        (libc::E2BIG, "E2BIG"),
        (libc::ENOEXEC, "ENOEXEC"),
        (libc::EBADF, "EBADF"),
        (libc::ECHILD, "ECHILD"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::ENOMEM, "ENOMEM"),
        (libc::EACCES, "EACCES"),
        (libc::EFAULT, "EFAULT"),
        (libc::EBUSY, "EBUSY"),
        (libc::EEXIST, "EEXIST"),
        (libc::ENODEV, "ENODEV"),
        (libc::ENOTDIR, "ENOTDIR"),
        (libc::EISDIR, "EISDIR"),
        (libc::EINVAL, "EINVAL"),
        (libc::ENFILE, "ENFILE"),
        (libc::EMFILE, "EMFILE"),
        (libc::EFBIG, "EFBIG"),
        (libc::ENOSPC, "ENOSPC"),
        (libc::ESPIPE, "ESPIPE"),
        (libc::EROFS, "EROFS"),
        (libc::EPIPE, "EPIPE"),
        (libc::ERANGE, "ERANGE"),
        (libc::EDEADLK, "EDEADLK"),
        (libc::ENOLCK, "ENOLCK"),
        (libc::ENAMETOOLONG, "ENAMETOOLONG"),
        (libc::ENOSYS, "ENOSYS"),
        (libc::ELOOP, "ELOOP"),
        (libc::ENOMSG, "ENOMSG"),
        (libc::EIDRM, "EIDRM"),
        (libc::ENOTSOCK, "ENOTSOCK"),
        (libc::EMSGSIZE, "EMSGSIZE"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (libc::EADDRINUSE, "EADDRINUSE"),
        (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
        (libc::ENETUNREACH, "ENETUNREACH"),
        (libc::ECONNABORTED, "ECONNABORTED"),
        (libc::ECONNRESET, "ECONNRESET"),
        (libc::ENOBUFS, "ENOBUFS"),
        (libc::EISCONN, "EISCONN"),
        (libc::ENOTCONN, "ENOTCONN"),
        (libc::ETIMEDOUT, "ETIMEDOUT"),
        (libc::ECONNREFUSED, "ECONNREFUSED"),
        (libc::EALREADY, "EALREADY"),
        (libc::EINPROGRESS, "EINPROGRESS"),
    ];
    names.iter().find(|(number, _)| *number == errno).map_or_else(|| format!("errno {errno}"), |(_, name)| (*name).to_owned())
}
