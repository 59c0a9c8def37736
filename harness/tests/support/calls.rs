//! The traces of `lab trace` and of `strace -f -X raw -e raw=all`, read into one form: for each task its calls in order.

use std::collections::BTreeMap;

/// A thread id, as a trace names it.
pub type Tid = i64;

/// One call of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The kernel's name.
    pub name: String,
    /// The arguments that the trace has.
    pub arguments: Vec<u64>,
    /// What came of it.
    pub result: Result,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Result {
    /// A value.
    Value(u64),
    /// An errno, those inside the kernel (ERESTARTSYS and its like) included.
    Errno(i32),
    /// It never came back.
    None,
}

/// A whole trace.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The first task.
    pub first: Tid,
    /// Each task's calls.
    pub tasks: BTreeMap<Tid, Vec<Call>>,
}

impl Trace {
    fn add(&mut self, tid: Tid, call: Call) {
        if self.tasks.is_empty() {
            self.first = tid;
        }
        self.tasks.entry(tid).or_default().push(call);
    }

    /// Reads what `lab trace` wrote: `TID NAME(ARGUMENT, …) = RESULT` for every call.
    pub fn of_lab(text: &str) -> Self {
        let mut trace = Self::default();
        for line in text.lines() {
            let (tid, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no task: {line}"));
            trace.add(number(tid).cast_signed(), call(rest));
        }
        trace
    }

    /// Reads what strace wrote: as above, but with calls in two parts where others came between, with signals, and with ends.
    pub fn of_strace(text: &str) -> Self {
        let mut trace = Self::default();
        let mut open: BTreeMap<Tid, String> = BTreeMap::new();
        // A thread that executes is told under its former id up to the call, and under the leader's from its result on.
        let mut superseding: BTreeMap<Tid, Tid> = BTreeMap::new();
        for line in text.lines() {
            let (tid, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no task: {line}"));
            let (tid, rest) = (number(tid).cast_signed(), rest.trim_start());
            if let Some((_, by)) = rest.split_once("superseded by execve in pid ") {
                superseding.insert(tid, number(by.trim_end_matches([' ', '+'])).cast_signed());
            } else if rest.starts_with("---") || rest.starts_with("+++") {
                // A signal, or the end of a task.
            } else if let Some(resumed) = rest.strip_prefix("<... ") {
                let tail = resumed.split_once("resumed>").map_or_else(|| panic!("no tail: {line}"), |(_, tail)| tail);
                let caller = superseding.remove(&tid).unwrap_or(tid);
                let head = open.remove(&caller).unwrap_or_else(|| panic!("nothing to resume: {line}"));
                trace.add(caller, call(&format!("{head}{}", tail.trim_start().trim_start_matches("<unfinished ...>"))));
            } else if let Some(at) = rest.find(" <unfinished ...>") {
                let (head, tail) = (&rest[..at], &rest[at + " <unfinished ...>".len()..]);
                if tail.trim().is_empty() { drop(open.insert(tid, head.to_owned())) } else { trace.add(tid, call(&format!("{head}{tail}"))) }
            } else {
                trace.add(tid, call(rest));
            }
        }
        // Of tasks that died in a call.
        for (tid, head) in open {
            trace.add(tid, call(&format!("{head}) = ?")));
        }
        trace
    }

    /// The number of calls.
    pub fn len(&self) -> usize {
        self.tasks.values().map(Vec::len).sum()
    }
}

/// A number as both tools print it: hexadecimal with its prefix, or decimal.
fn number(text: &str) -> u64 {
    let parsed = text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16));
    parsed.unwrap_or_else(|_| panic!("no number: {text}"))
}

fn call(text: &str) -> Call {
    let parts = text.split_once('(').and_then(|(name, rest)| Some((name, rest.split_once(')')?)));
    let Some((name, (arguments, result))) = parts else { panic!("no call: {text}") };
    let arguments = arguments.split(", ").filter(|argument| !argument.is_empty()).map(|argument| number(argument.trim())).collect();
    let result = result.trim().trim_start_matches("= ");
    Call { name: name.to_owned(), arguments, result: outcome(result) }
}

fn outcome(text: &str) -> Result {
    if text.starts_with('?') {
        return Result::None;
    }
    let mut words = text.split_whitespace();
    let value = words.next().unwrap_or_default();
    match (value, words.next()) {
        // `lab trace`: -1 (errno 2).
        ("-1", Some("(errno")) => Result::Errno(words.next().map_or(0, |errno| number(errno.trim_end_matches(')')) as i32)),
        ("-1", Some(name)) => Result::Errno(errno_of(name)),
        _ => Result::Value(number(value)),
    }
}

/// Declares the errors that strace may name.
macro_rules! errors {
    ($($name:ident)+) => {
        const ERRORS: &[(&str, i32)] = &[$((stringify!($name), libc::$name)),+];
    };
}

errors! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV
    ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG
    ENOLCK ENOSYS ENOTEMPTY ELOOP ENODATA EOVERFLOW ENOTSOCK EDESTADDRREQ EMSGSIZE ENOPROTOOPT EPROTONOSUPPORT EOPNOTSUPP
    EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETUNREACH ECONNABORTED ECONNRESET EISCONN ENOTCONN ETIMEDOUT ECONNREFUSED EALREADY
    EINPROGRESS ECANCELED
}

/// The kernel's own, which no program sees; `linux/errno.h`.
const INSIDE_THE_KERNEL: [(&str, i32); 4] = [("ERESTARTSYS", 512), ("ERESTARTNOINTR", 513), ("ERESTARTNOHAND", 514), ("ERESTART_RESTARTBLOCK", 516)];

fn errno_of(name: &str) -> i32 {
    let known = ERRORS.iter().chain(&INSIDE_THE_KERNEL).find(|(known, _)| *known == name);
    known.unwrap_or_else(|| panic!("strace names an error that is not in the table: {name}")).1
}
