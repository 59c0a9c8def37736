//! `while waitpid(-1, …) > 0` ends at the first -1, whatever the reason. After a signal the stages that still run are
//! forgotten.

use std::env;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;

fn perror(call: &str) {
    let error = io::Error::last_os_error();
    eprintln!("pipeline: {call}: {error}");
}

fn child_fails(call: &str) -> ! {
    perror(call);
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(127) }
}

fn close_all(pipes: &[[i32; 2]]) {
    for pipe in pipes {
        for &fd in pipe {
            // SAFETY: fd is open and not used again.
            unsafe { libc::close(fd) };
        }
    }
}

fn child(i: usize, pipes: &[[i32; 2]], words: &[CString]) -> ! {
    // SAFETY: standard input is not used any more.
    if i > 0 && unsafe { libc::dup2(pipes[i - 1][0], 0) } == -1 {
        child_fails("dup2");
    }
    // SAFETY: standard output is not used any more.
    if i < pipes.len() && unsafe { libc::dup2(pipes[i][1], 1) } == -1 {
        child_fails("dup2");
    }
    close_all(pipes);
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let mut argv: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
    argv.push(std::ptr::null());
    // SAFETY: argv ends with a null pointer, and words owns the strings.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    child_fails("execvp")
}

fn main() {
    let mut stages: Vec<Vec<CString>> = Vec::new();
    for arg in env::args_os().skip(1) {
        let arg = arg.into_vec();
        let words = arg.split(|c| *c == b' ' || *c == b'\t').filter(|word| !word.is_empty());
        stages.push(words.map(|word| CString::new(word).unwrap()).collect());
    }
    if stages.is_empty() || stages.iter().any(|words| words.is_empty()) {
        eprintln!("usage: pipeline 'CMD ARG...' ...");
        exit(2);
    }

    let n = stages.len();
    let mut pipes = vec![[-1; 2]; n - 1];
    for pipe in &mut pipes {
        // SAFETY: pipe has room for two descriptors.
        if unsafe { libc::pipe(pipe.as_mut_ptr()) } == -1 {
            perror("pipe");
            exit(1);
        }
    }
    let mut pids = vec![-1; n];
    let mut failed = false;
    for i in 0..n {
        // SAFETY: there is one thread.
        pids[i] = unsafe { libc::fork() };
        if pids[i] == 0 {
            child(i, &pipes, &stages[i]);
        }
        if pids[i] == -1 {
            perror("fork");
            failed = true;
            break;
        }
    }
    close_all(&pipes);

    let mut code = 0;
    loop {
        let mut status = 0;
        // SAFETY: status is valid for a write.
        let pid = unsafe { libc::waitpid(-1, &mut status, 0) };
        if pid == -1 {
            break;
        }
        if pid == pids[n - 1] {
            code = if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
        }
    }
    exit(if failed { 1 } else { code });
}
