//! fdbroker has room for four clients: as long as four are connected and silent, it accepts no other.

use std::ffi::CString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};

use memoffset::offset_of;

use libc::c_int;

/// The longest path that fits into an address with the zero byte behind it.
const LONGEST_PATH: usize = 107;
/// The longest name of a file; its request has a zero byte more.
const LONGEST_NAME: usize = 255;
/// How many clients may wait to be accepted.
const BACKLOG: c_int = 16;

fn main() {
    let (path, directory) = arguments();
    let waiting_mask = catch_stop_signals();
    let listener = listen_at(&path);
    let directory = open_directory(&directory);
    say("ready");
    serve(listener, directory, &waiting_mask);
    remove(&path);
}

/// The command line: `SOCK DIR`.
fn arguments() -> (CString, CString) {
    let mut words = std::env::args_os().skip(1).map(|word| CString::new(word.into_vec()).expect("an argument holds no zero byte"));
    match (words.next(), words.next(), words.next()) {
        (Some(path), Some(directory), None) if (1..=LONGEST_PATH).contains(&path.as_bytes().len()) => (path, directory),
        _ => usage(),
    }
}

fn usage() -> ! {
    eprintln!("usage: fdbroker SOCK DIR");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    fail_with(call, errno());
}

fn fail_with(call: &str, errno: c_int) -> ! {
    eprintln!("fdbroker: {call}: {}", io::Error::from_raw_os_error(errno));
    exit(1);
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Prints a line, at once.
fn say(line: &str) {
    let mut stdout = io::stdout();
    if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
        fail("write");
    }
}

/// How many clients there may be at once.
const MOST_CLIENTS: usize = 4;

/// Set by a signal: the broker is to stop.
static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn on_stop(_signal: c_int) {
    STOP.store(true, Ordering::Relaxed);
}

/// From here on SIGTERM and SIGINT are blocked, except while the broker waits: the mask for that is returned. So none can
/// come between a look at the flag and the wait.
fn catch_stop_signals() -> libc::sigset_t {
    // SAFETY: a C structure of integers and an optional pointer, for which all zeros is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_stop as extern "C" fn(c_int) as libc::sighandler_t;
    // SAFETY: a C structure of integers.
    let mut stops: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `stops` may be written.
    unsafe { libc::sigemptyset(&mut stops) };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `stops` is initialised.
        unsafe { libc::sigaddset(&mut stops, signal) };
        // SAFETY: `action` is initialised, its handler only stores to an atomic, and a null old action is permitted.
        if unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } == -1 {
            fail("sigaction");
        }
    }
    // SAFETY: a C structure of integers.
    let mut before: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `stops` is initialised and `before` may be written.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &stops, &mut before) } == -1 {
        fail("sigprocmask");
    }
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // Whoever started us may have blocked them.
        // SAFETY: `before` is initialised.
        unsafe { libc::sigdelset(&mut before, signal) };
    }
    before
}

/// A socket that listens at this path. What a broker that was killed has left there is replaced.
fn listen_at(path: &CString) -> c_int {
    let (address, length) = address_of(path);
    // SAFETY: has no memory-safety precondition.
    let listener = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
    if listener == -1 {
        fail("socket");
    }
    // SAFETY: the address has at least `length` bytes.
    if unsafe { libc::bind(listener, (&raw const address).cast(), length) } == -1 {
        let error = errno();
        if error != libc::EADDRINUSE || !is_left_over(path) {
            fail_with("bind", error);
        }
        remove(path);
        // SAFETY: as above.
        if unsafe { libc::bind(listener, (&raw const address).cast(), length) } == -1 {
            fail("bind");
        }
    }
    // SAFETY: has no memory-safety precondition.
    if unsafe { libc::listen(listener, BACKLOG) } == -1 {
        fail("listen");
    }
    listener
}

/// The address of a path, and how much of the structure counts: up to and with the path's zero byte.
fn address_of(path: &CString) -> (libc::sockaddr_un, libc::socklen_t) {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; LONGEST_PATH + 1] };
    for (place, byte) in address.sun_path.iter_mut().zip(path.as_bytes()) {
        *place = *byte as libc::c_char;
    }
    (address, (offset_of!(libc::sockaddr_un, sun_path) + path.as_bytes_with_nul().len()) as libc::socklen_t)
}

/// Whether there is a socket at this path and nobody listens at it.
fn is_left_over(path: &CString) -> bool {
    // connect says ECONNREFUSED of a regular file too, so look first at what it is.
    // SAFETY: a C structure of integers, for which all zeros is a value.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `path` is a C string, and `status` may be written.
    if unsafe { libc::lstat(path.as_ptr(), &mut status) } == -1 {
        fail("lstat");
    }
    if status.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return false;
    }
    // Non-blocking: a broker whose queue is full makes connect fail with EAGAIN where it would else wait.
    // SAFETY: has no memory-safety precondition.
    let probe = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
    if probe == -1 {
        fail("socket");
    }
    let (address, length) = address_of(path);
    // SAFETY: the address has at least `length` bytes.
    let result = unsafe { libc::connect(probe, (&raw const address).cast(), length) };
    let refused = result == -1 && errno() == libc::ECONNREFUSED;
    close(probe);
    refused
}

