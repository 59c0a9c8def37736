//! C-like: all pipes are made before the first fork, without close-on-exec, and every child closes
//! all of their ends once its own two are in place. The stages are reaped in the order in which they end.

use std::env;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;

fn complain(call: &str) {
    let error = io::Error::last_os_error();
    eprintln!("pipeline: {call}: {error}");
}

/// The child of a failed call.
fn quit(call: &str) -> ! {
    complain(call);
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(127) }
}

fn close_all(pipes: &[[i32; 2]]) {
    for &fd in pipes.as_flattened() {
        // SAFETY: fd is open and not used again.
        if unsafe { libc::close(fd) } == -1 {
            complain("close");
        }
    }
}

fn split(stage: OsString) -> Vec<CString> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    for byte in stage.into_vec() {
        if byte != b' ' && byte != b'\t' {
            word.push(byte);
        } else if !word.is_empty() {
            words.push(CString::new(std::mem::take(&mut word)).unwrap());
        }
    }
    if !word.is_empty() {
        words.push(CString::new(word).unwrap());
    }
    words
}

fn child(i: usize, pipes: &[[i32; 2]], argv: &[*const libc::c_char]) -> ! {
    if i > 0 {
        // SAFETY: standard input is not used by this process any more.
        if unsafe { libc::dup2(pipes[i - 1][0], 0) } == -1 {
            quit("dup2");
        }
    }
    if i < pipes.len() {
        // SAFETY: standard output is not used by this process any more.
        if unsafe { libc::dup2(pipes[i][1], 1) } == -1 {
            quit("dup2");
        }
    }
    close_all(pipes);
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: argv ends with a null pointer; the strings are alive in main.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    quit("execvp")
}

fn main() {
    let stages: Vec<Vec<CString>> = env::args_os().skip(1).map(split).collect();
    if stages.is_empty() || stages.iter().any(|words| words.is_empty()) {
        eprintln!("usage: pipeline 'CMD ARG...' ...");
        exit(2);
    }
    let argvs: Vec<Vec<*const libc::c_char>> =
        stages.iter().map(|words| words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()).collect();

    let mut pipes = Vec::new();
    for _ in 1..stages.len() {
        let mut fds = [-1; 2];
        // SAFETY: fds has room for two descriptors.
        if unsafe { libc::pipe(fds.as_mut_ptr()) } == -1 {
            complain("pipe");
            exit(1);
        }
        pipes.push(fds);
    }

    let mut failed = false;
    let mut last = -1;
    for (i, argv) in argvs.iter().enumerate() {
        // SAFETY: there is one thread.
        let pid = unsafe { libc::fork() };
        if pid == -1 {
            complain("fork");
            failed = true;
            break;
        }
        if pid == 0 {
            child(i, &pipes, argv);
        }
        last = pid;
    }
    close_all(&pipes);

    let mut code = 0;
    loop {
        let mut status = 0;
        // SAFETY: status is valid for a write.
        let pid = unsafe { libc::waitpid(-1, &mut status, 0) };
        if pid == -1 {
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => continue,
                Some(libc::ECHILD) => break,
                _ => {
                    complain("waitpid");
                    exit(1);
                }
            }
        }
        if pid == last {
            code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
        }
    }
    exit(if failed { 1 } else { code });
}
