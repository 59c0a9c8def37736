//! A stream has no message boundaries; a length in front of each message puts them back.

use std::io::Error;
use std::process::exit;

use libc::{c_int, iovec};

fn main() {
    // A pair of connected stream sockets: a TCP connection would behave the same way.
    let mut ends: [c_int; 2] = [-1; 2];
    // SAFETY: there is room for two descriptors.
    check("socketpair", unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
            0,
            ends.as_mut_ptr(),
        )
    } as isize);
    let [here, there] = ends;

    for word in ["one", "two", "three"] {
        // SAFETY: the pointer is to as many bytes as the length says.
        check("send", unsafe {
            libc::send(here, word.as_ptr().cast(), word.len(), libc::MSG_NOSIGNAL)
        });
    }
    let mut buffer = [0u8; 64];
    // SAFETY: the buffer has room for its length.
    let n = unsafe { libc::recv(there, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    check("recv", n);
    println!("three sends, one recv: {}", String::from_utf8_lossy(&buffer[..n as usize]));

    for word in ["one", "two", "three"] {
        send_frame(here, word.as_bytes());
    }
    for _ in 0..3 {
        println!("a frame: {}", String::from_utf8_lossy(&receive_frame(there)));
    }
}

/// Length and payload in one call, so that they need not be copied together. (A few bytes go
/// as a whole; in the lab you care for the rest.)
fn send_frame(socket: c_int, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    let parts = [
        iovec { iov_base: length.as_ptr().cast_mut().cast(), iov_len: length.len() },
        iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() },
    ];
    // SAFETY: each part says where its bytes are and how many, and writev only reads them.
    let sent = unsafe { libc::writev(socket, parts.as_ptr(), 2) };
    check("writev", sent);
    assert_eq!(sent as usize, 4 + payload.len());
}

fn receive_frame(socket: c_int) -> Vec<u8> {
    let mut length = [0; 4];
    receive_exactly(socket, &mut length);
    let length = u32::from_be_bytes(length) as usize;
    assert!(length <= 1024, "a length that came from outside is compared before it is used");
    let mut payload = vec![0; length];
    receive_exactly(socket, &mut payload);
    payload
}

fn receive_exactly(socket: c_int, mut rest: &mut [u8]) {
    while !rest.is_empty() {
        // SAFETY: the buffer has room for its length.
        let n = unsafe { libc::recv(socket, rest.as_mut_ptr().cast(), rest.len(), 0) };
        check("recv", n);
        assert_ne!(n, 0, "end-of-file inside a frame");
        rest = &mut rest[n as usize..];
    }
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("framing: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
