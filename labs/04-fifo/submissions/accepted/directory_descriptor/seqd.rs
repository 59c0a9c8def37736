//! Names every FIFO relative to a descriptor of the directory (mkfifoat, openat, unlinkat); a signal wakes the server
//! through a pipe to itself.

use std::ffi::{CStr, CString};
use std::io::Error;
use std::process::exit;
use std::sync::atomic::{AtomicI32, Ordering};

const REQUESTS: &CStr = c"requests.fifo";

/// The write end of the server's pipe to itself.
static WAKE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn wake(_signal: libc::c_int) {
    // SAFETY: one readable byte; write is async-signal-safe. The process ends after it, so errno need not be kept.
    unsafe { libc::write(WAKE.load(Ordering::Relaxed), c"!".as_ptr().cast(), 1) };
}

/// A call's result, or its name if it failed; calls again if a signal interrupted it.
fn checked(call: &'static str, mut f: impl FnMut() -> isize) -> Result<isize, &'static str> {
    loop {
        match f() {
            -1 if Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            -1 => return Err(call),
            result => return Ok(result),
        }
    }
}

fn open_at(dir: i32, name: &CStr, flags: i32) -> Result<i32, &'static str> {
    // SAFETY: `name` is a C string that outlives the call.
    checked("openat", || unsafe { libc::openat(dir, name.as_ptr(), flags) } as isize).map(|fd| fd as i32)
}

fn send_answer(dir: i32, client: u64, first: u64) -> Result<(), &'static str> {
    let name = CString::new(format!("{client}.fifo")).expect("no zero byte");
    let fd = open_at(dir, &name, libc::O_WRONLY | libc::O_NONBLOCK)?;
    let bytes = first.to_ne_bytes();
    // SAFETY: `bytes` is readable for its whole length.
    let sent = checked("write", || unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) });
    // SAFETY: `fd` is ours and not used again.
    unsafe { libc::close(fd) };
    sent.map(|_| ())
}

fn serve(dir: i32, woken: i32) -> Result<(), &'static str> {
    let fifo = open_at(dir, REQUESTS, libc::O_RDWR)?;
    // SAFETY: six readable bytes.
    checked("write", || unsafe { libc::write(1, c"ready\n".as_ptr().cast(), 6) })?;
    let mut next = 0;
    let mut request = [0u64; 2]; // the client's process ID, and how many numbers it wants
    let mut have = 0;
    loop {
        let mut polls = [fifo, woken].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        // SAFETY: `polls` is an array of two pollfds.
        checked("poll", || unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) } as isize)?;
        if polls[1].revents != 0 {
            return Ok(());
        }
        let size = size_of_val(&request);
        let start = request.as_mut_ptr().cast::<u8>();
        // SAFETY: `have` is less than the array's size.
        let free = unsafe { start.add(have) };
        // SAFETY: from `free` on, `size - have` bytes of the array can be written, and any bytes are integers.
        have += checked("read", || unsafe { libc::read(fifo, free.cast(), size - have) })? as usize;
        if have == size {
            have = 0;
            let [client, count] = request;
            // A client that is not there any more is no failure of the server.
            let _ = send_answer(dir, client, next);
            next += count;
        }
    }
}

fn run(dir: &CStr) -> Result<(), &'static str> {
    let flags = libc::O_DIRECTORY | libc::O_RDONLY;
    // SAFETY: `dir` is a C string that outlives the call.
    let dir = checked("open", || unsafe { libc::open(dir.as_ptr(), flags) } as isize)? as i32;
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    checked("pipe2", || unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) } as isize)?;
    WAKE.store(ends[1], Ordering::Relaxed);
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: all zeros is a sigaction.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = wake as extern "C" fn(i32) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: `action` is filled, and its handler is async-signal-safe.
        checked("sigaction", || unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } as isize)?;
    }
    // SAFETY: REQUESTS is a C string.
    checked("mkfifoat", || unsafe { libc::mkfifoat(dir, REQUESTS.as_ptr(), 0o600) } as isize)?;
    let served = serve(dir, ends[0]);
    // SAFETY: REQUESTS is a C string.
    checked("unlinkat", || unsafe { libc::unlinkat(dir, REQUESTS.as_ptr(), 0) } as isize)?;
    served
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() != 2 {
        eprintln!("usage: seqd DIR");
        exit(2);
    }
    let dir = CString::new(args[1].as_str()).expect("no zero byte");
    if let Err(call) = run(&dir) {
        eprintln!("seqd: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
