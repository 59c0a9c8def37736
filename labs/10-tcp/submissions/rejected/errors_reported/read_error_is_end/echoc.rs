//! A failed read of standard input is taken for its end: what was lost is never told.

use std::io;
use std::process::exit;

use libc::c_int;

/// Large enough that copying, and not the number of calls, sets the pace.
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
        // The octets lie in memory in the order in which they go over the network.
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(host) },
        sin_zero: [0; 8],
    };
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    let result = unsafe { libc::connect(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) };
    if result == -1 {
        if errno() != libc::EINTR {
            fail("connect");
        }
        finish_connecting(socket);
    }
    socket
}

/// After EINTR the kernel goes on with the handshake by itself, and POSIX makes a second connect an error. The socket
/// becomes writable when the outcome is known.
fn finish_connecting(socket: c_int) {
    wait(&mut [libc::pollfd { fd: socket, events: libc::POLLOUT, revents: 0 }]);
    let mut error: c_int = 0;
    let mut length = size_of_val(&error) as libc::socklen_t;
    // SAFETY: the option's value is a c_int, and `length` says how many bytes may be written at its address.
    let result = unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut error).cast(), &mut length) };
    if result == -1 {
        fail("getsockopt");
    }
    if error != 0 {
        fail_with("connect", io::Error::from_raw_os_error(error));
    }
}

/// What was read from standard input and is still to be sent.
struct Outgoing {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// False after the end of standard input.
    open: bool,
}

/// Sends standard input, then the end-of-file, and meanwhile prints what comes back, until the server's end-of-file.
fn talk(socket: c_int) {
    let mut outgoing = Outgoing { buffer: vec![0; BUFFER_SIZE], start: 0, end: 0, open: true };
    let mut incoming = vec![0; BUFFER_SIZE];
    loop {
        let (input, connection) = wait_for_either(socket, &outgoing);
        if connection & !libc::POLLOUT != 0 && !print_some(socket, &mut incoming) {
            return;
        }
        if connection & libc::POLLOUT != 0 {
            send_some(socket, &mut outgoing);
        }
        if input != 0 {
            read_some(socket, &mut outgoing);
        }
    }
}

/// Waits until standard input or the socket can be served, and returns what is the matter with each of them.
fn wait_for_either(socket: c_int, outgoing: &Outgoing) -> (libc::c_short, libc::c_short) {
    let sending = outgoing.start < outgoing.end;
    // Nothing is read while something waits to be sent: a fast input does not fill the memory of a slow server's
    // client. poll passes over a negative descriptor.
    let input = if outgoing.open && !sending { libc::STDIN_FILENO } else { -1 };
    let events = if sending { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN };
    let mut polled = [libc::pollfd { fd: input, events: libc::POLLIN, revents: 0 }, libc::pollfd { fd: socket, events, revents: 0 }];
    wait(&mut polled);
    (polled[0].revents, polled[1].revents)
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

/// Prints what the server has sent. False at its end-of-file.
fn print_some(socket: c_int, incoming: &mut [u8]) -> bool {
    // SAFETY: the pointer and the length are those of a slice that may be written.
    match unsafe { libc::recv(socket, incoming.as_mut_ptr().cast(), incoming.len(), 0) } {
        -1 if errno() == libc::EINTR => true, // poll says again that it is there
        -1 => fail("recv"),
        0 => false,
        count => {
            write_all(&incoming[..count as usize]);
            true
        }
    }
}

/// Sends as much as the socket takes without waiting: while this process waited here, no one would read the answer.
fn send_some(socket: c_int, outgoing: &mut Outgoing) {
    let bytes = &outgoing.buffer[outgoing.start..outgoing.end];
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the pointer and the length are those of a slice.
    match unsafe { libc::send(socket, bytes.as_ptr().cast(), bytes.len(), flags) } {
        -1 if matches!(errno(), libc::EINTR | libc::EAGAIN) => {} // poll says when to try again
        -1 => fail("send"),
        count => outgoing.start += count as usize,
    }
}

/// Reads from standard input; at its end tells the server so, and leaves the other direction open.
fn read_some(socket: c_int, outgoing: &mut Outgoing) {
    // SAFETY: the pointer and the length are those of a vector's bytes, which may be written.
    let count = unsafe { libc::read(libc::STDIN_FILENO, outgoing.buffer.as_mut_ptr().cast(), outgoing.buffer.len()) };
    match count {
        -1 if errno() == libc::EINTR => {} // poll says again that it is there
        -1 | 0 => {
            outgoing.open = false;
            // SAFETY: has no memory-safety precondition.
            if unsafe { libc::shutdown(socket, libc::SHUT_WR) } == -1 {
                fail("shutdown");
            }
        }
        count => (outgoing.start, outgoing.end) = (0, count as usize),
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
    // Linux has closed the descriptor also when it reports EINTR: a second close could hit another file.
    if result == -1 && errno() != libc::EINTR {
        fail("close");
    }
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
