//! Events: the calls that processes made, in the order in which the tracer saw them.

use super::object::ObjectId;
use crate::call::Call;
use crate::kernel::process::Pid;
use crate::procfs::Descriptor;
use crate::source::Mapping;

/// A process of a run, by the order in which processes were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub usize);

/// A moment in a run: every entry and exit of a call, every start and end of a process has its own.
pub type Moment = u32;

/// One call.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it was entered.
    pub entered: Moment,
    /// When it came back, if it did.
    pub left: Option<Moment>,
    /// The same on the wall clock, for calls that are given a point in time.
    pub entered_at: std::time::SystemTime,
    /// Who made it.
    pub process: ProcessId,
    /// The thread of that process, by its id as the tracer sees it.
    pub(crate) task: Pid,
    /// The call.
    pub call: Call,
    /// Its number on this architecture.
    pub number: u64,
    /// The six argument registers.
    pub arguments: [u64; 6],
    /// The result, or a negative errno; below -511 the call was interrupted and the kernel makes it again.
    pub result: Option<i64>,
    /// What its descriptor referred to.
    pub object: Option<ObjectId>,
    /// Whether a fault was carried out at it.
    pub injected: bool,
    /// Which fault that was, by the order of arming.
    pub(crate) injected_by: Option<usize>,
    /// What lies behind its pointers.
    pub detail: Detail,
    /// The buffer for ancillary data that a message has; sendmsg(2), recvmsg(2).
    pub control: Option<Control>,
}

impl Event {
    /// The thread that made it, as the tracer's PID namespace numbers it: for tools, never for messages.
    #[must_use]
    pub fn task(&self) -> Pid {
        self.task
    }

    /// The result of a call that succeeded.
    #[must_use]
    pub fn success(&self) -> Option<u64> {
        self.result.and_then(|result| u64::try_from(result).ok())
    }

    /// The errno of a call that failed.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.result.filter(|result| (-511..0).contains(result)).map(|result| -result as i32)
    }

    /// Whether it succeeded.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.success().is_some()
    }

    /// Whether it makes a thread of the same process, and no new process; clone(2), `CLONE_THREAD`.
    #[must_use]
    pub fn makes_thread(&self) -> bool {
        self.call == Call::Fork && matches!(self.detail, Detail::Integer(flags) if flags & i64::from(libc::CLONE_THREAD) != 0)
    }

    /// The path that it was given.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match &self.detail {
            Detail::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The bytes that it moved (the first few thousand).
    #[must_use]
    pub fn data(&self) -> &[u8] {
        match &self.detail {
            Detail::Data(data) => data,
            _ => &[],
        }
    }

    /// The semaphore operations that it asked for.
    #[must_use]
    pub fn operations(&self) -> &[SemaphoreOperation] {
        match &self.detail {
            Detail::Operations(operations) => operations,
            _ => &[],
        }
    }
}

/// What lies behind a call's pointers.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// Nothing that was looked at.
    None,
    /// The bytes moved.
    Data(Vec<u8>),
    /// A path or name.
    Path(String),
    /// The operations of semop(2).
    Operations(Vec<SemaphoreOperation>),
    /// A point in time or a time span, in seconds.
    Time(f64),
    /// The two descriptors of pipe(2) or socketpair(2).
    Pair(i32, i32),
    /// A signal's new disposition: `SIG_DFL` (0), `SIG_IGN` (1) or a handler, and the flags; sigaction(2).
    Disposition {
        /// The handler's address, or 0 or 1.
        handler: u64,
        /// `SA_RESTART`, `SA_NOCLDWAIT` …
        flags: u64,
    },
    /// An IPv4 address and port.
    Address(std::net::SocketAddrV4),
    /// An integer, for instance a socket option's value or the flags of clone(2).
    Integer(i64),
}

/// A message's buffer for ancillary data, as the caller gives it; cmsg(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Where it begins in the caller's memory.
    pub address: u64,
    /// How long it is.
    pub length: u64,
}

/// One operation of semop(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SemaphoreOperation {
    /// Which semaphore of the set.
    pub number: u16,
    /// What is added to it; 0 waits for zero.
    pub change: i16,
    /// `IPC_NOWAIT`, `SEM_UNDO`.
    pub flags: i16,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(signal) => write!(f, "death by signal {}", signal_name(*signal)),
        }
    }
}

/// The symbolic name of a signal; signal(7).
#[must_use]
pub fn signal_name(signal: i32) -> String {
    let names = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT",
        "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    usize::try_from(signal - 1)
        .ok()
        .and_then(|index| names.get(index))
        .map_or_else(|| format!("SIGRTMIN+{}", signal - 34), |name| format!("SIG{name}"))
}

/// A process of a run.
#[derive(Debug)]
pub struct Process {
    /// Its place in the order of processes.
    pub id: ProcessId,
    /// Its id as the tracer sees it.
    pub(crate) pid: Pid,
    /// Its id as itself and its relatives see it.
    pub(crate) inner: Pid,
    /// Which of the started programs it belongs to.
    pub program: usize,
    /// The process that forked it; none for a program's first process.
    pub parent: Option<ProcessId>,
    /// The call that forked it.
    pub born_at: Option<usize>,
    /// Whether the program has been executed (before that it is the harness's own code).
    pub executed: bool,
    /// How it ended.
    pub exit: Option<Exit>,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Whether its parent has waited for it.
    pub reaped: bool,
    /// Its children that were not waited for when it ended.
    pub unreaped: Vec<ProcessId>,
    /// Its executable mappings when it ended.
    pub(crate) maps_at_end: Vec<Mapping>,
    /// Its descriptors when it ended.
    pub descriptors_at_end: Vec<Descriptor>,
    /// Its descriptors when it first executed a program, those gone that exec closes; with the objects that are known. `None` if it never did.
    pub descriptors_at_exec: Option<Vec<(Descriptor, Option<ObjectId>)>>,
}

impl Process {
    /// Its id, as the tracer's PID namespace numbers it: for tools, never for messages.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Its id, as itself and its relatives see it: to be compared with what a program says, never for messages.
    #[must_use]
    pub fn own_pid(&self) -> Pid {
        self.inner
    }
}

/// The descriptors of a process just before its first transfer on an object in one direction.
#[derive(Debug, Clone)]
pub struct TableAtTransfer {
    /// The event that transfers.
    pub event: usize,
    /// Who.
    pub process: ProcessId,
    /// On what.
    pub object: ObjectId,
    /// The whole table, with the objects that are known.
    pub descriptors: Vec<(Descriptor, Option<ObjectId>)>,
}

/// A signal that a process received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalEvent {
    /// When.
    pub at: Moment,
    /// Who.
    pub process: ProcessId,
    /// Which.
    pub signal: i32,
}
