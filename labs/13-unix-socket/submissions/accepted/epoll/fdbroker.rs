//! fdbroker with epoll and a signalfd. It opens names with O_PATH first, which never waits and follows nothing, and opens what it has found through
//! /proc/self/fd. The address has its length without the zero byte, and the lock on a broker is the socket itself.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsString};
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use libc::c_int;
use memoffset::span_of;

/// A call that failed.
struct Failure(&'static str, io::Error);

type Outcome<T> = Result<T, Failure>;

/// The result of a call, or its failure.
fn try_call(call: &'static str, result: c_int) -> Outcome<c_int> {
    if result == -1 { Err(Failure(call, io::Error::last_os_error())) } else { Ok(result) }
}

/// The same for a call that makes a descriptor.
fn try_open(call: &'static str, result: c_int) -> Outcome<OwnedFd> {
    // SAFETY: the call has made the descriptor just now, and nothing else owns it.
    try_call(call, result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Failure {
    fn number(&self) -> c_int {
        self.1.raw_os_error().unwrap_or(libc::EIO)
    }
}

/// Makes a call again that a signal has interrupted.
fn again<T>(mut call: impl FnMut() -> Outcome<T>) -> Outcome<T> {
    loop {
        match call() {
            Err(failure) if failure.number() == libc::EINTR => {}
            outcome => return outcome,
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [path, directory] = &arguments[..] else { return usage() };
    if path.is_empty() || path.len() > 107 {
        return usage();
    }
    let path = CString::new(path.clone().into_vec()).expect("no zero byte");
    let directory = CString::new(directory.clone().into_vec()).expect("no zero byte");
    match run(&path, &directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(call, error)) => {
            eprintln!("fdbroker: {call}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: fdbroker SOCK DIR");
    ExitCode::from(2)
}

fn run(path: &CStr, directory: &CStr) -> Outcome<()> {
    let signals = take_signals()?;
    let listener = listen(path)?;
    // SAFETY: `directory` is a C string.
    let directory = try_open("open", unsafe { libc::open(directory.as_ptr(), libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC) })?;
    // SAFETY: no precondition.
    let epoll = try_open("epoll_create1", unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    watch(&epoll, signals.as_raw_fd())?;
    watch(&epoll, listener.as_raw_fd())?;
    println!("ready");
    let mut clients: HashMap<RawFd, (OwnedFd, Vec<u8>)> = HashMap::new();
    'serving: loop {
        for ready in wait(&epoll)? {
            if ready == signals.as_raw_fd() {
                break 'serving;
            } else if ready == listener.as_raw_fd() {
                if let Some(client) = accept(&listener)? {
                    watch(&epoll, client.as_raw_fd())?;
                    clients.insert(client.as_raw_fd(), (client, Vec::new()));
                }
            } else if let Some((client, name)) = clients.get_mut(&ready)
                && !go_on(client, name, &directory)?
            {
                // Closed, it is out of the epoll too.
                clients.remove(&ready);
            }
        }
    }
    // SAFETY: `path` is a C string.
    try_call("unlink", unsafe { libc::unlink(path.as_ptr()) })?;
    Ok(())
}

fn take_signals() -> Outcome<OwnedFd> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` may be written.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: sigemptyset has initialised it.
    let mut set: libc::sigset_t = unsafe { set.assume_init() };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `set` is initialised.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    // SAFETY: `set` is initialised, a null old set is permitted.
    try_call("sigprocmask", unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) })?;
    // SAFETY: `set` is initialised.
    try_open("signalfd", unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC) })
}

fn new_socket() -> Outcome<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no precondition.
    try_open("socket", unsafe { libc::socket(libc::AF_UNIX, kind, 0) })
}

fn listen(path: &CStr) -> Outcome<OwnedFd> {
    // SAFETY: a C structure of integers.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (place, byte) in address.sun_path.iter_mut().zip(path.to_bytes()) {
        *place = *byte as libc::c_char;
    }
    let length = (span_of!(libc::sockaddr_un, ..sun_path).end + path.to_bytes().len()) as libc::socklen_t;
    let listener = new_socket()?;
    // SAFETY: the address has at least `length` bytes.
    let bind = || try_call("bind", unsafe { libc::bind(listener.as_raw_fd(), (&raw const address).cast(), length) });
    match bind() {
        Err(failure) if failure.number() == libc::EADDRINUSE => {
            let is_socket = std::fs::symlink_metadata(std::path::Path::new(&OsString::from_vec(path.to_bytes().to_vec())))
                .is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()));
            let probe = new_socket()?;
            // SAFETY: the address has at least `length` bytes.
            let connected = try_call("connect", unsafe { libc::connect(probe.as_raw_fd(), (&raw const address).cast(), length) });
            if !is_socket || !matches!(connected, Err(refused) if refused.number() == libc::ECONNREFUSED) {
                return Err(failure);
            }
            // SAFETY: `path` is a C string.
            try_call("unlink", unsafe { libc::unlink(path.as_ptr()) })?;
            bind()?;
        }
        outcome => drop(outcome?),
    }
    // SAFETY: no precondition.
    try_call("listen", unsafe { libc::listen(listener.as_raw_fd(), 100) })?;
    Ok(listener)
}

fn watch(epoll: &OwnedFd, fd: RawFd) -> Outcome<()> {
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: fd as u64 };
    // SAFETY: `event` is initialised.
    try_call("epoll_ctl", unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) }).map(drop)
}

fn wait(epoll: &OwnedFd) -> Outcome<Vec<RawFd>> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
    // SAFETY: pointer and count are those of the array.
    let wait = || try_call("epoll_wait", unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), 8, -1) });
    let count = again(wait)?;
    Ok(events[..count as usize].iter().map(|event| event.u64 as RawFd).collect())
}

fn accept(listener: &OwnedFd) -> Outcome<Option<OwnedFd>> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: null pointers say that the client's address is not wanted.
    let accept = || try_open("accept4", unsafe { libc::accept4(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), flags) });
    match again(accept) {
        Err(failure) if matches!(failure.number(), libc::EAGAIN | libc::ECONNABORTED) => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// Goes on with a client that has something to say; false when it is done.
fn go_on(client: &OwnedFd, name: &mut Vec<u8>, directory: &OwnedFd) -> Outcome<bool> {
    let mut buffer = [0u8; 100];
    // SAFETY: pointer and length are those of the buffer.
    let read = || try_call("read", unsafe { libc::read(client.as_raw_fd(), buffer.as_mut_ptr().cast(), 100) } as c_int);
    match again(read) {
        Err(failure) if failure.number() == libc::EAGAIN => return Ok(true),
        Err(_) | Ok(0) => return Ok(false),
        Ok(count) => name.extend_from_slice(&buffer[..count as usize]),
    }
    let end = match name.iter().position(|byte| *byte == 0) {
        Some(end) => end,
        None if name.len() > 255 => name.len(),
        None => return Ok(true),
    };
    let mut who = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of_val(&who) as libc::socklen_t;
    // SAFETY: `length` is the size of `who`, which may be written.
    let asked = unsafe { libc::getsockopt(client.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut who).cast(), &mut length) };
    try_call("getsockopt", asked)?;
    // SAFETY: no precondition.
    let own = unsafe { libc::geteuid() };
    let opened = if who.uid == own { open(directory, &name[..end]) } else { Err(libc::EPERM) };
    let number = opened.as_ref().err().copied().unwrap_or(0);
    match answer(client, number, opened.ok()) {
        Ok(()) => println!("served {} {} {number}", who.pid, who.uid),
        Err(failure) => eprintln!("fdbroker: a client: {}: {}", failure.0, failure.1),
    }
    Ok(false)
}

fn open(directory: &OwnedFd, name: &[u8]) -> Result<OwnedFd, c_int> {
    if name.len() > 255 {
        return Err(libc::ENAMETOOLONG);
    }
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
        return Err(libc::EINVAL);
    }
    let name = CString::new(name).map_err(|_| libc::EINVAL)?;
    let open_at = |directory: RawFd, path: &CStr, flags: c_int| {
        // SAFETY: `path` is a C string.
        again(|| try_open("openat", unsafe { libc::openat(directory, path.as_ptr(), flags | libc::O_CLOEXEC) })).map_err(|failure| failure.number())
    };
    let found = open_at(directory.as_raw_fd(), &name, libc::O_PATH | libc::O_NOFOLLOW)?;
    // SAFETY: a C structure of integers.
    let mut status: libc::stat = unsafe { zeroed() };
    // SAFETY: `status` may be written.
    try_call("fstat", unsafe { libc::fstat(found.as_raw_fd(), &mut status) }).map_err(|failure| failure.number())?;
    match status.st_mode & libc::S_IFMT {
        libc::S_IFREG => {}
        libc::S_IFLNK => return Err(libc::ELOOP),
        _ => return Err(libc::EACCES),
    }
    let through = CString::new(format!("/proc/self/fd/{}", found.as_raw_fd())).expect("no zero byte");
    open_at(libc::AT_FDCWD, &through, libc::O_RDONLY)
}

#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    descriptor: c_int,
}

/// Sends the answer; the file is closed when this returns.
fn answer(client: &OwnedFd, number: c_int, file: Option<OwnedFd>) -> Outcome<()> {
    let bytes = number.to_ne_bytes();
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: a C structure of integers.
    let mut control: Control = unsafe { zeroed() };
    // SAFETY: a C structure of integers and pointers.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if let Some(file) = &file {
        // SAFETY: no precondition.
        control.header.cmsg_len = unsafe { libc::CMSG_LEN(4) } as usize;
        control.header.cmsg_level = libc::SOL_SOCKET;
        control.header.cmsg_type = libc::SCM_RIGHTS;
        control.descriptor = file.as_raw_fd();
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = size_of::<Control>();
    }
    // SAFETY: all pointers and lengths in the message are those of variables that live through the call.
    again(|| try_call("sendmsg", unsafe { libc::sendmsg(client.as_raw_fd(), &message, libc::MSG_NOSIGNAL) } as c_int)).map(drop)
}
