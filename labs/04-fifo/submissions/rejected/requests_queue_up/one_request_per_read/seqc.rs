//! The client of a server that takes what one read gives for one request (see seqd.rs): requests and answers are
//! lines.

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

/// The client's FIFO, removed when it goes out of scope.
struct OwnFifo(CString);

impl Drop for OwnFifo {
    fn drop(&mut self) {
        // SAFETY: the path is a C string that outlives the call.
        unsafe { libc::unlink(self.0.as_ptr()) };
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

fn path(dir: &str, name: &str) -> Result<CString, Failure> {
    CString::new(format!("{dir}/{name}")).map_err(|e| ("open", io::Error::from(e)))
}

/// Reads up to the end of the line.
fn read_line(fd: &Fd) -> Result<String, Failure> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut poll = libc::pollfd { fd: fd.0, events: libc::POLLIN, revents: 0 };
        // SAFETY: `poll` is one pollfd.
        call("poll", || unsafe { libc::poll(&mut poll, 1, -1) })?;
        let mut buffer = [0u8; 32];
        // SAFETY: `buffer` is writable for its whole length.
        let n = call("read", || unsafe { libc::read(fd.0, buffer.as_mut_ptr().cast(), buffer.len()) })?;
        if n == 0 {
            return Err(("read", ErrorKind::UnexpectedEof.into()));
        }
        line.extend_from_slice(&buffer[..n as usize]);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn take(dir: &str, count: u32) -> Result<String, Failure> {
    let requests = open(&path(dir, "seqd.fifo")?, libc::O_WRONLY)?;
    let pid = std::process::id();
    let own = OwnFifo(path(dir, &format!("answer-{pid}"))?);
    // SAFETY: the path is a C string that outlives the call.
    call("mkfifo", || unsafe { libc::mkfifo(own.0.as_ptr(), 0o600) })?;
    let reply = open(&own.0, libc::O_RDONLY | libc::O_NONBLOCK)?;
    let request = format!("{pid} {count}\n");
    // SAFETY: `request` is readable for its whole length.
    call("write", || unsafe { libc::write(requests.0, request.as_ptr().cast(), request.len()) })?;
    read_line(&reply)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count = args.get(1).and_then(|n| n.parse().ok()).filter(|n| (1..=1_000_000).contains(n));
    let (2, Some(count)) = (args.len(), count) else {
        eprintln!("usage: seqc DIR N");
        return ExitCode::from(2);
    };
    match take(&args[0], count) {
        Ok(line) => {
            print!("{line}");
            ExitCode::SUCCESS
        }
        Err((call, error)) => {
            eprintln!("seqc: {call}: {error}");
            ExitCode::FAILURE
        }
    }
}
