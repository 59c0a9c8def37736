//! Different here: as a C programmer writes it. Handlers only set flags, the signals are blocked except inside sigsuspend
//! (which opens the mask and sleeps in one step), and the queue becomes non-blocking by mq_setattr.

use std::ffi::CString;
use std::io::{Error, ErrorKind, Write};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs, io, mem, process, ptr};

static ARRIVED: AtomicBool = AtomicBool::new(false);
static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn on_arrival(_: libc::c_int) {
    ARRIVED.store(true, Ordering::Relaxed);
}

extern "C" fn on_stop(_: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

fn usage() -> ! {
    eprintln!("usage: jobq create [-m MAX] [-s SIZE] NAME");
    eprintln!("       jobq send [-p PRIO] NAME TEXT");
    eprintln!("       jobq recv [-t MS] NAME");
    eprintln!("       jobq watch NAME");
    eprintln!("       jobq rm NAME");
    process::exit(2);
}

fn die(call: &str, error: Error) -> ! {
    eprintln!("jobq: {call}: {error}");
    process::exit(1);
}

fn errno_is(kind: ErrorKind) -> bool {
    Error::last_os_error().kind() == kind
}

/// Takes the option `-letter NUMBER` off the front of the arguments, if it stands there.
fn option(args: &mut Vec<Vec<u8>>, letter: &str) -> Option<u32> {
    if args.first().is_none_or(|arg| arg != letter.as_bytes()) {
        return None;
    }
    if args.len() < 2 {
        usage();
    }
    let value = args.drain(..2).nth(1).unwrap_or_default();
    match str::from_utf8(&value).ok().and_then(|value| value.parse().ok()) {
        Some(number) => Some(number),
        None => usage(),
    }
}

fn name_of(arg: &[u8]) -> CString {
    if arg.starts_with(b"-") {
        usage();
    }
    CString::new(arg).expect("arguments hold no NUL")
}

fn say(line: &[u8]) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(line).and_then(|()| out.flush()) {
        die("write", error);
    }
}

fn open(name: &CString, flags: libc::c_int) -> libc::mqd_t {
    // SAFETY: name ends in NUL, and no O_CREAT means no further arguments.
    let queue = unsafe { libc::mq_open(name.as_ptr(), flags) };
    if queue == -1 {
        die("mq_open", Error::last_os_error());
    }
    queue
}

fn attributes(queue: libc::mqd_t) -> libc::mq_attr {
    // SAFETY: all-zero bytes are a valid mq_attr.
    let mut attr: libc::mq_attr = unsafe { mem::zeroed() };
    // SAFETY: attr is writable.
    if unsafe { libc::mq_getattr(queue, &mut attr) } == -1 {
        die("mq_getattr", Error::last_os_error());
    }
    attr
}

fn sysctl(name: &str) -> libc::c_long {
    let path = format!("/proc/sys/fs/mqueue/{name}");
    let text = fs::read_to_string(path).unwrap_or_else(|error| die("open", error));
    text.trim().parse().expect("a number")
}

fn create(name: &CString, max: Option<u32>, size: Option<u32>) {
    // SAFETY: all-zero bytes are a valid mq_attr.
    let mut attr: libc::mq_attr = unsafe { mem::zeroed() };
    attr.mq_maxmsg = match max {
        Some(max) => max.into(),
        None => sysctl("msg_default"),
    };
    attr.mq_msgsize = match size {
        Some(size) => size.into(),
        None => sysctl("msgsize_default"),
    };
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR;
    let mode = (libc::S_IRUSR | libc::S_IWUSR) as libc::c_uint;
    // SAFETY: name ends in NUL; an unsigned mode and a valid mq_attr pointer follow, as O_CREAT demands.
    let queue = unsafe { libc::mq_open(name.as_ptr(), flags, mode, &raw const attr) };
    if queue == -1 {
        die("mq_open", Error::last_os_error());
    }
    // SAFETY: queue is open and not used after this.
    unsafe { libc::mq_close(queue) };
}

fn send(name: &CString, prio: u32, text: &[u8]) {
    let queue = open(name, libc::O_WRONLY);
    // SAFETY: text is readable for its whole length.
    while unsafe { libc::mq_send(queue, text.as_ptr().cast(), text.len(), prio) } == -1 {
        if !errno_is(ErrorKind::Interrupted) {
            die("mq_send", Error::last_os_error());
        }
    }
}

fn say_message(prio: u32, text: &[u8]) {
    let mut line = prio.to_string().into_bytes();
    line.push(b' ');
    line.extend(text);
    line.push(b'\n');
    say(&line);
}

