//! The child answers after every read with the number of bytes so far, and the last answer is N.
//! So data flow both ways at once, and the parent polls: it writes when there is room, and reads
//! answers when there are any. Its write end does not block.

use std::env;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;

fn fail(call: &str) -> ! {
    let error = io::Error::last_os_error();
    eprintln!("pipe: {call}: {error}");
    exit(1)
}

fn would_block() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
}

/// The result of a call that is made again after EINTR; -1 is still an error.
fn again(mut attempt: impl FnMut() -> isize) -> isize {
    loop {
        let result = attempt();
        if result != -1 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return result;
        }
    }
}

fn pipe() -> (i32, i32) {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    if unsafe { libc::pipe(fds.as_mut_ptr()) } == -1 {
        fail("pipe");
    }
    (fds[0], fds[1])
}

fn close(fd: i32) {
    // SAFETY: `fd` is open and not used again.
    if unsafe { libc::close(fd) } == -1 {
        fail("close");
    }
}

fn read(fd: i32, buffer: &mut [u8]) -> usize {
    // SAFETY: `buffer` is valid for writes of its whole length.
    let n = again(|| unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) });
    if n == -1 {
        fail("read");
    }
    n as usize
}

/// One write; the result is -1 when it failed.
fn try_write(fd: i32, bytes: &[u8]) -> isize {
    // SAFETY: `bytes` is valid for reads of its whole length.
    again(|| unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })
}

fn write_all(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let n = try_write(fd, bytes);
        if n == -1 {
            fail("write");
        }
        bytes = &bytes[n as usize..];
    }
}

fn child(words: i32, answers: i32) -> ! {
    let mut buffer = [0; 512];
    let mut total: u64 = 0;
    loop {
        let n = read(words, &mut buffer);
        if n == 0 {
            // A last answer, for the case that nothing was read at all.
            write_all(answers, &total.to_ne_bytes());
            exit(0);
        }
        write_all(1, &buffer[..n]);
        total += n as u64;
        write_all(answers, &total.to_ne_bytes());
    }
}

/// Sends `bytes` and collects the answers until the child has no more; the result is the last one.
fn converse(mut bytes: &[u8], words: i32, answers: i32) -> Option<u64> {
    // A blocking write of more than there is room for would wait while the answers pile up.
    // SAFETY: F_SETFL takes an int.
    if unsafe { libc::fcntl(words, libc::F_SETFL, libc::O_NONBLOCK) } == -1 {
        fail("fcntl");
    }
    let mut last = None;
    let mut answer = Vec::new();
    let mut writer = words;
    loop {
        // poll passes over an entry with a negative descriptor.
        let mut fds =
            [libc::pollfd { fd: writer, events: libc::POLLOUT, revents: 0 }, libc::pollfd { fd: answers, events: libc::POLLIN, revents: 0 }];
        // SAFETY: `fds` holds two entries.
        if again(|| unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) } as isize) == -1 {
            fail("poll");
        }
        if fds[0].revents != 0 {
            let n = try_write(writer, bytes);
            if n == -1 && !would_block() {
                fail("write");
            }
            bytes = &bytes[n.max(0) as usize..];
            if bytes.is_empty() {
                close(writer);
                writer = -1;
            }
        }
        if fds[1].revents != 0 {
            let mut buffer = [0; 64];
            let n = read(answers, &mut buffer);
            if n == 0 {
                return last;
            }
            for &byte in &buffer[..n] {
                answer.push(byte);
                if let Ok(number) = answer.as_slice().try_into() {
                    last = Some(u64::from_ne_bytes(number));
                    answer.clear();
                }
            }
        }
    }
}

fn main() {
    let words: Vec<Vec<u8>> = env::args_os().skip(1).map(OsStringExt::into_vec).collect();
    if words.is_empty() {
        eprintln!("usage: pipe WORD...");
        exit(2);
    }
    let bytes: Vec<u8> = words.into_iter().flat_map(|word| [word, vec![b'\n']].concat()).collect();

    let (words_out, words_in) = pipe();
    let (answers_out, answers_in) = pipe();
    // SAFETY: there is one thread.
    let pid = unsafe { libc::fork() };
    if pid == -1 {
        fail("fork");
    }
    if pid == 0 {
        close(words_in);
        close(answers_out);
        child(words_out, answers_in);
    }
    close(words_out);
    close(answers_in);
    let last = converse(&bytes, words_in, answers_out);

    let mut status = 0;
    // SAFETY: `status` is valid for a write.
    if again(|| unsafe { libc::waitpid(pid, &raw mut status, 0) } as isize) == -1 {
        fail("waitpid");
    }
    match last {
        Some(count) if status == 0 => write_all(1, format!("{count} bytes\n").as_bytes()),
        _ => {
            eprintln!("pipe: child: ended before it was done");
            exit(1);
        }
    }
}
