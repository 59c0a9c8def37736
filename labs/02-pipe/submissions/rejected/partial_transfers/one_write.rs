//! Sends all the words with a single write and does not look at how many bytes it took. When it
//! takes fewer, the rest is never sent.

use std::io;
use std::os::unix::ffi::OsStringExt;

fn fail(call: &str) -> ! {
    let error = io::Error::last_os_error();
    eprintln!("pipe: {call}: {error}");
    std::process::exit(1);
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn close(fd: i32) {
    // SAFETY: the descriptor is open and not used again.
    if unsafe { libc::close(fd) } == -1 {
        fail("close");
    }
}

fn read_to_end(fd: i32) -> Vec<u8> {
    let mut all = Vec::new();
    let mut chunk = [0u8; 16384];
    loop {
        // SAFETY: chunk is valid for writes of its length.
        let n = unsafe { libc::read(fd, chunk.as_mut_ptr().cast(), chunk.len()) };
        match n {
            0 => return all,
            -1 if errno() == libc::EINTR => continue,
            -1 => fail("read"),
            n => all.extend_from_slice(&chunk[..n as usize]),
        }
    }
}

fn write_all(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: bytes is valid for reads of its length.
        let n = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match n {
            -1 if errno() == libc::EINTR => continue,
            -1 => fail("write"),
            n => bytes = &bytes[n as usize..],
        }
    }
}

fn wait_for(pid: i32) {
    let mut status = 0;
    loop {
        // SAFETY: status is valid for a write.
        let r = unsafe { libc::waitpid(pid, &mut status, 0) };
        if r == pid {
            break;
        }
        if errno() != libc::EINTR {
            fail("waitpid");
        }
    }
    if status != 0 {
        eprintln!("pipe: child: failed, wait status {status}");
        std::process::exit(1);
    }
}

fn main() {
    let words: Vec<Vec<u8>> = std::env::args_os().skip(1).map(|word| word.into_vec()).collect();
    if words.is_empty() {
        eprintln!("usage: pipe WORD...");
        std::process::exit(2);
    }

    let mut down = [0i32; 2];
    // SAFETY: down has room for two descriptors.
    if unsafe { libc::pipe(down.as_mut_ptr()) } == -1 {
        fail("pipe");
    }
    let mut up = [0i32; 2];
    // SAFETY: up has room for two descriptors.
    if unsafe { libc::pipe(up.as_mut_ptr()) } == -1 {
        fail("pipe");
    }

    // SAFETY: the process has a single thread.
    match unsafe { libc::fork() } {
        -1 => fail("fork"),
        0 => {
            close(down[1]);
            close(up[0]);
            let all = read_to_end(down[0]);
            let mut text = Vec::new();
            for word in all.split(|&byte| byte == 0) {
                text.extend_from_slice(word);
                text.push(b'\n');
            }
            write_all(1, &text);
            write_all(up[1], &(all.len() as u64).to_le_bytes());
        }
        pid => {
            close(down[0]);
            close(up[1]);
            let joined = words.join(&0);
            loop {
                // SAFETY: joined is valid for reads of its length.
                let n = unsafe { libc::write(down[1], joined.as_ptr().cast(), joined.len()) };
                if n != -1 {
                    break;
                }
                if errno() != libc::EINTR {
                    fail("write");
                }
            }
            close(down[1]);
            wait_for(pid);
            let answer = read_to_end(up[0]);
            let Ok(count) = answer.try_into() else {
                eprintln!("pipe: read: the count is not eight bytes long");
                std::process::exit(1);
            };
            let line = format!("{} bytes\n", u64::from_le_bytes(count));
            write_all(1, line.as_bytes());
        }
    }
}
