//! Idiomatic Rust over the same calls: descriptors close themselves when they are dropped, errors travel with `?`. A pidfd for each copy tells of its end; poll waits
//! for all of them at once, and for the pipes of the exec errors as well.

use std::ffi::{CString, OsString, c_char, c_int};
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

struct Failure(&'static str, io::Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spawn: {}: {}", self.0, self.1)
    }
}

type Result<T> = std::result::Result<T, Failure>;

fn report(failure: &Failure) {
    let line = format!("{failure}\n");
    eprint!("{line}");
}

/// Turns -1 into an error, and makes a call again that a signal has interrupted.
fn call(name: &'static str, mut attempt: impl FnMut() -> isize) -> Result<usize> {
    loop {
        let result = attempt();
        if result >= 0 {
            return Ok(result as usize);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(Failure(name, error));
        }
    }
}

#[derive(Clone, Copy)]
enum End {
    Exit(i32),
    Signal(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exit(code) => write!(f, "exit {code}"),
            End::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

struct Child {
    pid: libc::pid_t,
    pidfd: Option<OwnedFd>,
    errors: Option<OwnedFd>,
    end: Option<End>,
}

impl Child {
    fn start(argv: &[*const c_char]) -> Result<Child> {
        let mut fds = [-1; 2];
        // SAFETY: `fds` has room for two descriptors.
        call("pipe2", || unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) as isize })?;
        // SAFETY: the descriptor is new and nobody else owns it.
        let reader = unsafe { OwnedFd::from_raw_fd(fds[0]) };
        // SAFETY: as above.
        let writer = unsafe { OwnedFd::from_raw_fd(fds[1]) };
        // SAFETY: there are no other threads.
        let pid = call("fork", || unsafe { libc::fork() } as isize)?;
        if pid == 0 {
            become_command(argv, writer.as_raw_fd());
        }
        Ok(Child { pid: pid as libc::pid_t, pidfd: None, errors: Some(reader), end: None })
    }

    /// Gets the descriptor that tells of the end.
    fn watch(&mut self) -> Result<()> {
        // SAFETY: the call takes two integers.
        let fd = call("pidfd_open", || unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid, 0) } as isize)?;
        // SAFETY: the descriptor is new and nobody else owns it.
        self.pidfd = Some(unsafe { OwnedFd::from_raw_fd(fd as c_int) });
        Ok(())
    }

    /// Takes the exec error, if there is one: the pipe has something or is at its end.
    fn exec_error(&mut self) -> Result<Option<io::Error>> {
        let Some(errors) = self.errors.take() else { return Ok(None) };
        let mut errno = [0; 4];
        // SAFETY: `errno` is valid for writes of its length.
        let n = call("read", || unsafe { libc::read(errors.as_raw_fd(), errno.as_mut_ptr().cast(), errno.len()) })?;
        Ok((n == errno.len()).then(|| io::Error::from_raw_os_error(c_int::from_be_bytes(errno))))
    }

    fn reap(&mut self) -> Result<()> {
        let mut status = 0;
        // SAFETY: `status` is valid for a write.
        call("waitpid", || unsafe { libc::waitpid(self.pid, &raw mut status, 0) } as isize)?;
        self.pidfd = None;
        let exited = libc::WIFEXITED(status);
        self.end = Some(if exited { End::Exit(libc::WEXITSTATUS(status)) } else { End::Signal(libc::WTERMSIG(status)) });
        Ok(())
    }
}

fn become_command(argv: &[*const c_char], errors: c_int) -> ! {
    // SAFETY: SIG_DFL is a disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: `argv` holds NUL-terminated strings and ends with a null pointer.
    unsafe { libc::execvp(argv[0], argv.as_ptr()) };
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0).to_be_bytes();
    // SAFETY: `errno` is valid for reads of its length.
    unsafe { libc::write(errors, errno.as_ptr().cast(), errno.len()) };
    // SAFETY: no precondition.
    unsafe { libc::_exit(127) }
}

/// Waits until something happens to one of the children; the result says what has happened for each: to its pipe, to itself.
fn poll(children: &[Child]) -> Result<Vec<(bool, bool)>> {
    let entry = |fd: &Option<OwnedFd>| libc::pollfd { fd: fd.as_ref().map_or(-1, AsRawFd::as_raw_fd), events: libc::POLLIN, revents: 0 };
    let mut entries: Vec<libc::pollfd> = children.iter().flat_map(|child| [entry(&child.errors), entry(&child.pidfd)]).collect();
    // SAFETY: the list is valid for writes of its length.
    call("poll", || unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, -1) } as isize)?;
    Ok(entries.chunks(2).map(|pair| (pair[0].revents != 0, pair[1].revents != 0)).collect())
}

fn run(count: u32, command: Vec<OsString>) -> Result<bool> {
    let name = command[0].display().to_string();
    let words: Vec<CString> = command.into_iter().map(|word| CString::new(word.into_vec()).expect("no NUL in an argument")).collect();
    let argv: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    let mut children: Vec<Child> = Vec::new();
    let mut well = true;
    for _ in 0..count {
        match Child::start(&argv) {
            Ok(child) => children.push(child),
            Err(failure) => {
                report(&failure);
                well = false;
                break;
            }
        }
    }
    children.iter_mut().try_for_each(Child::watch)?;
    while children.iter().any(|child| child.end.is_none()) {
        let happened = poll(&children)?;
        for (child, (told, ended)) in children.iter_mut().zip(happened) {
            if (told || ended)
                && let Some(error) = child.exec_error()?
            {
                let line = format!("spawn: {name}: {error}\n");
                eprint!("{line}");
            }
            if ended {
                child.reap()?;
            }
        }
    }
    let mut text = String::new();
    for end in children.iter().filter_map(|child| child.end) {
        well &= matches!(end, End::Exit(0));
        let _ = writeln!(text, "{end}");
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Failure("write", error))?;
    Ok(well)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let flag = arguments.next().is_some_and(|flag| flag == "-n");
    let count = arguments.next().and_then(|count| count.to_str()?.parse::<u32>().ok()).filter(|count| (1..=1000).contains(count));
    let dashes = arguments.next().is_some_and(|dashes| dashes == "--");
    let command: Vec<OsString> = arguments.collect();
    let (true, Some(count), true, false) = (flag, count, dashes, command.is_empty()) else {
        eprintln!("usage: spawn -n N -- CMD ARG...");
        return ExitCode::from(2);
    };
    match run(count, command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            report(&failure);
            ExitCode::FAILURE
        }
    }
}
