//! fdget as one would write it in C: it ends its sending direction after the request, takes the answer with room for one descriptor and a half, and reads
//! with a small buffer.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;

use libc::{c_char, c_int};

fn main() {
    let arguments: Vec<CString> = std::env::args_os().skip(1).map(|word| CString::new(word.into_vec()).unwrap()).collect();
    if arguments.len() != 2 || arguments[0].is_empty() || arguments[0].as_bytes().len() > 107 {
        eprintln!("usage: fdget SOCK NAME");
        exit(2);
    }
    let (path, name) = (&arguments[0], &arguments[1]);

    // SAFETY: no precondition.
    let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    check("socket", fd as isize);
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    // SAFETY: the path has at most 108 bytes with its zero byte, and the two do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(path.as_ptr(), address.sun_path.as_mut_ptr(), path.as_bytes_with_nul().len()) };
    // SAFETY: pointer and length are those of the address.
    let result = unsafe { libc::connect(fd, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t) };
    check("connect", result as isize);

    let request = name.as_bytes_with_nul();
    let mut sent = 0;
    while sent < request.len() {
        let rest = &request[sent..];
        // SAFETY: pointer and length are those of the slice.
        let n = unsafe { libc::send(fd, rest.as_ptr().cast::<libc::c_void>(), rest.len(), libc::MSG_NOSIGNAL) };
        if n == -1 && errno() == libc::EINTR {
            continue;
        }
        check("send", n);
        sent += n as usize;
    }
    // SAFETY: no precondition.
    check("shutdown", unsafe { libc::shutdown(fd, libc::SHUT_WR) } as isize);

    let mut number = [0u8; 4];
    let mut have = 0;
    let mut count = 0;
    let mut file = -1;
    let mut control = [0u64; 3];
    while have < 4 {
        let mut part = libc::iovec { iov_base: number[have..].as_mut_ptr().cast(), iov_len: 4 - have };
        // SAFETY: a C structure of integers and pointers.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: all pointers and lengths in the message are those of variables that live through the call.
        let n = unsafe { libc::recvmsg(fd, &mut message, libc::MSG_CMSG_CLOEXEC) };
        if n == -1 && errno() == libc::EINTR {
            continue;
        }
        check("recvmsg", n);
        if n == 0 {
            break;
        }
        have += n as usize;
        // SAFETY: the kernel has filled the control buffer and set its length.
        let header = unsafe { libc::CMSG_FIRSTHDR(&message) };
        if !header.is_null() {
            // SAFETY: a header in the buffer, which is aligned.
            let length = unsafe { (*header).cmsg_len };
            // SAFETY: the header lies in the buffer.
            let data: *const c_int = unsafe { libc::CMSG_DATA(header) }.cast();
            // Two at most have room here.
            for i in 0..(length - 16) / 4 {
                // SAFETY: the header says that there are so many.
                let came = unsafe { data.wrapping_add(i).read_unaligned() };
                count += 1;
                if count == 1 {
                    file = came;
                } else {
                    close(came);
                }
            }
        }
        if message.msg_flags & libc::MSG_CTRUNC != 0 {
            count += 1;
        }
    }
    let number = c_int::from_ne_bytes(number);
    if have == 4 && number != 0 && count == 0 {
        eprintln!("fdget: {}: {} ({})", name.to_string_lossy(), message_of(number), std::io::Error::from_raw_os_error(number));
        exit(1);
    }
    if have < 4 || number != 0 || count != 1 {
        if file != -1 {
            close(file);
        }
        eprintln!("fdget: {} bytes and {} descriptors are no answer", have, count);
        exit(1);
    }
    close(fd);

    let mut buffer = [0u8; 4096];
    loop {
        // SAFETY: pointer and length are those of the buffer.
        let n = unsafe { libc::read(file, buffer.as_mut_ptr().cast(), buffer.len()) };
        if n == -1 && errno() == libc::EINTR {
            continue;
        }
        check("read", n);
        if n == 0 {
            exit(0);
        }
        let mut done = 0;
        while done < n as usize {
            let rest = &buffer[done..n as usize];
            // SAFETY: pointer and length are those of the slice.
            let written = unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) };
            if written == -1 && errno() == libc::EINTR {
                continue;
            }
            check("write", written);
            done += written as usize;
        }
    }
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("fdget: {call}: {}", std::io::Error::last_os_error());
        exit(1);
    }
}

fn close(fd: c_int) {
    // SAFETY: the caller does not use `fd` afterwards.
    unsafe { libc::close(fd) };
}

fn message_of(number: c_int) -> String {
    // SAFETY: strerror returns a C string, and there is one thread.
    let text: *const c_char = unsafe { libc::strerror(number) };
    // SAFETY: a C string, which is copied before the next call.
    unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
