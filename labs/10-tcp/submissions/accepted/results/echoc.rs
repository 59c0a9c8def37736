//! echoc with a non-blocking socket and one loop that keeps both directions in one buffer each; failures are values.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

use libc::{c_int, pollfd};

type Failure = (&'static str, io::Error);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((host, port)) = parse(&arguments) else {
        eprintln!("usage: echoc HOST PORT");
        return ExitCode::from(2);
    };
    match connect(host, port).and_then(|socket| talk(&socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err((call, error)) => {
            eprintln!("echoc: {call}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<([u8; 4], u16)> {
    let [host, port] = arguments else { return None };
    let mut numbers = host.split('.').map(|number| number.parse().ok());
    let host = [numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??];
    let port = port.parse().ok().filter(|&port| port != 0)?;
    numbers.next().is_none().then_some((host, port))
}

/// The result as a count; None if the call is to be made again later.
fn check(call: &'static str, result: isize) -> Result<Option<usize>, Failure> {
    if let Ok(count) = usize::try_from(result) {
        return Ok(Some(count));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EINTR | libc::EAGAIN) => Ok(None),
        _ => Err((call, error)),
    }
}

fn connect(host: [u8; 4], port: u16) -> Result<OwnedFd, Failure> {
    // SAFETY: no precondition.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0) };
    if fd == -1 {
        return Err(("socket", io::Error::last_os_error()));
    }
    // SAFETY: the kernel has just opened it, and nobody else knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_be_bytes(host).to_be() },
        sin_zero: [0; 8],
    };
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of `address`.
    if unsafe { libc::connect(fd, (&raw const address).cast(), length) } == 0 {
        return Ok(socket);
    }
    let error = io::Error::last_os_error();
    if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) {
        return Err(("connect", error));
    }
    wait(&mut [pollfd { fd, events: libc::POLLOUT, revents: 0 }])?;
    let mut outcome: c_int = 0;
    let mut length = size_of_val(&outcome) as libc::socklen_t;
    // SAFETY: pointer and length are those of `outcome`.
    let result =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut outcome).cast(), &mut length) };
    check("getsockopt", result as isize)?;
    match outcome {
        0 => Ok(socket),
        error => Err(("connect", io::Error::from_raw_os_error(error))),
    }
}

fn wait(polled: &mut [pollfd]) -> Result<(), Failure> {
    loop {
        // SAFETY: pointer and count are those of the slice.
        let result = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) };
        if check("poll", result as isize)?.is_some() {
            return Ok(());
        }
    }
}

/// Bytes on their way from one descriptor to another.
#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    ended: bool,
}

fn talk(socket: &OwnedFd) -> Result<(), Failure> {
    let fd = socket.as_raw_fd();
    let (mut upward, mut downward) = (Queue::default(), Queue::default());
    let mut shut = false;
    while !(downward.ended && downward.bytes.is_empty()) {
        if upward.ended && upward.bytes.is_empty() && !shut {
            // SAFETY: `fd` is open.
            let result = unsafe { libc::shutdown(fd, libc::SHUT_WR) };
            check("shutdown", result as isize)?;
            shut = true;
        }
        let reads = |queue: &Queue| if queue.bytes.is_empty() && !queue.ended { libc::POLLIN } else { 0 };
        let writes = |queue: &Queue| if queue.bytes.is_empty() { 0 } else { libc::POLLOUT };
        let entry = |fd, events| pollfd { fd: if events == 0 { -1 } else { fd }, events, revents: 0 };
        let mut polled = [
            entry(libc::STDIN_FILENO, reads(&upward)),
            entry(fd, writes(&upward)),
            entry(fd, reads(&downward)),
            entry(libc::STDOUT_FILENO, writes(&downward)),
        ];
        wait(&mut polled)?;
        let ready = polled.map(|entry| entry.revents != 0);
        if ready[2] {
            fill(&mut downward, fd)?;
        }
        if ready[3] {
            drain(&mut downward, libc::STDOUT_FILENO)?;
        }
        if ready[1] {
            drain(&mut upward, fd)?;
        }
        if ready[0] {
            fill(&mut upward, libc::STDIN_FILENO)?;
        }
    }
    Ok(())
}

fn fill(queue: &mut Queue, fd: c_int) -> Result<(), Failure> {
    let mut buffer = [0u8; 32768];
    // SAFETY: pointer and length are those of the buffer.
    let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    if let Some(count) = check("read", count)? {
        queue.ended = count == 0;
        queue.bytes.extend_from_slice(&buffer[..count]);
    }
    Ok(())
}

fn drain(queue: &mut Queue, fd: c_int) -> Result<(), Failure> {
    let bytes = &queue.bytes;
    // SAFETY: pointer and length are those of the queue's bytes. Rust's runtime ignores SIGPIPE.
    let count = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    if let Some(count) = check("write", count)? {
        queue.bytes.drain(..count);
    }
    Ok(())
}
