//! SO_LINGER with 0 seconds: the connection ends with an RST, which can take away what the receiver has not read yet.

use std::io::{self, Write};
use std::process::exit;

use libc::c_int;

/// Most bytes of a message.
const LIMIT: usize = 64 * 1024;

/// The bytes before each message that say how long it is.
const HEADER: usize = 4;

/// What the command line asks for.
enum Task {
    Send { host: [u8; 4], port: u16 },
    Receive { port: u16 },
}

fn main() {
    match task() {
        Task::Send { host, port } => send_lines(host, port),
        Task::Receive { port } => print_messages(port),
    }
}

/// The command line: `send HOST PORT` or `recv PORT`.
fn task() -> Task {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["send", host, port] => match (octets(host), port.parse()) {
            (Some(host), Ok(port)) if port != 0 => Task::Send { host, port },
            _ => usage(),
        },
        ["recv", port] => port.parse().map_or_else(|_| usage(), |port| Task::Receive { port }),
        _ => usage(),
    }
}

/// The four numbers of a dotted address, in the order in which they are written.
fn octets(host: &str) -> Option<[u8; 4]> {
    let numbers: Result<Vec<u8>, _> = host.split('.').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

fn usage() -> ! {
    eprintln!("usage: frames send HOST PORT\n       frames recv PORT");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    give_up(&format!("{call}: {}", io::Error::last_os_error()));
}

/// Says why the program cannot go on.
fn give_up(reason: &str) -> ! {
    eprintln!("frames: {reason}");
    exit(1);
}

/// `frames send`: each line of standard input becomes a message as soon as it is there.
fn send_lines(host: [u8; 4], port: u16) {
    let socket = connect_to(host, port);
    // What was read and is not sent yet: no whole line after each round.
    let mut unsent = Vec::new();
    while read_some(&mut unsent) {
        let mut start = 0;
        while let Some(length) = unsent[start..].iter().position(|byte| *byte == b'\n') {
            send_frame(socket, &unsent[start..start + length]);
            start += length + 1;
        }
        unsent.drain(..start);
        if unsent.len() > LIMIT {
            too_long();
        }
    }
    if !unsent.is_empty() {
        send_frame(socket, &unsent);
    }
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let length = size_of_val(&linger) as libc::socklen_t;
    // SAFETY: the option's value is a linger, and the pointer and the length are that one's.
    if unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), length) } == -1 {
        fail("setsockopt");
    }
    close(socket);
}

/// A socket that is connected to the receiver.
fn connect_to(host: [u8; 4], port: u16) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if socket == -1 {
        fail("socket");
    }
    // The octets lie in memory in the order in which they go over the network.
    let address = address(u32::from_ne_bytes(host), port);
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    if unsafe { libc::connect(socket, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("connect");
    }
    socket
}

/// A socket address, from a host in network byte order and a port in the program's own.
fn address(host: u32, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: host },
        sin_zero: [0; 8],
    }
}

/// Sends one message with its header before it, however little the kernel takes at a time.
fn send_frame(socket: c_int, message: &[u8]) {
    if message.len() > LIMIT {
        too_long();
    }
    let header = (message.len() as u32).to_be_bytes();
    let mut sent = 0;
    while sent < HEADER + message.len() {
        // One count tells how much of both is done; what is left of each follows from it.
        let mut parts = [part(&header[sent.min(HEADER)..]), part(&message[sent.saturating_sub(HEADER)..])];
        // SAFETY: msghdr is a C structure of integers and pointers, for which all zeros is a value.
        let mut envelope: libc::msghdr = unsafe { std::mem::zeroed() };
        envelope.msg_iov = parts.as_mut_ptr();
        envelope.msg_iovlen = parts.len() as _;
        // SAFETY: the envelope names two parts, each of which is a slice that outlives the call.
        match unsafe { libc::sendmsg(socket, &envelope, libc::MSG_NOSIGNAL) } {
            -1 if errno() == libc::EINTR => {}
            -1 => fail("sendmsg"),
            count => sent += count as usize,
        }
    }
}

