//! The stages are started from the last to the first, SIGPIPE is put right once for all in the parent, the ends are put
//! in their places with dup3, and the parent waits with waitid.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStringExt;

fn complain(call: &str) {
    let error = io::Error::last_os_error();
    let line = format!("pipeline: {call}: {error}\n");
    eprint!("{line}");
}

fn close(end: Option<i32>) {
    let Some(end) = end else { return };
    // SAFETY: the descriptor is open and not used again.
    if unsafe { libc::close(end) } == -1 {
        complain("close");
    }
}

/// The child puts an end in its place.
fn place(end: Option<i32>, target: i32) {
    let Some(end) = end else { return };
    // dup3 refuses equal numbers, where dup2 would do nothing.
    // SAFETY: what `target` refers to is not used any more.
    if end != target && unsafe { libc::dup3(end, target, 0) } == -1 {
        complain("dup3");
        // SAFETY: _exit has no precondition.
        unsafe { libc::_exit(126) };
    }
    if end == target {
        // SAFETY: F_SETFD takes an int.
        unsafe { libc::fcntl(end, libc::F_SETFD, 0) };
    }
}

/// Starts a stage that reads from `input` and writes to `output`; the result is its process id.
fn start(words: &[CString], input: Option<i32>, output: Option<i32>) -> Option<i32> {
    let argv: Vec<_> = words.iter().map(|word| word.as_ptr()).chain(std::iter::once(std::ptr::null())).collect();
    // SAFETY: there is one thread.
    let pid = unsafe { libc::fork() };
    if pid == -1 {
        complain("fork");
        return None;
    }
    if pid == 0 {
        place(input, 0);
        place(output, 1);
        // SAFETY: argv ends with a null pointer, and words owns the strings.
        unsafe { libc::execvp(argv[0], argv.as_ptr()) };
        complain("execvp");
        // SAFETY: _exit has no precondition.
        unsafe { libc::_exit(127) };
    }
    Some(pid)
}

/// Waits until a child has ended; its status as in the shell, or nothing if the wait failed.
fn reap(pid: i32) -> Option<i32> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: info is valid for a write.
    while unsafe { libc::waitid(libc::P_PID, pid as libc::id_t, info.as_mut_ptr(), libc::WEXITED) } == -1 {
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            complain("waitid");
            return None;
        }
    }
    // SAFETY: it was zeroed, and then filled in by waitid.
    let info = unsafe { info.assume_init() };
    // SAFETY: a siginfo of waitid tells of a child.
    let status = unsafe { info.si_status() };
    Some(if info.si_code == libc::CLD_EXITED { status } else { 128 + status })
}

fn main() {
    // What the runtime did to it would be the stages' otherwise.
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };

    let mut stages = Vec::new();
    for argument in std::env::args_os().skip(1) {
        let bytes = argument.into_vec();
        let words = bytes.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
        stages.push(words.map(|word| CString::new(word).unwrap()).collect::<Vec<_>>());
    }
    if stages.is_empty() || stages.iter().any(Vec::is_empty) {
        eprintln!("usage: pipeline STAGE...");
        std::process::exit(2);
    }

    let mut pids = Vec::new();
    let mut output = None;
    let mut complete = true;
    for (i, words) in stages.iter().enumerate().rev() {
        let mut ends = [None; 2];
        if i > 0 {
            let mut fds = [0; 2];
            // SAFETY: fds has room for two descriptors.
            if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
                complain("pipe2");
                complete = false;
            } else {
                ends = fds.map(Some);
            }
        }
        let pid = if complete { start(words, ends[0], output) } else { None };
        close(output);
        close(ends[0]);
        output = ends[1];
        match pid {
            Some(pid) => pids.push(pid),
            None => {
                complete = false;
                close(output);
                break;
            }
        }
    }

    let mut codes = Vec::new();
    for pid in pids {
        codes.push(reap(pid));
    }
    match codes.first() {
        Some(Some(code)) if complete && codes.iter().all(Option::is_some) => std::process::exit(*code),
        _ => std::process::exit(1),
    }
}
