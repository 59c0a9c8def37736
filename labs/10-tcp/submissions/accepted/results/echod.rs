//! echod in the idiom of Rust: descriptors are `OwnedFd`, failures are values. Each client's process is a grandchild:
//! its parent exits at once and is waited for at once, and nobody needs SIGCHLD. The stop signals are blocked except
//! while ppoll waits, so that the flag which their handler sets is never looked at too early.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, c_short};

static STOPPED: AtomicBool = AtomicBool::new(false);

/// A failed call.
struct Failure {
    call: &'static str,
    error: io::Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}: {}", self.call, self.error)
    }
}

impl Failure {
    fn is(&self, errors: &[c_int]) -> bool {
        self.error.raw_os_error().is_some_and(|error| errors.contains(&error))
    }
}

/// Why the server's loop ends.
enum End {
    Stopped,
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        End::Failed(failure)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command_line = match &arguments[..] {
        [port] => Some((false, port)),
        [flag, port] if flag == "--fork" => Some((true, port)),
        _ => None,
    };
    let Some((forking, Ok(port))) = command_line.map(|(forking, port)| (forking, port.parse())) else {
        eprintln!("usage: echod [--fork] PORT");
        return ExitCode::from(2);
    };
    match run(forking, port) {
        Ok(never) => match never {},
        Err(End::Stopped) => ExitCode::SUCCESS,
        Err(End::Failed(failure)) => {
            eprintln!("echod: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(forking: bool, port: u16) -> Result<std::convert::Infallible, End> {
    let while_waiting = prepare_signals()?;
    let listener = listen(port)?;
    loop {
        wait(&listener, libc::POLLIN, &while_waiting)?;
        let client = match accept(&listener) {
            Ok(client) => client,
            Err(failure) if failure.is(&[libc::EINTR, libc::ECONNABORTED, libc::EAGAIN]) => continue,
            Err(failure) => return Err(End::Failed(failure)),
        };
        if !forking {
            echo(&client, &while_waiting)?;
            continue;
        }
        // SAFETY: this process has one thread.
        let pid = check("fork", unsafe { libc::fork() })?;
        if pid != 0 {
            wait_for(pid)?;
            continue;
        }
        // SAFETY: this process has one thread.
        if check("fork", unsafe { libc::fork() })? != 0 {
            // SAFETY: nothing needs to be flushed or dropped.
            unsafe { libc::_exit(0) };
        }
        drop(listener);
        echo(&client, &while_waiting)?;
        return Err(End::Stopped);
    }
}

fn check(call: &'static str, result: c_int) -> Result<c_int, Failure> {
    match result {
        -1 => Err(Failure { call, error: io::Error::last_os_error() }),
        _ => Ok(result),
    }
}

fn check_size(call: &'static str, result: isize) -> Result<usize, Failure> {
    usize::try_from(result).map_err(|_| Failure { call, error: io::Error::last_os_error() })
}

fn own(call: &'static str, result: c_int) -> Result<OwnedFd, Failure> {
    let fd = check(call, result)?;
    // SAFETY: the kernel has just opened it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

extern "C" fn note_stop(_signal: c_int) {
    STOPPED.store(true, Ordering::Relaxed);
}

/// Blocks the stop signals, and returns the mask that lets them in.
fn prepare_signals() -> Result<libc::sigset_t, Failure> {
    // SAFETY: sigset_t is a C structure of integers.
    let mut blocked: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `blocked` may be written.
    unsafe { libc::sigemptyset(&mut blocked) };
    let mut before = blocked;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `blocked` is initialised.
        unsafe { libc::sigaddset(&mut blocked, signal) };
        // SAFETY: sigaction is a C structure for which all zeros is a value.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = note_stop as *const () as libc::sighandler_t;
        // SAFETY: `action` is initialised; the handler stores to an atomic only.
        check("sigaction", unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) })?;
    }
    // SAFETY: both sets are initialised.
    check("sigprocmask", unsafe { libc::sigprocmask(libc::SIG_BLOCK, &blocked, &mut before) })?;
    Ok(before)
}

fn listen(port: u16) -> Result<OwnedFd, Failure> {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0) };
    let listener = own("socket", socket)?;
    let on: c_int = 1;
    // SAFETY: pointer and length are those of `on`.
    check("setsockopt", unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_REUSEADDR,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    })?;
    let mut address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: libc::INADDR_ANY },
        sin_zero: [0; 8],
    };
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of `address`.
    check("bind", unsafe { libc::bind(listener.as_raw_fd(), (&raw const address).cast(), length) })?;
    // SAFETY: no precondition.
    check("listen", unsafe { libc::listen(listener.as_raw_fd(), 32) })?;
    // SAFETY: pointer and length are those of `address`, which may be written.
    check("getsockname", unsafe {
        libc::getsockname(listener.as_raw_fd(), (&raw mut address).cast(), &mut length)
    })?;
    writeln!(io::stdout(), "listening {}", u16::from_be(address.sin_port))
        .map_err(|error| Failure { call: "write", error })?;
    Ok(listener)
}

/// Waits until the descriptor is ready, and lets the stop signals in while it waits.
fn wait(fd: &OwnedFd, events: c_short, mask: &libc::sigset_t) -> Result<(), End> {
    loop {
        let mut polled = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
        // SAFETY: one pollfd; a null time-out waits without limit; the mask is initialised.
        let result = check("ppoll", unsafe { libc::ppoll(&mut polled, 1, std::ptr::null(), mask) });
        if STOPPED.load(Ordering::Relaxed) {
            return Err(End::Stopped);
        }
        match result {
            Ok(_) => return Ok(()),
            Err(failure) if failure.is(&[libc::EINTR]) => {}
            Err(failure) => return Err(End::Failed(failure)),
        }
    }
}

fn accept(listener: &OwnedFd) -> Result<OwnedFd, Failure> {
    // SAFETY: null pointers say that the client's address is not wanted.
    own("accept4", unsafe {
        libc::accept4(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_NONBLOCK)
    })
}

fn wait_for(pid: libc::pid_t) -> Result<(), Failure> {
    loop {
        // SAFETY: a null status pointer is permitted.
        match check("waitpid", unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }) {
            Err(failure) if failure.is(&[libc::EINTR]) => {}
            result => return result.map(drop),
        }
    }
}

fn echo(client: &OwnedFd, while_waiting: &libc::sigset_t) -> Result<(), End> {
    const GONE: [c_int; 3] = [libc::ECONNRESET, libc::EPIPE, libc::ETIMEDOUT];
    const LATER: [c_int; 2] = [libc::EINTR, libc::EAGAIN];
    let mut buffer = vec![0u8; 65536];
    let (mut sent, mut filled) = (0, 0);
    loop {
        let sending = sent < filled;
        wait(client, if sending { libc::POLLOUT } else { libc::POLLIN }, while_waiting)?;
        let result = if sending {
            let rest = &buffer[sent..filled];
            // SAFETY: pointer and length are those of the rest.
            check_size("send", unsafe {
                libc::send(client.as_raw_fd(), rest.as_ptr().cast(), rest.len(), libc::MSG_NOSIGNAL)
            })
        } else {
            // SAFETY: pointer and length are those of the buffer.
            check_size("recv", unsafe {
                libc::recv(client.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0)
            })
        };
        match result {
            Ok(count) if sending => sent += count,
            Ok(0) => return Ok(()),
            Ok(count) => (sent, filled) = (0, count),
            Err(failure) if failure.is(&LATER) => {}
            Err(failure) if failure.is(&GONE) => return Ok(()),
            Err(failure) => return Err(End::Failed(failure)),
        }
    }
}
