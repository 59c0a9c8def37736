//! The harness's own Unix sockets, as a peer of the program under check: non-blocking streams that carry descriptors too; unix(7), cmsg(3).

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::checked;

/// Most descriptors that the kernel passes with one message: SCM_MAX_FD.
const MOST_DESCRIPTORS: usize = 253;

/// A stream socket; socket(2).
pub fn stream() -> io::Result<OwnedFd> {
    // SAFETY: no precondition.
    let descriptor = checked(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) })?;
    // SAFETY: the call made this descriptor just now, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The address of a path, and its length up to and with the zero byte.
fn address(path: &Path) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.len() >= address.sun_path.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{}: no path for a socket", path.display())));
    }
    for (place, byte) in address.sun_path.iter_mut().zip(bytes) {
        *place = byte.cast_signed() as libc::c_char;
    }
    Ok((address, (offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1) as libc::socklen_t))
}

/// bind(2).
pub fn bind(socket: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let (address, length) = address(path)?;
    // SAFETY: the length is at most that of the address structure.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) }).map(drop)
}

/// connect(2): `false` while there is no room among those that wait to be accepted.
pub fn connect(socket: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
    let (address, length) = address(path)?;
    // SAFETY: the length is at most that of the address structure.
    match checked(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) }) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a buffer for so many descriptors takes, and what its header says.
fn control_sizes(descriptors: usize) -> (usize, usize) {
    let bytes = (descriptors * size_of::<i32>()) as u32;
    // SAFETY: no precondition.
    let space = unsafe { libc::CMSG_SPACE(bytes) };
    // SAFETY: no precondition.
    let length = unsafe { libc::CMSG_LEN(bytes) };
    (space as usize, length as usize)
}

/// sendmsg(2) without SIGPIPE: these bytes, and these descriptors with the first of them.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let numbers: Vec<i32> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: a C structure of integers and pointers, for which all zeros is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    let (space, length) = control_sizes(numbers.len());
    // Words of eight bytes are aligned as a header has to be.
    let mut control = vec![0u64; space.div_ceil(8)];
    if !numbers.is_empty() {
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = space as _;
        // SAFETY: the message's control buffer and its length are set.
        let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        // SAFETY: a C structure of integers, for which all zeros is a value.
        let mut filled: libc::cmsghdr = unsafe { std::mem::zeroed() };
        filled.cmsg_len = length as _;
        filled.cmsg_level = libc::SOL_SOCKET;
        filled.cmsg_type = libc::SCM_RIGHTS;
        // SAFETY: the buffer is aligned and has room for the header.
        unsafe { header.write(filled) };
        // SAFETY: the header lies in the buffer.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: the buffer has room for all numbers behind the header.
        unsafe { std::ptr::copy_nonoverlapping(numbers.as_ptr().cast(), data, size_of_val(&*numbers)) };
    }
    // SAFETY: the message's pointers and lengths are those of `bytes` and `control`, which live through the call.
    checked(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) }).map(isize::cast_unsigned)
}

/// recvmsg(2): how many bytes came, and the descriptors that came with them, close-on-exec.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let (space, _) = control_sizes(MOST_DESCRIPTORS);
    let mut control = vec![0u64; space.div_ceil(8)];
    // SAFETY: a C structure of integers and pointers, for which all zeros is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = space as _;
    // SAFETY: the message's pointers and lengths are those of `buffer` and `control`, which live through the call.
    let length = checked(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) })?;
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has set the length of what it wrote into the control buffer.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !header.is_null() {
        // SAFETY: not null, so a header that lies in the buffer.
        let found = unsafe { header.read() };
        if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: the header lies in the buffer.
            let data: *const i32 = unsafe { libc::CMSG_DATA(header) }.cast();
            let count = (found.cmsg_len as usize - control_sizes(0).1) / size_of::<i32>();
            for index in 0..count {
                // SAFETY: the header says that so many numbers follow it in the buffer.
                let number = unsafe { data.wrapping_add(index).read_unaligned() };
                // SAFETY: the kernel made this descriptor just now, and nothing else owns it.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
        // SAFETY: `header` is a header of this message.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    Ok((length.cast_unsigned(), descriptors))
}
