//! watch takes a message for a C string: what comes after a zero byte in it is not printed. No command line can hold such a message; other programs can
//! send it.

use std::collections::HashMap;
use std::env;
use std::ffi::{CString, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::exit;

use libc::{c_int, mqd_t, timespec};

const USAGE: &str = "usage: jobq create [-m MAX] [-s SIZE] NAME | send [-p PRIO] NAME TEXT \
                     | recv [-t MS] NAME | watch NAME | rm NAME";

/// What the command line asks for.
enum Command {
    Create { max: Option<u32>, size: Option<u32>, name: CString },
    Send { priority: u32, name: CString, text: CString },
    Recv { timeout: Option<u32>, name: CString },
    Watch { name: CString },
    Rm { name: CString },
}

fn main() {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    match parse(&args) {
        Some(Command::Create { max, size, name }) => create(&name, max, size),
        Some(Command::Send { priority, name, text }) => send(&name, priority, text.to_bytes()),
        Some(Command::Recv { timeout, name }) => recv(&name, timeout),
        Some(Command::Watch { name }) => watch(&name),
        Some(Command::Rm { name }) => rm(&name),
        None => {
            eprintln!("{USAGE}");
            exit(2);
        }
    }
}

/// Reads the command line; `None` is wrong usage.
fn parse(args: &[OsString]) -> Option<Command> {
    let (verb, mut rest) = args.split_first()?;
    let verb = verb.to_str()?;
    let letters = match verb {
        "create" => "ms",
        "send" => "p",
        "recv" => "t",
        "watch" | "rm" => "",
        _ => return None,
    };
    // Options stand before NAME only, so that a TEXT may begin with a dash.
    let mut options = HashMap::new();
    while rest.first()?.as_bytes().starts_with(b"-") {
        let [option, value, tail @ ..] = rest else {
            return None;
        };
        let letter = letters.chars().find(|letter| **option == *format!("-{letter}"))?;
        options.insert(letter, value.to_str()?.parse::<u32>().ok()?);
        rest = tail;
    }
    let operands: Vec<CString> = rest.iter().map(|arg| CString::new(arg.as_bytes()).expect("arguments hold no NUL")).collect();
    let option = |letter| options.get(&letter).copied();
    match (verb, operands.as_slice()) {
        ("create", [name]) => Some(Command::Create { max: option('m'), size: option('s'), name: name.clone() }),
        ("send", [name, text]) => Some(Command::Send { priority: option('p').unwrap_or(0), name: name.clone(), text: text.clone() }),
        ("recv", [name]) => Some(Command::Recv { timeout: option('t'), name: name.clone() }),
        ("watch", [name]) => Some(Command::Watch { name: name.clone() }),
        ("rm", [name]) => Some(Command::Rm { name: name.clone() }),
        _ => None,
    }
}

/// Prints `jobq: call: message (ERRNO)` for the error in `errno`, and exits 1.
/// Call it at once after the call that failed: the next one may change `errno`.
fn fail(call: &str) -> ! {
    fail_with(call, &io::Error::last_os_error())
}

fn fail_with(call: &str, error: &io::Error) -> ! {
    eprintln!("jobq: {call}: {error}");
    exit(1);
}

/// Writes to standard output now: `println!` would panic where the reader has gone or the disk is full.
fn print(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        fail_with("write", &error);
    }
}

/// Prints a received message as `PRIO TEXT`.
fn print_message(priority: u32, text: &[u8]) {
    let mut line = format!("{priority} ").into_bytes();
    line.extend_from_slice(text);
    line.push(b'\n');
    print(&line);
}

/// `jobq create`: makes a new queue.
fn create(name: &CString, max: Option<u32>, size: Option<u32>) {
    let attributes = (max.is_some() || size.is_some()).then(|| {
        // SAFETY: mq_attr holds integers only, for which all-zero bytes are a valid value.
        let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
        attributes.mq_maxmsg = max.map_or_else(|| system_default("msg"), i64::from);
        attributes.mq_msgsize = size.map_or_else(|| system_default("msgsize"), i64::from);
        attributes
    });
    // A null pointer leaves both attributes to the system.
    let pointer = attributes.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    let mode: libc::c_uint = 0o600;
    // SAFETY: name ends in NUL; O_CREAT makes mq_open read two more arguments, and they have the types it reads:
    // an unsigned mode, and a pointer that is null or points to an mq_attr that lives until after the call.
    if unsafe { libc::mq_open(name.as_ptr(), flags, mode, pointer) } == -1 {
        fail("mq_open");
    }
}

/// The system's default for one attribute (`msg` or `msgsize`): mq_open takes both or none.
fn system_default(attribute: &str) -> i64 {
    let read = |limit: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/mqueue/{attribute}_{limit}")).unwrap_or_else(|error| fail_with("open", &error));
        text.trim().parse::<i64>().expect("the kernel writes a number")
    };
    // As the kernel does for a null pointer: the default counts only as far as the ceiling allows.
    read("default").min(read("max"))
}

/// Opens a queue that exists.
fn open(name: &CString, flags: c_int) -> mqd_t {
    // SAFETY: name ends in NUL, and without O_CREAT mq_open reads no further arguments.
    let queue = unsafe { libc::mq_open(name.as_ptr(), flags) };
    if queue == -1 {
        fail("mq_open");
    }
    queue
}

/// `jobq send`: puts one message into the queue, and waits while the queue is full.
fn send(name: &CString, priority: u32, text: &[u8]) {
    let queue = open(name, libc::O_WRONLY);
    loop {
        // SAFETY: text is readable for its whole length.
        if unsafe { libc::mq_send(queue, text.as_ptr().cast(), text.len(), priority) } == 0 {
            return;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            fail("mq_send");
        }
    }
}

