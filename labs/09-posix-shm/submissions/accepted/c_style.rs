//! Written as in C: pointers into the mapping by `&raw`, standard input and output by `read` and `write` with a buffer of its own, every failure an exit at
//! once, and descriptors that are closed when they are mapped. `used` is posted before the mutex is given back, which is just as good.

use libc::{c_int, sem_t, timespec};
use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst, fence};
use std::{env, io, process, ptr};

#[repr(C)]
struct Head {
    magic: u32,
    capacity: u32,
    head: u32,
    tail: u32,
    mutex: sem_t,
    free: sem_t,
    used: sem_t,
    rest: [u8; 16],
}

#[repr(C)]
struct Slot {
    length: u32,
    data: [u8; 252],
}

const _: () = assert!(size_of::<Head>() == 128 && size_of::<Slot>() == 256);
const _: () = assert!(memoffset::offset_of!(Head, mutex) == 16 && memoffset::offset_of!(Head, used) == 80);

fn say(text: &str) -> ! {
    let line = format!("ring: {text}\n");
    eprint!("{line}");
    process::exit(1)
}

fn die(call: &str) -> ! {
    say(&format!("{call}: {}", io::Error::last_os_error()))
}

fn again() -> bool {
    io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

fn usage() -> ! {
    eprintln!("usage: ring create -c CAP NAME | put NAME | get [-n N] [-t MS] NAME | rm NAME");
    process::exit(2)
}

fn main() {
    let mut args: Vec<_> = env::args_os().skip(1).collect();
    if args.len() < 2 || args.len() % 2 == 1 {
        usage();
    }
    let name = CString::new(args.pop().unwrap_or_default().into_vec()).unwrap_or_default();
    let verb = args.remove(0).into_string().unwrap_or_default();
    let (mut cap, mut lines, mut limit) = (None, None, None);
    for pair in args.chunks(2) {
        let Some(number) = pair[1].to_str().and_then(|text| text.parse::<u32>().ok()) else { usage() };
        match (verb.as_str(), pair[0].to_str()) {
            ("create", Some("-c")) if (1..=65_536).contains(&number) => cap = Some(number),
            ("get", Some("-n")) if number > 0 => lines = Some(number),
            ("get", Some("-t")) => limit = Some(number),
            _ => usage(),
        }
    }
    match (verb.as_str(), cap) {
        ("create", Some(cap)) => create(&name, cap),
        ("put", _) => put(open(&name)),
        ("get", _) => get(open(&name), lines.unwrap_or(1), limit),
        // SAFETY: `name` ends in NUL.
        ("rm", _) if unsafe { libc::shm_unlink(name.as_ptr()) } < 0 => die("shm_unlink"),
        ("rm", _) => {}
        _ => usage(),
    }
}

fn map(fd: c_int, length: usize) -> *mut Head {
    // SAFETY: a null address lets the kernel pick a free place.
    let at = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0) };
    if at == libc::MAP_FAILED {
        return ptr::null_mut();
    }
    // SAFETY: `fd` is open and not used again; the mapping does not need it.
    unsafe { libc::close(fd) };
    at.cast()
}

fn create(name: &CString, cap: u32) {
    // SAFETY: `name` ends in NUL.
    let fd = unsafe { libc::shm_open(name.as_ptr(), libc::O_CREAT | libc::O_EXCL | libc::O_RDWR, 0o600 as libc::c_uint) };
    if fd < 0 {
        die("shm_open");
    }
    let undo = |call: &str| -> ! {
        let error = io::Error::last_os_error();
        // SAFETY: `name` ends in NUL.
        unsafe { libc::shm_unlink(name.as_ptr()) };
        say(&format!("{call}: {error}"))
    };
    let length = 128 + 256 * cap as usize;
    // SAFETY: ftruncate takes no pointers.
    if unsafe { libc::ftruncate(fd, length as i64) } < 0 {
        undo("ftruncate");
    }
    let ring = map(fd, length);
    if ring.is_null() {
        undo("mmap");
    }
    // SAFETY: the mapping holds a Head, and is nobody else's yet.
    unsafe { (*ring).capacity = cap };
    // SAFETY: the same; only the address is taken.
    let semaphores = unsafe { [(&raw mut (*ring).mutex, 1), (&raw mut (*ring).free, cap), (&raw mut (*ring).used, 0)] };
    for (semaphore, value) in semaphores {
        // SAFETY: the semaphore lies in the mapping, and nobody uses it yet.
        if unsafe { libc::sem_init(semaphore, 1, value) } < 0 {
            undo("sem_init");
        }
    }
    fence(SeqCst);
    // SAFETY: `magic` lies in the mapping, aligned.
    unsafe { AtomicU32::from_ptr(ring.cast()) }.store(0x5249_4e47, SeqCst);
}

