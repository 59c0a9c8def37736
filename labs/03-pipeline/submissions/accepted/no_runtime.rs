//! Without Rust's runtime, as in C: nobody opens `/dev/null` for a closed standard stream and nobody
//! touches SIGPIPE. A pipe's end that got a number below 3 is moved out of the way at once.

#![no_main]

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;

fn complain(call: &str) {
    let error = io::Error::last_os_error();
    let line = format!("pipeline: {call}: {error}\n");
    // SAFETY: the line is valid for reads of its whole length.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}

fn quit(call: &str) -> ! {
    complain(call);
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(127) }
}

fn close(fd: c_int) {
    if fd != -1 {
        // SAFETY: fd is open and not used again.
        unsafe { libc::close(fd) };
    }
}

/// A descriptor above 2 for the same end; -1 stays -1.
fn lift(fd: c_int) -> c_int {
    if fd > 2 || fd == -1 {
        return fd;
    }
    // SAFETY: F_DUPFD_CLOEXEC takes an int.
    let lifted = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
    close(fd);
    lifted
}

fn make_pipe() -> Option<[c_int; 2]> {
    let mut ends = [-1; 2];
    // SAFETY: ends has room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        complain("pipe2");
        return None;
    }
    let ends = ends.map(lift);
    if ends.contains(&-1) {
        complain("fcntl");
        ends.into_iter().for_each(close);
        return None;
    }
    Some(ends)
}

fn stage(words: &[CString], input: c_int, output: c_int) -> ! {
    // SAFETY: standard input is not used by this process.
    if input != -1 && unsafe { libc::dup2(input, 0) } == -1 {
        quit("dup2");
    }
    // SAFETY: standard output is not used by this process.
    if output != -1 && unsafe { libc::dup2(output, 1) } == -1 {
        quit("dup2");
    }
    // The runtime did not ignore it, but whoever started this program may have.
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let mut argv: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
    argv.push(std::ptr::null());
    // SAFETY: argv ends with a null pointer, and words owns the strings.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    quit("execvp")
}

/// # Safety
/// The C runtime calls this with the process's arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let mut stages: Vec<Vec<CString>> = Vec::new();
    for i in 1..argc as usize {
        // SAFETY: argv has argc elements.
        let argument = unsafe { argv.add(i) };
        // SAFETY: it points into that vector.
        let argument = unsafe { *argument };
        // SAFETY: an argument ends with a NUL byte.
        let argument = unsafe { CStr::from_ptr(argument) };
        let words = argument.to_bytes().split(|byte| *byte == b' ' || *byte == b'\t').filter(|word| !word.is_empty());
        stages.push(words.map(|word| CString::new(word).unwrap()).collect());
    }
    if stages.is_empty() || stages.iter().any(|words| words.is_empty()) {
        let usage = "usage: pipeline 'CMD ARG...' ...\n";
        // SAFETY: the line is valid for reads of its whole length.
        unsafe { libc::write(2, usage.as_ptr().cast(), usage.len()) };
        return 2;
    }

    let mut pids = Vec::new();
    let mut input = -1;
    for (i, words) in stages.iter().enumerate() {
        let mut ends = [-1; 2];
        if i + 1 < stages.len() {
            match make_pipe() {
                Some(made) => ends = made,
                None => break,
            }
        }
        // SAFETY: there is one thread.
        let pid = unsafe { libc::fork() };
        match pid {
            0 => stage(words, input, ends[1]),
            -1 => complain("fork"),
            _ => pids.push(pid),
        }
        close(input);
        close(ends[1]);
        input = ends[0];
        if pid == -1 {
            break;
        }
    }
    let complete = pids.len() == stages.len();
    if !complete {
        close(input);
    }

    let mut code = 0;
    for pid in pids {
        let mut status = 0;
        // SAFETY: status is valid for a write.
        while unsafe { libc::waitpid(pid, &mut status, 0) } == -1 {
            if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                complain("waitpid");
                return 1;
            }
        }
        code = if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
    }
    if complete { code } else { 1 }
}
