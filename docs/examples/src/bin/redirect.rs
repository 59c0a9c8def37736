//! What a shell does for `$(echo hello)`: the child's standard output is a pipe, and the
//! parent reads it.

use std::io::Error;

fn main() {
    let argv = [c"echo".as_ptr(), c"hello".as_ptr(), std::ptr::null()];
    let mut ends = [-1; 2];
    // SAFETY: there is room for two descriptors.
    check("pipe2", unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } as isize);
    let [read_end, write_end] = ends;

    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", pid as isize);
    if pid == 0 {
        // The copy that dup2 makes is not close-on-exec, even if the original is. Both
        // originals go at the exec.
        // SAFETY: takes no pointer.
        check("dup2", unsafe { libc::dup2(write_end, libc::STDOUT_FILENO) } as isize);
        // SAFETY: strings and list end with NUL and null, and live as long as the program.
        unsafe { libc::execvp(argv[0], argv.as_ptr()) };
        // SAFETY: ends this process, and runs nothing of the parent's.
        unsafe { libc::_exit(127) };
    }

    // SAFETY: the descriptor is ours, and nobody uses it after this.
    check("close", unsafe { libc::close(write_end) } as isize);
    let mut text = Vec::new();
    let mut buffer = [0u8; 512];
    loop {
        // SAFETY: the buffer has room for its length.
        let n = unsafe { libc::read(read_end, buffer.as_mut_ptr().cast(), buffer.len()) };
        check("read", n);
        if n == 0 {
            break;
        }
        text.extend_from_slice(&buffer[..n as usize]);
    }
    // SAFETY: null says that we do not ask how it has ended.
    check("waitpid", unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) } as isize);
    println!("echo has printed {:?}", String::from_utf8_lossy(&text));
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("redirect: {call}: {}", Error::last_os_error());
        // SAFETY: ends this process at once, be it the child or the parent.
        unsafe { libc::_exit(1) };
    }
}
