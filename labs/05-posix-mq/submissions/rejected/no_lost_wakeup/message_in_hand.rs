//! Mistake: the handler of SIGTERM and SIGINT ends the process wherever it is. A message that has been taken out of
//! the queue and not printed yet is lost.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::exit;
use std::ptr;

const USAGE: &str = "usage: jobq create [-m MAX] [-s SIZE] NAME | send [-p PRIO] NAME TEXT | recv [-t MS] NAME | watch NAME | rm NAME";

fn usage() -> ! {
    eprintln!("{USAGE}");
    exit(2);
}

fn fail(call: &str, error: Error) -> ! {
    eprintln!("jobq: {call}: {error}");
    exit(1);
}

fn number(arg: &OsStr) -> u32 {
    match arg.to_str().and_then(|text| text.parse().ok()) {
        Some(number) => number,
        None => usage(),
    }
}

fn cstring(arg: &OsStr) -> CString {
    CString::new(arg.as_bytes()).expect("arguments hold no NUL")
}

fn write_out(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        fail("write", error);
    }
}

fn print_message(prio: u32, text: &[u8]) {
    let mut line = format!("{prio} ").into_bytes();
    line.extend_from_slice(text);
    line.push(b'\n');
    write_out(&line);
}

fn default_of(file: &str) -> libc::c_long {
    match std::fs::read_to_string(format!("/proc/sys/fs/mqueue/{file}")) {
        Ok(text) => text.trim().parse().expect("a number"),
        Err(error) => fail("open", error),
    }
}

fn open_queue(name: &CString, flags: libc::c_int) -> libc::mqd_t {
    // SAFETY: name ends in NUL, and without O_CREAT there are no further arguments.
    let queue = unsafe { libc::mq_open(name.as_ptr(), flags) };
    if queue == -1 {
        fail("mq_open", Error::last_os_error());
    }
    queue
}

fn message_size(queue: libc::mqd_t) -> usize {
    // SAFETY: all-zero bytes are a valid mq_attr.
    let mut attr: libc::mq_attr = unsafe { std::mem::zeroed() };
    // SAFETY: attr is writable.
    if unsafe { libc::mq_getattr(queue, &mut attr) } == -1 {
        fail("mq_getattr", Error::last_os_error());
    }
    attr.mq_msgsize as usize
}

fn create(name: &CString, max: Option<u32>, size: Option<u32>) {
    // SAFETY: all-zero bytes are a valid mq_attr.
    let mut attr: libc::mq_attr = unsafe { std::mem::zeroed() };
    attr.mq_maxmsg = max.map_or_else(|| default_of("msg_default"), |max| max.into());
    attr.mq_msgsize = size.map_or_else(|| default_of("msgsize_default"), |size| size.into());
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    let mode = 0o600 as libc::c_uint;
    // SAFETY: name ends in NUL; an unsigned mode and a valid attribute pointer follow.
    let queue = unsafe { libc::mq_open(name.as_ptr(), flags, mode, &raw const attr) };
    if queue == -1 {
        fail("mq_open", Error::last_os_error());
    }
}

fn send(name: &CString, prio: u32, text: &CString) {
    let queue = open_queue(name, libc::O_WRONLY);
    let bytes = text.as_bytes();
    loop {
        // SAFETY: bytes is readable for its whole length.
        let result = unsafe { libc::mq_send(queue, bytes.as_ptr().cast(), bytes.len(), prio) };
        if result == 0 {
            break;
        }
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            fail("mq_send", error);
        }
    }
}

fn deadline_in(ms: u32) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: time is writable.
    if unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut time) } == -1 {
        fail("clock_gettime", Error::last_os_error());
    }
    let nsec = time.tv_nsec + i64::from(ms) * 1_000_000;
    time.tv_sec += nsec / 1_000_000_000;
    time.tv_nsec = nsec % 1_000_000_000;
    time
}

fn recv(name: &CString, timeout: Option<u32>) {
    let queue = open_queue(name, libc::O_RDONLY);
    let mut buffer = vec![0u8; message_size(queue)];
    let mut prio = 0;
    let deadline = timeout.map(deadline_in);
    loop {
        let (call, length) = match &deadline {
            Some(deadline) => {
                // SAFETY: buffer is writable for its whole length, prio is writable, deadline is valid.
                let length = unsafe { libc::mq_timedreceive(queue, buffer.as_mut_ptr().cast(), buffer.len(), &mut prio, deadline) };
                ("mq_timedreceive", length)
            }
            None => {
                // SAFETY: buffer is writable for its whole length, prio is writable.
                let length = unsafe { libc::mq_receive(queue, buffer.as_mut_ptr().cast(), buffer.len(), &mut prio) };
                ("mq_receive", length)
            }
        };
        if length >= 0 {
            print_message(prio, &buffer[..length as usize]);
            return;
        }
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            fail(call, error);
        }
    }
}

