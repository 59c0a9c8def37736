//! The kernel completes a handshake by itself: connect has returned although nobody has
//! called accept.

use std::io::Error;
use std::mem::size_of;
use std::process::exit;

use libc::{c_int, sockaddr, sockaddr_in, socklen_t, tcp_info};

fn main() {
    // SAFETY: all zeros is a valid address structure.
    let mut there: sockaddr_in = unsafe { std::mem::zeroed() };
    there.sin_family = libc::AF_INET as libc::sa_family_t;
    there.sin_addr.s_addr = libc::INADDR_LOOPBACK.to_be();
    let address = (&raw mut there).cast::<sockaddr>();
    let mut length = size_of::<sockaddr_in>() as socklen_t;

    let listener = socket();
    // SAFETY: `address` is of `length` bytes; port 0 leaves the choice to the kernel.
    check("bind", unsafe { libc::bind(listener, address, length) });
    // SAFETY: takes no pointer.
    check("listen", unsafe { libc::listen(listener, 1) });
    // SAFETY: `address` has room for `length` bytes.
    check("getsockname", unsafe { libc::getsockname(listener, address, &raw mut length) });

    let client = socket();
    println!("state {} before connect", state(client));
    // SAFETY: `address` is of `length` bytes.
    check("connect", unsafe { libc::connect(client, address, length) });
    println!("state {} after connect, and before accept", state(client));
}

fn socket() -> c_int {
    // SAFETY: takes no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    check("socket", fd);
    fd
}

/// 1 is ESTABLISHED, 7 is CLOSE: the states have the numbers of `<netinet/tcp.h>`.
fn state(connection: c_int) -> u8 {
    // SAFETY: all zeros is a valid tcp_info.
    let mut info: tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of::<tcp_info>() as socklen_t;
    // SAFETY: `info` has room for `length` bytes.
    let got = unsafe {
        libc::getsockopt(
            connection,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    check("getsockopt", got);
    info.tcpi_state
}

fn check(call: &str, result: c_int) {
    if result == -1 {
        eprintln!("tcp-info: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
