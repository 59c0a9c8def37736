//! The child that sends the input closes the socket at the end instead of shutting it down. The parent still holds
//! its own copy, so no end-of-file goes to the server, and everyone waits.

use std::io;
use std::process::exit;

use libc::{c_int, pid_t};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 3 {
        usage();
    }
    let parts: Vec<u8> = arguments[1].split('.').map_while(|part| part.parse().ok()).collect();
    if parts.len() != 4 || arguments[1].split('.').count() != 4 {
        usage();
    }
    let host = parts.iter().fold(0u32, |host, &part| host << 8 | u32::from(part));
    let port: u16 = match arguments[2].parse() {
        Ok(0) | Err(_) => usage(),
        Ok(port) => port,
    };

    let socket = open_connection(host, port);
    // SAFETY: there is one thread.
    let sender = unsafe { libc::fork() };
    match sender {
        -1 => {
            complain("fork");
            exit(1);
        }
        0 => {
            let good = copy(libc::STDIN_FILENO, socket);
            // SAFETY: `socket` is not used afterwards.
            unsafe { libc::close(socket) };
            // SAFETY: no precondition.
            unsafe { libc::_exit(if good { 0 } else { 1 }) };
        }
        _ => {}
    }
    let received = copy(socket, libc::STDOUT_FILENO);
    let sent = end_sender(sender);
    exit(if received && sent { 0 } else { 1 });
}

fn usage() -> ! {
    eprintln!("usage: echoc HOST PORT");
    exit(2);
}

fn complain(call: &str) {
    eprintln!("echoc: {call}: {}", io::Error::last_os_error());
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Stops the sender, which may still wait for input that no one will read, and says whether it had failed.
fn end_sender(sender: pid_t) -> bool {
    // SAFETY: `sender` is a child that has not been waited for.
    unsafe { libc::kill(sender, libc::SIGKILL) };
    let mut status = 0;
    // SAFETY: `status` may be written.
    while unsafe { libc::waitpid(sender, &mut status, 0) } == -1 {
        if errno() != libc::EINTR {
            complain("waitpid");
            return false;
        }
    }
    !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) == 0
}

fn open_connection(host: u32, port: u16) -> c_int {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::PF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP) };
    if socket < 0 {
        complain("socket");
        exit(1);
    }
    // SAFETY: sockaddr_in is a C structure of integers.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = host.to_be();
    let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: pointer and length are those of `address`.
    if unsafe { libc::connect(socket, (&raw const address).cast(), size) } == 0 {
        return socket;
    }
    if errno() == libc::EINTR {
        // The handshake goes on. When the socket is writable, it is over.
        let mut polled = libc::pollfd { fd: socket, events: libc::POLLOUT, revents: 0 };
        // SAFETY: one pollfd, as said.
        while unsafe { libc::poll(&mut polled, 1, -1) } == -1 && errno() == libc::EINTR {}
        let mut error: c_int = 0;
        let mut size = size_of::<c_int>() as libc::socklen_t;
        // SAFETY: pointer and length are those of `error`.
        let result = unsafe {
            libc::getsockopt(socket, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut error).cast(), &mut size)
        };
        if result == -1 {
            complain("getsockopt");
            exit(1);
        }
        if error == 0 {
            return socket;
        }
        eprintln!("echoc: connect: {}", io::Error::from_raw_os_error(error));
        exit(1);
    }
    complain("connect");
    exit(1);
}

/// False, after a message, if one of the calls fails.
fn copy(from: c_int, to: c_int) -> bool {
    let mut buffer = [0u8; 32768];
    loop {
        // SAFETY: pointer and length are those of the buffer.
        let count = unsafe { libc::read(from, buffer.as_mut_ptr().cast(), buffer.len()) };
        if count == 0 {
            return true;
        }
        if count == -1 {
            if errno() == libc::EINTR {
                continue;
            }
            complain("read");
            return false;
        }
        let mut rest = &buffer[..count as usize];
        while !rest.is_empty() {
            // SAFETY: pointer and length are those of the rest. Rust's runtime ignores SIGPIPE.
            let written = unsafe { libc::write(to, rest.as_ptr().cast(), rest.len()) };
            if written >= 0 {
                rest = &rest[written as usize..];
            } else if errno() != libc::EINTR {
                complain("write");
                return false;
            }
        }
    }
}