fn arm(queue: libc::mqd_t) {
    // SAFETY: all-zero bytes are a valid sigevent.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = libc::SIGUSR1;
    // SAFETY: event is a valid sigevent.
    if unsafe { libc::mq_notify(queue, &event) } == -1 {
        fail("mq_notify", Error::last_os_error());
    }
}

fn drain(queue: libc::mqd_t, buffer: &mut [u8]) {
    loop {
        let mut prio = 0;
        // SAFETY: buffer is writable for its whole length, prio is writable.
        let length = unsafe { libc::mq_receive(queue, buffer.as_mut_ptr().cast(), buffer.len(), &mut prio) };
        if length == -1 {
            let error = Error::last_os_error();
            match error.kind() {
                ErrorKind::WouldBlock => return,
                ErrorKind::Interrupted => continue,
                _ => fail("mq_receive", error),
            }
        }
        print_message(prio, &buffer[..length as usize]);
    }
}

extern "C" fn on_stop(_: libc::c_int) {
    // SAFETY: _exit may be called in a handler.
    unsafe { libc::_exit(0) };
}

fn watch(name: &CString) {
    // SAFETY: all-zero bytes are a valid sigset_t.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: set is a valid sigset_t.
    unsafe { libc::sigaddset(&mut set, libc::SIGUSR1) };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: all-zero bytes are a valid sigaction.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_stop as *const () as libc::sighandler_t;
        // SAFETY: action is valid, and the handler only calls _exit.
        if unsafe { libc::sigaction(signal, &action, ptr::null_mut()) } == -1 {
            fail("sigaction", Error::last_os_error());
        }
    }
    // SAFETY: set is a valid sigset_t.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut()) } == -1 {
        fail("sigprocmask", Error::last_os_error());
    }

    let queue = open_queue(name, libc::O_RDONLY | libc::O_NONBLOCK);
    let mut buffer = vec![0u8; message_size(queue)];
    arm(queue);
    write_out(b"watching\n");
    drain(queue, &mut buffer);
    loop {
        // SAFETY: set is a valid sigset_t, and no details are asked for.
        let signal = unsafe { libc::sigwaitinfo(&set, ptr::null_mut()) };
        if signal == libc::SIGUSR1 {
            arm(queue);
            drain(queue, &mut buffer);
        } else if Error::last_os_error().kind() != ErrorKind::Interrupted {
            fail("sigwaitinfo", Error::last_os_error());
        }
    }
}

fn rm(name: &CString) {
    // SAFETY: name ends in NUL.
    if unsafe { libc::mq_unlink(name.as_ptr()) } == -1 {
        fail("mq_unlink", Error::last_os_error());
    }
}

/// Takes the options (each with a number) that stand before the name.
fn options(args: &[OsString], first: &str, second: &str) -> (Option<u32>, Option<u32>, usize) {
    let (mut a, mut b, mut used) = (None, None, 0);
    while used < args.len() && args[used].as_bytes().starts_with(b"-") {
        if used + 1 >= args.len() {
            usage();
        }
        if args[used] == *first {
            a = Some(number(&args[used + 1]));
        } else if args[used] == *second {
            b = Some(number(&args[used + 1]));
        } else {
            usage();
        }
        used += 2;
    }
    (a, b, used)
}

fn main() {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let Some((verb, args)) = args.split_first() else { usage() };
    let (first, second) = match verb.to_str() {
        Some("create") => ("-m", "-s"),
        Some("send") => ("-p", "-p"),
        Some("recv") => ("-t", "-t"),
        Some("watch" | "rm") => ("", ""),
        _ => usage(),
    };
    let (a, b, used) = options(args, first, second);
    match (verb.to_str(), &args[used..]) {
        (Some("create"), [name]) => create(&cstring(name), a, b),
        (Some("send"), [name, text]) => send(&cstring(name), a.unwrap_or(0), &cstring(text)),
        (Some("recv"), [name]) => recv(&cstring(name), a),
        (Some("watch"), [name]) => watch(&cstring(name)),
        (Some("rm"), [name]) => rm(&cstring(name)),
        _ => usage(),
    }
}
