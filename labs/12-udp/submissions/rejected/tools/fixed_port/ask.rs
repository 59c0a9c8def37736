//! ask gives its own socket a fixed port, as a server does: a second ask at the same time cannot bind to it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::time::{Duration, Instant};

use libc::c_int;
use memoffset::{offset_of, span_of};

/// Most bytes of a text.
const TEXT_MAX: usize = 512;

/// Where answers come to.
const OWN_PORT: u16 = 7008;

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
    let socket = connect_to(order.host, order.port);
    let id = new_id();
    let question = question(id, &order.text);
    for _ in 0..order.tries {
        send(socket, &question);
        if let Some((number, text)) = await_answer(socket, id, Instant::now() + order.limit) {
            let mut line = format!("{number} ").into_bytes();
            line.extend(text);
            line.push(b'\n');
            write_all(&line);
            exit(0);
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

/// A socket that sends to the server, and takes datagrams from there only.
fn connect_to(host: [u8; 4], port: u16) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0) };
    if socket == -1 {
        fail("socket");
    }
    let own = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: OWN_PORT.to_be(),
        sin_addr: libc::in_addr { s_addr: libc::INADDR_ANY.to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    if unsafe { libc::bind(socket, (&raw const own).cast(), size_of_val(&own) as libc::socklen_t) } == -1 {
        fail("bind");
    }
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        // The octets lie in memory in the order in which they go over the network.
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(host) },
        sin_zero: [0; 8],
    };
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    if unsafe { libc::connect(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("connect");
    }
    socket
}

/// Four bytes that no earlier question had, as far as anyone can tell.
fn new_id() -> [u8; 4] {
    let mut id = [0; 4];
    // SAFETY: the pointer and the length are those of an array that may be written.
    let count = unsafe { libc::getrandom(id.as_mut_ptr().cast(), id.len(), 0) };
    // So few bytes come all at once, and no signal interrupts that.
    if count == -1 {
        fail("getrandom");
    }
    id
}

/// The question, as it goes over the network.
fn question(id: [u8; 4], text: &[u8]) -> Vec<u8> {
    let mut question = vec![0; offset_of!(Question, text)];
    question[span_of!(Question, id)].copy_from_slice(&id);
    question.extend_from_slice(text);
    question
}

/// Sends the question, or the same once more.
fn send(socket: c_int, question: &[u8]) {
    loop {
        // SAFETY: the pointer and the length are those of a slice.
        let count = unsafe { libc::send(socket, question.as_ptr().cast(), question.len(), 0) };
        if count != -1 {
            return;
        }
        // ECONNREFUSED is what came back to the datagram before: this one has not been sent yet.
        if !matches!(errno(), libc::EINTR | libc::ECONNREFUSED) {
            fail("send");
        }
    }
}

/// The number and the text of the answer with this id, unless the deadline comes first.
fn await_answer(socket: c_int, id: [u8; 4], deadline: Instant) -> Option<(u32, Vec<u8>)> {
    let mut buffer = [0; size_of::<Answer>()];
    while wait_until(socket, deadline) {
        let Some(length) = receive(socket, &mut buffer) else { continue };
        // Anything else is not for us: too short or too long, or an answer to somebody's earlier question.
        if (offset_of!(Answer, text)..=buffer.len()).contains(&length) && buffer[span_of!(Answer, id)] == id {
            let number = buffer[span_of!(Answer, number)].try_into().expect("four bytes");
            return Some((u32::from_be_bytes(number), buffer[offset_of!(Answer, text)..length].to_vec()));
        }
    }
    None
}

/// Waits until there is something to receive; false if the deadline comes first. What was ignored and what was
/// interrupted has taken its time: only the rest of it is left.
fn wait_until(socket: c_int, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let mut polled = libc::pollfd { fd: socket, events: libc::POLLIN, revents: 0 };
        // Rounded up: rounded down, the last millisecond would be a busy loop.
        // SAFETY: the pointer is that of one pollfd, as the count says.
        match unsafe { libc::poll(&mut polled, 1, left.as_millis() as c_int + 1) } {
            -1 if errno() == libc::EINTR => {}
            -1 => fail("poll"),
            0 => return false,
            _ => return true,
        }
    }
}

/// Takes a datagram. Returns its length, which may be more than the buffer has; nothing, if there is none after all.
fn receive(socket: c_int, buffer: &mut [u8]) -> Option<usize> {
    // With MSG_TRUNC the result is the datagram's length, also if not all of it fits. poll may have promised a datagram
    // that is dropped for its checksum, and then recv would wait: not with MSG_DONTWAIT.
    let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    // SAFETY: the pointer and the length are those of a slice that may be written.
    let count = unsafe { libc::recv(socket, buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    if count != -1 {
        return Some(count as usize);
    }
    match errno() {
        // Refused: nobody listens there yet. The server may be about to start, and until the deadline there is time.
        libc::EINTR | libc::EAGAIN | libc::ECONNREFUSED => None,
        _ => fail("recv"),
    }
}

/// Writes the whole slice to standard output, however little the kernel takes at a time.
fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of a slice.
        let count = unsafe { libc::write(libc::STDOUT_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        if count != -1 {
            bytes = &bytes[count as usize..];
        } else if errno() != libc::EINTR {
            fail("write");
        }
    }
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
