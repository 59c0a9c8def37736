//! Names every FIFO relative to a descriptor of the directory; is its own FIFO's writer, so that a plain read waits
//! for the answer; an array of integers is the record.

use std::ffi::{CStr, CString};
use std::io::Error;
use std::process::exit;

/// The call that failed, and its error.
type Failure = (&'static str, Error);

/// A call's result; calls again if a signal interrupted it.
fn checked(call: &'static str, mut f: impl FnMut() -> isize) -> Result<isize, Failure> {
    loop {
        let result = f();
        if result != -1 {
            return Ok(result);
        }
        let error = Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err((call, error));
        }
    }
}

fn open_at(dir: i32, name: &CStr, flags: i32) -> Result<i32, Failure> {
    // SAFETY: `name` is a C string that outlives the call.
    checked("openat", || unsafe { libc::openat(dir, name.as_ptr(), flags) } as isize).map(|fd| fd as i32)
}

fn ask(dir: i32, own: &CStr, request: [u64; 2]) -> Result<u64, Failure> {
    let reply = open_at(dir, own, libc::O_RDONLY | libc::O_NONBLOCK)?;
    let _writer = open_at(dir, own, libc::O_WRONLY)?;
    // With a writer there, reads may wait again.
    // SAFETY: `reply` is ours.
    checked("fcntl", || unsafe { libc::fcntl(reply, libc::F_SETFL, 0) } as isize)?;

    let requests = open_at(dir, c"requests.fifo", libc::O_WRONLY)?;
    // SAFETY: the array is readable for its whole size.
    checked("write", || unsafe { libc::write(requests, request.as_ptr().cast(), size_of_val(&request)) })?;

    let mut answer = [0u8; 8];
    let mut have = 0;
    while have < answer.len() {
        let rest = &mut answer[have..];
        // SAFETY: `rest` is writable for its whole length.
        have += checked("read", || unsafe { libc::read(reply, rest.as_mut_ptr().cast(), rest.len()) })? as usize;
    }
    Ok(u64::from_ne_bytes(answer))
}

fn run(dir: &CStr, count: u64) -> Result<u64, Failure> {
    let flags = libc::O_DIRECTORY | libc::O_RDONLY;
    // SAFETY: `dir` is a C string that outlives the call.
    let dir = checked("open", || unsafe { libc::open(dir.as_ptr(), flags) } as isize)? as i32;
    let pid = std::process::id();
    let own = CString::new(format!("{pid}.fifo")).expect("no zero byte");
    // SAFETY: `own` is a C string that outlives the call.
    checked("mkfifoat", || unsafe { libc::mkfifoat(dir, own.as_ptr(), 0o600) } as isize)?;
    let first = ask(dir, &own, [u64::from(pid), count]);
    // SAFETY: `own` is a C string that outlives the call.
    checked("unlinkat", || unsafe { libc::unlinkat(dir, own.as_ptr(), 0) } as isize)?;
    first
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let count = match args.as_slice() {
        [_, _, n] => n.parse().unwrap_or(0),
        _ => 0,
    };
    if count == 0 || count > 1_000_000 {
        eprintln!("usage: seqc DIR N");
        exit(2);
    }
    let dir = CString::new(args[1].as_str()).expect("no zero byte");
    match run(&dir, count) {
        Ok(first) => println!("{first}"),
        Err((call, error)) => {
            eprintln!("seqc: {call}: {error}");
            exit(1);
        }
    }
}
