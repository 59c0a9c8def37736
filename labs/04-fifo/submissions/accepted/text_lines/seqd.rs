//! Requests and answers are lines of text, so one read may hold several requests or a part of one; signals come
//! through a signalfd, next to the requests in one poll.

use std::ffi::CString;
use std::io::{self, Error, ErrorKind};
use std::process::ExitCode;

/// A descriptor that is closed when it goes out of scope.
struct Fd(libc::c_int);

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and not used again.
        unsafe { libc::close(self.0) };
    }
}

/// The name of the call that failed, and its error.
type Failure = (&'static str, Error);

/// Calls again as long as a signal interrupts; -1 becomes an error with the call's name.
fn call<T: PartialEq + From<i8>>(name: &'static str, mut f: impl FnMut() -> T) -> Result<T, Failure> {
    loop {
        let result = f();
        if result != T::from(-1) {
            return Ok(result);
        }
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err((name, error));
        }
    }
}

fn open(path: &CString, flags: libc::c_int) -> Result<Fd, Failure> {
    // SAFETY: `path` is a C string that outlives the call.
    call("open", || unsafe { libc::open(path.as_ptr(), flags) }).map(Fd)
}

/// A descriptor that is readable once SIGTERM or SIGINT has come.
fn stop_signals() -> Result<Fd, Failure> {
    // SAFETY: a sigset_t is plain data; sigemptyset fills it.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is ours.
    call("sigemptyset", || unsafe { libc::sigemptyset(&mut set) })?;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `set` is initialised.
        call("sigaddset", || unsafe { libc::sigaddset(&mut set, signal) })?;
    }
    // SAFETY: `set` is initialised; the old mask is not wanted.
    call("sigprocmask", || unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) })?;
    // SAFETY: `set` is initialised.
    call("signalfd", || unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC) }).map(Fd)
}

/// Answers one line, `PID N`; gives how many numbers were taken.
fn answer(dir: &str, line: &str, first: u64) -> Option<u64> {
    let (client, count) = line.split_once(' ')?;
    let count: u64 = count.parse().ok()?;
    let client: u32 = client.parse().ok()?;
    let path = CString::new(format!("{dir}/answer-{client}")).ok()?;
    // No reader: the client is dead, and its numbers stay for the next.
    let reply = open(&path, libc::O_WRONLY | libc::O_NONBLOCK).ok()?;
    let text = format!("{first}\n");
    // SAFETY: `text` is readable for its whole length.
    call("write", || unsafe { libc::write(reply.0, text.as_ptr().cast(), text.len()) }).ok()?;
    Some(count)
}

fn serve(dir: &str, path: &CString, stop: &Fd) -> Result<(), Failure> {
    let requests = open(path, libc::O_RDONLY | libc::O_NONBLOCK)?;
    let _writer = open(path, libc::O_WRONLY)?;
    println!("ready");
    let mut next = 0;
    let mut pending = Vec::new();
    loop {
        let mut polls = [requests.0, stop.0].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        // SAFETY: `polls` is an array of two pollfds.
        call("poll", || unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) })?;
        if polls[1].revents != 0 {
            return Ok(());
        }
        let mut buffer = [0u8; 4096];
        // SAFETY: `buffer` is writable for its whole length.
        let n = call("read", || unsafe { libc::read(requests.0, buffer.as_mut_ptr().cast(), buffer.len()) })?;
        pending.extend_from_slice(&buffer[..n as usize]);
        while let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            next += answer(dir, line.trim_end(), next).unwrap_or(0);
        }
    }
}

fn run(dir: &str) -> Result<(), Failure> {
    let stop = stop_signals()?;
    let path = CString::new(format!("{dir}/seqd.fifo")).map_err(|e| ("mkfifo", io::Error::from(e)))?;
    // SAFETY: `path` is a C string that outlives the call.
    call("mkfifo", || unsafe { libc::mkfifo(path.as_ptr(), 0o622) })?;
    let served = serve(dir, &path, &stop);
    // SAFETY: `path` is a C string that outlives the call.
    call("unlink", || unsafe { libc::unlink(path.as_ptr()) })?;
    served
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(dir), None) = (args.next(), args.next()) else {
        eprintln!("usage: seqd DIR");
        return ExitCode::from(2);
    };
    match run(&dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err((call, error)) => {
            eprintln!("seqd: {call}: {error}");
            ExitCode::FAILURE
        }
    }
}
