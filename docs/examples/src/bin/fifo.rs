//! A FIFO: two processes that need not be related meet by a name in the file system.

use std::ffi::CString;
use std::io::Error;
use std::process::exit;

fn main() {
    let path = std::env::temp_dir().join(format!("book-fifo-{}", std::process::id()));
    let path =
        CString::new(path.into_os_string().into_encoded_bytes()).expect("a path has no NUL");
    // SAFETY: the path ends with NUL.
    check("mkfifo", unsafe { libc::mkfifo(path.as_ptr(), 0o600) } as isize);

    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", pid as isize);
    if pid == 0 {
        // SAFETY: the path ends with NUL.
        // waits for a reader
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
        check("open", fd as isize);
        // At most PIPE_BUF bytes: no other writer's bytes come in between.
        // SAFETY: the pointer is to as many bytes as the length says.
        check("write", unsafe { libc::write(fd, b"a record\n".as_ptr().cast(), 9) });
        // SAFETY: ends this process, and runs nothing of the parent's.
        unsafe { libc::_exit(0) };
    }

    // SAFETY: the path ends with NUL.
    // waits for a writer
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    check("open", fd as isize);
    let mut buffer = [0u8; 512];
    // SAFETY: the buffer has room for its length.
    let n = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    check("read", n);
    print!("{}", String::from_utf8_lossy(&buffer[..n as usize]));
    // SAFETY: the buffer has room for its length.
    let end = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    check("read", end);
    println!("then {end}: the last writer has closed");

    // SAFETY: null says that we do not ask how it has ended.
    check("waitpid", unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) } as isize);
    // SAFETY: the path ends with NUL.
    check("unlink", unsafe { libc::unlink(path.as_ptr()) } as isize);
}

fn check(call: &str, result: isize) {
    if result == -1 {
        eprintln!("fifo: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
