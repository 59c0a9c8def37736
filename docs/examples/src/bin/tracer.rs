//! A tracer: stops a program at its system calls and tells of each write what goes in and
//! what comes out.

use std::io::Error;
use std::mem::{size_of, zeroed};
use std::process::exit;
use std::ptr::null_mut;

use libc::{c_int, c_void, pid_t, ptrace_syscall_info};

fn main() {
    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", i64::from(pid));
    if pid == 0 {
        tracee();
    }
    wait_for_stop(pid);
    // Stops at system calls are then told apart from those for signals: the signal has bit 7
    // set.
    // SAFETY: the tracee is stopped; this option takes no pointer.
    check("ptrace", unsafe {
        libc::ptrace(
            libc::PTRACE_SETOPTIONS,
            pid,
            null_mut::<c_void>(),
            libc::PTRACE_O_TRACESYSGOOD,
        )
    });
    let mut in_write = false;
    loop {
        // SAFETY: the tracee is stopped; 0 delivers no signal.
        check("ptrace", unsafe {
            libc::ptrace(libc::PTRACE_SYSCALL, pid, null_mut::<c_void>(), 0)
        });
        if !wait_for_stop(pid) {
            break;
        }
        // SAFETY: all zeros is a valid structure.
        let mut info: ptrace_syscall_info = unsafe { zeroed() };
        // SAFETY: the tracee is stopped, and there is room for as many bytes as we say.
        check("ptrace", unsafe {
            libc::ptrace(
                libc::PTRACE_GET_SYSCALL_INFO,
                pid,
                size_of::<ptrace_syscall_info>(),
                &raw mut info,
            )
        });
        if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
            // SAFETY: at an entry this member holds.
            let entry = unsafe { info.u.entry };
            in_write = entry.nr == libc::SYS_write as u64;
            if in_write {
                println!(
                    "enters write: descriptor {}, {} bytes",
                    entry.args[0] as i32, entry.args[2]
                );
            }
        } else if info.op == libc::PTRACE_SYSCALL_INFO_EXIT && in_write {
            // SAFETY: at an exit this member holds.
            println!("leaves write: result {}", unsafe { info.u.exit }.sval);
        }
    }
    println!("the tracee has ended");
}

/// The program that is watched. It waits for its tracer first.
fn tracee() -> ! {
    // SAFETY: takes no pointer here.
    check("ptrace", unsafe {
        libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<c_void>(), null_mut::<c_void>())
    });
    // SAFETY: stops this process.
    check("raise", i64::from(unsafe { libc::raise(libc::SIGSTOP) }));
    // SAFETY: the pointer is to as many bytes as the length says.
    unsafe { libc::write(libc::STDOUT_FILENO, b"hello\n".as_ptr().cast(), 6) };
    // SAFETY: there is no such descriptor, and that is the point.
    unsafe { libc::write(-1, b"hello\n".as_ptr().cast(), 6) };
    // SAFETY: ends this process, and runs nothing of the parent's.
    unsafe { libc::_exit(0) };
}

/// Waits for the tracee to stop, or to end: then it is false.
fn wait_for_stop(pid: pid_t) -> bool {
    let mut status: c_int = 0;
    // SAFETY: `status` is a place for an int.
    check("waitpid", i64::from(unsafe { libc::waitpid(pid, &raw mut status, 0) }));
    libc::WIFSTOPPED(status)
}

fn check(call: &str, result: i64) {
    if result == -1 {
        eprintln!("tracer: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
