//! The parent asks with WNOHANG again and again until the child has ended. The result is right, but as
//! long as the child takes, the parent uses up a whole processor for nothing.

use std::env;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::exit;

fn fail(call: &str) -> ! {
    let error = io::Error::last_os_error();
    eprintln!("pipe: {call}: {error}");
    exit(1);
}

fn was_interrupted() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

fn make_pipe() -> [i32; 2] {
    let mut fds = [0; 2];
    // SAFETY: fds has room for two descriptors.
    if unsafe { libc::pipe(fds.as_mut_ptr()) } == -1 {
        fail("pipe");
    }
    fds
}

fn close(fd: i32) {
    // SAFETY: fd is open and not used again.
    if unsafe { libc::close(fd) } == -1 {
        fail("close");
    }
}

fn read(fd: i32, buf: &mut [u8]) -> usize {
    loop {
        // SAFETY: buf is valid for writes of its length.
        let n = unsafe { libc::read(fd, buf.as_mut_ptr().cast(), buf.len()) };
        if n >= 0 {
            return n as usize;
        }
        if !was_interrupted() {
            fail("read");
        }
    }
}

fn write_all(fd: i32, buf: &[u8]) {
    let mut done = 0;
    while done < buf.len() {
        let rest = &buf[done..];
        // SAFETY: rest is valid for reads of its length.
        let n = unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) };
        if n >= 0 {
            done += n as usize;
        } else if !was_interrupted() {
            fail("write");
        }
    }
}

fn wait_for(pid: i32) {
    let mut status = 0;
    loop {
        // SAFETY: status is valid for a write.
        let r = unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) };
        if r == pid {
            break;
        }
        if r == -1 && !was_interrupted() {
            fail("waitpid");
        }
    }
    if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) != 0 {
        eprintln!("pipe: child: did not end well (wait status {status})");
        exit(1);
    }
}

fn child(words: [i32; 2], count: [i32; 2]) -> ! {
    close(words[1]);
    close(count[0]);
    let mut buf = [0u8; 4096];
    let mut total: u64 = 0;
    loop {
        let n = read(words[0], &mut buf);
        if n == 0 {
            break;
        }
        write_all(1, &buf[..n]);
        total += n as u64;
    }
    write_all(count[1], &total.to_ne_bytes());
    exit(0);
}

fn read_count(fd: i32) -> u64 {
    let mut buf = [0u8; 8];
    let mut got = 0;
    while got < 8 {
        let n = read(fd, &mut buf[got..]);
        if n == 0 {
            eprintln!("pipe: read: no count from the child");
            exit(1);
        }
        got += n;
    }
    u64::from_ne_bytes(buf)
}

fn main() {
    let args: Vec<_> = env::args_os().collect();
    if args.len() < 2 {
        eprintln!("usage: pipe WORD...");
        exit(2);
    }

    let words = make_pipe();
    let count = make_pipe();
    // SAFETY: the process has one thread.
    let pid = unsafe { libc::fork() };
    if pid == -1 {
        fail("fork");
    }
    if pid == 0 {
        child(words, count);
    }

    close(words[0]);
    close(count[1]);
    for word in &args[1..] {
        let mut line = word.as_bytes().to_vec();
        line.push(b'\n');
        write_all(words[1], &line);
    }
    close(words[1]);

    let total = read_count(count[0]);
    wait_for(pid);
    write_all(1, format!("{total} bytes\n").as_bytes());
}
