//! A thread for the way there, and `std::io::copy` for the way back, which tries splice(2) first and falls back to read and write.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::process::exit;
use std::{io, mem, thread};

use libc::{c_int, sockaddr_in};

fn die(call: &str) -> ! {
    die_of(call, io::Error::last_os_error())
}

fn die_of(call: &str, e: io::Error) -> ! {
    eprintln!("echoc: {call}: {e}");
    exit(1)
}

fn usage() -> ! {
    eprintln!("usage: echoc HOST PORT");
    exit(2)
}

/// Does a call until it is not interrupted.
fn retry(call: &str, mut f: impl FnMut() -> isize) -> usize {
    loop {
        let n = f();
        if n >= 0 {
            return n as usize;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            die(call);
        }
    }
}

fn connect(addr: &sockaddr_in) -> c_int {
    // SAFETY: plain call
    let sock = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if sock == -1 {
        die("socket");
    }
    // SAFETY: addr is valid
    if unsafe { libc::connect(sock, (&raw const *addr).cast(), mem::size_of::<sockaddr_in>() as u32) } == 0 {
        return sock;
    }
    if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
        die("connect");
    }
    let mut p = libc::pollfd { fd: sock, events: libc::POLLOUT, revents: 0 };
    // SAFETY: p is valid
    retry("poll", || unsafe { libc::poll(&mut p, 1, -1) } as isize);
    let mut e: c_int = 0;
    let mut len = 4;
    // SAFETY: e and len are valid
    if unsafe { libc::getsockopt(sock, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut e).cast(), &mut len) } == -1 {
        die("getsockopt");
    }
    if e != 0 {
        die_of("connect", io::Error::from_raw_os_error(e));
    }
    sock
}

fn upload(sock: c_int) {
    let mut buf = [0u8; 16384];
    loop {
        // SAFETY: buf is valid
        let n = retry("read", || unsafe { libc::read(0, buf.as_mut_ptr().cast(), buf.len()) });
        if n == 0 {
            break;
        }
        let mut done = 0;
        while done < n {
            // SAFETY: inside buf
            done += retry("send", || unsafe { libc::send(sock, buf[done..].as_ptr().cast(), n - done, 0) });
        }
    }
    // SAFETY: plain call
    if unsafe { libc::shutdown(sock, libc::SHUT_WR) } == -1 {
        die("shutdown");
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [host, port] = &args[..] else { usage() };
    let parts: Vec<u8> = host.split('.').map(|p| p.parse().unwrap_or_else(|_| usage())).collect();
    let Ok(ip) = <[u8; 4]>::try_from(parts) else { usage() };
    let Ok(port) = port.parse::<u16>() else { usage() };
    if port == 0 {
        usage();
    }
    // SAFETY: zero is a valid address
    let mut addr: sockaddr_in = unsafe { mem::zeroed() };
    addr.sin_family = libc::AF_INET as u16;
    addr.sin_port = port.to_be();
    addr.sin_addr.s_addr = u32::from_ne_bytes(ip);
    let sock = connect(&addr);
    // Files that are not closed: the descriptors stay the program's.
    // SAFETY: both descriptors are open, and nobody closes them before the program ends.
    let (mut from, mut to) = unsafe { (ManuallyDrop::new(File::from_raw_fd(sock)), ManuallyDrop::new(File::from_raw_fd(1))) };
    thread::spawn(move || upload(sock));
    match io::copy(&mut *from, &mut *to) {
        Ok(_) => exit(0),
        Err(error) => die_of("write", error),
    }
}