/// Takes the socket's name away. The socket itself goes with its last descriptor.
fn remove(path: &CString) {
    // SAFETY: `path` is a C string.
    if unsafe { libc::unlink(path.as_ptr()) } == -1 && errno() != libc::ENOENT {
        fail("unlink");
    }
}

fn open_directory(directory: &CString) -> c_int {
    loop {
        // SAFETY: `directory` is a C string.
        let fd = unsafe { libc::open(directory.as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) };
        if fd != -1 {
            return fd;
        }
        if errno() != libc::EINTR {
            fail("open");
        }
    }
}

/// A client that has been accepted, and what it has said so far.
struct Client {
    socket: c_int,
    who: libc::ucred,
    name: Vec<u8>,
}

/// What came of a look at what a client has sent.
enum Said {
    /// The name is not whole yet.
    Part,
    /// All of the name is there, or more than there may be.
    All,
    /// It is gone, or will say no more.
    Nothing,
}

/// Serves clients until a signal says stop.
fn serve(listener: c_int, directory: c_int, waiting_mask: &libc::sigset_t) {
    let mut clients: Vec<Client> = Vec::new();
    while let Some(ready) = wait(listener, &clients, waiting_mask) {
        // The first entry is the listener's, the others are those of the clients.
        let mut ready = ready.iter();
        let somebody_comes = ready.next() == Some(&true);
        clients.retain_mut(|client| {
            let done = ready.next() == Some(&true) && go_on_with(client, directory);
            if done {
                close(client.socket);
            }
            !done
        });
        if somebody_comes {
            clients.extend(next_client(listener));
        }
    }
}

/// Sleeps until there is something to do, and says for which sockets; `None` once a signal has said stop.
fn wait(listener: c_int, clients: &[Client], waiting_mask: &libc::sigset_t) -> Option<Vec<bool>> {
    // poll passes over a negative descriptor.
    let more = if clients.len() < MOST_CLIENTS { listener } else { -1 };
    let sockets = std::iter::once(more).chain(clients.iter().map(|client| client.socket));
    let mut polled: Vec<libc::pollfd> = sockets.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    loop {
        // SAFETY: pointer and count are those of the vector, no time-out is permitted, and the mask is initialised.
        let result = unsafe { libc::ppoll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, std::ptr::null(), waiting_mask) };
        let error = errno();
        if STOP.load(Ordering::Relaxed) {
            return None;
        }
        if result != -1 {
            return Some(polled.iter().map(|one| one.revents != 0).collect());
        }
        if error != libc::EINTR {
            fail_with("ppoll", error);
        }
    }
}

/// Takes the next client, if it is still there.
fn next_client(listener: c_int) -> Option<Client> {
    loop {
        // SAFETY: null pointers say that the client's address is not wanted.
        let socket = unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) };
        if socket != -1 {
            return Some(Client { socket, who: peer_of(socket), name: Vec::new() });
        }
        match errno() {
            libc::EINTR => {}
            libc::EAGAIN | libc::ECONNABORTED => return None,
            _ => fail("accept"),
        }
    }
}

/// Which process has connected this socket, and whose it is. The kernel says so: the client cannot lie.
fn peer_of(socket: c_int) -> libc::ucred {
    let mut who = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of_val(&who) as libc::socklen_t;
    // SAFETY: the option's value is a ucred, and `length` says how many bytes may be written there.
    if unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut who).cast(), &mut length) } == -1 {
        fail("getsockopt");
    }
    who
}

/// Hears what the client says, and answers if that was all. True if there is nothing more to do for it.
fn go_on_with(client: &mut Client, directory: c_int) -> bool {
    match hear(client) {
        Said::Part => return false,
        Said::Nothing => return true,
        Said::All => {}
    }
    // SAFETY: has no precondition.
    let own = unsafe { libc::geteuid() };
    let opened = if client.who.uid == own { open_file(directory, &client.name) } else { Err(libc::EPERM) };
    let error = opened.err().unwrap_or(0);
    if answer(client.socket, error, opened.ok()) {
        say(&format!("served {} {} {error}", client.who.pid, client.who.uid));
    }
    if let Ok(file) = opened {
        // The client has its own descriptor now, or is gone.
        close(file);
    }
    true
}

