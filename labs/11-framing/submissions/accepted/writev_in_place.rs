//! As it would be written in C: fixed buffers, writev whose vector is advanced in place, and a receiver that takes whatever
//! one read gives, cuts the whole frames off its front and moves the rest to the beginning.

use std::io;
use std::process::exit;
use std::ptr::null_mut;

use libc::{c_int, c_void, iovec, sockaddr_in, socklen_t};

const MOST: usize = 65536;

fn die(call: &str) -> ! {
    let error = io::Error::last_os_error();
    eprintln!("frames: {call}: {error}");
    exit(1)
}

fn refuse(text: &str) -> ! {
    eprintln!("frames: {text}");
    exit(1)
}

fn usage() -> ! {
    eprintln!("usage: frames send HOST PORT");
    eprintln!("usage: frames recv PORT");
    exit(2)
}

fn again() -> bool {
    io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("send") if arguments.len() == 4 => {
            let host: Vec<Result<u8, _>> = arguments[2].split('.').map(str::parse::<u8>).collect();
            let [Ok(a), Ok(b), Ok(c), Ok(d)] = host[..] else { usage() };
            let Ok(port @ 1..) = arguments[3].parse::<u16>() else { usage() };
            send(u32::from_be_bytes([a, b, c, d]), port);
        }
        Some("recv") if arguments.len() == 3 => match arguments[2].parse() {
            Ok(port) => receive(port),
            Err(_) => usage(),
        },
        _ => usage(),
    }
}

fn internet(host: u32, port: u16) -> sockaddr_in {
    // SAFETY: sockaddr_in is integers and an array of them, for which zeros are values.
    let mut address: sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = host.to_be();
    address
}

fn tcp() -> c_int {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, libc::IPPROTO_TCP) };
    if socket < 0 {
        die("socket");
    }
    socket
}

fn send(host: u32, port: u16) {
    let socket = tcp();
    let address = internet(host, port);
    // SAFETY: pointer and length are those of the address.
    if unsafe { libc::connect(socket, (&raw const address).cast(), size_of::<sockaddr_in>() as socklen_t) } < 0 {
        die("connect");
    }
    // One byte more than the longest line: if the buffer is full and has no newline, the line is too long.
    let mut buffer = vec![0u8; MOST + 1];
    let mut filled = 0;
    loop {
        let room = &mut buffer[filled..];
        // SAFETY: pointer and length are those of the rest of the buffer.
        let n = unsafe { libc::read(0, room.as_mut_ptr().cast(), room.len()) };
        if n < 0 && again() {
            continue;
        }
        if n < 0 {
            die("read");
        }
        if n == 0 {
            break;
        }
        filled += n as usize;
        let mut begin = 0;
        for at in 0..filled {
            if buffer[at] == b'\n' {
                frame(socket, &buffer[begin..at]);
                begin = at + 1;
            }
        }
        buffer.copy_within(begin..filled, 0);
        filled -= begin;
        if filled > MOST {
            refuse("line too long");
        }
    }
    if filled > 0 {
        frame(socket, &buffer[..filled]);
    }
    // SAFETY: the socket is not used any more.
    unsafe { libc::close(socket) };
}

fn frame(socket: c_int, message: &[u8]) {
    let length = (message.len() as u32).to_be();
    let mut vector = [
        iovec { iov_base: (&raw const length).cast_mut().cast(), iov_len: 4 },
        iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() },
    ];
    let mut first = 0;
    while first < vector.len() {
        let rest = &mut vector[first..];
        // SAFETY: the rest of the vector names what is left of `length` and `message`.
        let n = unsafe { libc::writev(socket, rest.as_ptr(), rest.len() as c_int) };
        if n < 0 && again() {
            continue;
        }
        if n < 0 {
            die("writev");
        }
        let mut n = n as usize;
        while first < vector.len() && n >= vector[first].iov_len {
            n -= vector[first].iov_len;
            first += 1;
        }
        if first < vector.len() {
            vector[first].iov_base = vector[first].iov_base.cast::<u8>().wrapping_add(n).cast::<c_void>();
            vector[first].iov_len -= n;
        }
    }
}

fn receive(port: u16) {
    let listener = tcp();
    let mut address = internet(libc::INADDR_ANY, port);
    let mut length = size_of::<sockaddr_in>() as socklen_t;
    // SAFETY: pointer and length are those of the address.
    if unsafe { libc::bind(listener, (&raw const address).cast(), length) } < 0 {
        die("bind");
    }
    // SAFETY: no precondition.
    if unsafe { libc::listen(listener, libc::SOMAXCONN) } < 0 {
        die("listen");
    }
    // SAFETY: `length` is the size of the address.
    if unsafe { libc::getsockname(listener, (&raw mut address).cast(), &raw mut length) } < 0 {
        die("getsockname");
    }
    print(format!("listening {}\n", u16::from_be(address.sin_port)).as_bytes());
    let connection = loop {
        // SAFETY: the address is not asked for.
        let connection = unsafe { libc::accept(listener, null_mut(), null_mut()) };
        if connection >= 0 {
            break connection;
        }
        if !again() {
            die("accept");
        }
    };
    let mut buffer = vec![0u8; 4 + MOST];
    let mut filled = 0;
    loop {
        let room = &mut buffer[filled..];
        // SAFETY: pointer and length are those of the rest of the buffer, which has room for the rest of one frame.
        let n = unsafe { libc::read(connection, room.as_mut_ptr().cast(), room.len()) };
        if n < 0 && again() {
            continue;
        }
        if n < 0 {
            die("read");
        }
        if n == 0 {
            break;
        }
        filled += n as usize;
        let mut begin = 0;
        while filled - begin >= 4 {
            let length = buffer[begin..begin + 4].iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
            if length > MOST {
                refuse("message too long");
            }
            if filled - begin - 4 < length {
                break;
            }
            print(&buffer[begin + 4..begin + 4 + length]);
            print(b"\n");
            begin += 4 + length;
        }
        buffer.copy_within(begin..filled, 0);
        filled -= begin;
    }
    if filled > 0 {
        refuse("the stream ends inside a frame");
    }
}

fn print(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: pointer and length are those of a slice.
        let n = unsafe { libc::write(1, bytes.as_ptr().cast(), bytes.len()) };
        if n >= 0 {
            bytes = &bytes[n as usize..];
        } else if !again() {
            die("write");
        }
    }
}
