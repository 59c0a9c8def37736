//! fdbroker as one would write it in C: a child process for each client, which the kernel reaps; a handler that removes the socket and ends the process
//! itself; names looked at with fstatat before they are opened, and again afterwards.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{c_char, c_int};
use memoffset::offset_of;

/// The socket's path, for the handler.
static PATH: AtomicPtr<c_char> = AtomicPtr::new(std::ptr::null_mut());

extern "C" fn stop(_signal: c_int) {
    let path = PATH.load(Ordering::Relaxed);
    if !path.is_null() {
        // SAFETY: the path is a C string that is never freed; unlink is async-signal-safe.
        unsafe { libc::unlink(path) };
    }
    // SAFETY: no precondition; _exit is async-signal-safe.
    unsafe { libc::_exit(0) };
}

fn main() {
    let arguments: Vec<CString> = std::env::args_os().skip(1).map(|word| CString::new(word.into_vec()).unwrap()).collect();
    if arguments.len() != 2 || arguments[0].is_empty() || arguments[0].as_bytes().len() > 107 {
        eprintln!("usage: fdbroker SOCK DIR");
        exit(2);
    }
    let directory = &arguments[1];
    handle(libc::SIGTERM, stop as extern "C" fn(c_int) as libc::sighandler_t);
    handle(libc::SIGINT, stop as extern "C" fn(c_int) as libc::sighandler_t);
    // Children leave no zombies.
    handle(libc::SIGCHLD, libc::SIG_IGN);

    let listener = listen(&arguments[0]);
    print_all(b"ready\n");
    loop {
        // SAFETY: null pointers say that the client's address is not wanted.
        let client = unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) };
        if client == -1 && (errno() == libc::EINTR || errno() == libc::ECONNABORTED) {
            continue;
        }
        check("accept4", client);
        // SAFETY: there is one thread.
        let pid = unsafe { libc::fork() };
        check("fork", pid);
        if pid == 0 {
            // The socket's name is the parent's.
            PATH.store(std::ptr::null_mut(), Ordering::Relaxed);
            close(listener);
            serve(client, directory);
            // SAFETY: no precondition.
            unsafe { libc::_exit(0) };
        }
        close(client);
    }
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn check(call: &str, result: c_int) {
    if result == -1 {
        eprintln!("fdbroker: {call}: {}", std::io::Error::last_os_error());
        exit(1);
    }
}

fn close(fd: c_int) {
    // SAFETY: the caller does not use `fd` afterwards.
    unsafe { libc::close(fd) };
}

fn handle(signal: c_int, handler: libc::sighandler_t) {
    // SAFETY: a C structure of integers and an optional pointer.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `action` is initialised, and its handler makes async-signal-safe calls only.
    check("sigaction", unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) });
}

fn print_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: pointer and length are those of the slice.
        let n = unsafe { libc::write(1, bytes.as_ptr().cast(), bytes.len()) };
        if n == -1 && errno() == libc::EINTR {
            continue;
        }
        check("write", n as c_int);
        bytes = &bytes[n as usize..];
    }
}

fn new_socket() -> c_int {
    // SAFETY: no precondition.
    let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
    check("socket", fd);
    // SAFETY: FD_CLOEXEC is the argument that F_SETFD takes.
    check("fcntl", unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) });
    fd
}

fn listen(path: &CString) -> c_int {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    let bytes = path.as_bytes();
    // SAFETY: the path has at most 107 bytes, and the two do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), address.sun_path.as_mut_ptr(), bytes.len()) };
    let length = (offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1) as libc::socklen_t;
    let fd = new_socket();
    // SAFETY: `length` is at most the address's size.
    let mut result = unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    if result == -1 && errno() == libc::EADDRINUSE {
        // SAFETY: a C structure of integers.
        let mut status: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: `path` is a C string, and `status` may be written.
        check("lstat", unsafe { libc::lstat(path.as_ptr(), &mut status) });
        let probe = new_socket();
        // SAFETY: `length` is at most the address's size.
        let connected = unsafe { libc::connect(probe, (&raw const address).cast(), length) };
        let stale = connected == -1 && errno() == libc::ECONNREFUSED;
        close(probe);
        if status.st_mode & libc::S_IFMT != libc::S_IFSOCK || !stale {
            eprintln!("fdbroker: bind: {} is in use (EADDRINUSE)", path.to_string_lossy());
            exit(1);
        }
        // SAFETY: `path` is a C string.
        check("unlink", unsafe { libc::unlink(path.as_ptr()) });
        // SAFETY: `length` is at most the address's size.
        result = unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    }
    check("bind", result);
    PATH.store(path.clone().into_raw(), Ordering::Relaxed);
    // SAFETY: no precondition.
    check("listen", unsafe { libc::listen(fd, 32) });
    fd
}

