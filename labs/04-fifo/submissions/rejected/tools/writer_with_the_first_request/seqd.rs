//! seqd opens its own writer when it has the first request. Who opens the FIFO before and closes it again without a byte leaves it without a writer: read
//! returns 0, and seqd takes that for an error.

use std::ffi::{CString, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use memoffset::span_of;

/// What a client writes into the request FIFO: seqc.rs has the same definition. Only its layout is used.
#[repr(C)]
#[allow(dead_code)]
struct Request {
    client: libc::pid_t,
    count: u32,
}

/// Set by a signal: the loop in `next_request` ends.
static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn on_stop(_signal: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

/// A call that failed, and why.
struct Failed {
    call: &'static str,
    error: io::Error,
}

/// Reads errno: to be used directly after the call.
fn failed(call: &'static str) -> Failed {
    Failed { call, error: io::Error::last_os_error() }
}

/// The path of `name` in the directory.
fn path_in(dir: &OsString, name: &str) -> CString {
    let mut path = dir.clone().into_vec();
    path.push(b'/');
    path.extend_from_slice(name.as_bytes());
    CString::new(path).expect("an argument holds no zero byte")
}

/// Tells whoever started the server that it can be asked.
fn say_ready() -> Result<(), Failed> {
    let mut out = io::stdout();
    writeln!(out, "ready").and_then(|()| out.flush()).map_err(|error| Failed { call: "write", error })
}

/// Opens a FIFO, again if a signal comes between.
fn open_fifo(path: &CString, flags: libc::c_int) -> Result<libc::c_int, Failed> {
    loop {
        // SAFETY: `path` is a C string that outlives the call.
        let fd = unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) };
        if fd != -1 {
            return Ok(fd);
        }
        let failure = failed("open");
        if failure.error.raw_os_error() != Some(libc::EINTR) {
            return Err(failure);
        }
    }
}

/// Arranges that SIGTERM and SIGINT stop the server. They stay blocked but while the server waits: the mask to wait
/// with is returned. So none can come between a look at the flag and the wait, and be missed.
fn catch_stop_signals() -> Result<libc::sigset_t, Failed> {
    // SAFETY: a sigaction is plain data, for which all zeros is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_stop as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: a sigset_t is plain data; the calls below fill it.
    let mut stops: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `stops` is a sigset_t that we own.
    unsafe { libc::sigemptyset(&mut stops) };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `stops` is initialised, and the signal exists.
        unsafe { libc::sigaddset(&mut stops, signal) };
        // SAFETY: `action` is initialised, and its handler only stores to an atomic.
        if unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } == -1 {
            return Err(failed("sigaction"));
        }
    }
    // SAFETY: a sigset_t is plain data; sigprocmask fills it.
    let mut waiting: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: both sets are ours and live through the call.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &stops, &mut waiting) } == -1 {
        return Err(failed("sigprocmask"));
    }
    // Whoever started us may have blocked them: they must not be blocked while we wait.
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `waiting` was filled by sigprocmask, and the signal exists.
        unsafe { libc::sigdelset(&mut waiting, signal) };
    }
    Ok(waiting)
}

/// Opens the request FIFO for reading.
fn open_requests(path: &CString) -> Result<libc::c_int, Failed> {
    // Without O_NONBLOCK this open would wait for the first client.
    open_fifo(path, libc::O_RDONLY | libc::O_NONBLOCK)
}

/// Sleeps until a request is there or a signal comes; tells whether the server is to go on.
fn wait_for_request(requests: libc::c_int, waiting: &libc::sigset_t) -> Result<bool, Failed> {
    let mut poll = libc::pollfd { fd: requests, events: libc::POLLIN, revents: 0 };
    // SAFETY: `poll` is one pollfd, the time-out may be null, and `waiting` is a filled set.
    if unsafe { libc::ppoll(&mut poll, 1, std::ptr::null(), waiting) } == -1 {
        let failure = failed("ppoll");
        if failure.error.raw_os_error() != Some(libc::EINTR) {
            return Err(failure);
        }
    }
    Ok(!STOP.load(Ordering::Relaxed))
}

