//! A parent writes into a pipe; its child reads to end-of-file and exits with the number of
//! bytes.

use std::io::Error;
use std::process::exit;

fn main() {
    let mut ends = [-1; 2];
    // SAFETY: there is room for two descriptors.
    check("pipe", unsafe { libc::pipe(ends.as_mut_ptr()) } as isize);
    let [read_end, write_end] = ends;

    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", pid as isize);
    if pid == 0 {
        // The child has both ends, too. While it holds a write end itself, it never sees the
        // end.
        close(write_end);
        // SAFETY: ends this process, and runs nothing of the parent's.
        unsafe { libc::_exit(count(read_end)) };
    }

    close(read_end);
    for word in ["one ", "two ", "three"] {
        // SAFETY: the pointer is to as many bytes as the length says.
        check("write", unsafe { libc::write(write_end, word.as_ptr().cast(), word.len()) });
    }
    close(write_end);

    let mut status = 0;
    // SAFETY: `status` is a place for an int.
    check("waitpid", unsafe { libc::waitpid(pid, &raw mut status, 0) } as isize);
    println!("the child has read {} bytes", libc::WEXITSTATUS(status));
}

/// Reads until every write end is closed. A read returns what is there: three writes need not
/// be three reads.
fn count(read_end: i32) -> i32 {
    let mut total = 0;
    let mut buffer = [0u8; 512];
    loop {
        // SAFETY: the buffer has room for its length.
        let n = unsafe { libc::read(read_end, buffer.as_mut_ptr().cast(), buffer.len()) };
        check("read", n);
        if n == 0 {
            return total;
        }
        total += n as i32;
    }
}

fn close(fd: i32) {
    // SAFETY: the descriptor is ours, and nobody uses it after this.
    check("close", unsafe { libc::close(fd) } as isize);
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("pipe: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
