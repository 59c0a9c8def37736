//! ask: sends a question over UDP and prints the answer, and asks again where none comes.
//!
//! It shows the client's side of a protocol over a network that loses, doubles and delays: an id that tells the answer
//! from all other datagrams, poll with a time limit, and retransmission. connect makes no connection here: it lets the
//! kernel keep datagrams from elsewhere away.
//!
//! ```text
//! ask 127.0.0.1 7007 stressed
//! ask -t 1000 -r 2 127.0.0.1 7007 stressed      one second for each of two tries
//! ```

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::time::{Duration, Instant};

use libc::c_int;
use memoffset::{offset_of, span_of};

/// Most bytes of a text.
const TEXT_MAX: usize = 512;

/// A question on the network. Only its layout is used.
#[repr(C)]
#[allow(dead_code)]
struct Question {
    id: [u8; 4],
    text: [u8; TEXT_MAX],
}

/// An answer on the network. Only its layout is used.
#[repr(C)]
#[allow(dead_code)]
struct Answer {
    id: [u8; 4],
    /// Most significant byte first.
    number: [u8; 4],
    text: [u8; TEXT_MAX],
}

/// What the command line asks for.
struct Order {
    /// How long to wait for an answer before the question is sent again.
    limit: Duration,
    /// How often the question is sent.
    tries: u32,
    host: [u8; 4],
    port: u16,
    text: Vec<u8>,
}

fn main() {
    let order = arguments();
    let server = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: order.port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(order.host) },
        sin_zero: [0; 8],
    };
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket == -1 {
        fail("socket");
    }
    let id = new_id();
    let mut question = id.to_vec();
    question.extend_from_slice(&order.text);
    for _ in 0..order.tries {
        let deadline = Instant::now() + order.limit;
        send(socket, &question, &server);
        if let Some((number, text)) = await_answer(socket, &server, id, deadline) {
            let mut line = format!("{number} ").into_bytes();
            line.extend_from_slice(&text);
            line.push(b'\n');
            let mut out = io::stdout().lock();
            if out.write_all(&line).and_then(|()| out.flush()).is_err() {
                fail("write");
            }
            return;
        }
    }
    eprintln!("ask: no answer in {} tries", order.tries);
    exit(1);
}

/// The command line: `[-t MS] [-r TRIES] HOST PORT TEXT`.
fn arguments() -> Order {
    let (mut milliseconds, mut tries) = (250, 4);
    let mut words = std::env::args_os().skip(1).peekable();
    while let Some(option) = words.next_if(|word| word == "-t" || word == "-r") {
        let value = words.next();
        if option == "-t" {
            milliseconds = number(value.as_deref(), 1_000_000);
        } else {
            tries = number(value.as_deref(), 1000);
        }
    }
    let words: Vec<OsString> = words.collect();
    let Ok([host, port, text]) = <[OsString; 3]>::try_from(words) else { usage() };
    let Some(host) = host.to_str().and_then(octets) else { usage() };
    let port = number(Some(&port), u16::MAX.into()) as u16;
    let text = text.into_vec();
    if text.len() > TEXT_MAX {
        usage();
    }
    Order { limit: Duration::from_millis(milliseconds.into()), tries, host, port, text }
}

/// A number from 1 to `most`.
fn number(word: Option<&OsStr>, most: u32) -> u32 {
    match word.and_then(OsStr::to_str).and_then(|word| word.parse().ok()) {
        Some(number) if (1..=most).contains(&number) => number,
        _ => usage(),
    }
}

/// The four numbers of a dotted address, in the order in which they are written.
fn octets(host: &str) -> Option<[u8; 4]> {
    let numbers: Result<Vec<u8>, _> = host.split('.').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

fn usage() -> ! {
    eprintln!("usage: ask [-t MS] [-r TRIES] HOST PORT TEXT");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    eprintln!("ask: {call}: {}", io::Error::last_os_error());
    exit(1);
}

/// Four bytes that no earlier question had, as far as anyone can tell.
fn new_id() -> [u8; 4] {
    let mut id = [0; 4];
    if unsafe { libc::getrandom(id.as_mut_ptr().cast(), 4, 0) } == -1 {
        fail("getrandom");
    }
    id
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn send(socket: c_int, question: &[u8], server: &libc::sockaddr_in) {
    while unsafe { libc::sendto(socket, question.as_ptr().cast(), question.len(), 0, (&raw const *server).cast(), 16) } == -1 {
        match errno() {
            libc::EINTR => {}
            libc::ECONNREFUSED => {}
            _ => fail("sendto"),
        }
    }
}

/// The number and the text of the answer with this id, unless the deadline comes first.
fn await_answer(socket: c_int, server: &libc::sockaddr_in, id: [u8; 4], deadline: Instant) -> Option<(u32, Vec<u8>)> {
    let mut buffer = [0u8; 521];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        let left = libc::timespec { tv_sec: 0, tv_nsec: left.as_nanos() as i64 % 1_000_000_000 };
        let mut p = libc::pollfd { fd: socket, events: libc::POLLIN, revents: 0 };
        match unsafe { libc::ppoll(&raw mut p, 1, &raw const left, std::ptr::null()) } {
            0 => return None,
            -1 if errno() == libc::EINTR => continue,
            -1 => fail("ppoll"),
            _ => {}
        }
        let mut from: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        let mut size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        let n = unsafe {
            libc::recvfrom(socket, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT, (&raw mut from).cast(), &raw mut size)
        };
        if n == -1 {
            match errno() {
                libc::EINTR | libc::EAGAIN | libc::ECONNREFUSED => continue,
                _ => fail("recvfrom"),
            }
        }
        let n = n as usize;
        if (from.sin_addr.s_addr, from.sin_port) == (server.sin_addr.s_addr, server.sin_port) && (8..=520).contains(&n) && buffer[..4] == id {
            return Some((u32::from_be_bytes(buffer[4..8].try_into().unwrap()), buffer[8..n].to_vec()));
        }
    }
}
