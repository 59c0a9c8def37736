//! A System V message queue: the receiver chooses by type, and the type is no part of the
//! message's size.

use std::io::Error;
use std::mem::size_of;
use std::process::exit;

use libc::c_long;
use memoffset::span_of;

#[repr(C)]
struct Message {
    mtype: c_long,
    text: [u8; 16],
}

fn main() {
    // SAFETY: takes no pointer.
    let queue = unsafe { libc::msgget(libc::IPC_PRIVATE, libc::IPC_CREAT | 0o600) };
    check("msgget", queue as isize);

    // The size counts from behind the type to the end, not from the structure's beginning.
    let size = span_of!(Message, text..).len();
    println!("{} bytes in the structure, {size} in the message", size_of::<Message>());
    for (mtype, text) in
        [(1, b"for one, first  "), (2, b"for two         "), (1, b"for one, second ")]
    {
        let message = Message { mtype, text: *text };
        // SAFETY: behind the type there are `size` bytes.
        check("msgsnd", unsafe { libc::msgsnd(queue, (&raw const message).cast(), size, 0) }
            as isize);
    }

    for wanted in [2, 1, 0] {
        let mut message = Message { mtype: 0, text: [0; 16] };
        // SAFETY: behind the type there is room for `size` bytes.
        let n = unsafe { libc::msgrcv(queue, (&raw mut message).cast(), size, wanted, 0) };
        check("msgrcv", n);
        println!(
            "asked for {wanted}: type {}, {:?}",
            message.mtype,
            String::from_utf8_lossy(&message.text).trim_end()
        );
    }

    // Nobody else removes it: a queue outlives the processes that use it.
    // SAFETY: IPC_RMID takes no structure.
    check("msgctl", unsafe { libc::msgctl(queue, libc::IPC_RMID, std::ptr::null_mut()) }
        as isize);
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("sysv-msg: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
