//! A TCP client: sends one message, says that it was all, and prints what comes back.
//!
//! ```text
//! cargo run -q -p book --bin book-tcp-client -- 127.0.0.1 7007 hello
//! ```

use std::io::{Error, Write};
use std::mem::size_of;
use std::net::Ipv4Addr;
use std::process::exit;

use libc::{sockaddr, sockaddr_in, socklen_t};

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
    let connection =
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    check("socket", connection as isize);

    // SAFETY: all zeros is a valid address structure.
    let mut there: sockaddr_in = unsafe { std::mem::zeroed() };
    there.sin_family = libc::AF_INET as libc::sa_family_t;
    there.sin_port = port.to_be();
    there.sin_addr.s_addr = u32::from(host).to_be();
    // SAFETY: `there` is an address structure of the length given.
    let connected = unsafe {
        libc::connect(
            connection,
            (&raw const there).cast::<sockaddr>(),
            size_of::<sockaddr_in>() as socklen_t,
        )
    };
    check("connect", connected as isize);

    let mut rest = message;
    while !rest.is_empty() {
        // SAFETY: the pointer is to as many bytes as the length says.
        let sent = unsafe {
            libc::send(connection, rest.as_ptr().cast(), rest.len(), libc::MSG_NOSIGNAL)
        };
        check("send", sent);
        rest = &rest[sent as usize..];
    }
    // The server learns from this, and from nothing else, that the message is complete.
    // SAFETY: takes no pointer.
    check("shutdown", unsafe { libc::shutdown(connection, libc::SHUT_WR) } as isize);

    let mut buffer = [0u8; 4096];
    loop {
        // SAFETY: the buffer has room for its length.
        let n = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        check("recv", n);
        if n == 0 {
            break;
        }
        std::io::stdout().write_all(&buffer[..n as usize]).expect("standard output");
    }
    // SAFETY: the descriptor is ours, and nobody uses it after this.
    check("close", unsafe { libc::close(connection) } as isize);
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("tcp-client: {call}: {}", Error::last_os_error());
        exit(1);
    }
}

fn usage() -> ! {
    eprintln!("usage: tcp-client HOST PORT MESSAGE");
    exit(2)
}
