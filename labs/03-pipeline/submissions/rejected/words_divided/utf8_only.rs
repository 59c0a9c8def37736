//! The arguments are taken as text: one that is not UTF-8 ends the program with a panic before anything is started.

use std::env;
use std::ffi::{CString, c_char, c_int};
use std::io;
use std::process;
use std::ptr;

/// The status of a stage that could not execute its command, as in a shell.
const NOT_EXECUTED: c_int = 127;

/// The two descriptors that `pipe2` returns.
#[derive(Clone, Copy)]
struct Pipe {
    read_end: c_int,
    write_end: c_int,
}

/// A call that failed, and why.
struct Failure {
    call: &'static str,
    error: io::Error,
}

fn main() {
    let commands: Vec<Vec<CString>> = env::args().skip(1).map(words).collect();
    if commands.is_empty() || commands.iter().any(Vec::is_empty) {
        eprintln!("usage: pipeline 'CMD ARG...' 'CMD ARG...' ...");
        process::exit(2);
    }

    let mut started = Vec::new();
    let mut failed = false;
    if let Err(failure) = start_all(&commands, &mut started) {
        report(&failure);
        failed = true;
    }
    // From here on this process holds no end of any pipe. So the stages come to an end by
    // themselves, also when some of them are missing.
    let mut status = 0;
    for stage in started {
        match wait_for(stage) {
            Ok(ended) => status = exit_status(ended),
            Err(failure) => {
                report(&failure);
                failed = true;
            }
        }
    }
    process::exit(if failed { 1 } else { status })
}

/// The words of a stage. They are made before the fork: afterwards there is less that can go wrong.
fn words(stage: String) -> Vec<CString> {
    let stage = stage.into_bytes();
    let words = stage.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    words.map(|word| CString::new(word).expect("an argument holds no NUL byte")).collect()
}

/// Starts every stage and appends its process id to `started`. When it returns, also with a failure, this process holds no end of a pipe.
fn start_all(commands: &[Vec<CString>], started: &mut Vec<libc::pid_t>) -> Result<(), Failure> {
    let mut input = None;
    for (place, command) in commands.iter().enumerate() {
        let is_last = place + 1 == commands.len();
        let outcome = start(command, input, is_last);
        // The stage has its own copy by now, or will never need one.
        if let Some(read_end) = input {
            close(read_end);
        }
        let (stage, next_input) = outcome?;
        started.push(stage);
        input = next_input;
    }
    Ok(())
}

/// Starts one stage, which reads from `input`. The result is its process id and, unless it is the last stage, the read end of the pipe that it writes to.
fn start(command: &[CString], input: Option<c_int>, is_last: bool) -> Result<(libc::pid_t, Option<c_int>), Failure> {
    let pipe = if is_last { None } else { Some(open_pipe()?) };
    // SAFETY: the process has one thread, so the child may go on as freely as the parent.
    let stage = unsafe { libc::fork() };
    match stage {
        -1 => {
            let failure = Failure::of("fork");
            if let Some(pipe) = pipe {
                close(pipe.read_end);
                close(pipe.write_end);
            }
            Err(failure)
        }
        0 => {
            let failure = become_stage(command, input, pipe.map(|pipe| pipe.write_end));
            report(&failure);
            // Whatever happens, the child does not go on in the parent's code.
            // SAFETY: `_exit` has no precondition.
            unsafe { libc::_exit(NOT_EXECUTED) }
        }
        _ => {
            if let Some(pipe) = pipe {
                close(pipe.write_end);
            }
            Ok((stage, pipe.map(|pipe| pipe.read_end)))
        }
    }
}

/// In the child: puts the ends of the pipes in their places and executes the command. Returns only if something failed.
fn become_stage(command: &[CString], input: Option<c_int>, output: Option<c_int>) -> Failure {
    // pipe2 takes the lowest free numbers, the read end first: `output` is never 0 here.
    if let Some(end) = input
        && let Err(failure) = move_to(end, libc::STDIN_FILENO)
    {
        return failure;
    }
    if let Some(end) = output
        && let Err(failure) = move_to(end, libc::STDOUT_FILENO)
    {
        return failure;
    }
    // Rust's runtime ignores SIGPIPE before `main`, and what is ignored stays ignored across exec.
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) } == libc::SIG_ERR {
        return Failure::of("signal");
    }
    let arguments: Vec<*const c_char> = command.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
    // SAFETY: the vector ends with a null pointer, and `command` owns the strings that it points to.
    unsafe { libc::execvp(arguments[0], arguments.as_ptr()) };
    Failure::of("execvp")
}

/// Makes `target` refer to what `end` refers to, and stay open across exec.
fn move_to(end: c_int, target: c_int) -> Result<(), Failure> {
    if end == target {
        // dup2 would do nothing at all, and so leave the end close-on-exec.
        // SAFETY: F_SETFD takes an int.
        let done = unsafe { libc::fcntl(end, libc::F_SETFD, 0) };
        return if done == -1 { Err(Failure::of("fcntl")) } else { Ok(()) };
    }
    // SAFETY: what `target` referred to is not used by this process any more.
    let done = unsafe { libc::dup2(end, target) };
    if done == -1 { Err(Failure::of("dup2")) } else { Ok(()) }
}

/// Makes a pipe whose ends no command inherits.
fn open_pipe() -> Result<Pipe, Failure> {
    let mut ends = [-1; 2];
    // SAFETY: `ends` has room for the two descriptors that pipe2 stores.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        return Err(Failure::of("pipe2"));
    }
    Ok(Pipe { read_end: ends[0], write_end: ends[1] })
}

/// Closes a descriptor.
fn close(fd: c_int) {
    // Never tried again: Linux frees the number even when close reports an error.
    // SAFETY: `fd` is open, and nobody uses it after this.
    if unsafe { libc::close(fd) } == -1 {
        report(&Failure::of("close"));
    }
}

/// Waits until a stage has ended; the result is its wait status.
fn wait_for(stage: libc::pid_t) -> Result<c_int, Failure> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is valid for a write of one int.
        if unsafe { libc::waitpid(stage, &raw mut status, 0) } != -1 {
            return Ok(status);
        }
        let failure = Failure::of("waitpid");
        if failure.error.kind() != io::ErrorKind::Interrupted {
            return Err(failure);
        }
    }
}

/// A wait status as the shell's `$?` has it.
fn exit_status(status: c_int) -> c_int {
    if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}

impl Failure {
    /// The call that has just failed: errno is read before anything else can change it.
    fn of(call: &'static str) -> Self {
        Self { call, error: io::Error::last_os_error() }
    }
}

/// Reports a failure.
fn report(failure: &Failure) {
    // `eprintln!` would write piece by piece, and the lines of several processes could mix.
    let line = format!("pipeline: {}: {}\n", failure.call, failure.error);
    eprint!("{line}");
}
