//! askd in the idiom of Rust: the socket is an `OwnedFd`, failures are values, the memory is a hash map with the order of arrival beside it. The buffer has a
//! byte more than the longest question. The stop signals are blocked except while ppoll waits, so that the flag which their handler sets is never looked at
//! too early.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_int;

static STOPPED: AtomicBool = AtomicBool::new(false);

type Failure = (&'static str, io::Error);
/// Address, port and id.
type Key = (u32, u16, [u8; 4]);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let [port] = &arguments[..] else { return usage() };
    let Ok(port) = port.parse::<u16>() else { return usage() };
    match run(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err((call, error)) => {
            eprintln!("askd: {call}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: askd PORT");
    ExitCode::from(2)
}

fn check(call: &'static str, result: c_int) -> Result<c_int, Failure> {
    if result == -1 { Err((call, io::Error::last_os_error())) } else { Ok(result) }
}

fn check_size(call: &'static str, result: isize) -> Result<usize, Failure> {
    usize::try_from(result).map_err(|_| (call, io::Error::last_os_error()))
}

fn is(failure: &Failure, errors: &[c_int]) -> bool {
    failure.1.raw_os_error().is_some_and(|error| errors.contains(&error))
}

fn run(port: u16) -> Result<(), Failure> {
    let while_waiting = prepare_signals()?;
    let socket = bind(port)?;
    let mut numbers: HashMap<Key, u32> = HashMap::new();
    let mut order: VecDeque<Key> = VecDeque::new();
    let mut count = 0;
    let mut buffer = [0u8; 517];
    while wait(&socket, &while_waiting)? {
        let (length, client) = match receive(&socket, &mut buffer) {
            Ok(received) => received,
            Err(failure) if is(&failure, &[libc::EINTR, libc::EAGAIN]) => continue,
            Err(failure) => return Err(failure),
        };
        let Some((id, text)) = buffer[..length].split_first_chunk::<4>() else { continue };
        if text.len() > 512 {
            continue;
        }
        let key = (client.sin_addr.s_addr, client.sin_port, *id);
        let number = *numbers.entry(key).or_insert_with(|| {
            count += 1;
            order.push_back(key);
            count
        });
        if order.len() > 1000
            && let Some(oldest) = order.pop_front()
        {
            numbers.remove(&oldest);
        }
        let answer: Vec<u8> = id.iter().chain(&number.to_be_bytes()).chain(text.iter().rev()).copied().collect();
        while let Err(failure) = send(&socket, &answer, &client) {
            if !is(&failure, &[libc::EINTR]) {
                eprintln!("askd: {}: {}", failure.0, failure.1);
                break;
            }
        }
    }
    Ok(())
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

fn bind(port: u16) -> Result<OwnedFd, Failure> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no precondition.
    let socket = check("socket", unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: the kernel has just opened it, and nobody else knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of `address`.
    check("bind", unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    // SAFETY: pointer and length are those of `address`, which may be written.
    check("getsockname", unsafe { libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &mut length) })?;
    writeln!(io::stdout(), "listening {}", u16::from_be(address.sin_port)).map_err(|error| ("write", error))?;
    Ok(socket)
}

/// Waits until a datagram is there, and lets the stop signals in while it waits; false if one has come.
fn wait(socket: &OwnedFd, mask: &libc::sigset_t) -> Result<bool, Failure> {
    loop {
        let mut polled = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd; a null time-out waits without limit; the mask is initialised.
        let result = check("ppoll", unsafe { libc::ppoll(&mut polled, 1, std::ptr::null(), mask) });
        if STOPPED.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match result {
            Ok(_) => return Ok(true),
            Err(failure) if is(&failure, &[libc::EINTR]) => {}
            Err(failure) => return Err(failure),
        }
    }
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Result<(usize, libc::sockaddr_in), Failure> {
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut client: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&client) as libc::socklen_t;
    // SAFETY: pointers and lengths are those of the buffer and of `client`.
    let count = check_size("recvfrom", unsafe {
        libc::recvfrom(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0, (&raw mut client).cast(), &mut length)
    })?;
    Ok((count, client))
}

fn send(socket: &OwnedFd, answer: &[u8], client: &libc::sockaddr_in) -> Result<usize, Failure> {
    let length = size_of_val(client) as libc::socklen_t;
    // SAFETY: pointers and lengths are those of the answer and of `client`.
    check_size("sendto", unsafe { libc::sendto(socket.as_raw_fd(), answer.as_ptr().cast(), answer.len(), 0, (&raw const *client).cast(), length) })
}
