//! The region is counted from the end of FILE: what is locked lies behind the counter, and a program that locks the counter is not kept out.

use libc::{c_int, c_short, c_uint, pid_t, sem_t};
use std::env;
use std::ffi::{CString, OsString};
use std::io::{self, Error, Write};
use std::os::unix::ffi::OsStringExt;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

const USAGE: &str = "usage: counter -p PROCS -n TIMES --sync none|lock|sem|atomic FILE";

/// How the processes are kept apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    None,
    Lock,
    Sem,
    Atomic,
}

/// What the command line asks for.
struct Options {
    procs: u32,
    times: u64,
    sync: Sync,
    file: CString,
}

/// What all processes share.
struct Shared {
    fd: c_int,
    counter: &'static AtomicU64,
    /// Null unless it is needed.
    semaphore: *mut sem_t,
}

fn main() {
    let Some(options) = parse(env::args_os().skip(1)) else {
        eprintln!("{USAGE}");
        process::exit(2);
    };
    let fd = open_file(&options.file);
    let counter = map_counter(fd);
    // It is there before the first fork: a child inherits the mapping, and finds the semaphore ready.
    let semaphore = if options.sync == Sync::Sem { make_semaphore() } else { ptr::null_mut() };
    let shared = Shared { fd, counter, semaphore };

    let mut children = Vec::new();
    let mut failed = None;
    for _ in 0..options.procs {
        // SAFETY: the process has one thread, so the child may go on as freely as the parent.
        match unsafe { libc::fork() } {
            -1 => {
                failed = Some(Error::last_os_error());
                break;
            }
            0 => count(&shared, options.sync, options.times),
            child => children.push(child),
        }
    }
    // Every child that there is gets waited for, whatever happened.
    let mut all_well = true;
    for child in children {
        all_well &= reap(child);
    }
    if let Some(error) = failed {
        fail_with("fork", &error);
    }
    if !semaphore.is_null() {
        destroy_semaphore(semaphore);
    }
    if !all_well {
        process::exit(1);
    }
    print_total(counter.load(Ordering::Relaxed));
}

/// Reads the command line; `None` is wrong usage.
fn parse(mut args: impl Iterator<Item = OsString>) -> Option<Options> {
    let (mut procs, mut times, mut sync) = (None, None, None);
    loop {
        let arg = args.next()?;
        match arg.to_str() {
            Some("-p") => procs = args.next()?.to_str()?.parse().ok().filter(|procs| (1..=1000).contains(procs)),
            Some("-n") => times = args.next()?.to_str()?.parse().ok().filter(|times| *times <= u64::from(u32::MAX)),
            Some("--sync") => {
                sync = Some(match args.next()?.to_str()? {
                    "none" => Sync::None,
                    "lock" => Sync::Lock,
                    "sem" => Sync::Sem,
                    "atomic" => Sync::Atomic,
                    _ => return None,
                });
            }
            Some(option) if option.starts_with('-') => return None,
            _ => {
                let file = CString::new(arg.into_vec()).ok()?;
                // FILE comes last.
                return args.next().is_none().then_some(Options { procs: procs?, times: times?, sync: sync?, file });
            }
        }
    }
}

/// Opens FILE, and sees to it that it is as long as a counter: a page of a mapping that lies behind the file's end cannot be used (SIGBUS).
fn open_file(path: &CString) -> c_int {
    let mode: c_uint = 0o666;
    // SAFETY: `path` ends in NUL, and O_CREAT makes open read one more argument, the mode, as an unsigned int.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC, mode) };
    if fd == -1 {
        fail("open");
    }
    let length = length_of(fd);
    if length == 0 {
        // What this adds is zero; where another program was faster it adds nothing, and takes nothing away.
        // SAFETY: ftruncate takes no pointers.
        if unsafe { libc::ftruncate(fd, LENGTH as libc::off_t) } == -1 {
            fail("ftruncate");
        }
    } else if length != LENGTH {
        eprintln!("counter: {}: not a counter: it is {length} bytes long, not {LENGTH}", path.to_string_lossy());
        process::exit(1);
    }
    fd
}

/// How long FILE is: one counter.
const LENGTH: usize = size_of::<AtomicU64>();

