//! ask with a receive time-out: before each recvmsg the socket is told how much of the time is left. That a datagram was too long is told by the flags of the
//! message, and the header is taken apart by the kernel, with one buffer for each field. The id comes from the clock and the process's number.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::exit;

use libc::c_int;

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let (mut limit, mut tries, mut first) = (250, 4, 0);
    while let Some(option @ (b"-t" | b"-r")) = words.get(first).map(|word| word.as_bytes()) {
        let value = words.get(first + 1).map_or(0, |value| number(value));
        match option {
            b"-t" if (1..=1_000_000).contains(&value) => limit = value,
            b"-r" if (1..=1000).contains(&value) => tries = value,
            _ => usage(),
        }
        first += 2;
    }
    let [host, port, text] = &words[first..] else { usage() };
    let (Some(host), port @ 1..=65535) = (octets(host), number(port)) else { usage() };
    if text.len() > 512 {
        usage();
    }
    let socket = connected(host, port as u16);
    let id = unique_id();
    for _ in 0..tries {
        send(socket, id, text.as_bytes());
        if let Some(line) = answer(socket, id, now() + limit) {
            print(&line);
            return;
        }
    }
    eprintln!("ask: no answer from the server");
    exit(1);
}

/// A number, or 0 for what is none.
fn number(word: &OsStr) -> i64 {
    word.to_str().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn octets(host: &OsStr) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut parts = host.to_str()?.split('.');
    for octet in &mut octets {
        *octet = parts.next()?.parse().ok()?;
    }
    parts.next().is_none().then_some(octets)
}

fn usage() -> ! {
    eprintln!("usage: ask [-t MS] [-r TRIES] HOST PORT TEXT");
    exit(2);
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn die(call: &str) -> ! {
    eprintln!("ask: {call}: {}", io::Error::last_os_error());
    exit(1);
}

fn clock(which: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written.
    if unsafe { libc::clock_gettime(which, &mut time) } == -1 {
        die("clock_gettime");
    }
    time
}

/// Milliseconds of a clock that only goes forwards.
fn now() -> i64 {
    let time = clock(libc::CLOCK_MONOTONIC);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

fn unique_id() -> u32 {
    let time = clock(libc::CLOCK_REALTIME);
    (time.tv_nsec as u32).wrapping_add((time.tv_sec as u32).wrapping_mul(1_000_003)) ^ std::process::id().rotate_left(16)
}

fn connected(host: [u8; 4], port: u16) -> c_int {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDP) };
    if socket == -1 {
        die("socket");
    }
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut server: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    server.sin_family = libc::AF_INET as libc::sa_family_t;
    server.sin_port = port.to_be();
    server.sin_addr.s_addr = u32::from_ne_bytes(host);
    // SAFETY: pointer and length are those of `server`.
    if unsafe { libc::connect(socket, (&raw const server).cast(), size_of_val(&server) as libc::socklen_t) } == -1 {
        die("connect");
    }
    socket
}

fn part(bytes: *const u8, length: usize) -> libc::iovec {
    libc::iovec { iov_base: bytes.cast_mut().cast(), iov_len: length }
}

fn message(parts: &mut [libc::iovec]) -> libc::msghdr {
    // SAFETY: msghdr is a C structure of integers and pointers that may be null.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len() as _;
    message
}

fn send(socket: c_int, id: u32, text: &[u8]) {
    let id = id.to_be_bytes();
    let mut parts = [part(id.as_ptr(), 4), part(text.as_ptr(), text.len())];
    let message = message(&mut parts);
    loop {
        // SAFETY: the message's parts are those of `id` and `text`.
        if unsafe { libc::sendmsg(socket, &message, 0) } != -1 {
            return;
        }
        if errno() != libc::EINTR && errno() != libc::ECONNREFUSED {
            die("sendmsg");
        }
    }
}

/// The line to print, unless the clock comes to `end` first.
fn answer(socket: c_int, id: u32, end: i64) -> Option<Vec<u8>> {
    loop {
        let left = end - now();
        if left <= 0 {
            return None; // a time-out of 0 would be none at all
        }
        let left = libc::timeval { tv_sec: left / 1000, tv_usec: left % 1000 * 1000 };
        // SAFETY: pointer and length are those of `left`.
        let set =
            unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const left).cast(), size_of_val(&left) as libc::socklen_t) };
        if set == -1 {
            die("setsockopt");
        }
        let (mut head, mut number, mut text) = ([0u8; 4], [0u8; 4], [0u8; 512]);
        let mut parts = [part(head.as_mut_ptr(), 4), part(number.as_mut_ptr(), 4), part(text.as_mut_ptr(), text.len())];
        let mut message = message(&mut parts);
        // SAFETY: the message's parts may be written.
        match unsafe { libc::recvmsg(socket, &mut message, 0) } {
            -1 if [libc::EINTR, libc::EAGAIN, libc::ECONNREFUSED].contains(&errno()) => {}
            -1 => die("recvmsg"),
            count if count < 8 || message.msg_flags & libc::MSG_TRUNC != 0 => {}
            count if u32::from_be_bytes(head) == id => {
                let mut line = u32::from_be_bytes(number).to_string().into_bytes();
                line.push(b' ');
                line.extend_from_slice(&text[..count as usize - 8]);
                line.push(b'\n');
                return Some(line);
            }
            _ => {}
        }
    }
}

fn print(line: &[u8]) {
    let mut written = 0;
    while written < line.len() {
        let rest = &line[written..];
        // SAFETY: pointer and length are those of the rest.
        match unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) } {
            -1 if errno() == libc::EINTR => {}
            -1 => die("write"),
            count => written += count as usize,
        }
    }
}
