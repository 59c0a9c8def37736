//! A POSIX message queue: messages keep their boundaries, and the highest priority comes first.

use std::ffi::CString;
use std::io::Error;
use std::process::exit;

fn main() {
    let name = CString::new(format!("/book-mq-{}", std::process::id())).expect("no NUL");
    // SAFETY: all zeros is a valid mq_attr.
    let mut wanted: libc::mq_attr = unsafe { std::mem::zeroed() };
    wanted.mq_maxmsg = 4;
    wanted.mq_msgsize = 32;
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    let mode: libc::mode_t = 0o600;
    // SAFETY: name and attributes are valid; with O_CREAT the call takes a mode and a pointer
    // to attributes.
    let queue = unsafe { libc::mq_open(name.as_ptr(), flags, mode, &raw const wanted) };
    check("mq_open", queue as isize);

    for (text, priority) in [("sweep", 1), ("fire", 9), ("cook", 1)] {
        // SAFETY: the pointer is to as many bytes as the length says.
        check("mq_send", unsafe {
            libc::mq_send(queue, text.as_ptr().cast(), text.len(), priority)
        } as isize);
    }

    // As large as any message of this queue may be: with a smaller one mq_receive fails with
    // EMSGSIZE.
    let mut buffer = [0u8; 32];
    for _ in 0..3 {
        let mut priority = 0;
        // SAFETY: the buffer has room for its length, and `priority` is a place for an
        // unsigned int.
        let n = unsafe {
            libc::mq_receive(queue, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut priority)
        };
        check("mq_receive", n);
        println!("{priority} {}", String::from_utf8_lossy(&buffer[..n as usize]));
    }

    // SAFETY: the descriptor is ours, and nobody uses it after this.
    check("mq_close", unsafe { libc::mq_close(queue) } as isize);
    // SAFETY: the name ends with NUL.
    check("mq_unlink", unsafe { libc::mq_unlink(name.as_ptr()) } as isize);
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("posix-mq: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
