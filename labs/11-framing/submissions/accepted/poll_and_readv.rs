//! Sockets that do not block, and poll where there is nothing to do. The receiver takes the rest of a message and the header
//! of the next one with one readv. The sender watches for the end of the connection also while it waits for input.

use std::io;
use std::process::exit;

use libc::{c_int, c_short, iovec, pollfd};

const LIMIT: usize = 64 << 10;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (arguments.get(1), arguments.len()) {
        (Some(&"send"), 4) => match (parse_host(arguments[2]), arguments[3].parse::<u16>()) {
            (Some(host), Ok(port)) if port > 0 => send(host, port),
            _ => usage(),
        },
        (Some(&"recv"), 3) => match arguments[2].parse::<u16>() {
            Ok(port) => receive(port),
            Err(_) => usage(),
        },
        _ => usage(),
    }
}

fn parse_host(text: &str) -> Option<u32> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 {
        return None;
    }
    parts.iter().try_fold(0, |host, part| Some(host << 8 | u32::from(part.parse::<u8>().ok()?)))
}

fn usage() -> ! {
    eprintln!("usage: frames send HOST PORT, or frames recv PORT");
    exit(2);
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn fail(call: &str) -> ! {
    eprintln!("frames: {call}: {}", io::Error::last_os_error());
    exit(1);
}

fn wrong(what: &str) -> ! {
    eprintln!("frames: {what}");
    exit(1);
}

/// Waits for one of these.
fn wait(polled: &mut [pollfd]) {
    // SAFETY: pointer and count are those of the slice.
    while unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) } == -1 {
        if errno() != libc::EINTR {
            fail("poll");
        }
    }
}

fn wait_for(fd: c_int, events: c_short) {
    wait(&mut [pollfd { fd, events, revents: 0 }]);
}

/// The count of a transfer; None if it is to be tried again, for which this waits until there is a reason.
fn moved(call: &str, fd: c_int, events: c_short, result: isize) -> Option<usize> {
    if result >= 0 {
        return Some(result as usize);
    }
    match errno() {
        libc::EINTR => {}
        libc::EAGAIN => wait_for(fd, events),
        _ => fail(call),
    }
    None
}

fn address(host: u32, port: u16) -> libc::sockaddr_in {
    // SAFETY: zeros are a value of this structure of integers.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = host.to_be();
    address
}

fn socket(flags: c_int) -> c_int {
    // SAFETY: no precondition.
    match unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | flags, 0) } {
        -1 => fail("socket"),
        fd => fd,
    }
}

