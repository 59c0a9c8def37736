//! Two threads in each task, one for each side. The sender's second thread takes all lines that wait and sends them with
//! one sendmsg, as a vector of many headers and messages. The receiver's second thread prints.

use std::io;
use std::process::exit;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use libc::{c_int, iovec};

const LIMIT: usize = 65_536;
/// Most frames of one call: two buffers each, and the kernel takes 1024.
const MOST_FRAMES: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["send", host, port] => send(host, port),
        ["recv", port] => receive(port),
        _ => usage(),
    }
}

fn usage() -> ! {
    eprintln!("usage: frames send HOST PORT\nusage: frames recv PORT");
    exit(2);
}

fn report(what: &str) -> ! {
    eprintln!("frames: {what}");
    exit(1);
}

/// The result of a call; None if a signal interrupted it.
fn done(call: &str, result: isize) -> Option<usize> {
    if result >= 0 {
        return Some(result as usize);
    }
    let error = io::Error::last_os_error();
    if error.kind() != io::ErrorKind::Interrupted {
        report(&format!("{call}: {error}"));
    }
    None
}

/// Calls again and again until no signal interrupts.
fn insist(call: &str, mut make: impl FnMut() -> isize) -> usize {
    loop {
        if let Some(result) = done(call, make()) {
            return result;
        }
    }
}

fn socket() -> c_int {
    // SAFETY: no precondition.
    insist("socket", || unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) } as isize) as c_int
}

fn address(host: [u8; 4], port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: u16::from_ne_bytes(port.to_be_bytes()),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(host) },
        sin_zero: [0; 8],
    }
}

const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

fn send(host: &str, port: &str) {
    let numbers: Vec<u8> = host.split('.').map(|number| number.parse().unwrap_or_else(|_| usage())).collect();
    let host: [u8; 4] = numbers.try_into().unwrap_or_else(|_| usage());
    let port = port.parse().ok().filter(|port| *port > 0).unwrap_or_else(|| usage());
    let connection = socket();
    let address = address(host, port);
    // SAFETY: pointer and length are those of the address.
    if unsafe { libc::connect(connection, (&raw const address).cast(), ADDRESS_LENGTH) } == -1 {
        report(&format!("connect: {}", io::Error::last_os_error()));
    }
    let (give, take) = channel();
    let sender = thread::spawn(move || send_all(connection, &take));
    let too_long = read_lines(&give);
    drop(give);
    if sender.join().is_err() {
        report("the sending thread panicked");
    }
    // What was whole before the long line is sent by now.
    if too_long {
        report("line too long");
    }
}

/// Hands on every line; true if there is one that is too long.
fn read_lines(give: &Sender<Vec<u8>>) -> bool {
    let mut line = Vec::new();
    let mut buffer = [0u8; 5000];
    loop {
        // SAFETY: pointer and length are those of the buffer.
        let count = insist("read", || unsafe { libc::read(0, buffer.as_mut_ptr().cast(), buffer.len()) });
        if count == 0 {
            if !line.is_empty() {
                hand_on(give, line);
            }
            return false;
        }
        for &byte in &buffer[..count] {
            if byte == b'\n' {
                hand_on(give, std::mem::take(&mut line));
            } else if line.len() == LIMIT {
                return true;
            } else {
                line.push(byte);
            }
        }
    }
}

fn hand_on(give: &Sender<Vec<u8>>, line: Vec<u8>) {
    // The other thread ends only with the process.
    let _ = give.send(line);
}

fn send_all(connection: c_int, take: &Receiver<Vec<u8>>) {
    while let Ok(first) = take.recv() {
        let mut messages = vec![first];
        messages.extend(take.try_iter().take(MOST_FRAMES - 1));
        let headers: Vec<[u8; 4]> = messages.iter().map(|message| (message.len() as u32).to_be_bytes()).collect();
        let parts: Vec<&[u8]> = headers.iter().zip(&messages).flat_map(|(header, message)| [&header[..], &message[..]]).collect();
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut sent = 0;
        while sent < total {
            let mut vector = after(&parts, sent);
            // SAFETY: msghdr is integers and pointers, for which zeros are values.
            let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
            message.msg_iov = vector.as_mut_ptr();
            message.msg_iovlen = vector.len() as _;
            // SAFETY: the message names `vector`, and that what is left of `parts`; both stay.
            sent += done("sendmsg", unsafe { libc::sendmsg(connection, &raw const message, libc::MSG_NOSIGNAL) }).unwrap_or(0);
        }
    }
}

