//! ask whose socket is not connected: it compares the address of each datagram with the server's. Failures are values; ppoll waits for what is left, to the
//! nanosecond, and everything that is there is taken before it waits again.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use libc::c_int;

type Failure = (&'static str, io::Error);

struct Order {
    limit: Duration,
    tries: u32,
    server: libc::sockaddr_in,
    text: Vec<u8>,
}

fn main() -> ExitCode {
    let Some(order) = parse(std::env::args_os().skip(1).collect()) else {
        eprintln!("usage: ask [-t MS] [-r TRIES] HOST PORT TEXT");
        return ExitCode::from(2);
    };
    match ask(&order) {
        Ok(Some(line)) => match io::stdout().lock().write_all(&line) {
            Ok(()) => match io::stdout().flush() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(("write", error)),
            },
            Err(error) => failed(("write", error)),
        },
        Ok(None) => {
            eprintln!("ask: no answer");
            ExitCode::FAILURE
        }
        Err(failure) => failed(failure),
    }
}

fn failed((call, error): Failure) -> ExitCode {
    eprintln!("ask: {call}: {error}");
    ExitCode::FAILURE
}

fn parse(words: Vec<OsString>) -> Option<Order> {
    let (mut limit, mut tries) = (250u64, 4u32);
    let mut rest = &words[..];
    while let [option, value, more @ ..] = rest {
        match option.to_str() {
            Some("-t") => limit = value.to_str()?.parse().ok().filter(|limit| (1..=1_000_000).contains(limit))?,
            Some("-r") => tries = value.to_str()?.parse().ok().filter(|tries| (1..=1000).contains(tries))?,
            _ => break,
        }
        rest = more;
    }
    let [host, port, text] = rest else { return None };
    let numbers: Vec<u8> = host.to_str()?.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let numbers: [u8; 4] = numbers.try_into().ok()?;
    let port: u16 = port.to_str()?.parse().ok().filter(|port| *port != 0)?;
    let text = text.as_bytes().to_vec();
    let server = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_be_bytes(numbers).to_be() },
        sin_zero: [0; 8],
    };
    (text.len() <= 512).then_some(Order { limit: Duration::from_millis(limit), tries, server, text })
}

fn ask(order: &Order) -> Result<Option<Vec<u8>>, Failure> {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    if socket == -1 {
        return Err(("socket", io::Error::last_os_error()));
    }
    // SAFETY: the kernel has just opened it, and nobody else knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut id = [0u8; 4];
    // SAFETY: pointer and length are those of `id`.
    check("getrandom", unsafe { libc::getrandom(id.as_mut_ptr().cast(), 4, 0) })?;
    let question = [&id, &order.text[..]].concat();
    for _ in 0..order.tries {
        let deadline = Instant::now() + order.limit;
        send(&socket, &question, &order.server)?;
        loop {
            if let Some(answer) = take_all(&socket, id, &order.server)? {
                return Ok(Some(answer));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            wait(&socket, left)?;
        }
    }
    Ok(None)
}

fn check(call: &'static str, result: isize) -> Result<usize, Failure> {
    usize::try_from(result).map_err(|_| (call, io::Error::last_os_error()))
}

fn is(failure: &Failure, error: c_int) -> bool {
    failure.1.raw_os_error() == Some(error)
}

fn send(socket: &OwnedFd, question: &[u8], server: &libc::sockaddr_in) -> Result<(), Failure> {
    let length = size_of_val(server) as libc::socklen_t;
    loop {
        // SAFETY: pointers and lengths are those of the question and of the address.
        let result = check("sendto", unsafe {
            libc::sendto(socket.as_raw_fd(), question.as_ptr().cast(), question.len(), 0, (&raw const *server).cast(), length)
        });
        match result {
            Err(failure) if is(&failure, libc::EINTR) => {}
            result => return result.map(drop),
        }
    }
}

/// Waits for a datagram, but no longer than this.
fn wait(socket: &OwnedFd, left: Duration) -> Result<(), Failure> {
    let time = libc::timespec { tv_sec: left.as_secs() as libc::time_t, tv_nsec: left.subsec_nanos().into() };
    let mut polled = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd; the time is initialised; a null mask changes nothing.
    match check("ppoll", unsafe { libc::ppoll(&mut polled, 1, &time, std::ptr::null()) } as isize) {
        Err(failure) if is(&failure, libc::EINTR) => Ok(()),
        result => result.map(drop),
    }
}

/// Takes what is there; the answer to this question as a line to print, if it is among it.
fn take_all(socket: &OwnedFd, id: [u8; 4], server: &libc::sockaddr_in) -> Result<Option<Vec<u8>>, Failure> {
    let mut buffer = [0u8; 521];
    loop {
        // SAFETY: sockaddr_in is a C structure of integers.
        let mut from: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        let mut length = size_of_val(&from) as libc::socklen_t;
        // SAFETY: pointers and lengths are those of the buffer and of `from`.
        let result = check("recvfrom", unsafe {
            libc::recvfrom(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0, (&raw mut from).cast(), &mut length)
        });
        let count = match result {
            Ok(count) => count,
            Err(failure) if is(&failure, libc::EAGAIN) => return Ok(None),
            Err(failure) if is(&failure, libc::EINTR) => continue,
            Err(failure) => return Err(failure),
        };
        let same_port = from.sin_port == server.sin_port;
        let same_host = from.sin_addr.s_addr == server.sin_addr.s_addr;
        if !(same_port && same_host && (8..=520).contains(&count) && buffer[..4] == id) {
            continue;
        }
        let number = u32::from_be_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]);
        return Ok(Some([format!("{number} ").as_bytes(), &buffer[8..count], b"\n"].concat()));
    }
}
