//! fdbroker with a thread for each client and one that waits for signals. It takes the client's credentials out of its messages (SO_PASSCRED,
//! SCM_CREDENTIALS), looks at SOCK before it binds, and gives bind the size of the whole address structure.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::sync::Arc;
use std::thread;

use libc::c_int;

fn main() {
    let arguments: Vec<Vec<u8>> = std::env::args_os().skip(1).map(OsStringExt::into_vec).collect();
    let [socket, directory] = &arguments[..] else { usage() };
    if socket.is_empty() || socket.len() > 107 {
        usage();
    }
    let socket = CString::new(socket.clone()).unwrap();
    let directory = Arc::new(directory.clone());

    // Before there are threads, so that all of them have the signals blocked.
    let stop = stop_signals();
    // SAFETY: `stop` is initialised, a null old set is permitted.
    let blocked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &stop, std::ptr::null_mut()) };
    if blocked != 0 {
        give_up("pthread_sigmask", &io::Error::from_raw_os_error(blocked));
    }
    let listener = listen(&socket);
    thread::spawn(move || {
        let mut signal = 0;
        // SAFETY: both pointers are to initialised variables that outlive the call.
        unsafe { libc::sigwait(&stop, &mut signal) };
        // SAFETY: `socket` is a C string.
        unsafe { libc::unlink(socket.as_ptr()) };
        exit(0);
    });
    println!("ready");
    loop {
        // SAFETY: null pointers say that the client's address is not wanted.
        let client = unsafe { libc::accept4(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) };
        match owned(client) {
            Ok(client) => {
                let directory = Arc::clone(&directory);
                thread::spawn(move || serve(&client, &directory));
            }
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::ECONNABORTED)) => {}
            Err(error) => give_up("accept4", &error),
        }
    }
}

fn usage() -> ! {
    eprintln!("usage: fdbroker SOCK DIR");
    exit(2);
}

fn give_up(call: &str, error: &io::Error) -> ! {
    eprintln!("fdbroker: {call}: {error}");
    exit(1);
}

fn check(call: &str, result: c_int) {
    if result == -1 {
        give_up(call, &io::Error::last_os_error());
    }
}

/// The descriptor that a call has returned.
fn owned(descriptor: c_int) -> io::Result<OwnedFd> {
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has made the descriptor just now, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn stop_signals() -> libc::sigset_t {
    // SAFETY: sigset_t is a C structure of integers.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` may be written.
    unsafe { libc::sigemptyset(&mut set) };
    // SAFETY: `set` is initialised.
    unsafe { libc::sigaddset(&mut set, libc::SIGTERM) };
    // SAFETY: `set` is initialised.
    unsafe { libc::sigaddset(&mut set, libc::SIGINT) };
    set
}

fn new_socket() -> OwnedFd {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    owned(socket).unwrap_or_else(|error| give_up("socket", &error))
}

const ADDRESS_SIZE: libc::socklen_t = size_of::<libc::sockaddr_un>() as libc::socklen_t;

fn listen(path: &CString) -> OwnedFd {
    // SAFETY: a C structure of integers.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    // The rest of the path stays zero, and the kernel looks no further than the first zero byte.
    path.as_bytes().iter().zip(&mut address.sun_path).for_each(|(byte, place)| *place = *byte as libc::c_char);

    // SAFETY: a C structure of integers.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `path` is a C string, and `status` may be written.
    let there = unsafe { libc::lstat(path.as_ptr(), &mut status) } == 0;
    if there && status.st_mode & libc::S_IFMT == libc::S_IFSOCK {
        let probe = new_socket();
        // SAFETY: pointer and length are those of `address`.
        let connected = unsafe { libc::connect(probe.as_raw_fd(), (&raw const address).cast(), ADDRESS_SIZE) };
        if connected == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::ECONNREFUSED) {
            // SAFETY: `path` is a C string.
            check("unlink", unsafe { libc::unlink(path.as_ptr()) });
        }
    }
    let socket = new_socket();
    let on: c_int = 1;
    let on_size = size_of_val(&on) as libc::socklen_t;
    // Accepted sockets inherit it, so that no message comes without credentials.
    // SAFETY: pointer and length are those of `on`.
    check("setsockopt", unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PASSCRED, (&raw const on).cast(), on_size) });
    // SAFETY: pointer and length are those of `address`.
    check("bind", unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_SIZE) });
    // SAFETY: no precondition.
    check("listen", unsafe { libc::listen(socket.as_raw_fd(), libc::SOMAXCONN) });
    socket
}

