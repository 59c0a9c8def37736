//! A signal that is read like data: blocked, so that it waits, and taken out of a descriptor.

use std::io::Error;
use std::mem::{size_of, zeroed};
use std::process::exit;

use libc::{c_int, signalfd_siginfo, sigset_t};

fn main() {
    // SAFETY: all zeros is a valid set.
    let mut set: sigset_t = unsafe { zeroed() };
    // SAFETY: `set` is a place for a set.
    check("sigemptyset", unsafe { libc::sigemptyset(&raw mut set) });
    // SAFETY: `set` is a set.
    check("sigaddset", unsafe { libc::sigaddset(&raw mut set, libc::SIGTERM) });
    // Blocked first: from here on it cannot kill, and cannot be missed.
    // SAFETY: `set` is a set; null says that we do not ask for the old one.
    let blocked =
        unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    check("sigprocmask", blocked);
    // SAFETY: `set` is a set; -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC) };
    check("signalfd", fd);

    // Two of a kind are one: signals of this sort do not queue.
    for _ in 0..2 {
        // SAFETY: takes no pointer.
        check("kill", unsafe { libc::kill(std::process::id() as c_int, libc::SIGTERM) });
    }

    // SAFETY: all zeros is a valid structure.
    let mut info: [signalfd_siginfo; 2] = unsafe { zeroed() };
    // SAFETY: there is room for two structures.
    let n =
        unsafe { libc::read(fd, info.as_mut_ptr().cast(), size_of::<[signalfd_siginfo; 2]>()) };
    check("read", n as c_int);
    println!("{} signal: {}", n as usize / size_of::<signalfd_siginfo>(), info[0].ssi_signo);
}

fn check(call: &str, result: c_int) {
    if result == -1 {
        eprintln!("signalfd: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
