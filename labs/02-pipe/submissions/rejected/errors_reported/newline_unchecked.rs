//! Looks at the result of every write but that of the newline behind a word: when standard output is full just then, the word is there and its line is not, and the program
//! ends as if all were well.

use std::env;
use std::ffi::{OsString, c_int};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process;

/// The two descriptors that `pipe` returns.
#[derive(Clone, Copy)]
struct Pipe {
    read_end: c_int,
    write_end: c_int,
}

fn main() {
    let words: Vec<Vec<u8>> = env::args_os().skip(1).map(OsString::into_vec).collect();
    if words.is_empty() {
        eprintln!("usage: pipe WORD...");
        process::exit(2);
    }

    // Both pipes come before the fork: the child can only inherit what exists already.
    let words_pipe = open_pipe();
    let count_pipe = open_pipe();

    // SAFETY: the process has one thread, so the child may go on as freely as the parent.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => fail("fork"),
        0 => child(words_pipe, count_pipe),
        _ => parent(pid, &words, words_pipe, count_pipe),
    }
}

/// The child: prints what comes out of `words`, and answers how many bytes that was.
fn child(words: Pipe, count: Pipe) -> ! {
    // As long as this process itself holds the write end, it would never read end-of-file.
    close(words.write_end);
    close(count.read_end);

    let total = copy(words.read_end, libc::STDOUT_FILENO);
    // The count goes last: when the parent has it, every word has been printed.
    write_all(count.write_end, &total.to_ne_bytes());
    process::exit(0)
}

/// The parent: sends the words, takes the count, reaps the child and prints the count.
fn parent(pid: libc::pid_t, words: &[Vec<u8>], words_pipe: Pipe, count_pipe: Pipe) {
    // Without the first of these a dead child would go unnoticed: a pipe is broken (EPIPE)
    // only when nobody holds its read end. Without the second, reading the count would wait
    // for ever for a child that died.
    close(words_pipe.read_end);
    close(count_pipe.write_end);

    for word in words {
        let line = [word.as_slice(), b"\n"].concat();
        write_all(words_pipe.write_end, &line);
    }
    close(words_pipe.write_end); // end-of-file for the child

    let count = read_count(count_pipe.read_end);
    close(count_pipe.read_end);

    reap(pid);
    let Some(count) = count else {
        eprintln!("pipe: read: end-of-file before the count");
        process::exit(1);
    };
    write_all(libc::STDOUT_FILENO, format!("{count} bytes\n").as_bytes());
}

/// Makes a pipe.
fn open_pipe() -> Pipe {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for the two descriptors that pipe stores.
    if unsafe { libc::pipe(fds.as_mut_ptr()) } == -1 {
        fail("pipe");
    }
    Pipe { read_end: fds[0], write_end: fds[1] }
}

/// Closes a descriptor.
fn close(fd: c_int) {
    // Never tried again: Linux frees the number even when close reports an error.
    // SAFETY: `fd` is open, and nobody uses it after this.
    if unsafe { libc::close(fd) } == -1 {
        fail("close");
    }
}

/// Copies from one descriptor to the other until end-of-file; the result is the number of bytes.
fn copy(from: c_int, to: c_int) -> u64 {
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        let n = read_some(from, &mut buffer);
        if n == 0 {
            return total;
        }
        print(to, &buffer[..n]);
        total += n as u64;
    }
}

/// Prints the text of each line, and then its end.
fn print(to: c_int, lines: &[u8]) {
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        write_all(to, text);
        if text.len() < line.len() {
            end_line(to);
        }
    }
}

/// Makes the call again only when it was interrupted.
fn end_line(to: c_int) {
    loop {
        // SAFETY: the text is valid for reads of one byte.
        let written = unsafe { libc::write(to, c"\n".as_ptr().cast(), 1) };
        if written == 1 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// Reads the count that the child sends; `None` if the child ends before it has sent all of it.
fn read_count(from: c_int) -> Option<u64> {
    let mut bytes = [0; 8];
    let mut filled = 0;
    while filled < bytes.len() {
        let n = read_some(from, &mut bytes[filled..]);
        if n == 0 {
            return None;
        }
        filled += n;
    }
    Some(u64::from_ne_bytes(bytes))
}

/// Reads once; 0 is end-of-file.
fn read_some(fd: c_int, buffer: &mut [u8]) -> usize {
    uninterrupted("read", || {
        // SAFETY: `buffer` is valid for writes of its whole length.
        unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) }
    })
}

/// Writes all of `bytes`.
fn write_all(fd: c_int, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = uninterrupted("write", || {
            // SAFETY: `rest` is valid for reads of its whole length.
            unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) }
        });
        rest = &rest[n..];
    }
}

/// Waits for the child, and ends the program if the child did not end well.
fn reap(pid: libc::pid_t) {
    let mut status = 0;
    uninterrupted("waitpid", || {
        // SAFETY: `status` is valid for a write of one int.
        unsafe { libc::waitpid(pid, &raw mut status, 0) as isize }
    });
    if libc::WIFSIGNALED(status) {
        eprintln!("pipe: child: killed by signal {}", libc::WTERMSIG(status));
        process::exit(1);
    }
    if libc::WEXITSTATUS(status) != 0 {
        eprintln!("pipe: child: exited with status {}", libc::WEXITSTATUS(status));
        process::exit(1);
    }
}

/// Makes a call again as long as a signal interrupts it; any other error ends the process.
fn uninterrupted(call: &str, mut attempt: impl FnMut() -> isize) -> usize {
    loop {
        // Only -1 is negative here, so the conversion fails exactly when the call did.
        if let Ok(n) = usize::try_from(attempt()) {
            return n;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            fail(call);
        }
    }
}

/// Reports the call that has just failed, and ends the process.
fn fail(call: &str) -> ! {
    // errno is read before anything else can change it.
    let error = io::Error::last_os_error();
    // `eprintln!` would write piece by piece, and the lines of two processes could mix.
    let line = format!("pipe: {call}: {error}\n");
    eprint!("{line}");
    process::exit(1)
}
