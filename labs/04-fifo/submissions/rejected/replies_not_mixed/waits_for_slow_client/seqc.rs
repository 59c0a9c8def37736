//! The client meets the server in open: it asks, and then opens its FIFO, where the server waits for it (see
//! seqd.rs).

use std::ffi::CString;
use std::process::exit;

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Reports the failed call, removes the own FIFO, and ends.
fn die(call: &str, own: &CString) -> ! {
    eprintln!("seqc: {call}: {}", std::io::Error::last_os_error());
    // SAFETY: `own` is a C string that outlives the call.
    unsafe { libc::unlink(own.as_ptr()) };
    exit(1)
}

fn open_fifo(path: &CString, flags: i32, own: &CString) -> i32 {
    loop {
        // SAFETY: `path` is a C string that outlives the call.
        let fd = unsafe { libc::open(path.as_ptr(), flags) };
        if fd != -1 {
            return fd;
        }
        if errno() != libc::EINTR {
            die("open", own);
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let count = args.get(2).and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    if args.len() != 3 || count == 0 || count > 1_000_000 {
        eprintln!("usage: seqc DIR N");
        exit(2);
    }
    let pid = std::process::id();
    let own = CString::new(format!("{}/reply.{pid}", args[1])).unwrap();
    // SAFETY: `own` is a C string that outlives the call.
    if unsafe { libc::mkfifo(own.as_ptr(), 0o600) } == -1 {
        eprintln!("seqc: mkfifo: {}", std::io::Error::last_os_error());
        exit(1);
    }

    let mut request = [0u8; 8];
    request[..4].copy_from_slice(&pid.to_le_bytes());
    request[4..].copy_from_slice(&count.to_le_bytes());
    let server = CString::new(format!("{}/seqd", args[1])).unwrap();
    let requests = open_fifo(&server, libc::O_WRONLY, &own);
    // SAFETY: `request` is readable for its whole length.
    while unsafe { libc::write(requests, request.as_ptr().cast(), request.len()) } == -1 {
        if errno() != libc::EINTR {
            die("write", &own);
        }
    }

    let answer = open_fifo(&own, libc::O_RDONLY, &own);
    let mut first = [0u8; 8];
    let mut have = 0;
    while have < first.len() {
        let rest = &mut first[have..];
        // SAFETY: `rest` is writable for its whole length.
        let n = unsafe { libc::read(answer, rest.as_mut_ptr().cast(), rest.len()) };
        if n > 0 {
            have += n as usize;
        } else if n == 0 {
            eprintln!("seqc: read: the server went away");
            // SAFETY: `own` is a C string that outlives the call.
            unsafe { libc::unlink(own.as_ptr()) };
            exit(1);
        } else if errno() != libc::EINTR {
            die("read", &own);
        }
    }
    // SAFETY: `own` is a C string that outlives the call.
    if unsafe { libc::unlink(own.as_ptr()) } == -1 {
        die("unlink", &own);
    }
    println!("{}", u64::from_le_bytes(first));
}
