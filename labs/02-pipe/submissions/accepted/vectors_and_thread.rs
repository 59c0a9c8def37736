//! Vector calls: the parent sends a word and its mark with one writev, and the child prints a word and
//! its newline with one. A thread of the parent waits for the count from the beginning, and the count is
//! decimal text that ends with end-of-file. The parent waits with waitid.

use std::env;
use std::io;
use std::mem::zeroed;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::thread;

fn fail(call: &str) -> ! {
    let error = io::Error::last_os_error();
    eprintln!("pipe: {call}: {error}");
    exit(1)
}

fn was_interrupted() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

fn make_pipe() -> [i32; 2] {
    let mut fds = [0; 2];
    // SAFETY: fds has room for two descriptors.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), 0) } == -1 {
        fail("pipe2");
    }
    fds
}

fn close(fd: i32) {
    // SAFETY: fd is open and not used again.
    if unsafe { libc::close(fd) } == -1 {
        fail("close");
    }
}

/// Writes both parts; what a short write leaves over is computed anew each time.
fn write_both(fd: i32, one: &[u8], other: &[u8]) {
    let mut done = 0;
    while done < one.len() + other.len() {
        let first = &one[done.min(one.len())..];
        let second = &other[done.saturating_sub(one.len())..];
        let parts = [first, second].map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
        // SAFETY: both parts are valid for reads of their lengths.
        let n = unsafe { libc::writev(fd, parts.as_ptr(), 2) };
        if n >= 0 {
            done += n as usize;
        } else if !was_interrupted() {
            fail("writev");
        }
    }
}

/// Reads into both halves of a buffer with one call.
fn read_some(fd: i32, buffer: &mut [u8]) -> usize {
    let (one, other) = buffer.split_at_mut(buffer.len() / 2);
    let parts = [one, other].map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() });
    loop {
        // SAFETY: both parts are valid for writes of their lengths.
        let n = unsafe { libc::readv(fd, parts.as_ptr(), 2) };
        if n >= 0 {
            return n as usize;
        }
        if !was_interrupted() {
            fail("readv");
        }
    }
}

fn child(words: i32, count: i32) -> ! {
    let mut line = Vec::new();
    let mut buffer = [0; 2000];
    let mut total = 0;
    loop {
        let n = read_some(words, &mut buffer);
        if n == 0 {
            break;
        }
        total += n;
        let mut pieces = buffer[..n].split(|byte| *byte == 0).peekable();
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                line.extend_from_slice(piece);
            } else {
                line.extend_from_slice(piece);
                write_both(1, &line, b"\n");
                line.clear();
            }
        }
    }
    write_both(count, total.to_string().as_bytes(), b"");
    exit(0)
}

fn read_count(fd: i32) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 8];
    loop {
        match read_some(fd, &mut buffer) {
            0 => return String::from_utf8_lossy(&text).into_owned(),
            n => text.extend_from_slice(&buffer[..n]),
        }
    }
}

fn main() {
    let words: Vec<Vec<u8>> = env::args_os().skip(1).map(OsStringExt::into_vec).collect();
    if words.is_empty() {
        eprintln!("usage: pipe WORD...");
        exit(2);
    }
    let [count_out, count_in] = make_pipe();
    let [words_out, words_in] = make_pipe();
    // SAFETY: the process still has one thread.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => fail("fork"),
        0 => {
            close(words_in);
            close(count_out);
            child(words_out, count_in)
        }
        _ => {}
    }
    close(words_out);
    close(count_in);
    let answer = thread::spawn(move || read_count(count_out));
    for word in &words {
        write_both(words_in, word, b"\0");
    }
    close(words_in);

    // SAFETY: siginfo_t is plain data, for which zeroes are valid.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    // SAFETY: info is valid for a write.
    while unsafe { libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, libc::WEXITED) } == -1 {
        if !was_interrupted() {
            fail("waitid");
        }
    }
    // SAFETY: waitid has filled in what belongs to SIGCHLD.
    let status = unsafe { info.si_status() };
    let count = answer.join().unwrap_or_default();
    if info.si_code != libc::CLD_EXITED || status != 0 || count.is_empty() {
        eprintln!("pipe: child: did not end well (status or signal {status})");
        exit(1);
    }
    write_both(1, count.as_bytes(), b" bytes\n");
}
