//! Descriptors have owners that close them, and the error of a failed exec comes back to the parent
//! through a close-on-exec pipe, so that it is the parent who reports it, with the command's name.

use std::ffi::{CStr, CString};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

/// A call that failed, and for which command.
struct Failed {
    call: &'static str,
    command: Option<CString>,
    error: io::Error,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pipeline: {}: ", self.call)?;
        if let Some(command) = &self.command {
            write!(f, "{}: ", command.to_string_lossy())?;
        }
        write!(f, "{}", self.error)
    }
}

fn failed(call: &'static str) -> Failed {
    Failed { call, command: None, error: io::Error::last_os_error() }
}

/// A pipe: its read end and its write end, both above 2, so that neither is in the place of a standard stream.
fn pipe() -> Result<(OwnedFd, OwnedFd), Failed> {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        return Err(failed("pipe2"));
    }
    // SAFETY: pipe2 made this descriptor just now, and nothing else owns it.
    let read = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: as for the read end.
    let write = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    Ok((above_two(read)?, above_two(write)?))
}

fn above_two(fd: OwnedFd) -> Result<OwnedFd, Failed> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    // SAFETY: F_DUPFD_CLOEXEC takes an int.
    let moved = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) };
    if moved == -1 {
        return Err(failed("fcntl"));
    }
    // SAFETY: fcntl made this descriptor just now, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

struct Stage {
    words: Vec<CString>,
}

impl Stage {
    fn parse(argument: Vec<u8>) -> Option<Self> {
        let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
        let words: Vec<CString> =
            argument.split(blank).filter(|word| !word.is_empty()).map(|word| CString::new(word).expect("no NUL in an argument")).collect();
        (!words.is_empty()).then_some(Self { words })
    }

    fn command(&self) -> &CStr {
        &self.words[0]
    }

    /// Starts the stage; the parent learns here whether its command could be executed.
    fn start(&self, input: Option<&OwnedFd>, output: Option<&OwnedFd>) -> Result<libc::pid_t, Failed> {
        let mut argv: Vec<_> = self.words.iter().map(|word| word.as_ptr()).collect();
        argv.push(std::ptr::null());
        let (answer, report) = pipe()?;
        // SAFETY: the process has one thread.
        match unsafe { libc::fork() } {
            -1 => Err(failed("fork")),
            0 => {
                let call = become_stage(&argv, input, output);
                let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
                let message = [call, errno].map(i32::to_ne_bytes).concat();
                // SAFETY: `message` is valid for reads of its whole length.
                unsafe { libc::write(report.as_raw_fd(), message.as_ptr().cast(), message.len()) };
                // SAFETY: `_exit` has no precondition.
                unsafe { libc::_exit(127) }
            }
            pid => {
                drop(report);
                if let Some((call, error)) = read_answer(&answer)? {
                    let names = ["dup2", "execvp"];
                    eprintln!("{}", Failed { call: names[call], command: Some(self.command().to_owned()), error });
                }
                Ok(pid)
            }
        }
    }
}

/// In the child. Returns the number of the call that failed: 0 for dup2, 1 for execvp.
fn become_stage(argv: &[*const libc::c_char], input: Option<&OwnedFd>, output: Option<&OwnedFd>) -> i32 {
    for (end, place) in [(input, 0), (output, 1)] {
        let Some(end) = end else { continue };
        // SAFETY: what `place` referred to is not used any more.
        if unsafe { libc::dup2(end.as_raw_fd(), place) } == -1 {
            return 0;
        }
    }
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: `argv` ends with a null pointer, and the parent's strings were copied with its memory.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    1
}

/// What went wrong in the child; nothing if exec closed the pipe.
fn read_answer(answer: &OwnedFd) -> Result<Option<(usize, io::Error)>, Failed> {
    let mut message = [0; 8];
    loop {
        // SAFETY: `message` is valid for writes of its whole length.
        match unsafe { libc::read(answer.as_raw_fd(), message.as_mut_ptr().cast(), message.len()) } {
            8 => {
                let number = |at: usize| i32::from_ne_bytes([message[at], message[at + 1], message[at + 2], message[at + 3]]);
                return Ok(Some((number(0) as usize, io::Error::from_raw_os_error(number(4)))));
            }
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return Err(failed("read")),
            _ => return Ok(None),
        }
    }
}

fn wait_for(pid: libc::pid_t) -> Result<u8, Failed> {
    let mut status = 0;
    // SAFETY: `status` is valid for a write.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 {
        let failure = failed("waitpid");
        if failure.error.kind() != io::ErrorKind::Interrupted {
            return Err(failure);
        }
    }
    Ok(if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) as u8 } else { libc::WEXITSTATUS(status) as u8 })
}

fn start_all(stages: &[Stage], started: &mut Vec<libc::pid_t>) -> Result<(), Failed> {
    let mut input = None;
    for (i, stage) in stages.iter().enumerate() {
        let (next, output) = if i + 1 < stages.len() { pipe().map(|(read, write)| (Some(read), Some(write)))? } else { (None, None) };
        started.push(stage.start(input.as_ref(), output.as_ref())?);
        input = next;
    }
    Ok(())
}

fn main() -> ExitCode {
    let stages: Option<Vec<Stage>> = std::env::args_os().skip(1).map(|argument| Stage::parse(argument.into_vec())).collect();
    let Some(stages) = stages.filter(|stages| !stages.is_empty()) else {
        eprintln!("usage: pipeline 'CMD ARG...' ...");
        return ExitCode::from(2);
    };
    let mut started = Vec::new();
    let mut outcome = start_all(&stages, &mut started).map(|()| 0);
    for pid in started {
        outcome = match (outcome, wait_for(pid)) {
            (Ok(_), ended) => ended,
            (failed, _) => failed,
        };
    }
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(failed) => {
            eprintln!("{failed}");
            ExitCode::FAILURE
        }
    }
}
