//! A stage is divided at newlines and carriage returns too, which have no meaning here. Rust's split_whitespace does the same.
//! pipeline: the stages are started from the last to the first.
use std::env;
use std::ffi::{CString, OsString, c_char, c_int};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process;
use std::ptr;

fn main() {
    let commands: Vec<Vec<CString>> = env::args_os().skip(1).map(words).collect();
    if commands.is_empty() || commands.iter().any(Vec::is_empty) {
        eprintln!("usage: pipeline 'CMD ARG...' 'CMD ARG...' ...");
        process::exit(2);
    }
    let mut failed = false;
    let mut pids = Vec::new();
    // Where the stage that is to be started writes to.
    let mut output: Option<c_int> = None;
    for (at, command) in commands.iter().enumerate().rev() {
        let mut ends = [-1; 2];
        if at > 0 && unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
            complain("pipe2");
            failed = true;
            break;
        }
        let input = (at > 0).then_some(ends[0]);
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            become_stage(command, input, output);
        }
        if pid == -1 {
            complain("fork");
            failed = true;
        } else {
            pids.push(pid);
        }
        if let Some(fd) = output.take() {
            close(fd);
        }
        if let Some(fd) = input {
            close(fd);
            output = Some(ends[1]);
        }
        if failed {
            break;
        }
    }
    if let Some(fd) = output {
        close(fd);
    }
    let mut result = 1;
    for (at, &pid) in pids.iter().enumerate() {
        let mut status = 0;
        loop {
            if unsafe { libc::waitpid(pid, &raw mut status, 0) } != -1 {
                break;
            }
            if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                complain("waitpid");
                failed = true;
                break;
            }
        }
        if at == 0 {
            result = if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
        }
    }
    process::exit(if failed { 1 } else { result })
}

/// The words of a stage. They are made before the fork: afterwards there is less that can go wrong.
fn words(stage: OsString) -> Vec<CString> {
    let stage = stage.into_vec();
    let words = stage.split(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).filter(|word| !word.is_empty());
    words.map(|word| CString::new(word).expect("an argument holds no NUL byte")).collect()
}

fn become_stage(command: &[CString], input: Option<c_int>, output: Option<c_int>) -> ! {
    for (end, target) in [(input, 0), (output, 1)] {
        let Some(end) = end else { continue };
        if end == target {
            unsafe { libc::fcntl(end, libc::F_SETFD, 0) };
        } else if unsafe { libc::dup2(end, target) } == -1 {
            complain("dup2");
            unsafe { libc::_exit(1) };
        }
    }
    let argv: Vec<*const c_char> = command.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::execvp(argv[0], argv.as_ptr());
    }
    complain("execvp");
    unsafe { libc::_exit(127) }
}

fn close(fd: c_int) {
    unsafe { libc::close(fd) };
}

fn complain(call: &str) {
    let line = format!("pipeline: {call}: {}\n", io::Error::last_os_error());
    eprint!("{line}");
}
