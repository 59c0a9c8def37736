//! Datagrams keep their boundaries: each arrives whole, or cut off, or empty, and one recv
//! takes one.

use std::io::Error;
use std::mem::size_of;
use std::process::exit;

use libc::{c_int, sockaddr, sockaddr_in, socklen_t};

fn main() {
    // SAFETY: takes no pointer.
    let socket =
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check("socket", socket as isize);
    // SAFETY: all zeros is a valid address structure.
    let mut here: sockaddr_in = unsafe { std::mem::zeroed() };
    here.sin_family = libc::AF_INET as libc::sa_family_t;
    here.sin_addr.s_addr = libc::INADDR_LOOPBACK.to_be();
    let address = (&raw mut here).cast::<sockaddr>();
    let mut length = size_of::<sockaddr_in>() as socklen_t;
    // SAFETY: `address` is of `length` bytes; port 0 leaves the choice to the kernel.
    check("bind", unsafe { libc::bind(socket, address, length) } as isize);
    // SAFETY: `address` has room for `length` bytes.
    check("getsockname", unsafe { libc::getsockname(socket, address, &raw mut length) }
        as isize);

    // A socket may send to itself.
    for text in ["one", "", "a long one"] {
        // SAFETY: text and address are as long as we say.
        check("sendto", unsafe {
            libc::sendto(socket, text.as_ptr().cast(), text.len(), 0, address, length)
        });
    }
    for _ in 0..3 {
        let mut buffer = [0u8; 6];
        let n = receive(socket, &mut buffer);
        let kept = n.min(buffer.len());
        println!(
            "{n} bytes, {kept} of them here: {:?}",
            String::from_utf8_lossy(&buffer[..kept])
        );
    }
}

/// Receives one datagram. MSG_TRUNC asks for its true length, also where the buffer is too
/// small; the rest of it is gone.
fn receive(socket: c_int, buffer: &mut [u8]) -> usize {
    // SAFETY: the buffer has room for its length.
    let n = unsafe {
        libc::recv(socket, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_TRUNC)
    };
    check("recv", n);
    n as usize
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("datagram: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
