//! Takes N children with waitpid(-1), whichever they are. One that it did not start counts as a copy, and the
//! last copy is not waited for.

use std::ffi::{CString, c_char, c_int};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::exit;

fn say(what: &str) {
    let line = format!("spawn: {what}\n");
    eprint!("{line}");
}

fn die(call: &str) -> ! {
    let error = io::Error::last_os_error();
    say(&format!("{call}: {error}"));
    exit(1)
}

fn was_interrupted() -> bool {
    io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn usage() -> ! {
    eprintln!("usage: spawn -n N -- CMD ARG...");
    exit(2)
}

fn number(text: &[u8]) -> Option<usize> {
    if text.is_empty() || text.len() > 9 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |value, digit| value * 10 + usize::from(digit - b'0')))
}

fn main() {
    let args: Vec<Vec<u8>> = std::env::args_os().map(OsStringExt::into_vec).collect();
    if args.len() < 5 || args[1] != b"-n" || args[3] != b"--" {
        usage();
    }
    let n = match number(&args[2]) {
        Some(n) if n >= 1 && n <= 1000 => n,
        _ => usage(),
    };
    let name = std::ffi::OsStr::from_bytes(&args[4]).to_string_lossy().into_owned();
    let owned: Vec<CString> = args[4..].iter().map(|arg| CString::new(arg.clone()).unwrap()).collect();
    let mut argv: Vec<*const c_char> = owned.iter().map(|arg| arg.as_ptr()).collect();
    argv.push(std::ptr::null());

    let mut fds = [0; 2];
    // SAFETY: fds has room for two descriptors.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        die("pipe2");
    }
    let mut status = 0;
    let mut pids = vec![0; n];
    let mut started = 0;
    while started < n {
        // SAFETY: the process has one thread.
        let pid = unsafe { libc::fork() };
        if pid == -1 {
            let error = io::Error::last_os_error();
            say(&format!("fork: {error}"));
            status = 1;
            break;
        }
        if pid == 0 {
            child(&argv, fds[1]);
        }
        pids[started] = pid;
        started += 1;
    }
    // SAFETY: fds[1] is open and not used again.
    unsafe { libc::close(fds[1]) };

    // End-of-file comes when the last child has executed its command or ended.
    loop {
        let mut errno: c_int = 0;
        // SAFETY: errno is valid for a write of its size.
        let r = unsafe { libc::read(fds[0], (&raw mut errno).cast(), size_of::<c_int>()) };
        if r == 0 {
            break;
        }
        if r > 0 {
            say(&format!("{name}: {}", io::Error::from_raw_os_error(errno)));
            status = 1;
        } else if !was_interrupted() {
            die("read");
        }
    }

    let mut ends = vec![0; n];
    let mut left = started;
    while left > 0 {
        let mut end = 0;
        // SAFETY: end is valid for a write.
        let pid = unsafe { libc::waitpid(-1, &raw mut end, 0) };
        if pid == -1 {
            if was_interrupted() {
                continue;
            }
            die("waitpid");
        }
        for i in 0..started {
            if pids[i] == pid {
                ends[i] = end;
            }
        }
        left -= 1;
    }
    let mut report = Vec::new();
    for end in &ends[..started] {
        if libc::WIFEXITED(*end) {
            report.extend_from_slice(format!("exit {}\n", libc::WEXITSTATUS(*end)).as_bytes());
        } else {
            report.extend_from_slice(format!("signal {}\n", libc::WTERMSIG(*end)).as_bytes());
        }
        if *end != 0 {
            status = 1;
        }
    }
    let mut done = 0;
    while done < report.len() {
        let rest = &report[done..];
        // SAFETY: rest is valid for reads of its length.
        let r = unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) };
        if r >= 0 {
            done += r as usize;
        } else if !was_interrupted() {
            die("write");
        }
    }
    exit(status);
}

fn child(argv: &[*const c_char], errors: c_int) -> ! {
    // SAFETY: sigaction is plain data, for which zeroes are valid: SIG_DFL, no flags, an empty mask.
    let action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: action is a valid structure, and the old one is not asked for.
    unsafe { libc::sigaction(libc::SIGPIPE, &raw const action, std::ptr::null_mut()) };
    // SAFETY: argv holds NUL-terminated strings and ends with a null pointer.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    // SAFETY: the location of errno is valid in this thread.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: errno is valid for reads of its size.
    unsafe { libc::write(errors, (&raw const errno).cast(), size_of::<c_int>()) };
    // SAFETY: no precondition.
    unsafe { libc::_exit(127) }
}