/// Takes in what has come from the client. Descriptors that it may have sent along are dropped by the kernel, since recv has no
/// room for them.
fn hear(client: &mut Client) -> Said {
    let mut buffer = [0; LONGEST_NAME + 1];
    loop {
        // SAFETY: pointer and length are those of the buffer.
        let count = unsafe { libc::recv(client.socket, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        match count {
            -1 => match errno() {
                libc::EINTR => {}
                libc::EAGAIN => return Said::Part,
                _ => return Said::Nothing,
            },
            0 => return Said::Nothing,
            _ => {
                let part = &buffer[..count as usize];
                let end = part.iter().position(|byte| *byte == 0);
                client.name.extend_from_slice(&part[..end.unwrap_or(part.len())]);
                if end.is_some() || client.name.len() > LONGEST_NAME {
                    return Said::All;
                }
            }
        }
    }
}

/// Opens a file of the directory for reading; else says why not.
fn open_file(directory: c_int, name: &[u8]) -> Result<c_int, c_int> {
    if name.len() > LONGEST_NAME {
        return Err(libc::ENAMETOOLONG);
    }
    if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') {
        return Err(libc::EINVAL);
    }
    let name = CString::new(name).map_err(|_| libc::EINVAL)?;
    // Not through a symbolic link, and without waiting for the other end of a FIFO.
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = loop {
        // SAFETY: `name` is a C string.
        let file = unsafe { libc::openat(directory, name.as_ptr(), flags) };
        if file != -1 {
            break file;
        }
        match errno() {
            libc::EINTR => {}
            error => return Err(error),
        }
    };
    // What is open stays what it is, whatever becomes of the name: only now is it certain what the client would get.
    // SAFETY: a C structure of integers, for which all zeros is a value.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `status` may be written.
    if unsafe { libc::fstat(file, &mut status) } == -1 {
        fail("fstat");
    }
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        close(file);
        return Err(libc::EACCES);
    }
    Ok(file)
}

/// How many bytes of data an ancillary message with one descriptor has.
const ONE_DESCRIPTOR: u32 = size_of::<c_int>() as u32;
/// How long such a message is, with its header and what fills it up to the next one.
// SAFETY: has no precondition.
const CONTROL_SIZE: usize = unsafe { libc::CMSG_SPACE(ONE_DESCRIPTOR) } as usize;

/// A buffer for it. The header makes it aligned as a header must be: an array of bytes alone may lie anywhere.
#[repr(C)]
union Control {
    header: libc::cmsghdr,
    bytes: [u8; CONTROL_SIZE],
}

/// Sends the answer: the error number, and with it the descriptor of the file if there is one. False if the client is gone.
fn answer(socket: c_int, error: c_int, file: Option<c_int>) -> bool {
    let mut number = error.to_ne_bytes();
    let mut part = libc::iovec { iov_base: number.as_mut_ptr().cast(), iov_len: number.len() };
    let mut control = Control { bytes: [0; CONTROL_SIZE] };
    // SAFETY: a C structure of integers and pointers, for which all zeros is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if let Some(file) = file {
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = CONTROL_SIZE as _;
        put_descriptor(&message, file);
    }
    loop {
        // Four bytes find room whole or not at all: the client has been sent nothing else.
        // SAFETY: the message's pointers and lengths are those of `part` and `control`, which live through the call.
        if unsafe { libc::sendmsg(socket, &message, libc::MSG_NOSIGNAL) } != -1 {
            return true;
        }
        match errno() {
            libc::EINTR => {}
            libc::EPIPE | libc::ECONNRESET => return false,
            _ => fail("sendmsg"),
        }
    }
}

/// Fills the message's ancillary buffer: a header, and the descriptor behind it.
fn put_descriptor(message: &libc::msghdr, file: c_int) {
    // SAFETY: the message has a control buffer.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: has no precondition.
    let length = unsafe { libc::CMSG_LEN(ONE_DESCRIPTOR) };
    // SAFETY: a C structure of integers, for which all zeros is a value.
    let mut filled: libc::cmsghdr = unsafe { std::mem::zeroed() };
    filled.cmsg_len = length as _;
    filled.cmsg_level = libc::SOL_SOCKET;
    filled.cmsg_type = libc::SCM_RIGHTS;
    // SAFETY: the buffer is aligned for a header and has room for one.
    unsafe { header.write(filled) };
    // SAFETY: `header` points to a header in the buffer.
    let data: *mut c_int = unsafe { libc::CMSG_DATA(header) }.cast();
    // SAFETY: there is room for one descriptor behind the header.
    unsafe { data.write_unaligned(file) };
}

fn close(fd: c_int) {
    // SAFETY: the caller owns `fd` and does not use it afterwards.
    let result = unsafe { libc::close(fd) };
    // Linux has closed the descriptor also when it reports EINTR: a second close could hit another file.
    if result == -1 && errno() != libc::EINTR {
        fail("close");
    }
}
