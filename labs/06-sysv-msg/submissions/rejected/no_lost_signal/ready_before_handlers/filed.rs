//! Mistake: `ready` is printed before the handlers are there. Who reads it and sends SIGTERM at once kills the server, and its queue stays.

use std::ffi::CString;
use std::io::{Error, Write};
use std::mem::{size_of, zeroed};
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_int, c_long};

/// The server's queue; -1 while there is none.
static QUEUE: AtomicI32 = AtomicI32::new(-1);

#[repr(C)]
struct Message {
    mtype: c_long,
    mtext: [u8; 8192],
}

fn errno() -> c_int {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn die(call: &str) -> ! {
    eprintln!("filed: {call}: {}", Error::last_os_error());
    // SAFETY: IPC_RMID ignores the pointer; without a queue the call fails, and that is all.
    unsafe { libc::msgctl(QUEUE.load(Ordering::SeqCst), libc::IPC_RMID, null_mut()) };
    exit(1)
}

extern "C" fn stop(_signal: c_int) {
    let queue = QUEUE.load(Ordering::SeqCst);
    if queue != -1 {
        // SAFETY: IPC_RMID ignores the pointer.
        unsafe { libc::msgctl(queue, libc::IPC_RMID, null_mut()) };
    }
    // SAFETY: _exit may be called anywhere.
    unsafe { libc::_exit(0) };
}

fn on(signal: c_int, handler: libc::sighandler_t) {
    // SAFETY: a sigaction is plain data, for which all zeros is a value.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = handler;
    // SAFETY: the action is filled, and its handler does nothing that is not async-signal-safe.
    if unsafe { libc::sigaction(signal, &action, null_mut()) } == -1 {
        die("sigaction");
    }
}

/// Sends a message of which this much of the text counts; false when the client has gone.
fn send(reply: c_int, message: &Message, length: usize) -> bool {
    loop {
        // SAFETY: `message` begins with its type, and `length` bytes follow it.
        match unsafe { libc::msgsnd(reply, (message as *const Message).cast(), length, 0) } {
            0 => return true,
            _ if errno() == libc::EINTR => {}
            _ => return false,
        }
    }
}

fn fail_to(reply: c_int, message: &mut Message) {
    let error = errno();
    message.mtype = 3;
    message.mtext[..4].copy_from_slice(&error.to_ne_bytes());
    send(reply, message, 4);
}

/// The child's work.
fn answer(reply: c_int, path: &[u8]) {
    let mut message = Message { mtype: 1, mtext: [0; 8192] };
    let path = CString::new(path).unwrap_or_default();
    // SAFETY: `path` is a C string that outlives the call.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if fd == -1 {
        return fail_to(reply, &mut message);
    }
    loop {
        // SAFETY: `mtext` is writable for its whole length.
        let n = unsafe { libc::read(fd, message.mtext.as_mut_ptr().cast(), message.mtext.len()) };
        match n {
            -1 if errno() == libc::EINTR => {}
            -1 => return fail_to(reply, &mut message),
            0 => {
                message.mtype = 2;
                send(reply, &message, 0);
                return;
            }
            n if !send(reply, &message, n as usize) => return,
            _ => {}
        }
    }
}

fn main() {
    let mut args = std::env::args_os().skip(1);
    let (Some(keyfile), None) = (args.next(), args.next()) else {
        eprintln!("usage: filed KEYFILE");
        exit(2);
    };
    let keyfile = CString::new(keyfile.into_vec()).expect("no zero byte");
    // SAFETY: `keyfile` is a C string that outlives the call.
    let key = unsafe { libc::ftok(keyfile.as_ptr(), c_int::from(b'f')) };
    if key == -1 {
        die("ftok");
    }
    // SAFETY: getpid has no precondition.
    let server = unsafe { libc::getpid() };
    // SAFETY: msgget takes no pointers.
    let queue = unsafe { libc::msgget(key, libc::IPC_CREAT | libc::IPC_EXCL | libc::S_IRUSR as c_int | libc::S_IWUSR as c_int) };
    if queue == -1 {
        die("msgget");
    }
    QUEUE.store(queue, Ordering::SeqCst);
    on(libc::SIGCHLD, libc::SIG_IGN);
    if std::io::stdout().write_all(b"ready\n").is_err() {
        die("write");
    }
    on(libc::SIGTERM, stop as extern "C" fn(c_int) as libc::sighandler_t);
    on(libc::SIGINT, stop as extern "C" fn(c_int) as libc::sighandler_t);
    let mut request = Message { mtype: 0, mtext: [0; 8192] };
    loop {
        // SAFETY: `request` has room for a type and so much text.
        let n = unsafe { libc::msgrcv(queue, (&raw mut request).cast(), request.mtext.len(), 1, libc::MSG_NOERROR) };
        if n == -1 {
            if errno() == libc::EINTR {
                continue;
            }
            die("msgrcv");
        }
        if (n as usize) < size_of::<c_int>() {
            continue;
        }
        // SAFETY: this process has one thread, so the child may do whatever the parent may.
        match unsafe { libc::fork() } {
            -1 => eprintln!("filed: fork: {}", Error::last_os_error()),
            0 => {
                QUEUE.store(-1, Ordering::SeqCst); // the parent's to remove
                // SAFETY: PR_SET_PDEATHSIG takes a signal.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                // SAFETY: getppid has no precondition.
                if unsafe { libc::getppid() } != server {
                    exit(1);
                }
                let reply = c_int::from_ne_bytes(request.mtext[..4].try_into().expect("four bytes"));
                answer(reply, &request.mtext[4..n as usize]);
                // SAFETY: _exit may be called anywhere.
                unsafe { libc::_exit(0) }
            }
            _ => {}
        }
    }
}
