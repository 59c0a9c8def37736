//! Different here: Rust's own style. The queue is a type that closes itself, every call returns a `Result`, and `main`
//! alone prints errors. One function receives, with or without a time-out: mq_timedreceive takes a null pointer for
//! "no limit". The watcher reads its notifications and its orders to stop from a signalfd.

use std::env;
use std::ffi::{CString, OsString};
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::mem::{self, MaybeUninit};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::ptr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Why the program ends before its work is done.
enum Failure {
    Usage,
    Call(&'static str, io::Error),
}

type Outcome<T> = Result<T, Failure>;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage => write!(
                f,
                "usage: jobq create [-m MAX] [-s SIZE] NAME | send [-p PRIO] NAME TEXT | recv [-t MS] NAME \
                 | watch NAME | rm NAME"
            ),
            Failure::Call(call, error) => write!(f, "jobq: {call}: {error}"),
        }
    }
}

/// Turns the return value -1 into the error that `errno` holds.
fn check<T: PartialEq + From<i8>>(call: &'static str, result: T) -> Outcome<T> {
    if result == T::from(-1) {
        return Err(Failure::Call(call, io::Error::last_os_error()));
    }
    Ok(result)
}

/// Makes a call again for as long as a signal interrupts it.
fn uninterrupted<T>(mut call: impl FnMut() -> Outcome<T>) -> Outcome<T> {
    loop {
        match call() {
            Err(Failure::Call(_, error)) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// The command line, taken apart from the left.
struct Args(std::collections::VecDeque<OsString>);

impl Args {
    fn options<const N: usize>(&mut self, names: [&str; N]) -> Outcome<[Option<u32>; N]> {
        let mut values = [None; N];
        while self.0.front().is_some_and(|arg| arg.to_string_lossy().starts_with('-')) {
            let option = self.0.pop_front().ok_or(Failure::Usage)?;
            let place = names.iter().position(|name| option == **name).ok_or(Failure::Usage)?;
            let value = self.0.pop_front().and_then(|value| value.into_string().ok());
            values[place] = Some(value.and_then(|value| value.parse().ok()).ok_or(Failure::Usage)?);
        }
        Ok(values)
    }

    fn operand(&mut self) -> Outcome<CString> {
        let arg = self.0.pop_front().ok_or(Failure::Usage)?;
        CString::new(arg.into_vec()).map_err(|_| Failure::Usage)
    }

    fn end(&self) -> Outcome<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Failure::Usage) }
    }
}

struct Message {
    priority: u32,
    text: Vec<u8>,
}

impl Message {
    fn print(&self) -> Outcome<()> {
        print(&[format!("{} ", self.priority).as_bytes(), &self.text, b"\n"].concat())
    }
}

fn print(bytes: &[u8]) -> Outcome<()> {
    let mut out = io::stdout();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| Failure::Call("write", error))
}

/// An open message queue.
struct Queue(libc::mqd_t);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: this value owns the descriptor, and nothing uses it after this.
        unsafe { libc::mq_close(self.0) };
    }
}

impl Queue {
    fn create(name: &CString, attributes: Option<libc::mq_attr>) -> Outcome<Queue> {
        let attributes = attributes.as_ref().map_or(ptr::null(), ptr::from_ref);
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        // SAFETY: name ends in NUL; an unsigned mode and a null or valid mq_attr pointer follow, as O_CREAT demands.
        let queue = unsafe { libc::mq_open(name.as_ptr(), flags, 0o600 as libc::c_uint, attributes) };
        check("mq_open", queue).map(Queue)
    }

    fn open(name: &CString, flags: libc::c_int) -> Outcome<Queue> {
        // SAFETY: name ends in NUL, and without O_CREAT no further argument is read.
        check("mq_open", unsafe { libc::mq_open(name.as_ptr(), flags) }).map(Queue)
    }

