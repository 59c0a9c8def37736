//! A stage without a word is not looked for. There is no first word to execute, and the program panics in the child.

use std::env;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;

fn say(call: &str) {
    let error = io::Error::last_os_error();
    eprintln!("pipeline: {call}: {error}");
}

fn quit(call: &str) -> ! {
    say(call);
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(127) }
}

fn interrupted() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

fn close(fd: i32) {
    // SAFETY: fd is open and not used again.
    if unsafe { libc::close(fd) } == -1 {
        say("close");
    }
}

fn put(fd: i32, target: i32) {
    // SAFETY: what target refers to is not used any more.
    if unsafe { libc::dup2(fd, target) } == -1 {
        quit("dup2");
    }
}

/// The child; -1 stands for the stream that the program has itself.
fn stage(words: &[CString], input: i32, output: i32) -> ! {
    if input != -1 {
        put(input, 0);
    }
    if output != -1 {
        put(output, 1);
    }
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let mut argv: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
    argv.push(std::ptr::null());
    // SAFETY: argv ends with a null pointer, and words owns the strings.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    quit("execvp")
}

fn code_of(status: i32) -> i32 {
    if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}

/// Waits for a child; its status as in a shell.
fn wait_for(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: status is valid for a write.
    while unsafe { libc::waitpid(pid, &mut status, 0) } == -1 {
        if !interrupted() {
            say("waitpid");
            exit(1);
        }
    }
    code_of(status)
}

/// The end, when a call has failed on the way: no ends are kept, and those who run are waited for.
fn give_up(call: &str, ends: &[i32], pids: &[i32]) -> ! {
    say(call);
    for &end in ends {
        close(end);
    }
    for &pid in pids {
        wait_for(pid);
    }
    exit(1)
}

fn split(arg: Vec<u8>) -> Vec<CString> {
    let words = arg.split(|c| *c == b' ' || *c == b'\t').filter(|word| !word.is_empty());
    words.map(|word| CString::new(word).unwrap()).collect()
}

fn main() {
    let stages: Vec<Vec<CString>> = env::args_os().skip(1).map(|arg| split(arg.into_vec())).collect();
    if stages.is_empty() {
        eprintln!("usage: pipeline 'CMD ARG...' ...");
        exit(2);
    }

    let mut pids = Vec::new();
    let mut input = -1;
    for (i, words) in stages.iter().enumerate() {
        let mut open = Vec::new();
        if input != -1 {
            open.push(input);
        }
        let mut fds = [-1; 2];
        if i + 1 < stages.len() {
            // SAFETY: fds has room for two descriptors.
            if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
                give_up("pipe2", &open, &pids);
            }
            open.extend(fds);
        }
        // SAFETY: there is one thread.
        let pid = unsafe { libc::fork() };
        if pid == -1 {
            give_up("fork", &open, &pids);
        }
        if pid == 0 {
            stage(words, input, fds[1]);
        }
        if input != -1 {
            close(input);
        }
        if fds[1] != -1 {
            close(fds[1]);
        }
        input = fds[0];
        pids.push(pid);
    }

    let mut code = 0;
    for &pid in &pids {
        code = wait_for(pid);
    }
    exit(code);
}
