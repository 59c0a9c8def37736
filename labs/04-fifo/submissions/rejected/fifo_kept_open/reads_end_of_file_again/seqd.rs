//! Mistake: the server has no writer of its own. When the last client has closed the FIFO, every read returns 0 at
//! once, and the loop reads again and again: a processor is busy with nothing.

use std::ffi::CString;
use std::process::exit;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The request FIFO's path, for the handler.
static FIFO: AtomicPtr<libc::c_char> = AtomicPtr::new(std::ptr::null_mut());

/// Only async-signal-safe calls: unlink and _exit.
extern "C" fn stop(_signal: libc::c_int) {
    // SAFETY: FIFO was set, to a string that is never freed, before the handler was installed.
    unsafe { libc::unlink(FIFO.load(Ordering::Relaxed)) };
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(0) }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn die(call: &str) -> ! {
    eprintln!("seqd: {call}: {}", std::io::Error::last_os_error());
    exit(1)
}

/// Opens a FIFO; -1 when that fails.
fn open_fifo(path: &CString, flags: i32) -> i32 {
    loop {
        // SAFETY: `path` is a C string that outlives the call.
        let fd = unsafe { libc::open(path.as_ptr(), flags) };
        if fd != -1 || errno() != libc::EINTR {
            return fd;
        }
    }
}

/// Fills the buffer: a read may give less.
fn read_all(fd: i32, buffer: &mut [u8]) {
    let mut have = 0;
    while have < buffer.len() {
        let rest = &mut buffer[have..];
        // SAFETY: `rest` is writable for its whole length.
        let n = unsafe { libc::read(fd, rest.as_mut_ptr().cast(), rest.len()) };
        if n >= 0 {
            have += n as usize;
        } else if errno() != libc::EINTR {
            die("read");
        }
    }
}

/// Writes the reply. Opened for both directions it never waits; if the client is dead, the close throws the bytes away.
fn reply(dir: &str, client: u32, first: u64) {
    let path = CString::new(format!("{dir}/reply.{client}")).unwrap();
    let fd = open_fifo(&path, libc::O_RDWR | libc::O_NONBLOCK);
    if fd == -1 {
        return;
    }
    let bytes = first.to_le_bytes();
    // SAFETY: `bytes` is readable for its whole length.
    while unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } == -1 && errno() == libc::EINTR {}
    // SAFETY: `fd` is ours and not used again.
    unsafe { libc::close(fd) };
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() != 2 {
        eprintln!("usage: seqd DIR");
        exit(2);
    }
    let path = CString::new(format!("{}/seqd", args[1])).unwrap();
    // SAFETY: `path` is a C string that outlives the call.
    if unsafe { libc::mkfifo(path.as_ptr(), 0o600) } == -1 {
        die("mkfifo");
    }
    FIFO.store(path.clone().into_raw(), Ordering::Relaxed);
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the handler calls only what is async-signal-safe.
        if unsafe { libc::signal(signal, stop as extern "C" fn(i32) as libc::sighandler_t) } == libc::SIG_ERR {
            die("signal");
        }
    }
    println!("ready");
    let requests = open_fifo(&path, libc::O_RDONLY);
    if requests == -1 {
        die("open");
    }

    let mut next = 0u64;
    let mut request = [0u8; 8];
    loop {
        read_all(requests, &mut request);
        let client = u32::from_le_bytes(request[..4].try_into().unwrap());
        let count = u32::from_le_bytes(request[4..].try_into().unwrap());
        reply(&args[1], client, next);
        next += u64::from(count);
    }
}