fn recv(name: &CString, timeout: Option<u32>) {
    let queue = open(name, libc::O_RDONLY);
    let mut text = vec![0u8; attributes(queue).mq_msgsize as usize];
    let mut prio = 0;
    let Some(timeout) = timeout else {
        loop {
            // SAFETY: text is writable for its whole length, prio is writable.
            let n = unsafe { libc::mq_receive(queue, text.as_mut_ptr().cast(), text.len(), &mut prio) };
            if n >= 0 {
                return say_message(prio, &text[..n as usize]);
            }
            if !errno_is(ErrorKind::Interrupted) {
                die("mq_receive", Error::last_os_error());
            }
        }
    };
    let mut end = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: end is writable.
    if unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut end) } == -1 {
        die("clock_gettime", Error::last_os_error());
    }
    let nanoseconds = end.tv_nsec + i64::from(timeout) * 1_000_000;
    end.tv_sec += nanoseconds / 1_000_000_000;
    end.tv_nsec = nanoseconds % 1_000_000_000;
    loop {
        // SAFETY: text is writable for its whole length, prio is writable, end is a valid time.
        let n = unsafe { libc::mq_timedreceive(queue, text.as_mut_ptr().cast(), text.len(), &mut prio, &end) };
        if n >= 0 {
            return say_message(prio, &text[..n as usize]);
        }
        if !errno_is(ErrorKind::Interrupted) {
            die("mq_timedreceive", Error::last_os_error());
        }
    }
}

fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: all-zero bytes are a valid sigaction: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as *const () as libc::sighandler_t;
    // SAFETY: action is valid, and the handler does nothing but store to an atomic.
    if unsafe { libc::sigaction(signal, &action, ptr::null_mut()) } == -1 {
        die("sigaction", Error::last_os_error());
    }
}

fn arm(queue: libc::mqd_t) {
    // SAFETY: all-zero bytes are a valid sigevent.
    let mut event: libc::sigevent = unsafe { mem::zeroed() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = libc::SIGUSR1;
    // SAFETY: event is valid.
    if unsafe { libc::mq_notify(queue, &event) } == -1 {
        die("mq_notify", Error::last_os_error());
    }
}

fn drain(queue: libc::mqd_t, text: &mut [u8]) {
    let mut prio = 0;
    loop {
        // SAFETY: text is writable for its whole length, prio is writable.
        let n = unsafe { libc::mq_receive(queue, text.as_mut_ptr().cast(), text.len(), &mut prio) };
        if n >= 0 {
            say_message(prio, &text[..n as usize]);
        } else if errno_is(ErrorKind::WouldBlock) {
            return;
        } else if !errno_is(ErrorKind::Interrupted) {
            die("mq_receive", Error::last_os_error());
        }
    }
}

fn watch(name: &CString) {
    let queue = open(name, libc::O_RDONLY);
    let mut attr = attributes(queue);
    let mut text = vec![0u8; attr.mq_msgsize as usize];
    attr.mq_flags = libc::O_NONBLOCK.into();
    // SAFETY: attr is valid, and the old attributes are not asked for.
    if unsafe { libc::mq_setattr(queue, &attr, ptr::null_mut()) } == -1 {
        die("mq_setattr", Error::last_os_error());
    }

    handle(libc::SIGUSR1, on_arrival);
    handle(libc::SIGTERM, on_stop);
    handle(libc::SIGINT, on_stop);
    // SAFETY: all-zero bytes are a valid sigset_t.
    let mut blocked: libc::sigset_t = unsafe { mem::zeroed() };
    for signal in [libc::SIGUSR1, libc::SIGTERM, libc::SIGINT] {
        // SAFETY: blocked is an initialised sigset_t.
        unsafe { libc::sigaddset(&mut blocked, signal) };
    }
    // SAFETY: all-zero bytes are a valid sigset_t.
    let mut open_mask: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: both sets are valid, and open_mask is writable.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &blocked, &mut open_mask) } == -1 {
        die("sigprocmask", Error::last_os_error());
    }

    arm(queue);
    say(b"watching\n");
    drain(queue, &mut text);
    loop {
        // The flags cannot change between this test and sigsuspend: the signals are blocked.
        while !ARRIVED.swap(false, Ordering::Relaxed) {
            if STOP.load(Ordering::Relaxed) {
                return;
            }
            // SAFETY: open_mask is an initialised sigset_t. It always returns -1 with EINTR.
            unsafe { libc::sigsuspend(&open_mask) };
        }
        arm(queue);
        drain(queue, &mut text);
    }
}

fn rm(name: &CString) {
    // SAFETY: name ends in NUL.
    if unsafe { libc::mq_unlink(name.as_ptr()) } == -1 {
        die("mq_unlink", Error::last_os_error());
    }
}

fn main() {
    let mut args: Vec<Vec<u8>> = env::args_os().skip(1).map(OsStringExt::into_vec).collect();
    if args.is_empty() {
        usage();
    }
    let verb = args.remove(0);
    match verb.as_slice() {
        b"create" => {
            let (mut max, mut size) = (None, None);
            while args.first().is_some_and(|arg| arg == b"-m" || arg == b"-s") {
                max = option(&mut args, "-m").or(max);
                size = option(&mut args, "-s").or(size);
            }
            match args.as_slice() {
                [name] => create(&name_of(name), max, size),
                _ => usage(),
            }
        }
        b"send" => {
            let prio = option(&mut args, "-p").unwrap_or(0);
            match args.as_slice() {
                [name, text] => send(&name_of(name), prio, text),
                _ => usage(),
            }
        }
        b"recv" => {
            let timeout = option(&mut args, "-t");
            match args.as_slice() {
                [name] => recv(&name_of(name), timeout),
                _ => usage(),
            }
        }
        b"watch" if args.len() == 1 => watch(&name_of(&args[0])),
        b"rm" if args.len() == 1 => rm(&name_of(&args[0])),
        _ => usage(),
    }
}
