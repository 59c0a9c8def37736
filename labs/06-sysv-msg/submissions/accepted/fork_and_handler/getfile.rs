//! C-like: everything in main, with one label at the end that all ways out go through.

use std::ffi::{CString, OsString};
use std::io::Error;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;

const TEXT: usize = 8192;

fn errno() -> i32 {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn complain(call: &str, errno: i32) -> i32 {
    eprintln!("getfile: {call}: {}", Error::from_raw_os_error(errno));
    1
}

/// The exit status.
fn transfer(requests: i32, reply: i32, path: &[u8]) -> i32 {
    // Words keep the buffer aligned for the type, which is the first of them.
    let mut message = [0u64; 1 + TEXT / 8];
    message[0] = 1;
    let text = [&reply.to_ne_bytes(), path].concat();
    for (index, byte) in text.iter().enumerate() {
        message[1 + index / 8] |= u64::from_ne_bytes({
            let mut word = [0; 8];
            word[index % 8] = *byte;
            word
        });
    }
    // SAFETY: `message` begins with its type, and the text follows it.
    while unsafe { libc::msgsnd(requests, message.as_ptr().cast(), text.len(), 0) } == -1 {
        if errno() != libc::EINTR {
            return complain("msgsnd", errno());
        }
    }
    loop {
        // SAFETY: `message` has room for a type and TEXT bytes.
        let n = unsafe { libc::msgrcv(reply, message.as_mut_ptr().cast(), TEXT, 0, 0) };
        if n == -1 {
            match errno() {
                libc::EINTR => continue,
                error => return complain("msgrcv", error),
            }
        }
        let bytes: Vec<u8> = message[1..].iter().flat_map(|word| word.to_ne_bytes()).take(n as usize).collect();
        match message[0] {
            1 => {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    // SAFETY: `rest` is readable for its whole length.
                    let n = unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) };
                    if n >= 0 {
                        rest = &rest[n as usize..];
                    } else if errno() != libc::EINTR {
                        return complain("write", errno());
                    }
                }
            }
            2 => return 0,
            _ => return complain("filed", bytes.try_into().map_or(libc::EPROTO, i32::from_ne_bytes)),
        }
    }
}

fn main() {
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.len() != 3 {
        eprintln!("usage: getfile KEYFILE PATH");
        exit(2);
    }
    let keyfile = CString::new(args[1].clone().into_vec()).expect("no zero byte");
    let path = args[2].clone().into_vec();
    // SAFETY: msgget takes no pointers.
    let reply = unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) };
    if reply == -1 {
        exit(complain("msgget", errno()));
    }
    // SAFETY: `keyfile` is a C string that outlives the call.
    let key = unsafe { libc::ftok(keyfile.as_ptr(), 'f' as i32) };
    let status = if key == -1 {
        complain("ftok", errno())
    } else {
        // SAFETY: msgget takes no pointers.
        match unsafe { libc::msgget(key, 0o600) } {
            -1 => complain("msgget", errno()),
            requests => transfer(requests, reply, &path),
        }
    };
    // SAFETY: IPC_RMID ignores the pointer.
    if unsafe { libc::msgctl(reply, libc::IPC_RMID, std::ptr::null_mut()) } == -1 {
        exit(complain("msgctl", errno()));
    }
    exit(status)
}
