//! filed makes text of the path in the request, and replaces what is not UTF-8: a name in Latin-1 becomes the name of another file, which is not there.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt;
use std::process::exit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use libc::{c_int, c_long, key_t};
use memoffset::span_of;

/// The message types of the handout.
const REQUEST: c_long = 1;
const DATA: c_long = 1;
const END: c_long = 2;
const FAILED: c_long = 3;

/// A request as msgrcv lays it out: getfile.rs has the same definition. The path is as long as the message says.
#[repr(C)]
struct Request {
    mtype: c_long,
    reply: c_int,
    path: [u8; 4095],
}

/// One message of an answer; of its body, as much counts as is sent.
#[repr(C)]
struct Answer {
    mtype: c_long,
    body: [u8; 4096],
}

/// Set before the queue is removed because of a signal: whoever finds it gone then need not complain.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// Prints `filed: call: message (ERRNO)` and exits 1.
fn fail_with(call: &str, error: &io::Error) -> ! {
    eprintln!("filed: {call}: {error}");
    exit(1);
}

/// The same with errno: to be used directly after the call.
fn fail(call: &str) -> ! {
    fail_with(call, &io::Error::last_os_error())
}

/// The key of the server's queue.
fn key_of(keyfile: &OsString) -> key_t {
    let path = CString::new(keyfile.clone().into_vec()).expect("an argument holds no zero byte");
    // SAFETY: `path` is a C string that outlives the call.
    let key = unsafe { libc::ftok(path.as_ptr(), c_int::from(b'f')) };
    if key == -1 {
        fail("ftok");
    }
    key
}

/// Blocks SIGTERM and SIGINT in this thread and in those that it starts later: they stay pending until `wait_for_stop` takes one.
fn block_stop_signals() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `set` has room for one sigset_t.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `set` was initialised by sigemptyset, and the signal exists.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: sigemptyset has initialised it.
    let set = unsafe { set.assume_init() };
    // SAFETY: `set` is initialised, and a null third argument asks for nothing back.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut()) } == -1 {
        fail("sigprocmask");
    }
    set
}

/// Sleeps until SIGTERM or SIGINT comes, or has come.
fn wait_for_stop(set: &libc::sigset_t) {
    let mut signal = 0;
    // SAFETY: `set` is initialised, and `signal` is a writable int.
    let errno = unsafe { libc::sigwait(set, &mut signal) };
    if errno != 0 {
        fail_with("sigwait", &io::Error::from_raw_os_error(errno)); // it returns the error, and leaves errno alone
    }
}

/// Makes the server's queue, which must not exist yet.
fn make_queue(key: key_t) -> c_int {
    // SAFETY: msgget takes no pointers.
    let queue = unsafe { libc::msgget(key, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) };
    if queue == -1 {
        fail("msgget");
    }
    queue
}

fn remove_queue(queue: c_int) {
    // SAFETY: IPC_RMID ignores the pointer.
    if unsafe { libc::msgctl(queue, libc::IPC_RMID, ptr::null_mut()) } == -1 {
        fail("msgctl");
    }
}

/// The way out once the queue is there: removes it, and reports what failed before.
fn give_up(queue: c_int, call: &str, error: &io::Error) -> ! {
    // SAFETY: IPC_RMID ignores the pointer. That the queue may be gone already is no matter here.
    unsafe { libc::msgctl(queue, libc::IPC_RMID, ptr::null_mut()) };
    fail_with(call, error)
}

/// Takes requests from the queue, and gives each to a thread of its own.
fn serve(queue: c_int) {
    let mut request = Request { mtype: 0, reply: 0, path: [0; 4095] };
    // What follows the type, without the padding that may follow the path.
    let most = span_of!(Request, reply..=path).len();
    loop {
        // SAFETY: `request` has room for a type and `most` bytes.
        let n = unsafe { libc::msgrcv(queue, (&raw mut request).cast(), most, REQUEST, 0) };
        if n == -1 {
            let error = io::Error::last_os_error();
            if STOPPING.load(Ordering::SeqCst) {
                return;
            }
            if error.kind() != io::ErrorKind::Interrupted {
                give_up(queue, "msgrcv", &error);
            }
            continue;
        }
        let Some(length) = (n as usize).checked_sub(span_of!(Request, reply).len()) else {
            continue; // not a request: too short for the id of a queue
        };
        let (reply, path) = (request.reply, request.path[..length].to_vec());
        thread::spawn(move || answer(reply, &path));
    }
}

/// Sends one client all that it gets. Waits for it as long as it takes: it is this thread's only client.
fn answer(reply: c_int, path: &[u8]) {
    let sent = match send_file(reply, path) {
        Ok(sent) => sent,
        Err(error) => send(reply, FAILED, &error.raw_os_error().unwrap_or(libc::EINVAL).to_ne_bytes()),
    };
    if let Err(error) = sent {
        eprintln!("filed: a client has gone: msgsnd: {error}"); // its affair, not the server's
    }
}

/// The outer error is the file's, for the client to know; the inner one tells that there is no client any more.
fn send_file(reply: c_int, path: &[u8]) -> io::Result<io::Result<()>> {
    let mut file = File::open(&*String::from_utf8_lossy(path))?;
    let mut piece = [0; 4096];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(send(reply, END, &[])),
            Ok(n) => {
                if let Err(error) = send(reply, DATA, &piece[..n]) {
                    return Ok(Err(error));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Sends one message to a client, and waits while its queue is full.
fn send(reply: c_int, mtype: c_long, body: &[u8]) -> io::Result<()> {
    let mut message = Answer { mtype, body: [0; 4096] };
    message.body[..body.len()].copy_from_slice(body);
    loop {
        // SAFETY: `message` begins with its type, and its body is at least as long as is said.
        if unsafe { libc::msgsnd(reply, (&raw const message).cast(), body.len(), 0) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn main() {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [keyfile] = args.as_slice() else {
        eprintln!("usage: filed KEYFILE");
        exit(2);
    };
    let key = key_of(keyfile);
    // Before the queue is there, so that no signal finds it there and the server unprepared.
    let stops = block_stop_signals();
    let queue = make_queue(key);
    let mut out = io::stdout();
    if let Err(error) = writeln!(out, "ready").and_then(|()| out.flush()) {
        give_up(queue, "write", &error);
    }
    thread::spawn(move || serve(queue));
    wait_for_stop(&stops);
    STOPPING.store(true, Ordering::SeqCst);
    remove_queue(queue);
}