fn serve(client: c_int, directory: &CString) {
    let mut name = Vec::new();
    loop {
        let mut byte = 0u8;
        // SAFETY: there is room for one byte.
        match unsafe { libc::read(client, (&raw mut byte).cast(), 1) } {
            -1 if errno() == libc::EINTR => continue,
            -1 | 0 => return,
            _ => {}
        }
        if byte == 0 {
            break;
        }
        // What is too long is read to its end and not kept.
        if name.len() < 256 {
            name.push(byte);
        }
    }
    let mut who = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = size_of_val(&who) as libc::socklen_t;
    // SAFETY: `size` is the size of `who`, which may be written.
    check("getsockopt", unsafe { libc::getsockopt(client, libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut who).cast(), &mut size) });
    // SAFETY: no precondition.
    let allowed = who.uid == unsafe { libc::getuid() };
    let (number, file) = if allowed { open(directory, name) } else { (libc::EPERM, -1) };
    if answer(client, number, file) {
        print_all(format!("served {} {} {number}\n", who.pid, who.uid).as_bytes());
    }
}

/// The number of the answer, and the descriptor if that is 0.
fn open(directory: &CString, name: Vec<u8>) -> (c_int, c_int) {
    if name.len() > 255 {
        return (libc::ENAMETOOLONG, -1);
    }
    if name.is_empty() || name == b"." || name == b".." || name.iter().any(|byte| *byte == b'/') {
        return (libc::EINVAL, -1);
    }
    let name = CString::new(name).unwrap();
    let at = loop {
        // SAFETY: `directory` is a C string.
        let at = unsafe { libc::open(directory.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
        if at != -1 || errno() != libc::EINTR {
            break at;
        }
    };
    if at == -1 {
        return (errno(), -1);
    }
    // SAFETY: a C structure of integers.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is a C string, and `status` may be written.
    if unsafe { libc::fstatat(at, name.as_ptr(), &mut status, libc::AT_SYMLINK_NOFOLLOW) } == -1 {
        return (errno(), -1);
    }
    match status.st_mode & libc::S_IFMT {
        libc::S_IFREG => {}
        libc::S_IFLNK => return (libc::ELOOP, -1),
        _ => return (libc::EACCES, -1),
    }
    // It was a regular file a moment ago.
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = loop {
        // SAFETY: `name` is a C string.
        let file = unsafe { libc::openat(at, name.as_ptr(), flags) };
        if file != -1 || errno() != libc::EINTR {
            break file;
        }
    };
    if file == -1 {
        return (errno(), -1);
    }
    // SAFETY: `status` may be written.
    check("fstat", unsafe { libc::fstat(file, &mut status) });
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return (libc::EACCES, -1);
    }
    (0, file)
}

#[repr(C, align(8))]
struct Control {
    bytes: [u8; 24],
}

/// All that is open here is closed with the process.
fn answer(client: c_int, number: c_int, file: c_int) -> bool {
    let mut number = number;
    let mut part = libc::iovec { iov_base: (&raw mut number).cast(), iov_len: 4 };
    let mut control = Control { bytes: [0; 24] };
    // SAFETY: a C structure of integers and pointers.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if file != -1 {
        // A cmsghdr on a 64-bit machine: length, level, type; then the descriptor.
        control.bytes[0..8].copy_from_slice(&20u64.to_ne_bytes());
        control.bytes[8..12].copy_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
        control.bytes[12..16].copy_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
        control.bytes[16..20].copy_from_slice(&file.to_ne_bytes());
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = 20;
    }
    loop {
        // SAFETY: all pointers and lengths in the message are those of variables that live through the call.
        let n = unsafe { libc::sendmsg(client, &message, 0) };
        if n == 4 {
            return true;
        }
        if n != -1 || errno() != libc::EINTR {
            return false;
        }
    }
}