fn part(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

fn too_long() -> ! {
    give_up(&format!("a line is longer than {LIMIT} bytes"));
}

/// Adds to the vector what standard input has to give. False at its end.
fn read_some(bytes: &mut Vec<u8>) -> bool {
    let mut buffer = [0u8; 16 * 1024];
    loop {
        // SAFETY: the pointer and the length are those of an array that may be written.
        match unsafe { libc::read(libc::STDIN_FILENO, buffer.as_mut_ptr().cast(), buffer.len()) } {
            -1 if errno() == libc::EINTR => {}
            -1 => fail("read"),
            count => {
                bytes.extend_from_slice(&buffer[..count as usize]);
                return count > 0;
            }
        }
    }
}

/// `frames recv`: prints the messages of one sender, each as soon as it is whole.
fn print_messages(port: u16) {
    let listener = listen_on(port);
    announce(bound_port(listener));
    let connection = accept_one(listener);
    close(listener);
    while let Some(message) = next_message(connection) {
        print(&message);
    }
    close(connection);
}

/// A socket on which a sender can connect to `port`, or for 0 to a port of the kernel's choice.
fn listen_on(port: u16) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let listener = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if listener == -1 {
        fail("socket");
    }
    let on: c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    // A receiver that ended first would otherwise keep the port for a minute.
    // SAFETY: the option's value is a c_int, and the pointer and the length are that one's.
    if unsafe { libc::setsockopt(listener, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), length) } == -1 {
        fail("setsockopt");
    }
    let address = address(libc::INADDR_ANY.to_be(), port);
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    if unsafe { libc::bind(listener, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("bind");
    }
    // SAFETY: has no memory-safety precondition.
    if unsafe { libc::listen(listener, 1) } == -1 {
        fail("listen");
    }
    listener
}

/// The port that a socket is bound to.
fn bound_port(socket: c_int) -> u16 {
    let mut address = address(0, 0);
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `length` says how many bytes may be written at the address's place.
    if unsafe { libc::getsockname(socket, (&raw mut address).cast(), &mut length) } == -1 {
        fail("getsockname");
    }
    u16::from_be(address.sin_port)
}

/// Tells whoever started the receiver that a sender may come, and on which port.
fn announce(port: u16) {
    let mut stdout = io::stdout();
    if writeln!(stdout, "listening {port}").and_then(|()| stdout.flush()).is_err() {
        fail("write");
    }
}

/// The connection of the first sender that comes.
fn accept_one(listener: c_int) -> c_int {
    loop {
        // SAFETY: null is permitted where the peer's address is not asked for.
        match unsafe { libc::accept(listener, std::ptr::null_mut(), std::ptr::null_mut()) } {
            -1 if errno() == libc::EINTR => {}
            -1 => fail("accept"),
            connection => return connection,
        }
    }
}

/// The next message, or `None` if the stream ends where a header could begin.
fn next_message(connection: c_int) -> Option<Vec<u8>> {
    let mut header = [0; HEADER];
    match receive(connection, &mut header) {
        0 => return None,
        HEADER => {}
        got => give_up(&format!("the stream ends after {got} of the {HEADER} bytes of a header")),
    }
    // A peer's number: unsigned, and not to be believed before it is checked.
    let length = u32::from_be_bytes(header) as usize;
    if length > LIMIT {
        give_up(&format!("a message of {length} bytes is announced; {LIMIT} are the limit"));
    }
    let mut message = vec![0; length];
    let got = receive(connection, &mut message);
    if got < length {
        give_up(&format!("the stream ends after {got} of the {length} bytes of a message"));
    }
    Some(message)
}

/// Fills the buffer, however few bytes come at a time. Fewer bytes than it holds are returned only at the stream's end.
fn receive(connection: c_int, buffer: &mut [u8]) -> usize {
    let mut got = 0;
    while got < buffer.len() {
        let rest = &mut buffer[got..];
        // MSG_WAITALL saves calls, and promises nothing: a signal can make it come back early.
        // SAFETY: the pointer and the length are those of a slice that may be written.
        match unsafe { libc::recv(connection, rest.as_mut_ptr().cast(), rest.len(), libc::MSG_WAITALL) } {
            -1 if errno() == libc::EINTR => {}
            -1 => fail("recv"),
            0 => break,
            count => got += count as usize,
        }
    }
    got
}

/// Prints a message and a newline, with nothing left behind in a buffer.
fn print(message: &[u8]) {
    let line = [message, b"\n"].concat();
    let mut rest = &line[..];
    while !rest.is_empty() {
        // SAFETY: the pointer and the length are those of a slice.
        match unsafe { libc::write(libc::STDOUT_FILENO, rest.as_ptr().cast(), rest.len()) } {
            -1 if errno() == libc::EINTR => {}
            -1 => fail("write"),
            count => rest = &rest[count as usize..],
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
