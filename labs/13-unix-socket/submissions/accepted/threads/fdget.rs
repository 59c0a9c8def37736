//! fdget in the idiom of std: descriptors are OwnedFd from the first moment, errors travel as Result, and std copies the file (by splice or
//! sendfile, if it likes).

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use libc::c_int;
use memoffset::span_of;

type Failure = (String, String);

fn failed(call: &str, error: impl Display) -> Failure {
    (call.to_owned(), error.to_string())
}

fn last(call: &str) -> Failure {
    failed(call, io::Error::last_os_error())
}

fn interrupted() -> bool {
    io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn main() -> ExitCode {
    let arguments: Vec<Vec<u8>> = std::env::args_os().skip(1).map(OsStringExt::into_vec).collect();
    let [socket, name] = &arguments[..] else { return usage() };
    if !(1..=107).contains(&socket.len()) {
        return usage();
    }
    match get(socket, name) {
        Ok(()) => ExitCode::SUCCESS,
        Err((what, why)) => {
            eprintln!("fdget: {what}: {why}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: fdget SOCK NAME");
    ExitCode::from(2)
}

fn get(path: &[u8], name: &[u8]) -> Result<(), Failure> {
    let socket = connect(path)?;
    let mut request = [name, b"\0"].concat();
    while !request.is_empty() {
        // SAFETY: pointer and length are those of the vector.
        match unsafe { libc::write(socket.as_raw_fd(), request.as_ptr().cast(), request.len()) } {
            -1 if interrupted() => {}
            -1 => return Err(last("write")),
            count => drop(request.drain(..count as usize)),
        }
    }
    let mut number = [0; 4];
    let mut files = Vec::new();
    let mut have = 0;
    while have < 4 {
        match receive(&socket, &mut number[have..], &mut files)? {
            0 => return Err(failed("recvmsg", "the answer is cut off")),
            count => have += count,
        }
    }
    match (c_int::from_ne_bytes(number), files.len()) {
        (0, 1) => {}
        (number, 0) if number != 0 => return Err(failed(&String::from_utf8_lossy(name), io::Error::from_raw_os_error(number))),
        (_, count) => return Err(failed("recvmsg", format_args!("{count} descriptors in the answer"))),
    }
    let mut file = File::from(files.remove(0));
    let mut output = io::stdout().lock();
    io::copy(&mut file, &mut output).and_then(|_| output.flush()).map_err(|error| failed("copy", error))
}

fn connect(path: &[u8]) -> Result<OwnedFd, Failure> {
    // SAFETY: no precondition.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if socket == -1 {
        return Err(last("socket"));
    }
    // SAFETY: the call has made the descriptor just now, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: a C structure of integers.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    address.sun_path.iter_mut().zip(path).for_each(|(place, byte)| *place = *byte as libc::c_char);
    // Without the zero byte: the length tells where the path ends.
    let length = span_of!(libc::sockaddr_un, sun_path).start + path.len();
    // SAFETY: the address has at least `length` bytes.
    if unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length as libc::socklen_t) } == -1 {
        return Err(last("connect"));
    }
    Ok(socket)
}

/// Sixteen descriptors at most; the kernel closes what has no room, and says so.
#[repr(C, align(8))]
struct Control([u8; 80]);

fn receive(socket: &OwnedFd, bytes: &mut [u8], files: &mut Vec<OwnedFd>) -> Result<usize, Failure> {
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 80]);
    // SAFETY: a C structure of integers and pointers.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len();
    let count = loop {
        // SAFETY: all pointers and lengths in the message are those of variables that live through the call.
        let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC | libc::MSG_WAITALL) };
        if count != -1 {
            break count as usize;
        }
        if !interrupted() {
            return Err(last("recvmsg"));
        }
    };
    // The header's fields, and then the descriptors, are read as bytes: nothing here depends on where they lie.
    let filled = &control.0[..message.msg_controllen];
    if let Some(length) = filled.get(span_of!(libc::cmsghdr, cmsg_len)) {
        let length = usize::from_ne_bytes(length.try_into().unwrap());
        let descriptors = &filled[size_of::<libc::cmsghdr>()..length.min(filled.len())];
        files.extend(descriptors.chunks_exact(4).map(|number| {
            let number = c_int::from_ne_bytes(number.try_into().unwrap());
            // SAFETY: the kernel has made the descriptor just now, and nothing else owns it.
            unsafe { OwnedFd::from_raw_fd(number) }
        }));
    }
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(failed("recvmsg", "too many descriptors"));
    }
    Ok(count)
}
