//! Another way: everything waits for descriptors. recv polls the queue before each mq_timedreceive, with a time-out
//! only if there is one; send does the same before mq_timedsend; the watcher sleeps in epoll_wait on a signalfd.

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
    let queue = open_queue(name, libc::O_RDWR);
    let bytes = text.as_bytes();
    loop {
        poll_queue(queue, libc::POLLOUT, None);
        // SAFETY: bytes is readable for its whole length, and a null deadline is no deadline.
        let result = unsafe { libc::mq_timedsend(queue, bytes.as_ptr().cast(), bytes.len(), prio, ptr::null()) };
        if result == 0 {
            break;
        }
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            fail("mq_timedsend", error);
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

/// Waits until the queue is ready, or until the deadline.
fn poll_queue(queue: libc::mqd_t, events: libc::c_short, deadline: Option<&libc::timespec>) {
    let timeout = deadline.map(|deadline| {
        let now = deadline_in(0);
        let left = ((deadline.tv_sec - now.tv_sec) * 1_000_000_000 + deadline.tv_nsec - now.tv_nsec).max(0);
        libc::timespec { tv_sec: left / 1_000_000_000, tv_nsec: left % 1_000_000_000 }
    });
    let mut entry = libc::pollfd { fd: queue, events, revents: 0 };
    let limit = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: entry is one writable pollfd; limit is null or valid, and no mask is given.
    if unsafe { libc::ppoll(&mut entry, 1, limit, ptr::null()) } == -1 {
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            fail("ppoll", error);
        }
    }
}

fn recv(name: &CString, timeout: Option<u32>) {
    let deadline = timeout.map(deadline_in);
    let queue = open_queue(name, libc::O_RDWR);
    let mut buffer = vec![0u8; message_size(queue)];
    let mut prio = 0;
    loop {
        poll_queue(queue, libc::POLLIN, deadline.as_ref());
        let until = deadline.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: buffer is writable for its whole length, prio is writable, until is null or valid.
        let length = unsafe { libc::mq_timedreceive(queue, buffer.as_mut_ptr().cast(), buffer.len(), &mut prio, until) };
        if length >= 0 {
            print_message(prio, &buffer[..length as usize]);
            return;
        }
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            fail("mq_timedreceive", error);
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

fn watch(name: &CString) {
    // SAFETY: all-zero bytes are a valid sigset_t.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in [libc::SIGUSR1, libc::SIGTERM, libc::SIGINT] {
        // SAFETY: set is a valid sigset_t.
        unsafe { libc::sigaddset(&mut set, signal) };
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
    // SAFETY: set is a valid sigset_t; -1 asks for a new descriptor.
    let signals = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if signals == -1 {
        fail("signalfd", Error::last_os_error());
    }
    // SAFETY: epoll_create1 takes flags only.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if epoll == -1 {
        fail("epoll_create1", Error::last_os_error());
    }
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    // SAFETY: both descriptors are open, and event is valid.
    if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, signals, &mut event) } == -1 {
        fail("epoll_ctl", Error::last_os_error());
    }
    loop {
        // SAFETY: event is one writable epoll_event.
        if unsafe { libc::epoll_wait(epoll, &mut event, 1, -1) } == -1 {
            if Error::last_os_error().kind() == ErrorKind::Interrupted {
                continue;
            }
            fail("epoll_wait", Error::last_os_error());
        }
        // SAFETY: all-zero bytes are a valid signalfd_siginfo.
        let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        // SAFETY: info is writable for its whole size.
        if unsafe { libc::read(signals, (&raw mut info).cast(), size_of_val(&info)) } == -1 {
            if Error::last_os_error().kind() == ErrorKind::WouldBlock {
                continue;
            }
            fail("read", Error::last_os_error());
        }
        if info.ssi_signo != libc::SIGUSR1 as u32 {
            return;
        }
        arm(queue);
        drain(queue, &mut buffer);
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
