//! fdbroker with a crew of four processes that all accept on the same socket: four clients that say nothing keep all of them waiting, and the fifth is
//! never served.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::exit;

use libc::c_int;
use memoffset::offset_of;

/// How many processes serve clients.
const CREW: usize = 4;

fn main() {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    let ([socket, directory], true) = (&arguments[..], arguments.first().is_some_and(|path| (1..=107).contains(&path.len()))) else {
        eprintln!("usage: fdbroker SOCK DIR");
        exit(2);
    };
    let path = CString::new(socket.clone().into_vec()).unwrap();
    let directory = PathBuf::from(directory);
    let stop = blocked_stop_signals();
    let listener = listen(&path);
    let crew: Vec<libc::pid_t> = (0..CREW).map(|_| start_worker(listener, &directory, &stop)).collect();
    println!("ready");
    let mut signal = 0;
    // SAFETY: both pointers are to initialised variables.
    unsafe { libc::sigwait(&stop, &mut signal) };
    // SAFETY: `path` is a C string.
    unsafe { libc::unlink(path.as_ptr()) };
    for worker in crew {
        // SAFETY: no precondition.
        unsafe { libc::kill(worker, libc::SIGKILL) };
        // SAFETY: a null status pointer is permitted.
        unsafe { libc::waitpid(worker, std::ptr::null_mut(), 0) };
    }
}

fn must(call: &str, result: c_int) -> c_int {
    if result == -1 {
        eprintln!("fdbroker: {call}: {}", io::Error::last_os_error());
        exit(1);
    }
    result
}

fn interrupted() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

fn blocked_stop_signals() -> libc::sigset_t {
    // SAFETY: a C structure of integers.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: all zeros is an empty set here.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    // SAFETY: `set` is initialised, a null old set is permitted.
    must("sigprocmask", unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) });
    set
}

fn start_worker(listener: c_int, directory: &Path, stop: &libc::sigset_t) -> libc::pid_t {
    // SAFETY: there is one thread.
    let pid = must("fork", unsafe { libc::fork() });
    if pid != 0 {
        return pid;
    }
    // SAFETY: `stop` is initialised, a null old set is permitted.
    unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, stop, std::ptr::null_mut()) };
    // Nobody is left behind by a parent that was killed.
    // SAFETY: PR_SET_PDEATHSIG takes a signal.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    loop {
        // SAFETY: null pointers say that the client's address is not wanted.
        let client = unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) };
        if client == -1 && interrupted() {
            continue;
        }
        must("accept4", client);
        // SAFETY: accept4 has made the descriptor just now. A File serves to read from any descriptor.
        serve(unsafe { File::from_raw_fd(client) }, directory);
    }
}

fn listen(path: &CString) -> c_int {
    // SAFETY: a C structure of integers.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    path.as_bytes().iter().zip(&mut address.sun_path).for_each(|(byte, place)| *place = *byte as libc::c_char);
    let length = (offset_of!(libc::sockaddr_un, sun_path) + path.as_bytes().len() + 1) as libc::socklen_t;
    // SAFETY: no precondition.
    let socket = must("socket", unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) });
    if let Ok(found) = std::fs::symlink_metadata(Path::new(std::ffi::OsStr::from_bytes(path.as_bytes()))) {
        use std::os::unix::fs::FileTypeExt;
        // The socket itself serves as the probe: refused, it is as good as new.
        // SAFETY: the address has at least `length` bytes.
        let connected = unsafe { libc::connect(socket, (&raw const address).cast(), length) };
        if found.file_type().is_socket() && connected == -1 {
            // SAFETY: `path` is a C string.
            must("unlink", unsafe { libc::unlink(path.as_ptr()) });
        } else {
            eprintln!("fdbroker: bind: something is there already (EADDRINUSE)");
            exit(1);
        }
    }
    // SAFETY: the address has at least `length` bytes.
    must("bind", unsafe { libc::bind(socket, (&raw const address).cast(), length) });
    // SAFETY: no precondition.
    must("listen", unsafe { libc::listen(socket, 64) });
    socket
}

/// One client; client and file are closed at the end, whatever happens.
fn serve(mut client: File, directory: &Path) {
    let mut name = Vec::new();
    let mut byte = [0];
    loop {
        match client.read(&mut byte) {
            Ok(1) if byte[0] == 0 => break,
            Ok(1) if name.len() < 300 => name.push(byte[0]),
            Ok(1) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return,
        }
    }
    let mut who = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of_val(&who) as libc::socklen_t;
    // SAFETY: `length` is the size of `who`.
    must("getsockopt", unsafe { libc::getsockopt(client.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut who).cast(), &mut length) });
    // SAFETY: no precondition.
    let opened = if who.uid == unsafe { libc::getuid() } { open(directory, &name) } else { Err(libc::EPERM) };
    let number = opened.as_ref().err().copied().unwrap_or(0);
    if answer(&client, number, opened.ok()) {
        let _ = io::stdout().write_all(format!("served {} {} {number}\n", who.pid, who.uid).as_bytes());
    }
}

fn open(directory: &Path, name: &[u8]) -> Result<File, c_int> {
    if name.len() > 255 {
        return Err(libc::ENAMETOOLONG);
    }
    if [&b""[..], b".", b".."].contains(&name) || name.contains(&b'/') {
        return Err(libc::EINVAL);
    }
    let path = directory.join(std::ffi::OsStr::from_bytes(name));
    let number = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).map_err(number)?;
    if file.metadata().map_err(number)?.is_file() { Ok(file) } else { Err(libc::EACCES) }
}

fn answer(client: &File, number: c_int, file: Option<File>) -> bool {
    let bytes = number.to_ne_bytes();
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: 4 };
    // Header (length, level and type) and descriptor, as words of eight bytes.
    let mut control = [20u64, 0, 0];
    control[1] = u64::from_ne_bytes([libc::SOL_SOCKET.to_ne_bytes(), libc::SCM_RIGHTS.to_ne_bytes()].concat().try_into().unwrap());
    // SAFETY: a C structure of integers and pointers.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if let Some(file) = &file {
        control[2] = u64::from_ne_bytes([file.as_raw_fd().to_ne_bytes(), [0; 4]].concat().try_into().unwrap());
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = 20;
    }
    loop {
        // SAFETY: all pointers and lengths in the message are those of variables that live through the call.
        match unsafe { libc::sendmsg(client.as_raw_fd(), &message, libc::MSG_NOSIGNAL) } {
            -1 if interrupted() => {}
            sent => return sent != -1,
        }
    }
}
