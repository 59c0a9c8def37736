//! The main thread serves, and the handler removes the queue: whether msgrcv sleeps by then or is about to be called,
//! it fails, and the loop ends. A guard removes the queue where the server ends in another way.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::{mem, ptr, thread};

use libc::{c_int, c_long};
use memoffset::span_of;

static QUEUE: AtomicI32 = AtomicI32::new(-1);
static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn stop(_signal: c_int) {
    STOP.store(true, Ordering::SeqCst);
    remove(QUEUE.load(Ordering::SeqCst));
}

fn remove(queue: c_int) {
    // SAFETY: IPC_RMID ignores the pointer.
    unsafe { libc::msgctl(queue, libc::IPC_RMID, ptr::null_mut()) };
}

#[repr(C)]
struct Message {
    mtype: c_long,
    body: [u8; 8192],
}

type Failure = (&'static str, io::Error);

fn checked(call: &'static str, result: isize) -> Result<isize, Failure> {
    if result == -1 { Err((call, io::Error::last_os_error())) } else { Ok(result) }
}

/// The server's queue, which goes with this value.
struct Queue(c_int);

impl Drop for Queue {
    fn drop(&mut self) {
        remove(self.0);
    }
}

fn send(queue: c_int, mtype: c_long, bytes: &[u8]) -> io::Result<()> {
    let mut message = Box::new(Message { mtype, body: [0; 8192] });
    message.body[..bytes.len()].copy_from_slice(bytes);
    loop {
        // SAFETY: the message begins with its type, and its body has room for more than is named.
        match unsafe { libc::msgsnd(queue, (&raw const *message).cast(), bytes.len(), 0) } {
            0 => return Ok(()),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

fn answer(reply: c_int, path: &[u8]) -> io::Result<()> {
    let failed = |error: io::Error| send(reply, 3, &error.raw_os_error().unwrap_or(libc::EINVAL).to_ne_bytes());
    let mut file = match File::open(OsStr::from_bytes(path)) {
        Ok(file) => file,
        Err(error) => return failed(error),
    };
    let mut piece = vec![0; 1000];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return send(reply, 2, b""),
            Ok(n) => send(reply, 1, &piece[..n])?,
            Err(error) => return failed(error),
        }
    }
}

fn catch(signal: c_int) -> Result<(), Failure> {
    // SAFETY: a sigaction is plain data, for which all zeros is a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = stop as extern "C" fn(c_int) as libc::sighandler_t;
    // SAFETY: the handler only stores to an atomic and makes a system call.
    checked("sigaction", unsafe { libc::sigaction(signal, &action, ptr::null_mut()) } as isize).map(drop)
}

fn run(keyfile: CString) -> Result<(), Failure> {
    // SAFETY: `keyfile` is a C string that outlives the call.
    let key = checked("ftok", unsafe { libc::ftok(keyfile.as_ptr(), c_int::from(b'f')) } as isize)?;
    // SAFETY: msgget takes no pointers.
    let id = unsafe { libc::msgget(key as libc::key_t, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) };
    let queue = Queue(checked("msgget", id as isize)? as c_int);
    QUEUE.store(queue.0, Ordering::SeqCst);
    catch(libc::SIGTERM)?;
    catch(libc::SIGINT)?;
    let mut out = io::stdout();
    out.write_all(b"ready\n").map_err(|error| ("write", error))?;
    let mut request = Message { mtype: 0, body: [0; 8192] };
    let most = span_of!(Message, body).len();
    loop {
        // SAFETY: `request` has room for a type and `most` bytes.
        let n = unsafe { libc::msgrcv(queue.0, (&raw mut request).cast(), most, 0, 0) };
        let received = checked("msgrcv", n);
        if STOP.load(Ordering::SeqCst) {
            return Ok(());
        }
        match received {
            Ok(n) => {
                if let Some((id, path)) = request.body[..n as usize].split_first_chunk() {
                    let (reply, path) = (c_int::from_ne_bytes(*id), path.to_vec());
                    thread::spawn(move || answer(reply, &path));
                }
            }
            Err((_, error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(failure) => return Err(failure),
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let Ok([keyfile]) = <[_; 1]>::try_from(args) else {
        eprintln!("usage: filed KEYFILE");
        return ExitCode::from(2);
    };
    match run(CString::new(keyfile.into_vec()).expect("no zero byte")) {
        Ok(()) => ExitCode::SUCCESS,
        Err((call, error)) => {
            eprintln!("filed: {call}: {error}");
            ExitCode::FAILURE
        }
    }
}