    fn attributes(&self) -> Outcome<libc::mq_attr> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the pointer is to writable memory as large as an mq_attr.
        check("mq_getattr", unsafe { libc::mq_getattr(self.0, attributes.as_mut_ptr()) })?;
        // SAFETY: mq_getattr succeeded, so it filled the structure.
        Ok(unsafe { attributes.assume_init() })
    }

    fn send(&self, message: &Message) -> Outcome<()> {
        let text = &message.text;
        uninterrupted(|| {
            // SAFETY: text is readable for its whole length.
            check("mq_send", unsafe { libc::mq_send(self.0, text.as_ptr().cast(), text.len(), message.priority) })
        })?;
        Ok(())
    }

    /// Takes one message out; waits no longer than until `deadline`, if there is one.
    fn receive(&self, deadline: Option<libc::timespec>) -> Outcome<Message> {
        let deadline = deadline.as_ref().map_or(ptr::null(), ptr::from_ref);
        let mut text = vec![0_u8; self.attributes()?.mq_msgsize as usize];
        let mut priority = 0;
        let length = uninterrupted(|| {
            let into = text.as_mut_ptr().cast();
            // SAFETY: text is writable for its whole length, priority is writable, deadline is null or valid.
            check("mq_timedreceive", unsafe { libc::mq_timedreceive(self.0, into, text.len(), &mut priority, deadline) })
        })?;
        text.truncate(length as usize);
        Ok(Message { priority, text })
    }

    /// Prints all that is in this queue, which was opened with O_NONBLOCK.
    fn drain(&self) -> Outcome<()> {
        loop {
            match self.receive(None) {
                Ok(message) => message.print()?,
                Err(Failure::Call(_, error)) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
    }

    fn notify_by(&self, signal: libc::c_int) -> Outcome<()> {
        // SAFETY: all-zero bytes are a valid sigevent.
        let mut event: libc::sigevent = unsafe { mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        // SAFETY: event is a valid sigevent.
        check("mq_notify", unsafe { libc::mq_notify(self.0, &event) }).map(drop)
    }
}

/// Blocks the signals and gives a descriptor to read them from.
fn signal_descriptor(signals: &[libc::c_int]) -> Outcome<libc::c_int> {
    // SAFETY: all-zero bytes are a valid sigset_t.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    for signal in signals {
        // SAFETY: set is an initialised sigset_t.
        unsafe { libc::sigaddset(&mut set, *signal) };
    }
    // SAFETY: set is an initialised sigset_t; the old mask is not asked for.
    check("sigprocmask", unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut()) })?;
    // SAFETY: set is an initialised sigset_t.
    check("signalfd", unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC) })
}

fn next_signal(descriptor: libc::c_int) -> Outcome<libc::c_int> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
    uninterrupted(|| {
        let size = mem::size_of::<libc::signalfd_siginfo>();
        // SAFETY: info is writable for its whole size.
        check("read", unsafe { libc::read(descriptor, info.as_mut_ptr().cast(), size) })
    })?;
    // SAFETY: a read from a signalfd gives whole structures, so info is filled.
    Ok(unsafe { info.assume_init() }.ssi_signo as libc::c_int)
}

fn create(mut args: Args) -> Outcome<()> {
    let [max, size] = args.options(["-m", "-s"])?;
    let name = args.operand()?;
    args.end()?;
    let default = |file: &str| -> Outcome<libc::c_long> {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/mqueue/{file}"));
        Ok(text.map_err(|error| Failure::Call("open", error))?.trim().parse().unwrap_or(1))
    };
    let attributes = if max.is_none() && size.is_none() {
        None
    } else {
        // SAFETY: all-zero bytes are a valid mq_attr.
        let mut attributes: libc::mq_attr = unsafe { mem::zeroed() };
        attributes.mq_maxmsg = max.map_or_else(|| default("msg_default"), |max| Ok(max.into()))?;
        attributes.mq_msgsize = size.map_or_else(|| default("msgsize_default"), |size| Ok(size.into()))?;
        Some(attributes)
    };
    Queue::create(&name, attributes).map(drop)
}

fn send(mut args: Args) -> Outcome<()> {
    let [priority] = args.options(["-p"])?;
    let name = args.operand()?;
    let text = args.operand()?.into_bytes();
    args.end()?;
    Queue::open(&name, libc::O_WRONLY)?.send(&Message { priority: priority.unwrap_or(0), text })
}

fn recv(mut args: Args) -> Outcome<()> {
    let [timeout] = args.options(["-t"])?;
    let name = args.operand()?;
    args.end()?;
    let deadline = timeout.map(|milliseconds| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let end = now + Duration::from_millis(milliseconds.into());
        libc::timespec { tv_sec: end.as_secs() as libc::time_t, tv_nsec: end.subsec_nanos().into() }
    });
    Queue::open(&name, libc::O_RDONLY)?.receive(deadline)?.print()
}

fn watch(mut args: Args) -> Outcome<()> {
    let name = args.operand()?;
    args.end()?;
    let queue = Queue::open(&name, libc::O_RDONLY | libc::O_NONBLOCK)?;
    let signals = signal_descriptor(&[libc::SIGRTMIN(), libc::SIGTERM, libc::SIGINT])?;
    queue.notify_by(libc::SIGRTMIN())?;
    print(b"watching\n")?;
    loop {
        queue.drain()?;
        if next_signal(signals)? != libc::SIGRTMIN() {
            return Ok(());
        }
        queue.notify_by(libc::SIGRTMIN())?;
    }
}

fn rm(mut args: Args) -> Outcome<()> {
    let name = args.operand()?;
    args.end()?;
    // SAFETY: name ends in NUL.
    check("mq_unlink", unsafe { libc::mq_unlink(name.as_ptr()) }).map(drop)
}

fn main() -> ExitCode {
    let mut args = Args(env::args_os().skip(1).collect());
    let verb = args.0.pop_front().unwrap_or_default();
    let outcome = match verb.to_str() {
        Some("create") => create(args),
        Some("send") => send(args),
        Some("recv") => recv(args),
        Some("watch") => watch(args),
        Some("rm") => rm(args),
        _ => Err(Failure::Usage),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(if matches!(failure, Failure::Usage) { 2 } else { 1 })
        }
    }
}
