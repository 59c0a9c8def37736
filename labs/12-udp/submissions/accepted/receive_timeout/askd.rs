//! askd that takes its signals as data: SIGTERM and SIGINT stay blocked and are read from a signalfd, which poll watches beside the socket. The memory is a ring
//! of the last questions. Datagrams are received with recvmsg, whose flags say that one was cut off.

use std::io::{self, Write};
use std::process::exit;

use libc::c_int;

const RING: usize = 128;

/// A question's sender and id, and its number; number 0 is nobody's.
#[derive(Clone, Copy, Default)]
struct Slot {
    from: (u32, u16),
    id: u32,
    number: u32,
}

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(port), None) = (arguments.next(), arguments.next()) else { usage() };
    let Some(port) = port.to_str().and_then(|port| port.parse::<u16>().ok()) else { usage() };
    let signals = take_signals();
    let socket = bound(port);
    let (mut ring, mut count) = ([Slot::default(); RING], 0u32);
    loop {
        let mut polled =
            [libc::pollfd { fd: signals, events: libc::POLLIN, revents: 0 }, libc::pollfd { fd: socket, events: libc::POLLIN, revents: 0 }];
        // SAFETY: two pollfds, as said.
        let ready = unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) };
        if ready == -1 && errno() == libc::EINTR {
            continue;
        }
        must("poll", ready);
        if polled[0].revents != 0 {
            exit(0);
        }
        answer_one(socket, &mut ring, &mut count);
    }
}

fn usage() -> ! {
    eprintln!("usage: askd PORT");
    exit(2);
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The result, or the end of the program if it is -1.
fn must(call: &str, result: c_int) -> c_int {
    if result == -1 {
        eprintln!("askd: {call}: {}", io::Error::last_os_error());
        exit(1);
    }
    result
}

fn take_signals() -> c_int {
    // SAFETY: sigset_t is a C structure of integers.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` may be written.
    unsafe { libc::sigemptyset(&mut set) };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `set` is initialised.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    // SAFETY: `set` is initialised, a null old set is permitted.
    must("sigprocmask", unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) });
    // SAFETY: `set` is initialised.
    must("signalfd", unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC) })
}

fn bound(port: u16) -> c_int {
    // SAFETY: no precondition.
    let socket = must("socket", unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) });
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = libc::htons(port);
    let mut size = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of `address`.
    must("bind", unsafe { libc::bind(socket, (&raw const address).cast(), size) });
    // SAFETY: pointer and length are those of `address`, which may be written.
    must("getsockname", unsafe { libc::getsockname(socket, (&raw mut address).cast(), &mut size) });
    let line = format!("listening {}\n", libc::ntohs(address.sin_port));
    if let Err(error) = io::stdout().write_all(line.as_bytes()) {
        eprintln!("askd: write: {error}");
        exit(1);
    }
    socket
}

fn answer_one(socket: c_int, ring: &mut [Slot; RING], count: &mut u32) {
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut from: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    let mut buffer = [0u8; 516];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is a C structure of integers and pointers that may be null.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut from).cast();
    message.msg_namelen = size_of_val(&from) as libc::socklen_t;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    // SAFETY: the message's parts may be written.
    let length = unsafe { libc::recvmsg(socket, &mut message, libc::MSG_DONTWAIT) };
    if length == -1 {
        match errno() {
            libc::EINTR | libc::EAGAIN => return, // poll says again what there is
            _ => must("recvmsg", -1),
        };
    }
    if message.msg_flags & libc::MSG_TRUNC != 0 || length < 4 {
        return;
    }
    let (id, text) = buffer[..length as usize].split_at_mut(4);
    let id = u32::from_be_bytes([id[0], id[1], id[2], id[3]]);
    let sender = (from.sin_addr.s_addr, from.sin_port);
    let number = match ring.iter().find(|slot| slot.number != 0 && slot.from == sender && slot.id == id) {
        Some(slot) => slot.number,
        None => {
            *count += 1;
            ring[*count as usize % RING] = Slot { from: sender, id, number: *count };
            *count
        }
    };
    text.reverse();
    let (id, number) = (id.to_be_bytes(), number.to_be_bytes());
    let mut parts = [
        libc::iovec { iov_base: id.as_ptr().cast_mut().cast(), iov_len: 4 },
        libc::iovec { iov_base: number.as_ptr().cast_mut().cast(), iov_len: 4 },
        libc::iovec { iov_base: text.as_mut_ptr().cast(), iov_len: text.len() },
    ];
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = 3;
    message.msg_flags = 0;
    // SAFETY: the message's parts and its address are those of this function's variables.
    while unsafe { libc::sendmsg(socket, &message, 0) } == -1 {
        if errno() != libc::EINTR {
            return; // lost, as on the way
        }
    }
}
