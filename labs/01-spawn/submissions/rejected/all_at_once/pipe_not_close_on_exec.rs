//! The pipe is not close-on-exec, so the command holds its write end. The read after each fork, which should
//! tell of the exec, waits until the command ends.

use std::env;
use std::ffi::{CString, OsStr, c_char, c_int};
use std::io::{self, Write};
use std::mem::{MaybeUninit, zeroed};
use std::os::unix::ffi::OsStrExt;
use std::process::exit;

type Failure = (&'static str, io::Error);

fn complain(call: &str, error: &io::Error) {
    let line = format!("spawn: {call}: {error}\n");
    eprint!("{line}");
}

fn last(call: &'static str) -> Failure {
    (call, io::Error::last_os_error())
}

/// Blocks SIGCHLD; returns what was blocked before, and the set with SIGCHLD alone.
fn block_sigchld() -> (libc::sigset_t, libc::sigset_t) {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD) };
    // SAFETY: as above.
    let set = unsafe { set.assume_init() };
    // SAFETY: sigset_t is plain data, for which zeroes are valid.
    let mut before = unsafe { zeroed() };
    // SAFETY: both sets are valid.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
    (before, set)
}

fn start(argv: &[*const c_char], before: &libc::sigset_t, name: &OsStr) -> Result<libc::pid_t, Failure> {
    let mut fds = [0; 2];
    // SAFETY: fds has room for two descriptors.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), 0) } == -1 {
        return Err(last("pipe2"));
    }
    // SAFETY: the process has one thread.
    let pid = unsafe { libc::fork() };
    if pid == -1 {
        let failure = last("fork");
        fds.into_iter().for_each(close);
        return Err(failure);
    }
    if pid == 0 {
        close(fds[0]);
        // SAFETY: the set is the one that sigprocmask stored.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
        // SAFETY: SIG_DFL is a disposition for SIGPIPE.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        // SAFETY: argv holds NUL-terminated strings and ends with a null pointer.
        unsafe { libc::execvp(argv[0], argv.as_ptr()) };
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        // SAFETY: errno is valid for reads of its size.
        unsafe { libc::write(fds[1], (&raw const errno).cast(), size_of::<c_int>()) };
        // SAFETY: no precondition.
        unsafe { libc::_exit(127) };
    }
    close(fds[1]);
    let mut errno: c_int = 0;
    let n = loop {
        // SAFETY: errno is valid for a write of its size.
        let n = unsafe { libc::read(fds[0], (&raw mut errno).cast(), size_of::<c_int>()) };
        if n >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            break n;
        }
    };
    if n == -1 {
        let (call, error) = last("read");
        complain(call, &error);
        exit(1);
    }
    if n > 0 {
        complain(&name.to_string_lossy(), &io::Error::from_raw_os_error(errno));
    }
    close(fds[0]);
    Ok(pid)
}

fn close(fd: c_int) {
    // SAFETY: fd is open and not used again.
    unsafe { libc::close(fd) };
}

/// The wait status of a copy that has ended.
fn ended(pid: libc::pid_t) -> Option<c_int> {
    let mut status = 0;
    loop {
        // SAFETY: status is valid for a write.
        match unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } {
            0 => return None,
            -1 => {
                let (call, error) = last("waitpid");
                if error.kind() != io::ErrorKind::Interrupted {
                    complain(call, &error);
                    exit(1);
                }
            }
            _ => return Some(status),
        }
    }
}

fn main() {
    let arguments: Vec<_> = env::args_os().collect();
    let count = match arguments.as_slice() {
        [_, n, count, dashes, _, ..] if n == "-n" && dashes == "--" => count.to_str().and_then(|count| count.parse::<u16>().ok()),
        _ => None,
    };
    let Some(count) = count.filter(|count| *count > 0 && *count <= 1000) else {
        eprintln!("usage: spawn -n N -- CMD ARG...");
        exit(2);
    };
    let command = &arguments[4..];
    let words: Vec<CString> = command.iter().map(|word| CString::new(word.as_bytes()).unwrap_or_default()).collect();
    let mut argv: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
    argv.push(std::ptr::null());

    let (before, sigchld) = block_sigchld();
    let mut copies: Vec<(libc::pid_t, Option<c_int>)> = Vec::new();
    let mut status = 0;
    while copies.len() < usize::from(count) {
        match start(&argv, &before, &command[0]) {
            Ok(pid) => copies.push((pid, None)),
            Err((call, error)) => {
                complain(call, &error);
                status = 1;
                break;
            }
        }
    }
    loop {
        for (pid, end) in copies.iter_mut().filter(|(_, end)| end.is_none()) {
            *end = ended(*pid);
        }
        if copies.iter().all(|(_, end)| end.is_some()) {
            break;
        }
        let mut signal = 0;
        // SAFETY: the set is initialised and signal valid for a write.
        unsafe { libc::sigwait(&raw const sigchld, &raw mut signal) };
    }
    let mut report = String::new();
    for end in copies.iter().filter_map(|(_, end)| *end) {
        report += &match libc::WIFSIGNALED(end) {
            true => format!("signal {}\n", libc::WTERMSIG(end)),
            false => format!("exit {}\n", libc::WEXITSTATUS(end)),
        };
        if end != 0 {
            status = 1;
        }
    }
    if let Err(error) = io::stdout().write_all(report.as_bytes()).and_then(|()| io::stdout().flush()) {
        complain("write", &error);
        status = 1;
    }
    exit(status);
}