/// How long the file is now.
fn length_of(fd: c_int) -> usize {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` has room for the one stat that fstat writes.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } == -1 {
        fail("fstat");
    }
    // SAFETY: the call succeeded, so all of `status` is written.
    unsafe { status.assume_init() }.st_size as usize
}

/// The counter in FILE, as memory that this process shares with its children and with everyone else who maps FILE.
fn map_counter(fd: c_int) -> &'static AtomicU64 {
    let address = map(fd, LENGTH, 0);
    // SAFETY: the mapping is aligned to a page, as long as one counter, never unmapped, and everyone reaches it by atomic accesses.
    unsafe { AtomicU64::from_ptr(address.cast()) }
}

/// Maps memory that is shared with the children: a file's, or with `MAP_ANONYMOUS` that of no file.
fn map(fd: c_int, length: usize, flags: c_int) -> *mut libc::c_void {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: with a null address the kernel picks a free place, so nothing of ours is covered.
    let address = unsafe { libc::mmap(ptr::null_mut(), length, protection, libc::MAP_SHARED | flags, fd, 0) };
    if address == libc::MAP_FAILED {
        fail("mmap");
    }
    address
}

/// A semaphore that lies in memory of its own, shared with the children, and has the value 1: one process may pass.
fn make_semaphore() -> *mut sem_t {
    let semaphore: *mut sem_t = map(-1, size_of::<sem_t>(), libc::MAP_ANONYMOUS).cast();
    // pshared is 1: those who use the semaphore are processes, not threads of one.
    // SAFETY: `semaphore` lies in the mapping, aligned and large enough; nobody uses it yet.
    if unsafe { libc::sem_init(semaphore, 1, 1) } == -1 {
        fail("sem_init");
    }
    semaphore
}

/// Takes down what `make_semaphore` made. Only one process may, and only when no other can use it any more.
fn destroy_semaphore(semaphore: *mut sem_t) {
    // SAFETY: sem_init made the semaphore, and all children have been waited for, so nobody waits for it.
    if unsafe { libc::sem_destroy(semaphore) } == -1 {
        fail("sem_destroy");
    }
}

/// What a child does: it adds 1 to the counter so many times, and ends.
fn count(shared: &Shared, sync: Sync, times: u64) -> ! {
    for _ in 0..times {
        match sync {
            Sync::None => add_one(shared.counter),
            Sync::Lock => {
                lock(shared.fd, libc::F_WRLCK);
                add_one(shared.counter);
                lock(shared.fd, libc::F_UNLCK);
            }
            Sync::Sem => {
                wait(shared.semaphore);
                add_one(shared.counter);
                post(shared.semaphore);
            }
            Sync::Atomic => {
                shared.counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    process::exit(0)
}

/// Adds 1 in steps of its own, as `counter += 1` does: between the load and the store another process may have stored.
///
/// The two steps are atomic each, since in Rust a plain access that races with another one is undefined behaviour, and anything may
/// come of it. Both together are not.
fn add_one(counter: &AtomicU64) {
    let value = counter.load(Ordering::Relaxed);
    counter.store(value.wrapping_add(1), Ordering::Relaxed);
}

/// Takes the write lock on the counter in FILE, waiting until nobody else has it, or gives it back.
fn lock(fd: c_int, kind: c_int) {
    // SAFETY: flock holds integers only, for which all-zero bytes are a valid value.
    let mut region: libc::flock = unsafe { std::mem::zeroed() };
    region.l_type = kind as c_short;
    region.l_whence = libc::SEEK_END as c_short;
    region.l_len = LENGTH as libc::off_t;
    uninterrupted("fcntl", || {
        // SAFETY: F_SETLKW reads one flock, and `region` is one that lives until after the call.
        unsafe { libc::fcntl(fd, libc::F_SETLKW, &raw const region) }
    });
}

fn wait(semaphore: *mut sem_t) {
    uninterrupted("sem_wait", || {
        // SAFETY: sem_init made the semaphore, and the parent destroys it only after this process.
        unsafe { libc::sem_wait(semaphore) }
    });
}

fn post(semaphore: *mut sem_t) {
    // SAFETY: sem_init made the semaphore, and the parent destroys it only after this process.
    if unsafe { libc::sem_post(semaphore) } == -1 {
        fail("sem_post");
    }
}

/// Waits for a child, however long that takes. False, once that is reported, if the child did not end well.
fn reap(child: pid_t) -> bool {
    let mut status = 0;
    uninterrupted("waitpid", || {
        // SAFETY: `status` has room for the one int that waitpid writes.
        unsafe { libc::waitpid(child, &raw mut status, 0) }
    });
    if libc::WIFSIGNALED(status) {
        eprintln!("counter: child: killed by signal {}", libc::WTERMSIG(status));
        return false;
    }
    if libc::WEXITSTATUS(status) != 0 {
        eprintln!("counter: child: exited with status {}", libc::WEXITSTATUS(status));
        return false;
    }
    true
}

/// Makes a call again as long as a signal interrupts it; any other error ends the process.
fn uninterrupted(call: &str, mut attempt: impl FnMut() -> c_int) {
    while attempt() == -1 {
        let error = Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            fail_with(call, &error);
        }
    }
}

/// Prints the total; `println!` would panic where it cannot write.
fn print_total(total: u64) {
    if let Err(error) = writeln!(io::stdout(), "{total}") {
        fail_with("write", &error);
    }
}

/// Reports the call that has just failed, and ends the process. Use it at once: the next call may change errno.
fn fail(call: &str) -> ! {
    fail_with(call, &Error::last_os_error())
}

fn fail_with(call: &str, error: &Error) -> ! {
    // In one piece: `eprintln!` writes several, and the lines of two processes could mix.
    let line = format!("counter: {call}: {error}\n");
    eprint!("{line}");
    process::exit(1);
}
