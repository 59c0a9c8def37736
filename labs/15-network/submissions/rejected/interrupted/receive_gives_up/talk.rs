//! EINTR of recv is taken for a failure.

use std::io::{self, Read, Write};
use std::mem::zeroed;
use std::process::exit;

use libc::c_int;

/// More than the longest datagram.
const BUFFER_SIZE: usize = 65_536;
/// Most bytes of standard input.
const MOST: usize = 60_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (over_tcp, host, port) = match words[..] {
        ["tcp", host, port] => (true, host, port),
        ["udp", host, port] => (false, host, port),
        _ => usage(),
    };
    let (Some(host), Ok(port)) = (octets(host), port.parse()) else { usage() };
    if port == 0 {
        usage();
    }
    let mut input = Vec::new();
    if io::stdin().read_to_end(&mut input).is_err() {
        fail("read");
    }
    if input.len() > MOST {
        eprintln!("talk: standard input has more than {MOST} bytes");
        exit(1);
    }
    let answer = if over_tcp { over_connection(host, port, &input) } else { by_datagram(host, port, &input) };
    let mut stdout = io::stdout();
    if stdout.write_all(&answer).and_then(|()| stdout.flush()).is_err() {
        fail("write");
    }
}

/// The four numbers of a dotted address, in the order in which they are written.
fn octets(host: &str) -> Option<[u8; 4]> {
    let numbers: Result<Vec<u8>, _> = host.split('.').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

fn usage() -> ! {
    eprintln!("usage: talk tcp|udp HOST PORT");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    eprintln!("talk: {call}: {}", io::Error::last_os_error());
    exit(1);
}

/// Makes a call again that a signal has interrupted.
fn again(call: &str, mut make: impl FnMut() -> isize) -> usize {
    loop {
        let result = make();
        if result >= 0 {
            return result as usize;
        }
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            fail(call);
        }
    }
}

/// A socket that is connected: over UDP that only says who the other side is, and that errors from there are wanted.
fn connected(socket_type: c_int, host: [u8; 4], port: u16) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, socket_type, 0) };
    if socket == -1 {
        fail("socket");
    }
    // SAFETY: sockaddr_in is a C structure of integers, for which all zeros is a value.
    let mut address: libc::sockaddr_in = unsafe { zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    // The octets lie in memory in the order in which they go over the network.
    address.sin_addr.s_addr = u32::from_ne_bytes(host);
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    if unsafe { libc::connect(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("connect");
    }
    socket
}

fn receive(socket: c_int, buffer: &mut [u8]) -> usize {
    // SAFETY: the pointer and the length are a slice's.
    let length = unsafe { libc::recv(socket, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    if length == -1 {
        fail("recv");
    }
    length as usize
}

fn send(socket: c_int, bytes: &[u8]) -> usize {
    // SAFETY: the pointer and the length are a slice's.
    again("send", || unsafe { libc::send(socket, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) })
}

/// Sends all, ends the sending direction, and returns what comes until the other side ends its own.
fn over_connection(host: [u8; 4], port: u16, input: &[u8]) -> Vec<u8> {
    let socket = connected(libc::SOCK_STREAM, host, port);
    let mut rest = input;
    while !rest.is_empty() {
        rest = &rest[send(socket, rest)..];
    }
    // SAFETY: has no memory-safety precondition.
    if unsafe { libc::shutdown(socket, libc::SHUT_WR) } == -1 {
        fail("shutdown");
    }
    let mut answer = Vec::new();
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        match receive(socket, &mut buffer) {
            0 => return answer,
            length => answer.extend_from_slice(&buffer[..length]),
        }
    }
}

/// Sends all as one datagram, and returns the one that comes back.
fn by_datagram(host: [u8; 4], port: u16, input: &[u8]) -> Vec<u8> {
    let socket = connected(libc::SOCK_DGRAM, host, port);
    send(socket, input);
    let mut buffer = vec![0; BUFFER_SIZE];
    let length = receive(socket, &mut buffer);
    buffer.truncate(length);
    buffer
}
