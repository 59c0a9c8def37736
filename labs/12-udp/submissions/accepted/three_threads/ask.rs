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
    if unsafe { libc::connect(socket, (&raw const server).cast(), 16) } == -1 {
        fail("connect");
    }
    let id = new_id();
    let mut question = id.to_vec();
    question.extend_from_slice(&order.text);
    for _ in 0..order.tries {
                send(socket, &question);
        if let Some((number, text)) = await_answer(socket, id, order.limit) {
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

fn send(socket: c_int, question: &[u8]) {
    loop {
        if unsafe { libc::write(socket, question.as_ptr().cast(), question.len()) } >= 0 {
            return;
        }
        if !matches!(errno(), libc::EINTR | libc::ECONNREFUSED) {
            fail("write");
        }
    }
}

fn await_answer(socket: c_int, id: [u8; 4], limit: Duration) -> Option<(u32, Vec<u8>)> {
    let timer = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, 0) };
    let ep = unsafe { libc::epoll_create1(0) };
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let when = libc::itimerspec {
        it_interval: zero,
        it_value: libc::timespec { tv_sec: limit.as_secs() as i64, tv_nsec: limit.subsec_nanos().into() },
    };
    if timer == -1 || unsafe { libc::timerfd_settime(timer, 0, &raw const when, std::ptr::null_mut()) } == -1 {
        fail("timerfd_create");
    }
    for fd in [timer, socket] {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: fd as u64 };
        if ep == -1 || unsafe { libc::epoll_ctl(ep, libc::EPOLL_CTL_ADD, fd, &raw mut event) } == -1 {
            fail("epoll_ctl");
        }
    }
    let mut result = None;
    let mut buffer = [0u8; 521];
    while result.is_none() {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        match unsafe { libc::epoll_wait(ep, &raw mut event, 1, -1) } {
            -1 if errno() == libc::EINTR => continue,
            -1 => fail("epoll_wait"),
            _ => {}
        }
        if event.u64 == timer as u64 {
            break;
        }
        let n = unsafe { libc::recv(socket, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT | libc::MSG_TRUNC) };
        if n == -1 {
            match errno() {
                libc::EINTR | libc::EAGAIN | libc::ECONNREFUSED => continue,
                _ => fail("recv"),
            }
        }
        if (8..=520).contains(&n) && buffer[..4] == id {
            result = Some((u32::from_be_bytes(buffer[4..8].try_into().unwrap()), buffer[8..n as usize].to_vec()));
        }
    }
    unsafe {
        libc::close(timer);
        libc::close(ep);
    }
    result
}
