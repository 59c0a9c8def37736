//! A thread for each reply, which may wait for its client as long as it likes; the main thread only waits for the
//! signals. The request FIFO is opened without O_NONBLOCK, so the server waits for its first client in open.

use std::ffi::CString;
use std::io::Error;
use std::process::exit;
use std::thread;

fn interrupted() -> bool {
    Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn die(call: &str) -> ! {
    eprintln!("seqd: {call}: {}", Error::last_os_error());
    exit(1)
}

fn open(path: &CString, flags: libc::c_int) -> Option<libc::c_int> {
    loop {
        // SAFETY: `path` is a C string that outlives the call.
        match unsafe { libc::open(path.as_ptr(), flags) } {
            -1 if interrupted() => {}
            -1 => return None,
            fd => return Some(fd),
        }
    }
}

/// Waits until the client opens its FIFO, and writes the number. A dead client costs only this thread.
fn reply(path: CString, first: u64) {
    let Some(fd) = open(&path, libc::O_WRONLY) else { return };
    let bytes = first.to_ne_bytes();
    // SAFETY: `bytes` is readable for its whole length.
    while unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } == -1 && interrupted() {}
    // SAFETY: `fd` is ours and not used again.
    unsafe { libc::close(fd) };
}

fn serve(dir: &str, fifo: &CString) -> ! {
    let Some(requests) = open(fifo, libc::O_RDONLY) else { die("open") };
    let Some(_kept_open) = open(fifo, libc::O_WRONLY) else { die("open") };
    let mut next = 0;
    loop {
        let mut request = [0u8; 8];
        let mut have = 0;
        while have < request.len() {
            let rest = &mut request[have..];
            // SAFETY: `rest` is writable for its whole length.
            match unsafe { libc::read(requests, rest.as_mut_ptr().cast(), rest.len()) } {
                -1 if interrupted() => {}
                -1 => die("read"),
                n => have += n as usize,
            }
        }
        let request = u64::from_ne_bytes(request); // the process ID above the count
        let path = CString::new(format!("{dir}/c{}", request >> 32)).expect("no zero byte");
        let first = next;
        thread::spawn(move || reply(path, first));
        next += request & 0xffff_ffff;
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() != 2 {
        eprintln!("usage: seqd DIR");
        exit(2);
    }
    let dir = args[1].clone();

    // Blocked here, before there is a thread: every thread inherits the mask.
    // SAFETY: a sigset_t is plain data; sigemptyset fills it.
    let mut stops: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `stops` is ours.
    unsafe { libc::sigemptyset(&mut stops) };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `stops` is initialised.
        unsafe { libc::sigaddset(&mut stops, signal) };
    }
    // SAFETY: `stops` is initialised; the old mask is not wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &stops, std::ptr::null_mut()) };

    let fifo = CString::new(format!("{dir}/s")).expect("no zero byte");
    // SAFETY: `fifo` is a C string that outlives the call.
    if unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) } == -1 {
        die("mkfifo");
    }
    println!("ready");
    let path = fifo.clone();
    thread::spawn(move || serve(&dir, &path));

    let mut signal = 0;
    // SAFETY: `stops` is initialised, `signal` is writable.
    while unsafe { libc::sigwait(&stops, &mut signal) } != 0 {}
    // SAFETY: `fifo` is a C string that outlives the call.
    if unsafe { libc::unlink(fifo.as_ptr()) } == -1 {
        die("unlink");
    }
}
