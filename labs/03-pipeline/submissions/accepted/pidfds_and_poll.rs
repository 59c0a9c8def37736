//! Each child has a pidfd, and the parent polls all of them: whoever has ended is reaped at once, in whichever order.

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;

fn report(call: &str) {
    let error = io::Error::last_os_error();
    let line = format!("pipeline: {call}: {error}\n");
    eprint!("{line}");
}

fn interrupted() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

fn close(fd: i32) {
    // SAFETY: the descriptor is open and not used again.
    if unsafe { libc::close(fd) } == -1 {
        report("close");
    }
}

fn words(argument: OsString) -> Vec<CString> {
    argument.into_vec().split(|b| matches!(b, b' ' | b'\t')).filter(|w| !w.is_empty()).map(|w| CString::new(w).unwrap()).collect()
}

fn run(words: &[CString], input: Option<i32>, output: Option<i32>) -> &'static str {
    for (end, number) in [(input, 0), (output, 1)] {
        // SAFETY: the standard stream is not used any more.
        if end.is_some_and(|end| unsafe { libc::dup2(end, number) } == -1) {
            return "dup2";
        }
    }
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let argv: Vec<_> = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    // SAFETY: argv ends with a null pointer, and words owns the strings.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    "execvp"
}

/// Starts the stages, as many as can be. `false` if that is not all of them.
fn start(stages: &[Vec<CString>], pids: &mut Vec<i32>) -> bool {
    let mut input: Option<i32> = None;
    for (i, words) in stages.iter().enumerate() {
        let mut fds = [-1; 2];
        // SAFETY: fds has room for two descriptors.
        if i + 1 < stages.len() && unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
            report("pipe2");
            input.into_iter().for_each(close);
            return false;
        }
        let [next, output] = fds.map(|fd| (fd != -1).then_some(fd));
        // SAFETY: there is one thread.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            report(run(words, input, output));
            // SAFETY: _exit has no precondition.
            unsafe { libc::_exit(127) };
        }
        if pid == -1 {
            report("fork");
            input.into_iter().chain(next).chain(output).for_each(close);
            return false;
        }
        pids.push(pid);
        input.into_iter().chain(output).for_each(close);
        input = next;
    }
    true
}

/// A pidfd, close-on-exec as every one is.
fn open_pidfd(pid: i32) -> i32 {
    // SAFETY: pidfd_open takes a process id and flags.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd == -1 {
        report("pidfd_open");
        exit(1);
    }
    fd as i32
}

fn main() {
    let stages: Vec<Vec<CString>> = std::env::args_os().skip(1).map(words).collect();
    if stages.is_empty() || stages.iter().any(|stage| stage.is_empty()) {
        eprintln!("usage: pipeline 'CMD ARG...' ...");
        exit(2);
    }
    let mut pids = Vec::new();
    let complete = start(&stages, &mut pids);

    let mut fds: Vec<libc::pollfd> = pids.iter().map(|pid| libc::pollfd { fd: open_pidfd(*pid), events: libc::POLLIN, revents: 0 }).collect();
    let mut left = pids.len();
    let mut code = 0;
    while left > 0 {
        // SAFETY: the vector holds as many entries as its length says.
        if unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) } == -1 {
            if interrupted() {
                continue;
            }
            report("poll");
            exit(1);
        }
        for (i, entry) in fds.iter_mut().enumerate().filter(|(_, entry)| entry.fd != -1 && entry.revents != 0) {
            let mut status = 0;
            // SAFETY: status is valid for a write.
            while unsafe { libc::waitpid(pids[i], &mut status, 0) } == -1 {
                if !interrupted() {
                    report("waitpid");
                    exit(1);
                }
            }
            close(entry.fd);
            entry.fd = -1; // poll passes over it
            left -= 1;
            if i + 1 == stages.len() {
                code = if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
            }
        }
    }
    exit(if complete { code } else { 1 })
}
