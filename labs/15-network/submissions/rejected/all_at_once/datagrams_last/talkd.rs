//! The server waits for a connection, serves it in a child, and then waits for a datagram: each waits for the other.

use std::io::{self, Write};
use std::mem::{size_of, zeroed};
use std::process::exit;

use libc::c_int;

/// More than the longest datagram.
const BUFFER_SIZE: usize = 65_536;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let port: u16 = match words.as_slice() {
        [port] => port.parse().unwrap_or_else(|_| usage()),
        _ => usage(),
    };
    stop_at_signals();
    let (listener, port) = listen(port);
    let mailbox = open_mailbox(port);
    print(&format!("listening {port}"));
    loop {
        let mut polled = [listener, mailbox].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        // SAFETY: the pointer and the count are those of an array of pollfd.
        again("poll", || unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) } as isize);
        // While a child serves, datagrams wait.
        // SAFETY: the status is not asked for.
        let serving = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } == 0;
        if serving && polled[1].revents != 0 {
            // SAFETY: as above.
            unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
        }
        if polled[1].revents != 0 {
            answer(mailbox);
        }
        if polled[0].revents != 0 {
            accept_one(listener, mailbox);
        }
    }
}

fn usage() -> ! {
    eprintln!("usage: talkd PORT");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    eprintln!("talkd: {call}: {}", io::Error::last_os_error());
    exit(1);
}

/// Prints at once, whoever reads it.
fn print(line: &str) {
    let mut stdout = io::stdout();
    if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
        fail("write");
    }
}

/// From here on SIGTERM and SIGINT end the process with status 0, wherever it is.
fn stop_at_signals() {
    extern "C" fn stop(_signal: c_int) {
        // SAFETY: _exit may be called in a handler; nothing is left to be done.
        unsafe { libc::_exit(0) }
    }
    let handler: extern "C" fn(c_int) = stop;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the handler has the type that the kernel calls, and does only what is allowed there.
        if unsafe { libc::signal(signal, handler as libc::sighandler_t) } == libc::SIG_ERR {
            fail("signal");
        }
    }
}

/// Makes a call again that a signal has interrupted.
fn again(call: &str, mut make: impl FnMut() -> isize) -> usize {
    loop {
        let result = make();
        if result >= 0 {
            return result as usize;
        }
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            fail(call);
        }
    }
}

fn socket_at(socket_type: c_int, port: u16) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, socket_type | libc::SOCK_CLOEXEC, 0) };
    if socket == -1 {
        fail("socket");
    }
    let on: c_int = 1;
    if socket_type == libc::SOCK_STREAM {
        // SAFETY: the pointer and the length are those of the integer.
        let set = unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), size_of::<c_int>() as u32) };
        if set == -1 {
            fail("setsockopt");
        }
    }
    // SAFETY: sockaddr_in is a C structure of integers, for which all zeros is a value: INADDR_ANY is 0.
    let mut address: libc::sockaddr_in = unsafe { zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    if unsafe { libc::bind(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("bind");
    }
    socket
}

/// A socket that takes connections at every address of the machine, and its port.
fn listen(port: u16) -> (c_int, u16) {
    let socket = socket_at(libc::SOCK_STREAM, port);
    // SAFETY: has no memory-safety precondition.
    if unsafe { libc::listen(socket, 16) } == -1 {
        fail("listen");
    }
    // SAFETY: as in `socket_at`.
    let mut address: libc::sockaddr_in = unsafe { zeroed() };
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `length` says how many bytes may be written at the structure's address.
    if unsafe { libc::getsockname(socket, (&raw mut address).cast(), &mut length) } == -1 {
        fail("getsockname");
    }
    (socket, u16::from_be(address.sin_port))
}

/// A socket that takes datagrams at every address of the machine.
fn open_mailbox(port: u16) -> c_int {
    socket_at(libc::SOCK_DGRAM, port)
}

/// An address as people write it: `10.0.1.11:40000`.
fn written(address: &libc::sockaddr_in) -> String {
    // The octets lie in memory in the order in which they go over the network.
    let [a, b, c, d] = address.sin_addr.s_addr.to_ne_bytes();
    format!("{a}.{b}.{c}.{d}:{}", u16::from_be(address.sin_port))
}

/// Sends the next datagram back to where it came from.
fn answer(mailbox: c_int) {
    let mut buffer = vec![0u8; BUFFER_SIZE];
    // SAFETY: as in `socket_at`.
    let mut from: libc::sockaddr_in = unsafe { zeroed() };
    let mut from_length = size_of_val(&from) as libc::socklen_t;
    // SAFETY: the buffer's pointer and length are a vector's, and `from_length` says how many bytes `from` has.
    let length = again("recvfrom", || unsafe {
        libc::recvfrom(mailbox, buffer.as_mut_ptr().cast(), buffer.len(), 0, (&raw mut from).cast(), &mut from_length)
    });
    print(&format!("udp {} {length}", written(&from)));
    // SAFETY: `length` bytes of the buffer are filled, and the address is a whole sockaddr_in.
    again("sendto", || unsafe { libc::sendto(mailbox, buffer.as_ptr().cast(), length, 0, (&raw const from).cast(), from_length) });
}

/// Takes a connection and leaves it to a child.
fn accept_one(listener: c_int, mailbox: c_int) {
    // SAFETY: as in `socket_at`.
    let mut from: libc::sockaddr_in = unsafe { zeroed() };
    let mut from_length = size_of_val(&from) as libc::socklen_t;
    // SAFETY: `from_length` says how many bytes `from` has.
    let connection = again("accept", || unsafe { libc::accept(listener, (&raw mut from).cast(), &mut from_length) } as isize) as c_int;
    print(&format!("tcp {}", written(&from)));
    // SAFETY: the process has one thread, so that the child may do anything.
    match unsafe { libc::fork() } {
        -1 => fail("fork"),
        0 => {
            close(listener);
            close(mailbox);
            echo(connection);
            exit(0);
        }
        _ => close(connection),
    }
}

/// Sends everything back until end-of-file.
fn echo(connection: c_int) {
    let mut buffer = vec![0u8; BUFFER_SIZE];
    loop {
        // SAFETY: the pointer and the length are a vector's.
        let length = again("recv", || unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) });
        if length == 0 {
            return;
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            // SAFETY: the pointer and the length are a slice's.
            let sent = again("send", || unsafe { libc::send(connection, rest.as_ptr().cast(), rest.len(), libc::MSG_NOSIGNAL) });
            rest = &rest[sent..];
        }
    }
}

fn close(descriptor: c_int) {
    // SAFETY: the descriptor is this process's, and not used afterwards.
    if unsafe { libc::close(descriptor) } == -1 {
        fail("close");
    }
}
