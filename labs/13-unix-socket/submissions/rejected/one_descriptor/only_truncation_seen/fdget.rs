//! With CMSG_SPACE of one descriptor the buffer has room for two: only MSG_CTRUNC is looked at, and a second descriptor stays unseen and open.

use std::ffi::CString;
use std::fmt::Display;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;

use libc::c_int;
use memoffset::offset_of;

/// The longest path that fits into an address with the zero byte behind it.
const LONGEST_PATH: usize = 107;
/// Large enough that copying, and not the number of calls, sets the pace.
const BUFFER_SIZE: usize = 64 * 1024;

fn main() {
    let (path, name) = arguments();
    let socket = connect_to(&path);
    ask(socket, &name);
    match receive_answer(socket) {
        Ok(file) => copy_to_output(file),
        Err(error) => complain(name.to_string_lossy(), io::Error::from_raw_os_error(error)),
    }
}

/// The command line: `SOCK NAME`.
fn arguments() -> (CString, CString) {
    let mut words = std::env::args_os().skip(1).map(|word| CString::new(word.into_vec()).expect("an argument holds no zero byte"));
    match (words.next(), words.next(), words.next()) {
        (Some(path), Some(name), None) if (1..=LONGEST_PATH).contains(&path.as_bytes().len()) => (path, name),
        _ => usage(),
    }
}

fn usage() -> ! {
    eprintln!("usage: fdget SOCK NAME");
    exit(2);
}

/// Reports the call that has just failed, with the message for errno, and gives up.
fn fail(call: &str) -> ! {
    complain(call, io::Error::last_os_error());
}

fn complain(about: impl Display, message: impl Display) -> ! {
    eprintln!("fdget: {about}: {message}");
    exit(1);
}

/// A socket that is connected to the broker at this path.
fn connect_to(path: &CString) -> c_int {
    // SAFETY: has no memory-safety precondition.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if socket == -1 {
        fail("socket");
    }
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; LONGEST_PATH + 1] };
    for (place, byte) in address.sun_path.iter_mut().zip(path.as_bytes()) {
        *place = *byte as libc::c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + path.as_bytes_with_nul().len();
    loop {
        // SAFETY: the address has at least `length` bytes.
        if unsafe { libc::connect(socket, (&raw const address).cast(), length as libc::socklen_t) } != -1 {
            return socket;
        }
        // Interrupted while it waited for room in the broker's queue. There is no handshake that would go on: call again.
        if errno() != libc::EINTR {
            fail("connect");
        }
    }
}

/// Sends the request: the name and its zero byte.
fn ask(socket: c_int, name: &CString) {
    let mut rest = name.as_bytes_with_nul();
    while !rest.is_empty() {
        // SAFETY: pointer and length are those of a slice.
        let count = unsafe { libc::send(socket, rest.as_ptr().cast(), rest.len(), libc::MSG_NOSIGNAL) };
        if count != -1 {
            rest = &rest[count as usize..];
        } else if errno() != libc::EINTR {
            fail("send");
        }
    }
}

/// Room for the one descriptor that there should be.
const MOST_DESCRIPTORS: usize = 1;
// SAFETY: has no precondition.
const CONTROL_SIZE: usize = unsafe { libc::CMSG_SPACE((MOST_DESCRIPTORS * size_of::<c_int>()) as u32) } as usize;

/// A buffer for them. The header makes it aligned as a header must be: an array of bytes alone may lie anywhere.
#[repr(C)]
union Control {
    header: libc::cmsghdr,
    bytes: [u8; CONTROL_SIZE],
}

/// What has come of the answer so far.
struct Answer {
    number: [u8; size_of::<c_int>()],
    have: usize,
    descriptors: Vec<c_int>,
    /// Descriptors came for which there was no room.
    truncated: bool,
}

/// The descriptor that the broker has passed, or the error number that it has sent instead.
fn receive_answer(socket: c_int) -> Result<c_int, c_int> {
    let mut answer = Answer { number: [0; 4], have: 0, descriptors: Vec::new(), truncated: false };
    while answer.have < answer.number.len() && receive_part(socket, &mut answer) {}
    let wrong = match (c_int::from_ne_bytes(answer.number), &answer.descriptors[..]) {
        _ if answer.have < answer.number.len() => "the answer ends too early",
        _ if answer.truncated => "more descriptors than one",
        (0, [file]) => return Ok(*file),
        (0, []) => "no descriptor",
        (0, _) => "more descriptors than one",
        (error, []) => return Err(error),
        (_, _) => "a descriptor with an error",
    };
    // They are ours, wanted or not.
    answer.descriptors.into_iter().for_each(close);
    complain("recvmsg", wrong);
}

/// Takes in the next part of the answer. False at the end of the connection.
fn receive_part(socket: c_int, answer: &mut Answer) -> bool {
    let rest = &mut answer.number[answer.have..];
    let mut part = libc::iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: rest.len() };
    let mut control = Control { bytes: [0; CONTROL_SIZE] };
    // SAFETY: a C structure of integers and pointers, for which all zeros is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = CONTROL_SIZE as _;
    let count = loop {
        // SAFETY: the message's pointers and lengths are those of `part` and `control`, which live through the call.
        let count = unsafe { libc::recvmsg(socket, &mut message, libc::MSG_CMSG_CLOEXEC) };
        if count != -1 {
            break count as usize;
        }
        if errno() != libc::EINTR {
            fail("recvmsg");
        }
    };
    answer.have += count;
    answer.truncated |= message.msg_flags & libc::MSG_CTRUNC != 0;
    take_descriptors(&message, &mut answer.descriptors);
    count != 0
}

/// Adds the descriptors that a message has brought: from now on they are this process's own.
fn take_descriptors(message: &libc::msghdr, descriptors: &mut Vec<c_int>) {
    // SAFETY: the kernel has set the length of what is in the message's control buffer.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: has no precondition.
    let header_length = unsafe { libc::CMSG_LEN(0) } as usize;
    while !header.is_null() {
        // SAFETY: the header lies in the control buffer, which is aligned for it.
        let found = unsafe { header.read() };
        if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_RIGHTS {
            let count = (found.cmsg_len as usize - header_length) / size_of::<c_int>();
            // SAFETY: `header` points to a header in the buffer.
            let data: *const c_int = unsafe { libc::CMSG_DATA(header) }.cast();
            for index in 0..count.min(1) {
                // SAFETY: the header says that so many descriptors follow it.
                descriptors.push(unsafe { data.wrapping_add(index).read_unaligned() });
            }
        }
        // SAFETY: `header` is a header of this message.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}

/// Prints what the descriptor gives, up to its end-of-file.
fn copy_to_output(file: c_int) {
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        // SAFETY: pointer and length are those of the buffer.
        let count = unsafe { libc::read(file, buffer.as_mut_ptr().cast(), buffer.len()) };
        match count {
            -1 if errno() == libc::EINTR => {}
            -1 => fail("read"),
            0 => return,
            _ => write_all(&buffer[..count as usize]),
        }
    }
}

/// Writes the whole slice to standard output, however little the kernel takes at a time.
fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: pointer and length are those of a slice.
        let count = unsafe { libc::write(libc::STDOUT_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        if count != -1 {
            bytes = &bytes[count as usize..];
        } else if errno() != libc::EINTR {
            fail("write");
        }
    }
}

fn close(fd: c_int) {
    // SAFETY: the caller owns `fd` and does not use it afterwards. Linux closes it whatever is reported.
    unsafe { libc::close(fd) };
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
