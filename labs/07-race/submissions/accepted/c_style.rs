//! Written as in C: one function from top to bottom, raw pointers, `lockf` instead of `fcntl`, `_exit` in the children, and one `waitpid` for whoever
//! comes. With `lock` a child keeps the lock for all of its additions, and its end gives the lock back.

use std::ffi::CString;
use std::io::{Error, Write};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::{env, process, ptr};

fn usage() -> ! {
    eprintln!("usage: counter -p PROCS -n TIMES --sync none|lock|sem|atomic FILE");
    process::exit(2)
}

fn die(call: &str) -> ! {
    let message = format!("counter: {call}: {}\n", Error::last_os_error());
    eprint!("{message}");
    process::exit(1)
}

fn interrupted() -> bool {
    Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn main() {
    let mut procs: u32 = 0;
    let mut times: u64 = u64::MAX;
    let mut sync = String::new();
    let mut args = env::args_os().skip(1).peekable();
    while let Some(option) = args.next_if(|arg| arg.to_string_lossy().starts_with('-')) {
        let Some(value) = args.next().and_then(|value| value.into_string().ok()) else { usage() };
        match option.to_str() {
            Some("-p") => procs = value.parse().unwrap_or(0),
            Some("-n") => times = value.parse::<u32>().map_or(u64::MAX, u64::from),
            Some("--sync") => sync = value,
            _ => usage(),
        }
    }
    let (Some(file), None) = (args.next(), args.next()) else { usage() };
    if procs == 0 || procs > 1000 || times == u64::MAX || !["none", "lock", "sem", "atomic"].contains(&&*sync) {
        usage();
    }
    let path = CString::new(file.into_vec()).expect("an argument has no NUL inside");

    let mode: libc::mode_t = 0o666;
    // SAFETY: `path` ends in NUL, and O_CREAT makes open read one more argument, an unsigned int.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_CREAT | libc::O_RDWR, mode) };
    if fd < 0 {
        die("open");
    }
    // SAFETY: lseek takes no pointers.
    let length = unsafe { libc::lseek(fd, 0, libc::SEEK_END) };
    if length < 0 {
        die("lseek");
    }
    if length != 0 && length != 8 {
        eprintln!("counter: {}: {length} bytes are no counter", path.to_string_lossy());
        process::exit(1);
    }
    // SAFETY: ftruncate takes no pointers.
    if length == 0 && unsafe { libc::ftruncate(fd, 8) } < 0 {
        die("ftruncate");
    }
    // SAFETY: a null address lets the kernel pick a free place.
    let memory = unsafe { libc::mmap(ptr::null_mut(), 8, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0) };
    if memory == libc::MAP_FAILED {
        die("mmap");
    }
    // SAFETY: the mapping is aligned, as long as one counter, and stays.
    let counter = unsafe { AtomicU64::from_ptr(memory.cast()) };

    // It is there in every mode: one page costs nothing.
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a null address lets the kernel pick a free place.
    let memory = unsafe { libc::mmap(ptr::null_mut(), 4096, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        die("mmap");
    }
    let semaphore: *mut libc::sem_t = memory.cast();
    // SAFETY: `semaphore` is the beginning of a page that nobody else uses.
    if unsafe { libc::sem_init(semaphore, 1, 1) } < 0 {
        die("sem_init");
    }

    let mut bad = false;
    let mut forked = 0;
    while forked < procs {
        // SAFETY: there is one thread.
        let child = unsafe { libc::fork() };
        if child < 0 {
            let message = format!("counter: fork: {}\n", Error::last_os_error());
            eprint!("{message}");
            bad = true;
            break;
        }
        if child > 0 {
            forked += 1;
            continue;
        }
        if sync == "lock" {
            // SAFETY: lseek takes no pointers.
            if unsafe { libc::lseek(fd, 0, libc::SEEK_SET) } < 0 {
                die("lseek");
            }
            // SAFETY: lockf takes no pointers.
            while unsafe { libc::lockf(fd, libc::F_LOCK, 8) } < 0 {
                if !interrupted() {
                    die("lockf");
                }
            }
        }
        for _ in 0..times {
            if sync == "atomic" {
                counter.fetch_add(1, SeqCst);
                continue;
            }
            // SAFETY: sem_init made the semaphore.
            while sync == "sem" && unsafe { libc::sem_wait(semaphore) } < 0 {
                if !interrupted() {
                    die("sem_wait");
                }
            }
            counter.store(counter.load(SeqCst).wrapping_add(1), SeqCst);
            // SAFETY: sem_init made the semaphore.
            if sync == "sem" && unsafe { libc::sem_post(semaphore) } < 0 {
                die("sem_post");
            }
        }
        // SAFETY: _exit ends this process, which has nothing buffered.
        unsafe { libc::_exit(0) };
    }

    while forked > 0 {
        let mut status = 0;
        // SAFETY: `status` has room for the int that waitpid writes.
        if unsafe { libc::waitpid(-1, &raw mut status, 0) } < 0 {
            if interrupted() {
                continue;
            }
            die("waitpid");
        }
        forked -= 1;
        if status != 0 {
            eprintln!("counter: child: ended with status {status:#x}");
            bad = true;
        }
    }
    if bad {
        process::exit(1);
    }
    // SAFETY: no child is left that could use the semaphore.
    unsafe { libc::sem_destroy(semaphore) };
    if std::io::stdout().write_all(format!("{}\n", counter.load(SeqCst)).as_bytes()).is_err() {
        die("write");
    }
}
