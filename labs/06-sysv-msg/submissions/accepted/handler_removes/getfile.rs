//! The client's queue is a value with a destructor, the answer an iterator of pieces that std copies out.

use std::ffi::CString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use libc::{c_int, c_long};
use memoffset::offset_of;

#[repr(C)]
struct Message {
    mtype: c_long,
    body: [u8; 8192],
}

// The body is what follows the type, at once.
const _: () = assert!(offset_of!(Message, body) == size_of::<c_long>());

struct PrivateQueue(c_int);

impl Drop for PrivateQueue {
    fn drop(&mut self) {
        // SAFETY: IPC_RMID ignores the pointer.
        unsafe { libc::msgctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

type Failure = (&'static str, io::Error);

/// Makes a call until it is not interrupted.
fn retry<T: PartialEq + From<i8>>(call: &'static str, mut make: impl FnMut() -> T) -> Result<T, Failure> {
    loop {
        let result = make();
        if result != T::from(-1) {
            return Ok(result);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err((call, error));
        }
    }
}

fn run(keyfile: CString, path: Vec<u8>) -> Result<(), Failure> {
    // SAFETY: `keyfile` is a C string that outlives the call.
    let key = retry("ftok", || unsafe { libc::ftok(keyfile.as_ptr(), c_int::from(b'f')) })?;
    // SAFETY: msgget takes no pointers.
    let server = retry("msgget", || unsafe { libc::msgget(key, 0) })?;
    // SAFETY: msgget takes no pointers.
    let own = PrivateQueue(retry("msgget", || unsafe { libc::msgget(libc::IPC_PRIVATE, libc::IPC_CREAT | 0o600) })?);
    let mut message = Message { mtype: 1, body: [0; 8192] };
    let body = [own.0.to_ne_bytes().to_vec(), path].concat();
    message.body.get_mut(..body.len()).ok_or_else(|| ("filed", io::Error::from_raw_os_error(libc::ENAMETOOLONG)))?.copy_from_slice(&body);
    // SAFETY: `message` begins with its type, and its body has room for more than is named.
    retry("msgsnd", || unsafe { libc::msgsnd(server, (&raw const message).cast(), body.len(), 0) })?;
    loop {
        // SAFETY: `message` has room for a type and 8192 bytes.
        let n = retry("msgrcv", || unsafe { libc::msgrcv(own.0, (&raw mut message).cast(), 8192, -3, 0) })?;
        let body = &message.body[..n as usize];
        match message.mtype {
            1 => io::stdout().write_all(body).and_then(|()| io::stdout().flush()).map_err(|error| ("write", error))?,
            2 => return Ok(()),
            _ => {
                let errno = body.try_into().map_or(libc::EPROTO, c_int::from_ne_bytes);
                return Err(("filed", io::Error::from_raw_os_error(errno)));
            }
        }
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).map(OsStringExt::into_vec);
    let (Some(keyfile), Some(path), None) = (args.next(), args.next(), args.next()) else {
        eprintln!("usage: getfile KEYFILE PATH");
        return ExitCode::from(2);
    };
    if let Err((call, error)) = run(CString::new(keyfile).expect("no zero byte"), path) {
        eprintln!("getfile: {call}: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
