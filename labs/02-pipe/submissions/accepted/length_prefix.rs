//! Each word travels behind its length in four bytes, the count comes back as decimal text that
//! ends with end-of-file, and the pipes come from pipe2. The child never looks into a word.

use std::env;
use std::ffi::c_int;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process;

fn die(call: &str) -> ! {
    let error = io::Error::last_os_error();
    eprintln!("pipe: {call}: {error}");
    process::exit(1)
}

fn interrupted() -> bool {
    io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn make_pipe() -> [c_int; 2] {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        die("pipe2");
    }
    fds
}

fn close(fd: c_int) {
    // SAFETY: `fd` is open and not used again.
    if unsafe { libc::close(fd) } == -1 {
        die("close");
    }
}

/// Fills `buffer` unless end-of-file comes first; the result is how much it filled.
fn read_full(fd: c_int, buffer: &mut [u8]) -> usize {
    let mut have = 0;
    while have < buffer.len() {
        let rest = &mut buffer[have..];
        // SAFETY: `rest` is valid for writes of its whole length.
        let n = unsafe { libc::read(fd, rest.as_mut_ptr().cast(), rest.len()) };
        if n > 0 {
            have += n as usize;
        } else if n == 0 {
            break;
        } else if !interrupted() {
            die("read");
        }
    }
    have
}

fn write_full(fd: c_int, bytes: &[u8]) {
    let mut done = 0;
    while done < bytes.len() {
        let rest = &bytes[done..];
        // SAFETY: `rest` is valid for reads of its whole length.
        let n = unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) };
        if n >= 0 {
            done += n as usize;
        } else if !interrupted() {
            die("write");
        }
    }
}

fn run_child(from: c_int, answer: c_int) -> ! {
    let mut count = 0;
    loop {
        let mut header = [0; 4];
        let n = read_full(from, &mut header);
        count += n;
        if n == 0 {
            break;
        }
        // The word is printed in one go, so it needs room for itself and the newline.
        let mut word = vec![0; u32::from_ne_bytes(header) as usize];
        let m = read_full(from, &mut word);
        count += m;
        if n < header.len() || m < word.len() {
            eprintln!("pipe: read: end-of-file inside a word");
            process::exit(1);
        }
        word.push(b'\n');
        write_full(1, &word);
    }
    write_full(answer, count.to_string().as_bytes());
    // SAFETY: nothing is buffered, so nothing is lost.
    unsafe { libc::_exit(0) }
}

fn main() {
    let words: Vec<_> = env::args_os().skip(1).collect();
    if words.is_empty() {
        eprintln!("usage: pipe WORD...");
        process::exit(2);
    }

    let to_child = make_pipe();
    let to_parent = make_pipe();
    // SAFETY: there is only one thread.
    let pid = unsafe { libc::fork() };
    if pid == -1 {
        die("fork");
    }
    if pid == 0 {
        close(to_child[1]);
        close(to_parent[0]);
        run_child(to_child[0], to_parent[1]);
    }
    close(to_child[0]);
    close(to_parent[1]);

    for word in &words {
        let length = word.len() as u32;
        write_full(to_child[1], &length.to_ne_bytes());
        write_full(to_child[1], word.as_bytes());
    }
    close(to_child[1]);

    // 20 digits are enough for any 64-bit number; one more byte makes sure that end-of-file is seen.
    let mut text = [0; 21];
    let n = read_full(to_parent[0], &mut text);

    let mut status = 0;
    // SAFETY: `status` is valid for a write.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 {
        if !interrupted() {
            die("waitpid");
        }
    }
    if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) != 0 || n == 0 {
        eprintln!("pipe: child: ended with wait status {status:#x}");
        process::exit(1);
    }
    write_full(1, &text[..n]);
    write_full(1, b" bytes\n");
}
