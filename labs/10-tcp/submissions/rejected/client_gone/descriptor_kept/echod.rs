//! The connection of a client that has reset it is not closed: each such client costs the server a descriptor.

use std::io::{self, Write};
use std::process::exit;

use libc::c_int;

/// How many clients may wait to be accepted.
const BACKLOG: c_int = 16;

/// Large enough that copying, and not the number of calls, sets the pace.
const BUFFER_SIZE: usize = 64 * 1024;

fn main() {
    let (fork_for_each, port) = arguments();
    install_handlers(fork_for_each);
    let listener = listen_on(port);
    announce(bound_port(listener));
    loop {
        let connection = next_client(listener);
        if fork_for_each {
            serve_in_child(listener, connection);
        } else {
            if !echo(connection) {
                continue;
            }
        }
        // With a child this closes only the parent's copy. Without it the client would never see the end: the
        // connection ends when the last descriptor that refers to it is closed.
        close(connection);
    }
}

/// The command line: `[--fork] PORT`.
fn arguments() -> (bool, u16) {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (fork_for_each, port) = match words[..] {
        ["--fork", port] => (true, port),
        [port] => (false, port),
        _ => usage(),
    };
    match port.parse() {
        Ok(port) => (fork_for_each, port),
        Err(_) => usage(),
    }
}

fn usage() -> ! {
    eprintln!("usage: echod [--fork] PORT");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    eprintln!("echod: {call}: {}", io::Error::last_os_error());
    exit(1);
}

/// Tells whoever started the server that clients may come, and on which port.
fn announce(port: u16) {
    let mut stdout = io::stdout();
    if writeln!(stdout, "listening {port}").and_then(|()| stdout.flush()).is_err() {
        fail("write");
    }
}

/// From here on SIGTERM and SIGINT end the server with status 0, and children that have ended are reaped.
fn install_handlers(fork_for_each: bool) {
    handle(libc::SIGTERM, stop);
    handle(libc::SIGINT, stop);
    if fork_for_each {
        handle(libc::SIGCHLD, reap);
    }
}

fn handle(signal: c_int, handler: extern "C" fn(c_int)) {
    // SAFETY: sigaction is a C structure of integers and an optional pointer, for which all zeros is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as libc::sighandler_t;
    // Where the kernel can, it goes on with the interrupted call; the loops below see to the rest.
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `action` is initialised, a null old action is permitted, and both handlers make only
    // async-signal-safe calls.
    if unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } == -1 {
        fail("sigaction");
    }
}

/// Ends the process on the spot. A flag that the main loop looks at would come too late if the signal arrived
/// between the look and the accept.
extern "C" fn stop(_signal: c_int) {
    // SAFETY: _exit is async-signal-safe and has no precondition; nothing is buffered or left to remove.
    unsafe { libc::_exit(0) };
}

/// Reaps all children that have ended: one SIGCHLD may stand for several of them.
extern "C" fn reap(_signal: c_int) {
    // SAFETY: has no precondition.
    let errno_address = unsafe { libc::__errno_location() };
    // SAFETY: the address is that of this thread's errno. The code interrupted may be about to read it.
    let saved = unsafe { *errno_address };
    loop {
        // SAFETY: a null status pointer is permitted.
        let pid = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
        if pid <= 0 {
            break;
        }
    }
    // SAFETY: as above.
    unsafe { *errno_address = saved };
}

/// A socket that listens on `port`, on all of this machine's IPv4 addresses.
fn listen_on(port: u16) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let listener = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    if listener == -1 {
        fail("socket");
    }
    permit_reuse(listener);
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: libc::INADDR_ANY.to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: the pointer and the length are those of a whole sockaddr_in.
    if unsafe { libc::bind(listener, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) } == -1 {
        fail("bind");
    }
    // SAFETY: has no memory-safety precondition.
    if unsafe { libc::listen(listener, BACKLOG) } == -1 {
        fail("listen");
    }
    listener
}

/// Lets bind take the port while connections of an earlier run are still in TIME_WAIT.
fn permit_reuse(listener: c_int) {
    let on: c_int = 1;
    // SAFETY: the option's value is a c_int, and the pointer and the length are those of one.
    let result =
        unsafe { libc::setsockopt(listener, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const on).cast(), size_of_val(&on) as libc::socklen_t) };
    if result == -1 {
        fail("setsockopt");
    }
}

/// The port that the kernel has bound the socket to, in host byte order.
fn bound_port(listener: c_int) -> u16 {
    let mut address = libc::sockaddr_in { sin_family: 0, sin_port: 0, sin_addr: libc::in_addr { s_addr: 0 }, sin_zero: [0; 8] };
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `length` says how many bytes may be written at the address given.
    if unsafe { libc::getsockname(listener, (&raw mut address).cast(), &mut length) } == -1 {
        fail("getsockname");
    }
    u16::from_be(address.sin_port)
}

/// Waits for the next client, and returns the socket that is connected to it.
fn next_client(listener: c_int) -> c_int {
    loop {
        // SAFETY: null pointers say that the client's address is not wanted.
        let connection = unsafe { libc::accept(listener, std::ptr::null_mut(), std::ptr::null_mut()) };
        if connection != -1 {
            return connection;
        }
        match errno() {
            // A client that gave up before it was accepted is no reason to stop.
            libc::EINTR | libc::ECONNABORTED => {}
            _ => fail("accept"),
        }
    }
}

/// Starts a child that serves this one client and then exits.
fn serve_in_child(listener: c_int, connection: c_int) {
    // SAFETY: this process has one thread, so the child finds no lock held by another.
    match unsafe { libc::fork() } {
        -1 => fail("fork"),
        0 => {
            // As long as any process has it open, the port stays taken, also after the parent's end.
            close(listener);
            echo(connection);
            // SAFETY: has no precondition; closes the connection too.
            unsafe { libc::_exit(0) };
        }
        _ => {}
    }
}

/// Sends back what arrives, until the client's end-of-file (true) or until the client is gone.
fn echo(connection: c_int) -> bool {
    let mut buffer = [0; BUFFER_SIZE];
    loop {
        let Some(count) = receive(connection, &mut buffer) else { return false };
        if count == 0 {
            return true;
        }
        if !send_all(connection, &buffer[..count]) {
            return false;
        }
    }
}

/// Fills a part of the buffer with what has arrived; 0 means that nothing more will, and `None` that the client is gone.
fn receive(connection: c_int, buffer: &mut [u8]) -> Option<usize> {
    loop {
        // SAFETY: the pointer and the length are those of a slice that may be written.
        let count = unsafe { libc::recv(connection, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if count != -1 {
            return Some(count as usize);
        }
        match errno() {
            libc::EINTR => {}
            error if client_gone(error) => return None,
            _ => fail("recv"),
        }
    }
}

/// Sends the whole slice, however little the kernel takes at a time. False if the client is gone.
fn send_all(connection: c_int, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of a slice.
        let count = unsafe { libc::send(connection, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
        if count != -1 {
            bytes = &bytes[count as usize..];
            continue;
        }
        match errno() {
            libc::EINTR => {}
            error if client_gone(error) => return false,
            _ => fail("send"),
        }
    }
    true
}

/// Errors that end one connection and say nothing about the server.
fn client_gone(error: c_int) -> bool {
    matches!(error, libc::ECONNRESET | libc::EPIPE | libc::ETIMEDOUT)
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
