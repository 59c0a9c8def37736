//! A TCP server, as small as it can be and still be right: tells each client how many bytes
//! it has sent.
//!
//! ```text
//! cargo run -q -p book --bin book-tcp-server -- 7007        with port 0 the kernel chooses one
//! ```

use std::io::{Error, Write};
use std::mem::size_of;
use std::process::exit;

use libc::{c_int, sockaddr, sockaddr_in, socklen_t};

fn main() {
    let port: u16 =
        std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| {
            eprintln!("usage: tcp-server PORT");
            exit(2)
        });

    // SAFETY: takes no pointer.
    let listener =
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    check("socket", listener);

    // Without this a server that is started again has to wait until the old connections have
    // left TIME_WAIT.
    let on: c_int = 1;
    // SAFETY: the pointer is to an int, and the length is an int's.
    let set = unsafe {
        libc::setsockopt(
            listener,
            libc::SOL_SOCKET,
            libc::SO_REUSEADDR,
            (&raw const on).cast(),
            size_of::<c_int>() as socklen_t,
        )
    };
    check("setsockopt", set);

    // SAFETY: all zeros is a valid address structure.
    let mut here: sockaddr_in = unsafe { std::mem::zeroed() };
    here.sin_family = libc::AF_INET as libc::sa_family_t;
    here.sin_port = port.to_be();
    here.sin_addr.s_addr = libc::INADDR_ANY.to_be();
    let mut length = size_of::<sockaddr_in>() as socklen_t;
    // SAFETY: `here` is an address structure of `length` bytes.
    check("bind", unsafe {
        libc::bind(listener, (&raw const here).cast::<sockaddr>(), length)
    });
    // SAFETY: takes no pointer.
    check("listen", unsafe { libc::listen(listener, 16) });

    // SAFETY: there is room for `length` bytes in `here`.
    check("getsockname", unsafe {
        libc::getsockname(listener, (&raw mut here).cast::<sockaddr>(), &raw mut length)
    });
    println!("listening {}", u16::from_be(here.sin_port));
    std::io::stdout().flush().expect("standard output");

    loop {
        // SAFETY: null for the address says that we do not ask who it is.
        let connection =
            unsafe { libc::accept(listener, std::ptr::null_mut(), std::ptr::null_mut()) };
        check("accept", connection);
        serve(connection);
        // SAFETY: the descriptor is ours, and nobody uses it after this.
        check("close", unsafe { libc::close(connection) });
    }
}

/// Receives to the client's end-of-file, then answers. A client that breaks off is no reason
/// for the server to end.
fn serve(connection: c_int) {
    let mut total = 0;
    let mut buffer = [0u8; 4096];
    loop {
        // SAFETY: the buffer has room for its length.
        let n = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        match n {
            -1 => return eprintln!("tcp-server: recv: {}", Error::last_os_error()),
            0 => break,
            n => total += n,
        }
    }
    let answer = format!("{total} bytes\n");
    // A line this short fits a connection's empty buffer, so there is no rest to send.
    // SAFETY: the pointer is to as many bytes as the length says.
    let sent = unsafe {
        libc::send(connection, answer.as_ptr().cast(), answer.len(), libc::MSG_NOSIGNAL)
    };
    if sent == -1 {
        eprintln!("tcp-server: send: {}", Error::last_os_error());
    }
}

fn check(call: &str, result: c_int) {
    if result == -1 {
        eprintln!("tcp-server: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