fn part(bytes: &[u8]) -> iovec {
    iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

fn send(host: u32, port: u16) {
    let connection = socket(0);
    let address = address(host, port);
    // SAFETY: pointer and length are those of the address.
    if unsafe { libc::connect(connection, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("connect");
    }
    // SAFETY: no precondition.
    if unsafe { libc::fcntl(connection, libc::F_SETFL, libc::O_NONBLOCK) } == -1 {
        fail("fcntl");
    }
    let mut waiting: Vec<u8> = Vec::new();
    let mut buffer = vec![0u8; 10_000];
    loop {
        let mut polled = [pollfd { fd: 0, events: libc::POLLIN, revents: 0 }, pollfd { fd: connection, events: libc::POLLRDHUP, revents: 0 }];
        wait(&mut polled);
        if polled[1].revents & (libc::POLLERR | libc::POLLHUP) != 0 {
            wrong("send: the connection is broken (ECONNRESET)");
        }
        if polled[0].revents == 0 {
            // The receiver sends nothing more, which it never did. Only a send tells whether it still receives.
            wait_for(0, libc::POLLIN);
        }
        // SAFETY: pointer and length are those of the buffer.
        let result = unsafe { libc::read(0, buffer.as_mut_ptr().cast(), buffer.len()) };
        let Some(count) = moved("read", 0, libc::POLLIN, result) else { continue };
        if count == 0 {
            break;
        }
        waiting.extend_from_slice(&buffer[..count]);
        let mut lines: Vec<&[u8]> = waiting.split(|byte| *byte == b'\n').collect();
        // What comes after the last newline.
        let rest = lines.pop().unwrap_or_default().to_vec();
        lines.into_iter().for_each(|line| send_frame(connection, line));
        if rest.len() > LIMIT {
            wrong("line too long");
        }
        waiting = rest;
    }
    if !waiting.is_empty() {
        send_frame(connection, &waiting);
    }
}

fn send_frame(connection: c_int, message: &[u8]) {
    if message.len() > LIMIT {
        wrong("line too long");
    }
    let header = u32::to_be_bytes(message.len() as u32);
    let (mut header, mut message) = (&header[..], message);
    while !header.is_empty() || !message.is_empty() {
        let mut vector = [part(header), part(message)];
        // SAFETY: zeros are a value of this structure of integers and pointers.
        let mut envelope: libc::msghdr = unsafe { std::mem::zeroed() };
        (envelope.msg_iov, envelope.msg_iovlen) = (vector.as_mut_ptr(), 2);
        // SAFETY: the vector names two slices that stay.
        let result = unsafe { libc::sendmsg(connection, &raw const envelope, libc::MSG_NOSIGNAL) };
        let count = moved("sendmsg", connection, libc::POLLOUT, result).unwrap_or(0);
        let of_header = count.min(header.len());
        (header, message) = (&header[of_header..], &message[count - of_header..]);
    }
}

fn receive(port: u16) {
    let listener = socket(libc::SOCK_NONBLOCK);
    let mut name = address(0, port);
    let mut length = size_of_val(&name) as libc::socklen_t;
    // SAFETY: pointer and length are those of the address.
    if unsafe { libc::bind(listener, (&raw const name).cast(), length) } == -1 {
        fail("bind");
    }
    // SAFETY: no precondition.
    if unsafe { libc::listen(listener, 8) } == -1 {
        fail("listen");
    }
    // SAFETY: `length` is the size of the address.
    if unsafe { libc::getsockname(listener, (&raw mut name).cast(), &raw mut length) } == -1 {
        fail("getsockname");
    }
    print(&format!("listening {}\n", u16::from_be(name.sin_port)).into_bytes());
    let connection = loop {
        wait_for(listener, libc::POLLIN);
        // SAFETY: the address is not asked for.
        let result = unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_NONBLOCK) };
        if let Some(connection) = moved("accept4", listener, libc::POLLIN, result as isize) {
            break connection as c_int;
        }
    };
    let (mut header, mut message) = ([0u8; 4], Vec::new());
    // Nothing is known yet but that a header comes.
    let mut got = 0;
    loop {
        let whole = message.len();
        // The rest of the message, and behind it the next header.
        let vector = [&mut message[got.min(whole)..], &mut header[got.saturating_sub(whole)..]]
            .map(|rest| iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: rest.len() });
        // SAFETY: the vector names the rests of two buffers that are this function's own and may be written.
        let result = unsafe { libc::readv(connection, vector.as_ptr(), 2) };
        let Some(count) = moved("readv", connection, libc::POLLIN, result) else { continue };
        if count == 0 {
            let between = got == whole;
            if between {
                return;
            }
            wrong("the stream ends inside a frame");
        }
        let before = got;
        got += count;
        // Before the first header there is no message; after it there is one, if only an empty one.
        if before < whole && got >= whole {
            message.push(b'\n');
            print(&message);
            message.pop();
        }
        if got == whole + 4 {
            let length = u32::from_be_bytes(header);
            if length > LIMIT as u32 {
                wrong("a message is too long");
            }
            message = vec![0; length as usize];
            got = 0;
            if length == 0 {
                print(b"\n");
            }
        }
    }
}

fn print(bytes: &[u8]) {
    let mut done = 0;
    while done < bytes.len() {
        let rest = &bytes[done..];
        // SAFETY: pointer and length are those of the rest.
        let result = unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) };
        done += moved("write", 1, libc::POLLOUT, result).unwrap_or(0);
    }
}
