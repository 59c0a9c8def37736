//! Idiomatic Rust over the same calls: descriptors close themselves when they are dropped, errors
//! travel with `?` to `main`, and the child's side and the parent's side own exactly what they use.

use std::ffi::c_int;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

/// What ends a process early.
enum Failure {
    Call(&'static str, io::Error),
    Child(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Call(call, error) => write!(f, "{call}: {error}"),
            Failure::Child(what) => write!(f, "child: {what}"),
        }
    }
}

type Result<T> = std::result::Result<T, Failure>;

/// Makes `attempt` until no signal gets in its way, and turns -1 into an error.
fn call(name: &'static str, mut attempt: impl FnMut() -> isize) -> Result<usize> {
    loop {
        let result = attempt();
        if result >= 0 {
            return Ok(result as usize);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(Failure::Call(name, error));
        }
    }
}

struct Reader(OwnedFd);
struct Writer(OwnedFd);

fn pipe() -> Result<(Reader, Writer)> {
    let mut fds: [c_int; 2] = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    call("pipe", || unsafe { libc::pipe(fds.as_mut_ptr()) } as isize)?;
    // SAFETY: the descriptor is new and nobody else owns it.
    let reader = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: as above.
    let writer = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    Ok((Reader(reader), Writer(writer)))
}

impl Reader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let fd = self.0.as_raw_fd();
        // SAFETY: `buffer` is valid for writes of its whole length.
        call("read", || unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })
    }
}

fn write_all(fd: c_int, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        // SAFETY: `bytes` is valid for reads of its whole length.
        let n = call("write", || unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })?;
        bytes = &bytes[n..];
    }
    Ok(())
}

/// Prints each line as soon as it is complete, and keeps the unfinished rest for later.
fn child(mut words: Reader, count: Writer) -> Result<()> {
    let mut pending = Vec::new();
    let mut buffer = [0; 1000];
    let mut total: u64 = 0;
    loop {
        let n = words.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        total += n as u64;
        pending.extend_from_slice(&buffer[..n]);
        if let Some(end) = pending.iter().rposition(|&byte| byte == b'\n') {
            write_all(libc::STDOUT_FILENO, &pending[..=end])?;
            pending.drain(..=end);
        }
    }
    write_all(count.0.as_raw_fd(), &total.to_be_bytes())
}

fn parent(pid: libc::pid_t, sent: &[u8], words: Writer, mut count: Reader) -> Result<()> {
    write_all(words.0.as_raw_fd(), sent)?;
    drop(words);

    let mut answer = Vec::new();
    let mut buffer = [0; 8];
    loop {
        match count.read(&mut buffer)? {
            0 => break,
            n => answer.extend_from_slice(&buffer[..n]),
        }
    }

    let mut status = 0;
    // SAFETY: `status` is valid for a write.
    call("waitpid", || unsafe { libc::waitpid(pid, &raw mut status, 0) } as isize)?;
    if libc::WIFSIGNALED(status) {
        return Err(Failure::Child(format!("killed by signal {}", libc::WTERMSIG(status))));
    }
    if libc::WEXITSTATUS(status) != 0 {
        return Err(Failure::Child(format!("exited with {}", libc::WEXITSTATUS(status))));
    }
    let bytes = answer.try_into().map_err(|_| Failure::Child("sent no count".to_string()))?;
    let line = format!("{} bytes\n", u64::from_be_bytes(bytes));
    write_all(libc::STDOUT_FILENO, line.as_bytes())
}

fn run(words: Vec<Vec<u8>>) -> Result<()> {
    let (words_reader, words_writer) = pipe()?;
    let (count_reader, count_writer) = pipe()?;
    let mut sent = words.join(&b'\n');
    sent.push(b'\n');

    // SAFETY: there are no other threads.
    let pid = call("fork", || unsafe { libc::fork() } as isize)?;
    if pid == 0 {
        drop((words_writer, count_reader));
        child(words_reader, count_writer)
    } else {
        drop((words_reader, count_writer));
        parent(pid as libc::pid_t, &sent, words_writer, count_reader)
    }
}

fn main() -> ExitCode {
    let words: Vec<Vec<u8>> = std::env::args_os().skip(1).map(OsStringExt::into_vec).collect();
    if words.is_empty() {
        eprintln!("usage: pipe WORD...");
        return ExitCode::from(2);
    }
    match run(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The descriptors are closed by now, so the other process may report at the same time;
            // a line that is written at once does not mix with its line.
            let line = format!("pipe: {failure}\n");
            eprint!("{line}");
            ExitCode::FAILURE
        }
    }
}
