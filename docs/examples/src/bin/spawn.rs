//! A child that becomes another program, and a parent that waits for it.

use std::io::Error;
use std::process::exit;

fn main() {
    // Everything that needs memory is made before the fork: afterwards the child only executes.
    let argv = [c"sh".as_ptr(), c"-c".as_ptr(), c"exit 3".as_ptr(), std::ptr::null()];

    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", pid);
    if pid == 0 {
        // SAFETY: strings and list end with NUL and null, and live as long as the program.
        unsafe { libc::execvp(argv[0], argv.as_ptr()) };
        // Only a failed exec comes here, and it comes here in the child.
        // SAFETY: ends this process, and runs nothing of the parent's.
        unsafe { libc::_exit(127) };
    }

    let mut status = 0;
    // SAFETY: `status` is a place for an int.
    check("waitpid", unsafe { libc::waitpid(pid, &raw mut status, 0) });
    println!("the status is {status}");
    if libc::WIFEXITED(status) {
        println!("exited with {}", libc::WEXITSTATUS(status));
    } else if libc::WIFSIGNALED(status) {
        println!("killed by signal {}", libc::WTERMSIG(status));
    }
}

fn check(call: &str, result: libc::c_int) {
    if result == -1 {
        eprintln!("spawn: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
