//! poll tells whether there is input or an answer, but what was read is then sent with calls that wait for room: while
//! they wait, nobody receives. A server that sends before it takes more waits for the client, and the client for it.

use std::io;
use std::process::exit;

use libc::c_int;

const BUFFER_SIZE: usize = 64 * 1024;

fn main() {
    let (host, port) = arguments();
    let socket = connect_to(host, port);
    talk(socket);
    close(socket);
}

/// The command line: `HOST PORT`.
fn arguments() -> ([u8; 4], u16) {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [host, port] = &words[..] else { usage() };
    match (octets(host), port.parse()) {
        (Some(host), Ok(port)) if port != 0 => (host, port),
        _ => usage(),
    }
}

/// The four numbers of a dotted address, in the order in which they are written.
fn octets(host: &str) -> Option<[u8; 4]> {
    let numbers: Result<Vec<u8>, _> = host.split('.').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

fn usage() -> ! {
    eprintln!("usage: echoc HOST PORT");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    fail_with(call, io::Error::last_os_error());
}

fn fail_with(call: &str, error: io::Error) -> ! {
    eprintln!("echoc: {call}: {error}");
    exit(1);
}

/// A socket that is connected to the server.
fn connect_to(host: [u8; 4], port: u16) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if socket == -1 {
        fail("socket");
    }
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(host) },
        sin_zero: [0; 8],
    };
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    let result =
        unsafe { libc::connect(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) };
    if result == -1 {
        if errno() != libc::EINTR {
            fail("connect");
        }
        finish_connecting(socket);
    }
    socket
}

/// Waits for the outcome of an interrupted connect.
fn finish_connecting(socket: c_int) {
    wait(&mut [libc::pollfd { fd: socket, events: libc::POLLOUT, revents: 0 }]);
    let mut error: c_int = 0;
    let mut length = size_of_val(&error) as libc::socklen_t;
    // SAFETY: the option's value is a c_int, and `length` says how many bytes may be written at its address.
    let result = unsafe {
        libc::getsockopt(socket, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut error).cast(), &mut length)
    };
    if result == -1 {
        fail("getsockopt");
    }
    if error != 0 {
        fail_with("connect", io::Error::from_raw_os_error(error));
    }
}

/// Sends standard input, then the end-of-file, and meanwhile prints what comes back, until the server's end-of-file.
fn talk(socket: c_int) {
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut input = libc::STDIN_FILENO;
    loop {
        let mut polled = [
            libc::pollfd { fd: input, events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: socket, events: libc::POLLIN, revents: 0 },
        ];
        wait(&mut polled);
        if polled[1].revents != 0 {
            let count = read_some(socket, &mut buffer);
            if count == 0 {
                return;
            }
            write_all(&buffer[..count]);
        }
        if polled[0].revents != 0 {
            let count = read_some(input, &mut buffer);
            if count == 0 {
                shut_down(socket);
                input = -1; // poll passes over a negative descriptor
            }
            send_all(socket, &buffer[..count]);
        }
    }
}

fn wait(polled: &mut [libc::pollfd]) {
    loop {
        // SAFETY: the pointer and the count are those of a slice of pollfd.
        let result = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) };
        if result != -1 {
            return;
        }
        if errno() != libc::EINTR {
            fail("poll");
        }
    }
}

/// Reads until something has come; 0 is the end-of-file.
fn read_some(fd: c_int, buffer: &mut [u8]) -> usize {
    loop {
        // SAFETY: the pointer and the length are those of a slice that may be written.
        let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
        if count != -1 {
            return count as usize;
        }
        if errno() != libc::EINTR {
            fail("read");
        }
    }
}

fn send_all(socket: c_int, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of a slice.
        let count = unsafe { libc::send(socket, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
        if count != -1 {
            bytes = &bytes[count as usize..];
        } else if errno() != libc::EINTR {
            fail("send");
        }
    }
}

fn shut_down(socket: c_int) {
    // SAFETY: has no memory-safety precondition.
    if unsafe { libc::shutdown(socket, libc::SHUT_WR) } == -1 {
        fail("shutdown");
    }
}

/// Writes the whole slice to standard output, however little the kernel takes at a time.
fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of a slice.
        let count = unsafe { libc::write(libc::STDOUT_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        if count != -1 {
            bytes = &bytes[count as usize..];
        } else if errno() != libc::EINTR {
            fail("write");
        }
    }
}

fn close(fd: c_int) {
    // SAFETY: the caller owns `fd` and does not use it afterwards.
    let result = unsafe { libc::close(fd) };
    if result == -1 && errno() != libc::EINTR {
        fail("close");
    }
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
