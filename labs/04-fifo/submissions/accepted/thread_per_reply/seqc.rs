//! The textbook's client: makes its FIFO, asks, and only then opens the FIFO, where it meets the server's thread that
//! waits for it. No descriptor is non-blocking; the answer ends with end-of-file.

use std::ffi::CString;
use std::io::Error;
use std::process::exit;

fn interrupted() -> bool {
    Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn report(call: &'static str) -> &'static str {
    eprintln!("seqc: {call}: {}", Error::last_os_error());
    call
}

fn open(path: &CString, flags: libc::c_int) -> Result<libc::c_int, &'static str> {
    loop {
        // SAFETY: `path` is a C string that outlives the call.
        match unsafe { libc::open(path.as_ptr(), flags) } {
            -1 if interrupted() => {}
            -1 => return Err(report("open")),
            fd => return Ok(fd),
        }
    }
}

fn ask(dir: &str, own: &CString, pid: u32, count: u32) -> Result<u64, &'static str> {
    let server = CString::new(format!("{dir}/s")).expect("no zero byte");
    let requests = open(&server, libc::O_WRONLY)?;
    let request = (u64::from(pid) << 32 | u64::from(count)).to_ne_bytes();
    // SAFETY: `request` is readable for its whole length.
    while unsafe { libc::write(requests, request.as_ptr().cast(), request.len()) } == -1 {
        if !interrupted() {
            return Err(report("write"));
        }
    }
    let reply = open(own, libc::O_RDONLY)?;
    let mut answer = Vec::new();
    loop {
        let mut buffer = [0u8; 8];
        // SAFETY: `buffer` is writable for its whole length.
        match unsafe { libc::read(reply, buffer.as_mut_ptr().cast(), buffer.len()) } {
            -1 if interrupted() => {}
            -1 => return Err(report("read")),
            0 => break,
            n => answer.extend_from_slice(&buffer[..n as usize]),
        }
    }
    let Ok(first) = answer.try_into() else {
        eprintln!("seqc: read: the server went away");
        return Err("read");
    };
    Ok(u64::from_ne_bytes(first))
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let count: u32 = args.get(2).and_then(|n| n.parse().ok()).unwrap_or(0);
    if args.len() != 3 || !(1..=1_000_000).contains(&count) {
        eprintln!("usage: seqc DIR N");
        exit(2);
    }
    let pid = std::process::id();
    let own = CString::new(format!("{}/c{pid}", args[1])).expect("no zero byte");
    // SAFETY: `own` is a C string that outlives the call.
    if unsafe { libc::mkfifo(own.as_ptr(), 0o600) } == -1 {
        report("mkfifo");
        exit(1);
    }
    let first = ask(&args[1], &own, pid, count);
    // SAFETY: `own` is a C string that outlives the call.
    unsafe { libc::unlink(own.as_ptr()) };
    match first {
        Ok(first) => println!("{first}"),
        Err(_) => exit(1),
    }
}
