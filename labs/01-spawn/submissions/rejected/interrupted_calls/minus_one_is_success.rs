//! Takes every read that brings nothing for a successful exec, also one that was interrupted: the error is
//! lost.

use std::env;
use std::ffi::{CString, OsString, c_char, c_int};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process;
use std::ptr;

/// The largest N.
const MOST_COPIES: usize = 1000;

/// A child that was forked to become a copy of the command.
struct Child {
    pid: libc::pid_t,
    /// The read end of the pipe through which the child tells why exec failed.
    errors: c_int,
}

/// A call that failed.
struct Failed {
    call: &'static str,
    error: io::Error,
}

fn main() {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let Some((count, command)) = parse(&arguments) else {
        eprintln!("usage: spawn -n N -- CMD ARG...");
        process::exit(2);
    };
    // All that exec needs is made here: between fork and exec a child should not even allocate memory.
    let words: Vec<CString> = command.iter().map(c_string).collect();
    // The list that exec takes: a pointer for each word, and a null pointer at the end.
    let argv: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();

    let mut copies = Vec::new();
    let mut all_is_well = true;
    for _ in 0..count {
        match start(&argv) {
            Ok(copy) => copies.push(copy),
            Err(Failed { call, error }) => {
                // Those that run already are waited for below, like any others.
                complain(&format!("{call}: {error}"));
                all_is_well = false;
                break;
            }
        }
    }
    for copy in &copies {
        if let Some(error) = exec_error(copy.errors) {
            complain(&format!("{}: {error}", command[0].display()));
        }
        close(copy.errors);
    }
    // Each copy by its own pid: then the order is the order of the starts, whoever ends first.
    let ends: Vec<c_int> = copies.iter().map(|copy| wait_for(copy.pid)).collect();

    print(&ends.iter().map(|status| line(*status)).collect::<String>());
    all_is_well &= ends.iter().all(|status| libc::WIFEXITED(*status) && libc::WEXITSTATUS(*status) == 0);
    process::exit(if all_is_well { 0 } else { 1 })
}

/// The N and the command of `-n N -- CMD ARG…`; `None` if the arguments are anything else.
fn parse(arguments: &[OsString]) -> Option<(usize, &[OsString])> {
    let [flag, count, dashes, command @ ..] = arguments else { return None };
    if flag != "-n" || dashes != "--" || command.is_empty() {
        return None;
    }
    let count = count.to_str()?.parse().ok()?;
    (1..=MOST_COPIES).contains(&count).then_some((count, command))
}

/// A word of the command line with the NUL at its end that C expects.
fn c_string(word: &OsString) -> CString {
    CString::new(word.as_bytes()).expect("an argument holds no NUL: it ended with one")
}

/// Starts one copy of the command.
fn start(argv: &[*const c_char]) -> Result<Child, Failed> {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for the two descriptors that pipe2 stores.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        return Err(failed("pipe2"));
    }
    let [read_end, write_end] = fds;
    // SAFETY: the process has one thread, so the child may go on as freely as the parent.
    match unsafe { libc::fork() } {
        -1 => {
            let failed = failed("fork"); // before close can change errno
            close(read_end);
            close(write_end);
            Err(failed)
        }
        0 => become_command(argv, write_end),
        pid => {
            // The child's is then the only one left, and exec closes it: that gives end-of-file.
            close(write_end);
            Ok(Child { pid, errors: read_end })
        }
    }
}

/// The child: executes the command, or sends the errno into `errors` and ends.
fn become_command(argv: &[*const c_char], errors: c_int) -> ! {
    // Rust's runtime ignores SIGPIPE, and an ignored signal stays ignored in the new program.
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: `argv` points to NUL-terminated strings that outlive the call, and ends with a null pointer.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };

    // Only a failed exec comes here.
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0).to_ne_bytes();
    // Nobody is left to be told if this fails. The pipe is empty, so that the four bytes fit in.
    // SAFETY: `errno` is valid for reads of its whole length.
    unsafe { libc::write(errors, errno.as_ptr().cast(), errno.len()) };
    // Not process::exit: what that does at the end of a program is the parent's to do, and once.
    // SAFETY: `_exit` has no precondition.
    unsafe { libc::_exit(127) }
}

/// Why exec failed; `None` if it did not.
fn exec_error(errors: c_int) -> Option<io::Error> {
    let mut errno = [0; size_of::<c_int>()];
    // SAFETY: `errno` is valid for writes of its whole length.
    let n = unsafe { libc::read(errors, errno.as_mut_ptr().cast(), errno.len()) };
    // Four bytes are written to a pipe as a whole, so that they are all there or none of them.
    (n > 0).then(|| io::Error::from_raw_os_error(c_int::from_ne_bytes(errno)))
}

/// Waits for this child, however long it takes; the result is its wait status.
fn wait_for(pid: libc::pid_t) -> c_int {
    let mut status = 0;
    uninterrupted("waitpid", || {
        // SAFETY: `status` is valid for a write of one int.
        unsafe { libc::waitpid(pid, &raw mut status, 0) as isize }
    });
    status
}

/// The line on a copy that ended with this wait status.
fn line(status: c_int) -> String {
    if libc::WIFSIGNALED(status) {
        format!("signal {}\n", libc::WTERMSIG(status))
    } else {
        format!("exit {}\n", libc::WEXITSTATUS(status))
    }
}

/// Writes to standard output.
fn print(text: &str) {
    // `println!` would panic where the output cannot be written.
    let mut out = io::stdout();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        complain(&format!("write: {error}"));
        process::exit(1);
    }
}

/// Closes a descriptor.
fn close(fd: c_int) {
    // SAFETY: `fd` is open, and nobody uses it after this.
    if unsafe { libc::close(fd) } == -1 {
        fail("close");
    }
}

/// Makes a call again as long as a signal interrupts it; any other error ends the program.
fn uninterrupted(call: &'static str, mut attempt: impl FnMut() -> isize) -> usize {
    loop {
        // Only -1 is negative here, so the conversion fails exactly when the call did.
        if let Ok(n) = usize::try_from(attempt()) {
            return n;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            fail(call);
        }
    }
}

/// The call that has just failed. errno is read here, before anything else can change it.
fn failed(call: &'static str) -> Failed {
    Failed { call, error: io::Error::last_os_error() }
}

/// Reports the call that has just failed, and ends the program.
fn fail(call: &'static str) -> ! {
    let Failed { call, error } = failed(call);
    complain(&format!("{call}: {error}"));
    process::exit(1)
}

/// Prints a line on standard error.
fn complain(what: &str) {
    // `eprintln!` would write piece by piece, and what the commands print could get in between.
    let line = format!("spawn: {what}\n");
    eprint!("{line}");
}
