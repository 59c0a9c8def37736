//! Mistake: the size of an answer counts the type on both sides: eight bytes too many are sent with each message, and
//! the client drops them.

use std::ffi::{CString, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;
use std::ptr;

use libc::{c_int, c_long, key_t};
use memoffset::span_of;

/// The message types of the handout.
const REQUEST: c_long = 1;
const DATA: c_long = 1;
const END: c_long = 2;
const FAILED: c_long = 3;

/// A request as msgsnd takes it: filed.rs has the same definition. Of the path, as much is sent as it has bytes.
#[repr(C)]
struct Request {
    mtype: c_long,
    reply: c_int,
    path: [u8; 4095],
}

/// One message of an answer: no body is longer than this.
#[repr(C)]
struct Answer {
    mtype: c_long,
    body: [u8; 8192],
}

/// A call that failed, and why; `filed` stands for the server's own.
struct Failed {
    call: &'static str,
    error: io::Error,
}

/// Reads errno: to be used directly after the call.
fn failed(call: &'static str) -> Failed {
    Failed { call, error: io::Error::last_os_error() }
}

/// The key of the server's queue.
fn key_of(keyfile: &OsString) -> Result<key_t, Failed> {
    let path = CString::new(keyfile.clone().into_vec()).expect("an argument holds no zero byte");
    // SAFETY: `path` is a C string that outlives the call.
    match unsafe { libc::ftok(path.as_ptr(), c_int::from(b'f')) } {
        -1 => Err(failed("ftok")),
        key => Ok(key),
    }
}

fn queue(key: key_t, flags: c_int) -> Result<c_int, Failed> {
    // SAFETY: msgget takes no pointers.
    match unsafe { libc::msgget(key, flags) } {
        -1 => Err(failed("msgget")),
        queue => Ok(queue),
    }
}

/// Asks for the file, to be sent to the queue `reply`.
fn ask(requests: c_int, reply: c_int, path: &OsString) -> Result<(), Failed> {
    let path = path.as_bytes();
    let mut request = Request { mtype: REQUEST, reply, path: [0; 4095] };
    let Some(room) = request.path.get_mut(..path.len()) else {
        return Err(Failed { call: "filed", error: io::Error::from_raw_os_error(libc::ENAMETOOLONG) });
    };
    room.copy_from_slice(path);
    let size = span_of!(Request, reply).len() + path.len();
    loop {
        // SAFETY: `request` begins with its type, and `size` bytes follow it.
        if unsafe { libc::msgsnd(requests, (&raw const request).cast(), size, 0) } == 0 {
            return Ok(());
        }
        let failure = failed("msgsnd");
        if failure.error.kind() != io::ErrorKind::Interrupted {
            return Err(failure);
        }
    }
}

/// The next message of the answer: how long its body is.
fn receive(reply: c_int, answer: &mut Answer) -> Result<usize, Failed> {
    let most = span_of!(Answer, body).len();
    loop {
        // SAFETY: `answer` has room for a type and `most` bytes.
        let n = unsafe { libc::msgrcv(reply, (&raw mut *answer).cast(), most, 0, 0) };
        if n != -1 {
            return Ok(n as usize);
        }
        let failure = failed("msgrcv");
        if failure.error.kind() != io::ErrorKind::Interrupted {
            return Err(failure);
        }
    }
}

/// Copies the answer to standard output until it ends.
fn copy(reply: c_int) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    let mut answer = Answer { mtype: 0, body: [0; 8192] };
    loop {
        let n = receive(reply, &mut answer)?;
        let body = &answer.body[..n - size_of::<c_long>()];
        match answer.mtype {
            DATA => out.write_all(body).map_err(|error| Failed { call: "write", error })?,
            END => return out.flush().map_err(|error| Failed { call: "write", error }),
            FAILED => {
                let errno = body.try_into().map_or(libc::EPROTO, c_int::from_ne_bytes);
                return Err(Failed { call: "filed", error: io::Error::from_raw_os_error(errno) });
            }
            _ => return Err(Failed { call: "filed", error: io::Error::from_raw_os_error(libc::EPROTO) }),
        }
    }
}

/// Makes the client's own queue, asks, copies the answer, and removes the queue whatever happened.
fn run(keyfile: &OsString, path: &OsString) -> Result<(), Failed> {
    let key = key_of(keyfile)?;
    let requests = queue(key, 0)?;
    let reply = queue(libc::IPC_PRIVATE, 0o600)?;
    let copied = ask(requests, reply, path).and_then(|()| copy(reply));
    // SAFETY: IPC_RMID ignores the pointer.
    if unsafe { libc::msgctl(reply, libc::IPC_RMID, ptr::null_mut()) } == -1 {
        return copied.and(Err(failed("msgctl")));
    }
    copied
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [keyfile, path] = args.as_slice() else {
        eprintln!("usage: getfile KEYFILE PATH");
        return ExitCode::from(2);
    };
    match run(keyfile, path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed { call, error }) => {
            eprintln!("getfile: {call}: {error}");
            ExitCode::FAILURE
        }
    }
}
