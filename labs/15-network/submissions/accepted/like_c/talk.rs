//! read and write for everything, a loop for each, and UDP through the same functions as TCP.

use std::io;
use std::mem::{size_of, zeroed};
use std::process::exit;

fn die(call: &str) -> ! {
    eprintln!("talk: {call}: {}", io::Error::last_os_error());
    exit(1)
}

fn usage() -> ! {
    eprintln!("usage: talk tcp|udp HOST PORT");
    exit(2)
}

fn interrupted() -> bool {
    io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn read_some(fd: i32, buf: &mut [u8]) -> usize {
    loop {
        // SAFETY: the pointer and the length are the slice's.
        let n = unsafe { libc::read(fd, buf.as_mut_ptr().cast(), buf.len()) };
        if n >= 0 {
            return n as usize;
        }
        if !interrupted() {
            die("read");
        }
    }
}

fn write_all(fd: i32, mut buf: &[u8]) {
    // Once in any case: a datagram may be empty.
    loop {
        // SAFETY: the pointer and the length are the slice's.
        let n = unsafe { libc::write(fd, buf.as_ptr().cast(), buf.len()) };
        if n >= 0 {
            buf = &buf[n as usize..];
            if buf.is_empty() {
                return;
            }
        } else if !interrupted() {
            die("write");
        }
    }
}

fn main() {
    let argv: Vec<String> = std::env::args().collect();
    if argv.len() != 4 {
        usage();
    }
    let kind = match argv[1].as_str() {
        "tcp" => libc::SOCK_STREAM,
        "udp" => libc::SOCK_DGRAM,
        _ => usage(),
    };
    let octets: Vec<u8> = argv[2].split('.').map(|part| part.parse().unwrap_or_else(|_| usage())).collect();
    let port: u16 = argv[3].parse().unwrap_or_else(|_| usage());
    if octets.len() != 4 || port == 0 {
        usage();
    }
    let mut input = vec![0u8; 0];
    let mut buf = vec![0u8; 65_536];
    loop {
        let n = read_some(0, &mut buf);
        if n == 0 {
            break;
        }
        input.extend_from_slice(&buf[..n]);
    }
    // SAFETY: takes three integers.
    let fd = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    if fd == -1 {
        die("socket");
    }
    // SAFETY: all fields of sockaddr_in are integers.
    let mut to: libc::sockaddr_in = unsafe { zeroed() };
    to.sin_family = libc::AF_INET as u16;
    to.sin_port = port.to_be();
    to.sin_addr.s_addr = u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]).to_be();
    // SAFETY: the structure is whole, and of this size.
    if unsafe { libc::connect(fd, (&raw const to).cast(), size_of::<libc::sockaddr_in>() as u32) } == -1 {
        die("connect");
    }
    if kind == libc::SOCK_DGRAM {
        write_all(fd, &input);
        let n = read_some(fd, &mut buf);
        write_all(1, &buf[..n]);
        return;
    }
    if !input.is_empty() {
        write_all(fd, &input);
    }
    // SAFETY: takes two integers.
    if unsafe { libc::shutdown(fd, libc::SHUT_WR) } == -1 {
        die("shutdown");
    }
    loop {
        let n = read_some(fd, &mut buf);
        if n == 0 {
            break;
        }
        write_all(1, &buf[..n]);
    }
}
