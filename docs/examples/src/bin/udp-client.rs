//! A UDP client: sends one datagram, and sends it again if no answer comes within a second;
//! three times in all.
//!
//! ```text
//! cargo run -q -p book --bin book-udp-client -- 127.0.0.1 7007 hello
//! ```

use std::io::{Error, ErrorKind, Write};
use std::mem::size_of;
use std::net::Ipv4Addr;
use std::process::exit;

use libc::{sockaddr, sockaddr_in, socklen_t, timeval};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (host, port, message) = match &words[..] {
        [host, port, message] => {
            (host.parse::<Ipv4Addr>(), port.parse::<u16>(), message.as_bytes())
        }
        _ => usage(),
    };
    let (Ok(host), Ok(port)) = (host, port) else { usage() };

    // SAFETY: takes no pointer.
    let socket =
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check("socket", socket as isize);
    let second = timeval { tv_sec: 1, tv_usec: 0 };
    // SAFETY: the pointer is to a timeval, and the length is a timeval's.
    let set = unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const second).cast(),
            size_of::<timeval>() as socklen_t,
        )
    };
    check("setsockopt", set as isize);

    // SAFETY: all zeros is a valid address structure.
    let mut there: sockaddr_in = unsafe { std::mem::zeroed() };
    there.sin_family = libc::AF_INET as libc::sa_family_t;
    there.sin_port = port.to_be();
    there.sin_addr.s_addr = u32::from(host).to_be();
    // Sends nothing: it notes the server's address, and from now on only datagrams from there
    // are received.
    // SAFETY: `there` is an address structure of the length given.
    let connected = unsafe {
        libc::connect(
            socket,
            (&raw const there).cast::<sockaddr>(),
            size_of::<sockaddr_in>() as socklen_t,
        )
    };
    check("connect", connected as isize);

    let mut buffer = [0u8; 65536];
    for _ in 0..3 {
        // SAFETY: the pointer is to as many bytes as the length says.
        check("send", unsafe { libc::send(socket, message.as_ptr().cast(), message.len(), 0) });
        // SAFETY: the buffer has room for its length.
        let n = unsafe { libc::recv(socket, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if n == -1 && Error::last_os_error().kind() == ErrorKind::WouldBlock {
            continue; // The time is over: EAGAIN.
        }
        check("recv", n);
        std::io::stdout().write_all(&buffer[..n as usize]).expect("standard output");
        return;
    }
    eprintln!("udp-client: no answer");
    exit(1);
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("udp-client: {call}: {}", Error::last_os_error());
        exit(1);
    }
}

fn usage() -> ! {
    eprintln!("usage: udp-client HOST PORT MESSAGE");
    exit(2)
}
