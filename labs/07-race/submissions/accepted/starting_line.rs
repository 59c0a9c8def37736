//! All children wait at a starting line, a pipe, until the last one has been forked. The atomic addition is a loop around compare_exchange; the
//! semaphore is a member of a struct in shared memory; the parent takes the ends with `waitid`, in the order in which they come.

use libc::{c_int, c_void, sem_t};
use memoffset::offset_of;
use std::ffi::{CString, OsString};
use std::io::Error;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::{env, process, ptr};

/// What the processes share besides FILE.
#[repr(C)]
struct Shared {
    /// How many children have counted to the end.
    done: u64,
    gate: sem_t,
}

fn fail(call: &str) -> ! {
    let line = format!("counter: {call}: {}\n", Error::last_os_error());
    eprint!("{line}");
    process::exit(1)
}

/// The result of a call, which is made again after EINTR.
fn must(call: &str, mut attempt: impl FnMut() -> isize) -> usize {
    loop {
        match usize::try_from(attempt()) {
            Ok(result) => return result,
            Err(_) if Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            Err(_) => fail(call),
        }
    }
}

fn map(fd: c_int, flags: c_int, length: usize) -> *mut c_void {
    // SAFETY: without an address the kernel takes a free place.
    let memory = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_WRITE | libc::PROT_READ, flags, fd, 0) };
    if memory == libc::MAP_FAILED { fail("mmap") } else { memory }
}

fn lock(fd: c_int, kind: c_int) {
    let region = libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start: 0, l_len: 0, l_pid: 0 };
    let command = if kind == libc::F_UNLCK { libc::F_SETLK } else { libc::F_SETLKW };
    // SAFETY: `region` is one flock, and lives until after the call.
    must("fcntl", || unsafe { libc::fcntl(fd, command, &raw const region) } as isize);
}

fn plain_add(counter: &AtomicU64) {
    let sum = counter.load(Acquire).wrapping_add(1);
    counter.store(sum, Release);
}

fn addition(sync: &str) -> Option<fn(&AtomicU64, c_int, *mut sem_t)> {
    Some(match sync {
        "none" => |counter, _, _| plain_add(counter),
        "lock" => |counter, fd, _| {
            lock(fd, libc::F_WRLCK);
            plain_add(counter);
            lock(fd, libc::F_UNLCK);
        },
        "sem" => |counter, _, gate| {
            // SAFETY: sem_init made the semaphore.
            must("sem_wait", || unsafe { libc::sem_wait(gate) } as isize);
            plain_add(counter);
            // SAFETY: sem_init made the semaphore.
            must("sem_post", || unsafe { libc::sem_post(gate) } as isize);
        },
        "atomic" => |counter, _, _| {
            let mut seen = counter.load(Relaxed);
            while let Err(other) = counter.compare_exchange_weak(seen, seen.wrapping_add(1), AcqRel, Acquire) {
                seen = other;
            }
        },
        _ => return None,
    })
}

fn main() {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let value = |name: &str| args.chunks(2).take(3).find(|pair| pair[0] == name).and_then(|pair| pair.get(1)?.to_str());
    let number = |name: &str, least: u64, most: u64| value(name)?.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
    let wanted = (number("-p", 1, 1000), number("-n", 0, u32::MAX.into()), value("--sync").and_then(addition));
    let (7, (Some(procs), Some(times), Some(add))) = (args.len(), wanted) else {
        eprintln!("usage: counter -p PROCS -n TIMES --sync none|lock|sem|atomic FILE");
        process::exit(2);
    };

    let path = CString::new(args[6].clone().into_vec()).expect("an argument has no NUL inside");
    let mode: libc::c_uint = 0o666;
    // SAFETY: `path` ends in NUL; with O_CREAT, open reads a mode.
    let fd = must("open", || unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT, mode) } as isize) as c_int;
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` has room for one stat.
    must("fstat", || unsafe { libc::fstat(fd, status.as_mut_ptr()) } as isize);
    // SAFETY: fstat has written it.
    match unsafe { status.assume_init() }.st_size {
        // SAFETY: ftruncate takes no pointers.
        0 => drop(must("ftruncate", || unsafe { libc::ftruncate(fd, 8) } as isize)),
        8 => {}
        length => {
            eprintln!("counter: FILE has {length} bytes, and a counter has 8");
            process::exit(1);
        }
    }
    // SAFETY: the mapping is aligned to a page and long enough, and it stays.
    let counter = unsafe { AtomicU64::from_ptr(map(fd, libc::MAP_SHARED, 8).cast()) };
    let shared = map(-1, libc::MAP_SHARED | libc::MAP_ANONYMOUS, size_of::<Shared>());
    let gate: *mut sem_t = shared.wrapping_byte_add(offset_of!(Shared, gate)).cast();
    // SAFETY: `gate` lies in the mapping, at a sem_t's alignment, and nobody uses it yet.
    must("sem_init", || unsafe { libc::sem_init(gate, 1, 1) } as isize);
    // SAFETY: `done` is the first member of the struct that the mapping is long enough for.
    let done = unsafe { AtomicU64::from_ptr(shared.wrapping_byte_add(offset_of!(Shared, done)).cast()) };

    let mut line = [0; 2];
    // SAFETY: `line` has room for the two descriptors.
    must("pipe", || unsafe { libc::pipe(line.as_mut_ptr()) } as isize);
    let (mut forked, mut failed) = (0, None);
    while forked < procs && failed.is_none() {
        // SAFETY: there is one thread.
        match unsafe { libc::fork() } {
            -1 => failed = Some(Error::last_os_error()),
            0 => {
                // SAFETY: this process's copy of the write end is open, and not used again.
                must("close", || unsafe { libc::close(line[1]) } as isize);
                // Nobody writes: this returns when the last write end is closed.
                // SAFETY: one byte may be stored at `byte`.
                let mut byte = 0_u8;
                must("read", || unsafe { libc::read(line[0], (&raw mut byte).cast(), 1) });
                for _ in 0..times {
                    add(counter, fd, gate);
                }
                done.fetch_add(1, Release);
                // SAFETY: _exit has no preconditions.
                unsafe { libc::_exit(0) }
            }
            _ => forked += 1,
        }
    }
    // SAFETY: the write end is open, and not used again.
    must("close", || unsafe { libc::close(line[1]) } as isize);

    let mut well = true;
    for _ in 0..forked {
        let mut end = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: `end` has room for one siginfo_t.
        must("waitid", || unsafe { libc::waitid(libc::P_ALL, 0, end.as_mut_ptr(), libc::WEXITED) } as isize);
        // SAFETY: all zeros are a siginfo_t, and waitid has written its own.
        let end = unsafe { end.assume_init() };
        // SAFETY: waitid fills in this field.
        let status = unsafe { end.si_status() };
        if end.si_code != libc::CLD_EXITED || status != 0 {
            let line = format!("counter: child: ended badly ({status})\n");
            eprint!("{line}");
            well = false;
        }
    }
    if let Some(error) = failed {
        eprintln!("counter: fork: {error}");
        well = false;
    }
    if !well || done.load(Acquire) != procs {
        process::exit(1);
    }
    let total = format!("{}\n", counter.load(Acquire));
    let mut rest = total.as_bytes();
    while !rest.is_empty() {
        // SAFETY: `rest` is as long as it says.
        rest = &rest[must("write", || unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) })..];
    }
}