/// One client from its first byte to its answer.
fn serve(client: &OwnedFd, directory: &[u8]) {
    let mut name = Vec::new();
    let mut who = None;
    while !name.contains(&0) && name.len() <= 255 {
        let mut buffer = [0; 64];
        match receive(client, &mut buffer) {
            Ok((0, _)) | Err(_) => return,
            Ok((length, credentials)) => {
                name.extend_from_slice(&buffer[..length]);
                who = who.or(credentials);
            }
        }
    }
    let Some(who) = who else { return };
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name.truncate(length);
    // SAFETY: no precondition.
    let opened = if who.uid == unsafe { libc::geteuid() } { open(directory, &name) } else { Err(libc::EPERM) };
    let (number, file) = match opened {
        Ok(file) => (0, Some(file)),
        Err(number) => (number, None),
    };
    if send(client, number, file.as_ref()).is_ok() {
        println!("served {} {} {number}", who.pid, who.uid);
    }
}

/// recvmsg with room for credentials and some descriptors; those are dropped, which closes them.
fn receive(client: &OwnedFd, buffer: &mut [u8]) -> io::Result<(usize, Option<libc::ucred>)> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = [0u64; 16];
    // SAFETY: a C structure of integers and pointers.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    let length = loop {
        // SAFETY: all pointers and lengths in the message are those of variables that live through the call.
        let length = unsafe { libc::recvmsg(client.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) };
        match io::Error::last_os_error() {
            _ if length >= 0 => break length as usize,
            error if error.raw_os_error() == Some(libc::EINTR) => {}
            error => return Err(error),
        }
    };
    let mut credentials = None;
    // SAFETY: the kernel has filled the control buffer and set its length.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&message) };
    // SAFETY: null, or a header in the buffer, which is aligned.
    while let Some(found) = unsafe { header.as_ref() } {
        // SAFETY: `found` is a header in the buffer.
        let data = unsafe { libc::CMSG_DATA(found) };
        match found.cmsg_type {
            libc::SCM_CREDENTIALS => {
                // SAFETY: this is the type of what such a header announces.
                credentials = Some(unsafe { data.cast::<libc::ucred>().read_unaligned() });
            }
            libc::SCM_RIGHTS => {
                let count = (found.cmsg_len - size_of::<libc::cmsghdr>()) / size_of::<c_int>();
                for index in 0..count {
                    // SAFETY: the header announces so many descriptors.
                    let uninvited = unsafe { data.cast::<c_int>().wrapping_add(index).read_unaligned() };
                    drop(owned(uninvited));
                }
            }
            _ => {}
        }
        // SAFETY: `header` is a header of this message.
        header = unsafe { libc::CMSG_NXTHDR(&message, header) };
    }
    Ok((length, credentials))
}

fn open(directory: &[u8], name: &[u8]) -> Result<OwnedFd, c_int> {
    match name {
        _ if name.len() > 255 => return Err(libc::ENAMETOOLONG),
        b"" | b"." | b".." => return Err(libc::EINVAL),
        _ if name.contains(&b'/') => return Err(libc::EINVAL),
        _ => {}
    }
    let path = CString::new([directory, b"/", name].concat()).map_err(|_| libc::EINVAL)?;
    let file = loop {
        // SAFETY: `path` is a C string.
        let file = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC) };
        match owned(file) {
            Ok(file) => break file,
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            Err(error) => return Err(error.raw_os_error().unwrap_or(libc::EIO)),
        }
    };
    let file = std::fs::File::from(file);
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file.into()),
        _ => Err(libc::EACCES),
    }
}

fn send(client: &OwnedFd, number: c_int, file: Option<&OwnedFd>) -> io::Result<()> {
    let bytes = number.to_ne_bytes();
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = [0u64; 3];
    // SAFETY: a C structure of integers and pointers.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if let Some(file) = file {
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: the message has a control buffer.
        let header = unsafe { libc::CMSG_FIRSTHDR(&message) };
        // SAFETY: the header lies in the buffer, which is aligned and all zeros.
        let filled = unsafe { &mut *header };
        filled.cmsg_level = libc::SOL_SOCKET;
        filled.cmsg_type = libc::SCM_RIGHTS;
        // SAFETY: no precondition.
        filled.cmsg_len = unsafe { libc::CMSG_LEN(4) } as usize;
        // SAFETY: the header lies in the buffer.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: behind the header there is room for a descriptor.
        unsafe { data.cast::<c_int>().write_unaligned(file.as_raw_fd()) };
    }
    loop {
        // SAFETY: all pointers and lengths in the message are those of variables that live through the call.
        let sent = unsafe { libc::sendmsg(client.as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
        match io::Error::last_os_error() {
            _ if sent >= 0 => return Ok(()),
            error if error.raw_os_error() == Some(libc::EINTR) => {}
            error => return Err(error),
        }
    }
}