/// The next client and how many numbers it wants; `None` when the server is to stop.
fn next_request(requests: libc::c_int, waiting: &libc::sigset_t) -> Result<Option<(libc::pid_t, u32)>, Failed> {
    let mut record = [0u8; size_of::<Request>()];
    let mut have = 0;
    // Clients write a record at once, but a read may still bring less of it.
    while have < record.len() {
        let rest = &mut record[have..];
        // SAFETY: `rest` is writable for its whole length.
        let n = unsafe { libc::read(requests, rest.as_mut_ptr().cast(), rest.len()) };
        if n == -1 {
            let failure = failed("read");
            match failure.error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) => {
                    if !wait_for_request(requests, waiting)? {
                        return Ok(None);
                    }
                }
                _ => return Err(failure),
            }
        } else if n == 0 {
            return Err(Failed { call: "read", error: io::ErrorKind::UnexpectedEof.into() });
        } else {
            have += n as usize;
        }
    }
    let client = record[span_of!(Request, client)].try_into().expect("four bytes");
    let count = record[span_of!(Request, count)].try_into().expect("four bytes");
    Ok(Some((libc::pid_t::from_ne_bytes(client), u32::from_ne_bytes(count))))
}

/// Sends one client the first number of its block. The client may be dead: then this fails, and does not wait.
fn answer(dir: &OsString, client: libc::pid_t, first: u64) -> Result<(), Failed> {
    let path = path_in(dir, &format!("reply.{client}"));
    // The client has it open already. A dead client has not, and without O_NONBLOCK we would wait for it for ever.
    let reply = open_fifo(&path, libc::O_WRONLY | libc::O_NONBLOCK)?;
    let record = first.to_ne_bytes();
    let written = loop {
        // SAFETY: `record` is readable for its whole length.
        let n = unsafe { libc::write(reply, record.as_ptr().cast(), record.len()) };
        if n != -1 {
            break Ok(()); // so few bytes go whole or not at all
        }
        let failure = failed("write");
        if failure.error.raw_os_error() != Some(libc::EINTR) {
            break Err(failure); // EPIPE: the client died since the open
        }
    };
    // SAFETY: `reply` is ours and not used again.
    unsafe { libc::close(reply) };
    written
}

/// Answers requests until a signal says stop.
fn serve(dir: &OsString, requests: libc::c_int, waiting: &libc::sigset_t) -> Result<(), Failed> {
    let mut next = 0;
    // Without a writer there is nothing to read until the first client has come.
    if !wait_for_request(requests, waiting)? {
        return Ok(());
    }
    let mut keeps_open = None;
    while let Some((client, count)) = next_request(requests, waiting)? {
        if keeps_open.is_none() {
            keeps_open = Some(open_fifo(&path_in(dir, "seqd"), libc::O_WRONLY)?);
        }
        if let Err(Failed { call, error }) = answer(dir, client, next) {
            eprintln!("seqd: client {client}: {call}: {error}"); // its affair, not ours
        }
        next += u64::from(count);
    }
    Ok(())
}

/// Makes the request FIFO, serves, and removes the FIFO whatever happened.
fn run(dir: &OsString) -> Result<(), Failed> {
    let waiting = catch_stop_signals()?;
    let path = path_in(dir, "seqd");
    // SAFETY: `path` is a C string that outlives the call.
    if unsafe { libc::mkfifo(path.as_ptr(), 0o600) } == -1 {
        return Err(failed("mkfifo"));
    }
    let served = open_requests(&path).and_then(|requests| {
        say_ready()?;
        serve(dir, requests, &waiting)
    });
    // SAFETY: `path` is a C string that outlives the call.
    if unsafe { libc::unlink(path.as_ptr()) } == -1 {
        return served.and(Err(failed("unlink")));
    }
    served
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [dir] = args.as_slice() else {
        eprintln!("usage: seqd DIR");
        return ExitCode::from(2);
    };
    match run(dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed { call, error }) => {
            eprintln!("seqd: {call}: {error}");
            ExitCode::FAILURE
        }
    }
}
