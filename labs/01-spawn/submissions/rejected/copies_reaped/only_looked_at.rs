//! Asks with WNOWAIT, which tells how a child has ended and leaves it a zombie.

use std::ffi::{CString, OsString, c_char, c_int};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::thread;

/// How one copy ended.
enum End {
    Exited(i32),
    Killed(i32),
    /// A call of ours failed, and was reported.
    Unknown,
}

fn complain(what: &str, error: &io::Error) {
    let line = format!("spawn: {what}: {error}\n");
    eprint!("{line}");
}

/// Makes a call until no signal gets in its way.
fn retry(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        match usize::try_from(call()) {
            Ok(n) => return Ok(n),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

fn read_all(fd: c_int) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = [0; 16];
    loop {
        // SAFETY: buffer is valid for writes of its length.
        match retry(|| unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })? {
            0 => return Ok(all),
            n => all.extend_from_slice(&buffer[..n]),
        }
    }
}

fn wait(pid: libc::pid_t) -> io::Result<End> {
    // SAFETY: siginfo_t is plain data, for which zeroes are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    retry(|| {
        // SAFETY: info is valid for a write.
        unsafe { libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, libc::WEXITED | libc::WNOWAIT) as isize }
    })?;
    // SAFETY: waitid has filled in what belongs to SIGCHLD.
    let status = unsafe { info.si_status() };
    Ok(if info.si_code == libc::CLD_EXITED { End::Exited(status) } else { End::Killed(status) })
}

fn look_after(pid: libc::pid_t, errors: c_int, name: &str) -> End {
    match read_all(errors) {
        Err(error) => {
            complain("read", &error);
            // The copy is waited for all the same.
            let _ = wait(pid);
            return End::Unknown;
        }
        Ok(text) if !text.is_empty() => {
            let errno = String::from_utf8_lossy(&text).parse().unwrap_or(0);
            complain(name, &io::Error::from_raw_os_error(errno));
        }
        Ok(_) => {}
    }
    // SAFETY: errors is open and used by this thread alone.
    unsafe { libc::close(errors) };
    wait(pid).unwrap_or_else(|error| {
        complain("waitpid", &error);
        End::Unknown
    })
}

/// Async-signal-safe: the number's digits go into a buffer on the stack.
fn send_errno(fd: c_int, errno: i32) {
    let mut digits = [0; 12];
    let mut at = digits.len();
    let mut rest = errno;
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let text = &digits[at..];
    // SAFETY: text is valid for reads of its length.
    unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) };
}

fn start(argv: &[*const c_char]) -> Result<(libc::pid_t, c_int), (&'static str, io::Error)> {
    let mut fds = [0; 2];
    // SAFETY: fds has room for two descriptors.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        return Err(("pipe2", io::Error::last_os_error()));
    }
    // SAFETY: the child calls nothing but async-signal-safe functions: other threads may hold locks now.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: SIG_DFL is a disposition for SIGPIPE.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        // SAFETY: argv holds NUL-terminated strings and ends with a null pointer.
        unsafe { libc::execvp(argv[0], argv.as_ptr()) };
        send_errno(fds[1], io::Error::last_os_error().raw_os_error().unwrap_or(0));
        // SAFETY: no precondition.
        unsafe { libc::_exit(127) };
    }
    let error = io::Error::last_os_error();
    // SAFETY: the write end is open and not used again.
    unsafe { libc::close(fds[1]) };
    if pid == -1 {
        // SAFETY: nor is the read end.
        unsafe { libc::close(fds[0]) };
        return Err(("fork", error));
    }
    Ok((pid, fds[0]))
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<(u32, Vec<OsString>)> {
    if arguments.next()? != "-n" {
        return None;
    }
    let count = arguments.next()?.into_string().ok()?.parse().ok().filter(|count| (1..=1000).contains(count))?;
    if arguments.next()? != "--" {
        return None;
    }
    let command: Vec<OsString> = arguments.collect();
    (!command.is_empty()).then_some((count, command))
}

fn main() -> ExitCode {
    let Some((count, command)) = parse(std::env::args_os().skip(1)) else {
        eprintln!("usage: spawn -n N -- CMD ARG...");
        return ExitCode::from(2);
    };
    let name = command[0].to_string_lossy().into_owned();
    let words: Vec<CString> = command.into_iter().filter_map(|word| CString::new(word.into_vec()).ok()).collect();
    let argv: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).chain(Some(std::ptr::null())).collect();

    let mut well = true;
    let mut threads = Vec::new();
    for _ in 0..count {
        match start(&argv) {
            Ok((pid, errors)) => {
                let name = name.clone();
                threads.push(thread::spawn(move || look_after(pid, errors, &name)));
            }
            Err((call, error)) => {
                complain(call, &error);
                well = false;
                break;
            }
        }
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    for thread in threads {
        let end = thread.join().unwrap_or(End::Unknown);
        well &= matches!(end, End::Exited(0));
        let result = match end {
            End::Exited(code) => writeln!(out, "exit {code}"),
            End::Killed(signal) => writeln!(out, "signal {signal}"),
            End::Unknown => Ok(()),
        };
        written = written.and(result);
    }
    if let Err(error) = written.and_then(|()| out.flush()) {
        complain("write", &error);
        return ExitCode::FAILURE;
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
