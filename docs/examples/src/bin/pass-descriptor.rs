//! A child makes a pipe and sends its read end to the parent, which reads from a pipe that it
//! has neither made nor inherited.

use std::io::Error;
use std::process::exit;

use libc::{c_int, c_uint, iovec, msghdr};

/// Room for the ancillary data of one descriptor, in units of 8 bytes: the kernel writes
/// structures into it, so it must be aligned for them.
type Ancillary = [u64; 3];

/// The bytes that the ancillary data of one descriptor takes, header and padding included.
const SPACE: usize = {
    // SAFETY: computes a number.
    unsafe { libc::CMSG_SPACE(size_of::<c_int>() as c_uint) as usize }
};
const _: () = assert!(size_of::<Ancillary>() >= SPACE);

fn main() {
    let mut ends: [c_int; 2] = [-1; 2];
    // SAFETY: there is room for two descriptors.
    check("socketpair", unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
            0,
            ends.as_mut_ptr(),
        )
    } as isize);
    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", pid as isize);
    if pid == 0 {
        let mut pipe: [c_int; 2] = [-1; 2];
        // SAFETY: there is room for two descriptors.
        check("pipe2", unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) } as isize);
        // SAFETY: the pointer is to as many bytes as the length says.
        check("write", unsafe { libc::write(pipe[1], b"hello".as_ptr().cast(), 5) });
        send_descriptor(ends[1], pipe[0]);
        // SAFETY: ends this process, and runs nothing of the parent's.
        unsafe { libc::_exit(0) };
    }
    let fd = receive_descriptor(ends[0]);
    let mut buffer = [0u8; 16];
    // SAFETY: the buffer has room for its length.
    let n = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    check("read", n);
    println!("read from the child's pipe: {}", String::from_utf8_lossy(&buffer[..n as usize]));
    // SAFETY: null says that we do not ask how it has ended.
    check("waitpid", unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) } as isize);
}

fn send_descriptor(socket: c_int, fd: c_int) {
    let mut byte = 0u8; // at least one byte of data has to go with it
    let mut ancillary: Ancillary = [0; 3];
    let mut part = iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let message = header(&mut part, &mut ancillary);
    // SAFETY: the message has room for one header.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: computes a number.
    let cmsg_len = unsafe { libc::CMSG_LEN(size_of::<c_int>() as c_uint) } as _;
    // SAFETY: `first` points to room for a header, aligned for it.
    unsafe {
        first.write(libc::cmsghdr {
            cmsg_len,
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
        })
    };
    // SAFETY: `first` is a header with room for an int behind it.
    let data = unsafe { libc::CMSG_DATA(first) };
    // SAFETY: room for an int.
    unsafe { data.cast::<c_int>().write_unaligned(fd) };
    // SAFETY: the message and what it points to are valid.
    check("sendmsg", unsafe { libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL) });
}

fn receive_descriptor(socket: c_int) -> c_int {
    let mut byte = 0u8;
    let mut ancillary: Ancillary = [0; 3];
    let mut part = iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut message = header(&mut part, &mut ancillary);
    // SAFETY: the message and what it points to are valid.
    check("recvmsg", unsafe {
        libc::recvmsg(socket, &raw mut message, libc::MSG_CMSG_CLOEXEC)
    });
    // SAFETY: the kernel has filled the message in.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    assert!(
        !first.is_null() && message.msg_flags & libc::MSG_CTRUNC == 0,
        "no descriptor came, or not the whole of it"
    );
    // SAFETY: not null, so it points to a header.
    let cmsg = unsafe { first.read() };
    assert_eq!((cmsg.cmsg_level, cmsg.cmsg_type), (libc::SOL_SOCKET, libc::SCM_RIGHTS));
    // SAFETY: `first` is a header with data behind it.
    let data = unsafe { libc::CMSG_DATA(first) };
    // SAFETY: ancillary data of this type is descriptors, and there is at least one.
    unsafe { data.cast::<c_int>().read_unaligned() }
}

fn header(part: &mut iovec, ancillary: &mut Ancillary) -> msghdr {
    // SAFETY: all zeros is a valid msghdr: no name, no data, no ancillary data.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.as_mut_ptr().cast();
    message.msg_controllen = SPACE as _;
    message
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("pass-descriptor: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