fn open(name: &CString) -> (*mut Head, u32) {
    // SAFETY: `name` ends in NUL.
    let fd = unsafe { libc::shm_open(name.as_ptr(), libc::O_RDWR, 0 as libc::c_uint) };
    if fd < 0 {
        die("shm_open");
    }
    // SAFETY: lseek takes no pointers.
    let length = unsafe { libc::lseek(fd, 0, libc::SEEK_END) };
    if length < 128 {
        say("this is no ring yet");
    }
    let ring = map(fd, length as usize);
    if ring.is_null() {
        die("mmap");
    }
    // SAFETY: `magic` lies in the mapping, aligned.
    if unsafe { AtomicU32::from_ptr(ring.cast()) }.load(SeqCst) != 0x5249_4e47 {
        say("this is no ring yet");
    }
    // SAFETY: `capacity` lies in the mapping, and is read once.
    let cap = unsafe { (&raw const (*ring).capacity).read_volatile() };
    if cap == 0 || 128 + 256 * u64::from(cap) > length as u64 {
        say("the ring is damaged (capacity)");
    }
    (ring, cap)
}

fn down(semaphore: *mut sem_t) {
    // SAFETY: the semaphore lies in the mapping and is initialised.
    while unsafe { libc::sem_wait(semaphore) } < 0 {
        if !again() {
            die("sem_wait");
        }
    }
}

fn up(semaphore: *mut sem_t) {
    // SAFETY: the semaphore lies in the mapping and is initialised.
    if unsafe { libc::sem_post(semaphore) } < 0 {
        die("sem_post");
    }
}

/// The slot that `index` names, and the index moved on. Null if it names none.
fn next(index: *mut u32, ring: *mut Head, cap: u32) -> *mut Slot {
    // SAFETY: `index` lies in the mapping; the caller has the mutex.
    let place = unsafe { index.read_volatile() };
    if place >= cap {
        return ptr::null_mut();
    }
    let following = if place + 1 == cap { 0 } else { place + 1 };
    // SAFETY: as above.
    unsafe { index.write_volatile(following) };
    ring.wrapping_add(1).cast::<Slot>().wrapping_add(place as usize)
}

fn put((ring, cap): (*mut Head, u32)) {
    // SAFETY: only addresses inside the mapping are taken.
    let (mutex, free, used, tail) = unsafe { (&raw mut (*ring).mutex, &raw mut (*ring).free, &raw mut (*ring).used, &raw mut (*ring).tail) };
    let mut held: Vec<u8> = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        // SAFETY: `buffer` is as long as it says.
        let n = unsafe { libc::read(0, buffer.as_mut_ptr().cast(), buffer.len()) };
        if n < 0 {
            if again() {
                continue;
            }
            die("read");
        }
        held.extend_from_slice(&buffer[..n as usize]);
        if n == 0 && !held.is_empty() {
            held.push(b'\n');
        }
        while let Some(end) = held.iter().position(|byte| *byte == b'\n') {
            if end > 252 {
                break;
            }
            down(free);
            down(mutex);
            let slot = next(tail, ring, cap);
            if slot.is_null() {
                up(mutex);
                say("the ring is damaged (tail)");
            }
            // SAFETY: at most 252 bytes go to where the slot has room for them; the caller has the mutex.
            unsafe { ptr::copy_nonoverlapping(held.as_ptr(), (&raw mut (*slot).data).cast(), end) };
            // SAFETY: the slot lies in the mapping.
            unsafe { (*slot).length = end as u32 };
            up(used);
            up(mutex);
            held.drain(..=end);
        }
        // No newline within the first 253 bytes: such a line is too long, however it ends.
        if held.len() > 252 {
            say("a line is too long for its slot");
        }
        if n == 0 {
            return;
        }
    }
}

fn get((ring, cap): (*mut Head, u32), lines: u32, limit: Option<u32>) {
    // SAFETY: only addresses inside the mapping are taken.
    let (mutex, free, used, head) = unsafe { (&raw mut (*ring).mutex, &raw mut (*ring).free, &raw mut (*ring).used, &raw mut (*ring).head) };
    for _ in 0..lines {
        match limit {
            None => down(used),
            Some(limit) => {
                let mut until = timespec { tv_sec: 0, tv_nsec: 0 };
                // SAFETY: `until` has room for a timespec.
                if unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut until) } < 0 {
                    die("clock_gettime");
                }
                until.tv_sec += i64::from(limit / 1000);
                until.tv_nsec += i64::from(limit % 1000) * 1_000_000;
                if until.tv_nsec >= 1_000_000_000 {
                    until.tv_nsec -= 1_000_000_000;
                    until.tv_sec += 1;
                }
                // SAFETY: the semaphore is initialised, and `until` lives.
                while unsafe { libc::sem_timedwait(used, &raw const until) } < 0 {
                    if !again() {
                        die("sem_timedwait");
                    }
                }
            }
        }
        down(mutex);
        let slot = next(head, ring, cap);
        let mut line = [0_u8; 253];
        let mut length = u32::MAX;
        if !slot.is_null() {
            // SAFETY: the slot lies in the mapping.
            length = unsafe { (&raw const (*slot).length).read_volatile() };
            // SAFETY: 252 bytes are what the slot holds, and `line` has room for them.
            unsafe { ptr::copy_nonoverlapping((&raw const (*slot).data).cast(), line.as_mut_ptr(), 252) };
        }
        up(free);
        up(mutex);
        if length > 252 {
            say("the ring is damaged (head or length)");
        }
        line[length as usize] = b'\n';
        let mut rest = &line[..=length as usize];
        while !rest.is_empty() {
            // SAFETY: `rest` is as long as it says.
            let n = unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) };
            if n >= 0 {
                rest = &rest[n as usize..];
            } else if !again() {
                die("write");
            }
        }
    }
}
