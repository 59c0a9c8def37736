//! SIGCHLD is blocked from the start, and the parent takes it with sigwaitinfo; each one may stand for several
//! children, so that all who have ended are reaped. The children get the signal mask back before exec.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::process::exit;

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn perror(call: &str) {
    eprintln!("pipeline: {call}: {}", io::Error::last_os_error());
}

fn die(call: &str) -> ! {
    perror(call);
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(127) }
}

/// Blocks SIGCHLD; the result is the set that holds it, and the mask before.
fn block_sigchld() -> (libc::sigset_t, libc::sigset_t) {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set is initialised, and SIGCHLD is a signal.
    unsafe { libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD) };
    // SAFETY: one set is initialised, the other valid for a write.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), old.as_mut_ptr()) } == -1 {
        perror("sigprocmask");
        exit(1);
    }
    // SAFETY: sigemptyset initialised it.
    let set = unsafe { set.assume_init() };
    // SAFETY: sigprocmask initialised it.
    let old = unsafe { old.assume_init() };
    (set, old)
}

fn main() {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let stages: Vec<Vec<CString>> = args
        .iter()
        .map(|arg| arg.as_bytes().split(|c| *c == b' ' || *c == b'\t').filter(|w| !w.is_empty()).map(|w| CString::new(w).unwrap()).collect())
        .collect();
    if stages.is_empty() || stages.iter().any(|s: &Vec<CString>| s.is_empty()) {
        eprintln!("usage: pipeline 'CMD ARG...' ...");
        exit(2);
    }
    let (sigchld, old) = block_sigchld();

    // The parent holds at most these two: the end for the next stage to read, and the end for this one to write.
    let (mut reader, mut writer) = (-1, -1);
    let mut running = 0;
    let mut last = -1;
    let mut code = 1;
    let mut complete = true;
    for (i, words) in stages.iter().enumerate() {
        let input = reader;
        (reader, writer) = (-1, -1);
        if i < stages.len() - 1 {
            let mut fds = [0; 2];
            // SAFETY: fds has room for two descriptors.
            if unsafe { libc::pipe(fds.as_mut_ptr()) } == -1 {
                perror("pipe");
                complete = false;
            } else {
                (reader, writer) = (fds[0], fds[1]);
            }
        }
        if complete {
            // SAFETY: there is one thread.
            match unsafe { libc::fork() } {
                -1 => {
                    perror("fork");
                    complete = false;
                }
                0 => child(words, input, reader, writer, &old),
                pid => {
                    running += 1;
                    last = pid;
                }
            }
        }
        for fd in [input, writer] {
            if fd != -1 {
                // SAFETY: fd is open and not used again.
                unsafe { libc::close(fd) };
            }
        }
        if !complete {
            break;
        }
    }
    if !complete && reader != -1 {
        // SAFETY: reader is open and not used again.
        unsafe { libc::close(reader) };
    }

    while running > 0 {
        let mut status = 0;
        // SAFETY: status is valid for a write.
        let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
        if pid > 0 {
            running -= 1;
            if pid == last {
                code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
            }
        } else if pid == 0 {
            // SAFETY: the set is initialised; the second pointer may be null.
            if unsafe { libc::sigwaitinfo(&sigchld, std::ptr::null_mut()) } == -1 && errno() != libc::EINTR {
                perror("sigwaitinfo");
                exit(1);
            }
        } else if errno() != libc::EINTR {
            perror("waitpid");
            exit(1);
        }
    }
    exit(if complete { code } else { 1 });
}

fn child(words: &[CString], input: i32, reader: i32, writer: i32, mask: &libc::sigset_t) -> ! {
    if reader != -1 {
        // SAFETY: the end is open, and this process does not use it.
        unsafe { libc::close(reader) };
    }
    for (end, number) in [(input, 0), (writer, 1)] {
        if end != -1 {
            // SAFETY: the standard stream is not used any more.
            if unsafe { libc::dup2(end, number) } == -1 {
                die("dup2");
            }
            // SAFETY: end is open and not used again; it is above 2, since the runtime keeps 0 to 2 open.
            unsafe { libc::close(end) };
        }
    }
    // SAFETY: the mask is initialised; the last pointer may be null.
    if unsafe { libc::sigprocmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) } == -1 {
        die("sigprocmask");
    }
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let argv: Vec<_> = words.iter().map(|w| w.as_ptr()).chain([std::ptr::null()]).collect();
    // SAFETY: argv ends with a null pointer, and words owns the strings.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    die("execvp")
}
