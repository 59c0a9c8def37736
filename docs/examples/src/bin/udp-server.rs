//! A UDP server: answers each datagram with the number of bytes in it.
//!
//! ```text
//! cargo run -q -p book --bin book-udp-server -- 7007        with port 0 the kernel chooses one
//! ```

use std::io::{Error, Write};
use std::mem::size_of;
use std::process::exit;

use libc::{c_int, sockaddr, sockaddr_in, socklen_t};

fn main() {
    let port: u16 =
        std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| {
            eprintln!("usage: udp-server PORT");
            exit(2)
        });

    // SAFETY: takes no pointer.
    let socket =
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check("socket", socket);

    // SAFETY: all zeros is a valid address structure.
    let mut here: sockaddr_in = unsafe { std::mem::zeroed() };
    here.sin_family = libc::AF_INET as libc::sa_family_t;
    here.sin_port = port.to_be();
    here.sin_addr.s_addr = libc::INADDR_ANY.to_be();
    let mut length = size_of::<sockaddr_in>() as socklen_t;
    // SAFETY: `here` is an address structure of `length` bytes.
    check("bind", unsafe { libc::bind(socket, (&raw const here).cast::<sockaddr>(), length) });

    // SAFETY: there is room for `length` bytes in `here`.
    check("getsockname", unsafe {
        libc::getsockname(socket, (&raw mut here).cast::<sockaddr>(), &raw mut length)
    });
    println!("listening {}", u16::from_be(here.sin_port));
    std::io::stdout().flush().expect("standard output");

    // No listen and no accept: one socket serves everyone, and each datagram tells where it
    // is from.
    let mut buffer = [0u8; 65536];
    loop {
        let mut there = here;
        let mut length = size_of::<sockaddr_in>() as socklen_t;
        // SAFETY: the buffer has room for its length, and `there` for `length` bytes.
        let n = unsafe {
            libc::recvfrom(
                socket,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
                (&raw mut there).cast::<sockaddr>(),
                &raw mut length,
            )
        };
        if n == -1 {
            eprintln!("udp-server: recvfrom: {}", Error::last_os_error());
            exit(1);
        }
        let answer = format!("{n} bytes\n");
        // SAFETY: answer and address are as long as we say.
        let sent = unsafe {
            libc::sendto(
                socket,
                answer.as_ptr().cast(),
                answer.len(),
                0,
                (&raw const there).cast::<sockaddr>(),
                length,
            )
        };
        if sent == -1 {
            // An answer that cannot be sent is lost, as it could be on its way.
            eprintln!("udp-server: sendto: {}", Error::last_os_error());
        }
    }
}

fn check(call: &str, result: c_int) {
    if result == -1 {
        eprintln!("udp-server: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