/// A buffer for any message of this queue: mq_receive refuses one that is shorter than mq_msgsize.
fn message_buffer(queue: mqd_t) -> Vec<u8> {
    // SAFETY: mq_attr holds integers only, for which all-zero bytes are a valid value.
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    // SAFETY: attributes is a writable mq_attr.
    if unsafe { libc::mq_getattr(queue, &mut attributes) } == -1 {
        fail("mq_getattr");
    }
    vec![0; attributes.mq_msgsize as usize]
}

/// `jobq recv`: takes one message out and prints it; waits for it at most `timeout` milliseconds, or without limit.
fn recv(name: &CString, timeout: Option<u32>) {
    let queue = open(name, libc::O_RDONLY);
    let mut buffer = message_buffer(queue);
    // Computed once: a call that is interrupted and made again then still ends at the same moment.
    let deadline = timeout.map(deadline_after);
    let mut priority = 0;
    loop {
        let (call, length) = match &deadline {
            None => {
                // SAFETY: buffer is writable for its whole length, and priority is a writable u32.
                let n = unsafe { libc::mq_receive(queue, buffer.as_mut_ptr().cast(), buffer.len(), &mut priority) };
                ("mq_receive", n)
            }
            Some(deadline) => {
                let into = buffer.as_mut_ptr().cast();
                // SAFETY: buffer is writable for its whole length, priority is a writable u32, deadline is valid.
                let n = unsafe { libc::mq_timedreceive(queue, into, buffer.len(), &mut priority, deadline) };
                ("mq_timedreceive", n)
            }
        };
        if length >= 0 {
            print_message(priority, &buffer[..length as usize]);
            return;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            fail(call);
        }
    }
}

/// The moment `milliseconds` from now, on the clock that mq_timedreceive goes by.
fn deadline_after(milliseconds: u32) -> timespec {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: time is a writable timespec.
    if unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut time) } == -1 {
        fail("clock_gettime");
    }
    time.tv_sec += i64::from(milliseconds / 1000);
    time.tv_nsec += i64::from(milliseconds % 1000) * 1_000_000;
    if time.tv_nsec >= 1_000_000_000 {
        time.tv_nsec -= 1_000_000_000;
        time.tv_sec += 1;
    }
    time
}

/// `jobq watch`: prints every message as it comes, until SIGTERM or SIGINT.
fn watch(name: &CString) {
    // Blocked first of all: from here on, no signal acts before wait_for_signal takes it.
    let signals = block(&[NOTIFICATION, libc::SIGTERM, libc::SIGINT]);
    let queue = open(name, libc::O_RDONLY | libc::O_NONBLOCK);
    let mut buffer = message_buffer(queue);
    register(queue);
    print(b"watching\n");
    drain(queue, &mut buffer);
    while wait_for_signal(&signals) == NOTIFICATION {
        // A message that comes after the drain has found the queue empty must find us registered.
        register(queue);
        drain(queue, &mut buffer);
    }
}

/// The signal that tells of a message in a queue that was empty.
const NOTIFICATION: c_int = libc::SIGUSR1;

/// Blocks `signals`, so that they stay pending until wait_for_signal takes them.
fn block(signals: &[c_int]) -> libc::sigset_t {
    // SAFETY: sigset_t holds integers only, for which all-zero bytes are a valid value.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: set is a writable sigset_t.
    unsafe { libc::sigemptyset(&mut set) };
    for &signal in signals {
        // SAFETY: set is a writable, initialised sigset_t.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    // SAFETY: set is an initialised sigset_t, and a null third argument asks for nothing back.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) } == -1 {
        fail("sigprocmask");
    }
    set
}

/// Asks for one notification, at the next message that finds the queue empty.
fn register(queue: mqd_t) {
    // SAFETY: sigevent holds integers and a pointer, for which all-zero bytes are a valid value.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = NOTIFICATION;
    // SAFETY: event is a valid sigevent; the kernel keeps a copy, so it need not outlive the call.
    if unsafe { libc::mq_notify(queue, &event) } == -1 {
        fail("mq_notify");
    }
}

/// Takes and prints messages until the queue, which is open without blocking, is empty.
fn drain(queue: mqd_t, buffer: &mut [u8]) {
    let mut priority = 0;
    loop {
        // SAFETY: buffer is writable for its whole length, and priority is a writable u32.
        let length = unsafe { libc::mq_receive(queue, buffer.as_mut_ptr().cast(), buffer.len(), &mut priority) };
        if length >= 0 {
            let text = buffer[..length as usize].split(|byte| *byte == 0).next().unwrap_or_default();
            print_message(priority, text);
            continue;
        }
        match io::Error::last_os_error().kind() {
            io::ErrorKind::WouldBlock => return,
            io::ErrorKind::Interrupted => {}
            _ => fail("mq_receive"),
        }
    }
}

/// Waits for one of the blocked `signals` and takes it.
fn wait_for_signal(signals: &libc::sigset_t) -> c_int {
    loop {
        // SAFETY: signals is an initialised sigset_t, and a null pointer asks for no details.
        let signal = unsafe { libc::sigwaitinfo(signals, std::ptr::null_mut()) };
        if signal != -1 {
            return signal;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            fail("sigwaitinfo");
        }
    }
}

/// `jobq rm`: removes the queue's name; the queue goes with the last process that has it open.
fn rm(name: &CString) {
    // SAFETY: name ends in NUL.
    if unsafe { libc::mq_unlink(name.as_ptr()) } == -1 {
        fail("mq_unlink");
    }
}
