//! Once all stages run, each of them has a thread in the parent that waits for it. No thread exists before the last fork.

use std::ffi::CString;
use std::io::{Error, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::thread;

type Failure = (&'static str, Error);

fn failure(call: &'static str) -> Failure {
    (call, Error::last_os_error())
}

fn report((call, error): &Failure) {
    eprintln!("pipeline: {call}: {error}");
}

/// The numbers of the ends that are open in the parent.
#[derive(Default)]
struct Ends {
    read: Option<i32>,
    write: Option<i32>,
}

impl Ends {
    fn close(end: &mut Option<i32>) {
        if let Some(fd) = end.take() {
            // SAFETY: fd is open, and `take` sees to it that nobody uses it again.
            unsafe { libc::close(fd) };
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        Self::close(&mut self.read);
        Self::close(&mut self.write);
    }
}

fn make_pipe() -> Result<Ends, Failure> {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    match unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } {
        -1 => Err(failure("pipe2")),
        _ => Ok(Ends { read: Some(fds[0]), write: Some(fds[1]) }),
    }
}

fn execute(words: &[CString], input: Option<i32>, output: Option<i32>) -> Failure {
    for (end, target) in input.map(|fd| (fd, 0)).into_iter().chain(output.map(|fd| (fd, 1))) {
        // SAFETY: the standard stream is not used any more.
        if unsafe { libc::dup2(end, target) } == -1 {
            return failure("dup2");
        }
    }
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let argv: Vec<_> = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    // SAFETY: `argv` ends with a null pointer, and `words` owns the strings.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    failure("execvp")
}

fn start_all(stages: &[Vec<CString>], pids: &mut Vec<i32>) -> Result<(), Failure> {
    let mut before = Ends::default();
    for (i, words) in stages.iter().enumerate() {
        let mut after = if i + 1 < stages.len() { make_pipe()? } else { Ends::default() };
        // SAFETY: there is one thread so far.
        match unsafe { libc::fork() } {
            -1 => return Err(failure("fork")),
            0 => {
                report(&execute(words, before.read, after.write));
                // SAFETY: _exit has no precondition.
                unsafe { libc::_exit(127) }
            }
            pid => pids.push(pid),
        }
        Ends::close(&mut after.write);
        before = after;
    }
    Ok(())
}

fn wait_for(pid: i32) -> Result<i32, Failure> {
    let mut status = 0;
    // SAFETY: `status` is valid for a write.
    while unsafe { libc::waitpid(pid, &mut status, 0) } == -1 {
        let failure = failure("waitpid");
        if failure.1.kind() != ErrorKind::Interrupted {
            return Err(failure);
        }
    }
    Ok(if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) })
}

fn main() {
    let split = |arg: std::ffi::OsString| -> Vec<CString> {
        let bytes = arg.into_vec();
        bytes.split(|b| *b == b' ' || *b == b'\t').filter(|w| !w.is_empty()).map(|w| CString::new(w).expect("no NUL")).collect()
    };
    let stages: Vec<_> = std::env::args_os().skip(1).map(split).collect();
    if stages.is_empty() || stages.iter().any(Vec::is_empty) {
        eprintln!("usage: pipeline 'CMD ARG...' 'CMD ARG...' ...");
        exit(2);
    }
    let mut pids = Vec::new();
    let started = start_all(&stages, &mut pids);
    let mut failed = started.inspect_err(report).is_err();
    let waiters: Vec<_> = pids.into_iter().map(|pid| thread::spawn(move || wait_for(pid))).collect();
    let mut code = 0;
    for waiter in waiters {
        match waiter.join().expect("a waiter does not panic") {
            Ok(status) => code = status,
            Err(failure) => {
                report(&failure);
                failed = true;
            }
        }
    }
    exit(if failed { 1 } else { code })
}
