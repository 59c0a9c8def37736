//! A signal interrupts a read: without SA_RESTART it fails with EINTR, with it the kernel makes
//! it again.

use std::io::Error;
use std::process::exit;

use libc::{c_int, pid_t};

/// Does nothing. That there is a handler is enough: a signal without one kills, or is ignored.
extern "C" fn handler(_signal: c_int) {}

fn main() {
    let mut ends = [-1; 2];
    // SAFETY: there is room for two descriptors.
    check("pipe", unsafe { libc::pipe(ends.as_mut_ptr()) } as isize);

    handle(0);
    let child = pester(None);
    // Nothing is in the pipe, and nothing comes: only the signal can end this call.
    println!("without SA_RESTART: {}", outcome(ends[0]));
    end(child);

    handle(libc::SA_RESTART);
    let child = pester(Some(ends[1]));
    println!("with SA_RESTART: {}", outcome(ends[0]));
    end(child);
}

fn handle(flags: c_int) {
    // SAFETY: all zeros is a valid structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = flags;
    // SAFETY: the handler does nothing; null says that we do not ask for the old action.
    let done =
        unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    check("sigaction", done as isize);
}

fn outcome(read_end: c_int) -> String {
    let mut byte = 0u8;
    // SAFETY: there is room for one byte.
    match unsafe { libc::read(read_end, (&raw mut byte).cast(), 1) } {
        -1 if Error::last_os_error().raw_os_error() == Some(libc::EINTR) => "EINTR".to_owned(),
        -1 => Error::last_os_error().to_string(),
        n => format!("{n} byte"),
    }
}

/// A child that sends signal after signal, until it is killed; or fifty, and then one byte.
fn pester(write_end: Option<c_int>) -> pid_t {
    // SAFETY: takes nothing.
    let parent = unsafe { libc::getpid() };
    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", pid as isize);
    if pid == 0 {
        let mut sent = 0;
        // SAFETY: takes nothing. It is another process as soon as the parent has ended.
        while unsafe { libc::getppid() } == parent && (write_end.is_none() || sent < 50) {
            // SAFETY: takes no pointer.
            unsafe { libc::kill(parent, libc::SIGUSR1) };
            // SAFETY: takes no pointer.
            unsafe { libc::usleep(1000) };
            sent += 1;
        }
        if let Some(fd) = write_end {
            // SAFETY: a pointer to one byte.
            unsafe { libc::write(fd, b"x".as_ptr().cast(), 1) };
        }
        // SAFETY: ends this process, and runs nothing of the parent's.
        unsafe { libc::_exit(0) };
    }
    pid
}

fn end(child: pid_t) {
    // SAFETY: takes no pointer. If it has ended already it is a zombie, and this does nothing.
    check("kill", unsafe { libc::kill(child, libc::SIGKILL) } as isize);
    // SAFETY: null says that we do not ask how it has ended.
    while unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) } == -1 {
        assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EINTR));
    }
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("interrupted: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
