//! A PID namespace: a child that is process 1, and whose parent is out of sight.

use std::io::Error;
use std::process::exit;

fn main() {
    // A user namespace needs no privilege, and inside it this process has them all: so it may
    // have a PID namespace, too.
    // SAFETY: takes no pointer.
    check("unshare", unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID) });
    // The new PID namespace is for the children: the number of a process never changes.
    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", pid);
    if pid == 0 {
        // SAFETY: takes nothing.
        let own = unsafe { libc::getpid() };
        // SAFETY: takes nothing.
        let parent = unsafe { libc::getppid() };
        println!("the child is process {own}, and its parent is process {parent}");
        // SAFETY: ends this process. Rust writes standard output at the end of each line, so
        // nothing is left to write.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: null says that we do not ask how it has ended.
    check("waitpid", unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) });
    println!("outside it has another number");
}

fn check(call: &str, result: libc::c_int) {
    if result == -1 {
        eprintln!("namespace: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