/// A vector of what is left of these parts after so many bytes.
fn after(parts: &[&[u8]], mut skip: usize) -> Vec<iovec> {
    let mut vector = Vec::new();
    for part in parts {
        let rest = &part[skip.min(part.len())..];
        skip = skip.saturating_sub(part.len());
        if !rest.is_empty() {
            vector.push(iovec { iov_base: rest.as_ptr().cast_mut().cast(), iov_len: rest.len() });
        }
    }
    vector
}

fn receive(port: &str) {
    let port: u16 = port.parse().unwrap_or_else(|_| usage());
    let listener = socket();
    let mut name = address([0; 4], port);
    // SAFETY: pointer and length are those of the address.
    insist("bind", || unsafe { libc::bind(listener, (&raw const name).cast(), ADDRESS_LENGTH) } as isize);
    // SAFETY: no precondition.
    insist("listen", || unsafe { libc::listen(listener, 1) } as isize);
    let mut length = ADDRESS_LENGTH;
    // SAFETY: `length` is the size of the address.
    insist("getsockname", || unsafe { libc::getsockname(listener, (&raw mut name).cast(), &raw mut length) } as isize);
    print(format!("listening {}\n", u16::from_be_bytes(name.sin_port.to_ne_bytes())).as_bytes());
    // SAFETY: the address is not asked for.
    let accept = || unsafe { libc::accept(listener, std::ptr::null_mut(), std::ptr::null_mut()) } as isize;
    let connection = insist("accept", accept) as c_int;

    let (give, take) = channel::<Vec<u8>>();
    let printer = thread::spawn(move || take.iter().for_each(|line| print(&line)));
    let outcome = receive_all(connection, &give);
    drop(give);
    if printer.join().is_err() {
        report("the printing thread panicked");
    }
    if let Err(what) = outcome {
        report(&what);
    }
}

fn receive_all(connection: c_int, give: &Sender<Vec<u8>>) -> Result<(), String> {
    // The state of a frame that is under way: how much of its header there is, and its message.
    let mut header = Vec::new();
    loop {
        if !take_up_to(connection, &mut header, 4)? {
            return if header.is_empty() { Ok(()) } else { Err("the stream ends inside a header".into()) };
        }
        if header.len() < 4 {
            continue;
        }
        let length = header.drain(..).fold(0u64, |sum, byte| sum * 256 + u64::from(byte)) as usize;
        if length > LIMIT {
            return Err(format!("a message of {length} bytes is too long"));
        }
        let mut message = Vec::new();
        while message.len() < length {
            if !take_up_to(connection, &mut message, length)? {
                return Err("the stream ends inside a message".into());
            }
        }
        message.push(b'\n');
        hand_on(give, message);
    }
}

/// Receives some of the bytes that are missing; false at the end of the stream.
fn take_up_to(connection: c_int, bytes: &mut Vec<u8>, length: usize) -> Result<bool, String> {
    let mut buffer = [0u8; 1000];
    let most = (length - bytes.len()).min(buffer.len());
    loop {
        // SAFETY: no more is asked for than the buffer holds.
        let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), most, 0) };
        if count >= 0 {
            bytes.extend_from_slice(&buffer[..count as usize]);
            return Ok(count > 0);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(format!("recv: {error}"));
        }
    }
}

fn print(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: pointer and length are those of the slice.
        let count = done("write", unsafe { libc::write(1, bytes.as_ptr().cast(), bytes.len()) }).unwrap_or(0);
        bytes = &bytes[count..];
    }
}
