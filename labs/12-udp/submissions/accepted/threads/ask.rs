//! ask with two threads: one receives for ever and hands on what is the answer, the main thread sends and waits for the other, each time for as long as a try
//! lasts. Its exit ends the other thread, wherever that waits.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use libc::c_int;

fn main() {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (mut limit, mut tries) = (250, 4);
    while arguments.len() > 3 {
        let value = arguments[1].to_str().and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
        if arguments[0] == "-t" && (1..=1_000_000).contains(&value) {
            limit = value;
        } else if arguments[0] == "-r" && (1..=1000).contains(&value) {
            tries = value;
        } else {
            usage();
        }
        arguments.drain(..2);
    }
    let Ok([host, port, text]) = <[OsString; 3]>::try_from(arguments) else { usage() };
    let parts: Vec<u8> = host.to_str().unwrap_or("").split('.').map(|part| part.parse().unwrap_or_else(|_| usage())).collect();
    let Ok(host) = <[u8; 4]>::try_from(parts) else { usage() };
    let port = match port.to_str().map(str::parse::<u16>) {
        Some(Ok(port @ 1..)) => port,
        _ => usage(),
    };
    let text = text.into_vec();
    if text.len() > 512 {
        usage();
    }

    let socket = connected(host, port);
    let mut id = [0; 4];
    // SAFETY: pointer and length are those of `id`.
    if unsafe { libc::getrandom(id.as_mut_ptr().cast(), id.len(), 0) } == -1 {
        fail("getrandom");
    }
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(await_answer(socket, id)));
    let question = [&id, &text[..]].concat();
    for _ in 0..tries {
        send(socket, &question);
        match receiver.recv_timeout(Duration::from_millis(limit)) {
            Ok(line) => {
                print(&line);
                exit(0);
            }
            Err(RecvTimeoutError::Timeout) => {}
            // The other thread has ended the process.
            Err(RecvTimeoutError::Disconnected) => exit(1),
        }
    }
    eprintln!("ask: no answer after {tries} x {limit} ms");
    exit(1);
}

fn usage() -> ! {
    eprintln!("usage: ask [-t MS] [-r TRIES] HOST PORT TEXT");
    exit(2);
}

fn fail(call: &str) -> ! {
    eprintln!("ask: {call}: {}", io::Error::last_os_error());
    exit(1);
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn connected(host: [u8; 4], port: u16) -> c_int {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0) };
    if socket == -1 {
        fail("socket");
    }
    let server = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(host) },
        sin_zero: [0; 8],
    };
    // SAFETY: pointer and length are those of `server`.
    if unsafe { libc::connect(socket, (&raw const server).cast(), size_of_val(&server) as libc::socklen_t) } == -1 {
        fail("connect");
    }
    socket
}

fn send(socket: c_int, question: &[u8]) {
    // The receiving thread may take the refusal of the datagram before, or this call: then nothing was sent.
    // SAFETY: pointer and length are those of the question.
    while unsafe { libc::write(socket, question.as_ptr().cast(), question.len()) } == -1 {
        if !matches!(errno(), libc::EINTR | libc::ECONNREFUSED) {
            fail("write");
        }
    }
}

/// The answer's line, however long it takes.
fn await_answer(socket: c_int, id: [u8; 4]) -> Vec<u8> {
    let mut buffer = [0; 1024];
    loop {
        // SAFETY: pointer and length are those of the buffer.
        let count = unsafe { libc::read(socket, buffer.as_mut_ptr().cast(), buffer.len()) };
        if count == -1 {
            if !matches!(errno(), libc::EINTR | libc::ECONNREFUSED) {
                fail("read");
            }
            continue;
        }
        let datagram = &buffer[..count as usize];
        if (8..=520).contains(&datagram.len()) && datagram.starts_with(&id) {
            let number = datagram[4..8].iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
            return [number.to_string().as_bytes(), b" ", &datagram[8..], b"\n"].concat();
        }
    }
}

fn print(mut rest: &[u8]) {
    while !rest.is_empty() {
        // SAFETY: pointer and length are those of the rest.
        match unsafe { libc::write(libc::STDOUT_FILENO, rest.as_ptr().cast(), rest.len()) } {
            -1 if errno() == libc::EINTR => {}
            -1 => fail("write"),
            count => rest = &rest[count as usize..],
        }
    }
}
