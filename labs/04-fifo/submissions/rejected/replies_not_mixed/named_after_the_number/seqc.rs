//! seqc names its FIFO after the number of numbers that it asks for: two of them that want as many are in each other's way.

use std::ffi::{CString, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use memoffset::span_of;

/// What a client writes into the request FIFO: seqd.rs has the same definition. Only its layout is used.
#[repr(C)]
#[allow(dead_code)]
struct Request {
    client: libc::pid_t,
    count: u32,
}

// A write of at most PIPE_BUF bytes goes in one piece: requests of two clients are never mixed.
const _: () = assert!(size_of::<Request>() <= libc::PIPE_BUF);

/// A call that failed, and why.
struct Failed {
    call: &'static str,
    error: io::Error,
}

/// Reads errno: to be used directly after the call.
fn failed(call: &'static str) -> Failed {
    Failed { call, error: io::Error::last_os_error() }
}

/// The path of `name` in the directory.
fn path_in(dir: &OsString, name: &str) -> CString {
    let mut path = dir.clone().into_vec();
    path.push(b'/');
    path.extend_from_slice(name.as_bytes());
    CString::new(path).expect("an argument holds no zero byte")
}

/// Opens a FIFO, again if a signal comes between.
fn open_fifo(path: &CString, flags: libc::c_int) -> Result<libc::c_int, Failed> {
    loop {
        // SAFETY: `path` is a C string that outlives the call.
        let fd = unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) };
        if fd != -1 {
            return Ok(fd);
        }
        let failure = failed("open");
        if failure.error.raw_os_error() != Some(libc::EINTR) {
            return Err(failure);
        }
    }
}

/// Sends the request: one write, so that it goes in one piece.
fn send_request(dir: &OsString, client: libc::pid_t, count: u32) -> Result<(), Failed> {
    let mut record = [0u8; size_of::<Request>()];
    record[span_of!(Request, client)].copy_from_slice(&client.to_ne_bytes());
    record[span_of!(Request, count)].copy_from_slice(&count.to_ne_bytes());
    // With O_NONBLOCK a FIFO that a killed server left behind is an error (ENXIO), not an endless wait.
    let requests = open_fifo(&path_in(dir, "seqd"), libc::O_WRONLY | libc::O_NONBLOCK)?;
    loop {
        // SAFETY: `record` is readable for its whole length.
        let n = unsafe { libc::write(requests, record.as_ptr().cast(), record.len()) };
        if n != -1 {
            break;
        }
        let failure = failed("write");
        match failure.error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EAGAIN) => wait_for(requests, libc::POLLOUT)?, // the FIFO is full of other clients' requests
            _ => return Err(failure),
        }
    }
    // SAFETY: `requests` is ours and not used again.
    unsafe { libc::close(requests) };
    Ok(())
}

/// Sleeps until the descriptor is ready.
fn wait_for(fd: libc::c_int, events: libc::c_short) -> Result<(), Failed> {
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    loop {
        // SAFETY: `poll` is one pollfd that lives through the call.
        if unsafe { libc::poll(&mut poll, 1, -1) } != -1 {
            return Ok(());
        }
        let failure = failed("poll");
        if failure.error.raw_os_error() != Some(libc::EINTR) {
            return Err(failure);
        }
    }
}

/// Waits for the answer and reads all of it.
fn receive_answer(reply: libc::c_int) -> Result<u64, Failed> {
    let mut record = [0u8; size_of::<u64>()];
    let mut have = 0;
    while have < record.len() {
        // A read here would return 0 as long as the server has not opened the FIFO; poll waits for it.
        wait_for(reply, libc::POLLIN)?;
        let rest = &mut record[have..];
        // SAFETY: `rest` is writable for its whole length.
        let n = unsafe { libc::read(reply, rest.as_mut_ptr().cast(), rest.len()) };
        if n == -1 {
            let failure = failed("read");
            if !matches!(failure.error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN)) {
                return Err(failure);
            }
        } else if n == 0 {
            return Err(Failed { call: "read", error: io::ErrorKind::UnexpectedEof.into() }); // the server died
        } else {
            have += n as usize;
        }
    }
    Ok(u64::from_ne_bytes(record))
}

/// Makes the client's own FIFO, asks, and removes the FIFO whatever happened.
fn run(dir: &OsString, count: u32) -> Result<u64, Failed> {
    let client = count as libc::pid_t;
    let path = path_in(dir, &format!("reply.{client}"));
    // SAFETY: `path` is a C string that outlives the call.
    if unsafe { libc::mkfifo(path.as_ptr(), 0o600) } == -1 {
        let failure = failed("mkfifo");
        // A killed client with our process ID may have left it behind. No one has it open, so it is empty: it serves.
        if failure.error.raw_os_error() != Some(libc::EEXIST) {
            return Err(failure);
        }
    }
    // Open before we ask: the server does not wait for us. O_NONBLOCK, because there is no writer yet.
    let answer = open_fifo(&path, libc::O_RDONLY | libc::O_NONBLOCK).and_then(|reply| {
        send_request(dir, client, count)?;
        receive_answer(reply)
    });
    // SAFETY: `path` is a C string that outlives the call.
    if unsafe { libc::unlink(path.as_ptr()) } == -1 {
        return answer.and(Err(failed("unlink")));
    }
    answer
}

/// N, if it is a number from 1 to 1000000.
fn parse_count(arg: &OsString) -> Option<u32> {
    let count = arg.to_str()?.parse().ok()?;
    (1..=1_000_000).contains(&count).then_some(count)
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [dir, count] = args.as_slice() else {
        eprintln!("usage: seqc DIR N");
        return ExitCode::from(2);
    };
    let Some(count) = parse_count(count) else {
        eprintln!("usage: seqc DIR N");
        return ExitCode::from(2);
    };
    let printed = run(dir, count).and_then(|first| {
        let mut out = io::stdout();
        writeln!(out, "{first}").and_then(|()| out.flush()).map_err(|error| Failed { call: "write", error })
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed { call, error }) => {
            eprintln!("seqc: {call}: {error}");
            ExitCode::FAILURE
        }
    }
}
