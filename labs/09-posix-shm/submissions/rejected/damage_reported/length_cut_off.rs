//! Of the length only the last byte is looked at: 276 is taken for 20.
//!
//! Shows how programs that have nothing in common but a name share memory: a layout that all of them assert, indices in place of
//! pointers, three semaphores inside the memory itself, and a healthy distrust of what others have written there.
//!
//! ```text
//! $ ring create -c 4 /lines
//! $ seq 3 | ring put /lines
//! $ ring get -n 3 /lines
//! $ ring rm /lines
//! ```


use libc::{c_int, c_uint, sem_t, timespec};
use memoffset::offset_of;
use std::collections::HashMap;
use std::env;
use std::ffi::{CString, OsString};
use std::io::{self, BufRead, Error, Write};
use std::os::unix::ffi::OsStringExt;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

const USAGE: &str = "usage: ring create -c CAP NAME | put NAME | get [-n N] [-t MS] NAME | rm NAME";

/// The beginning of the shared memory. CAP slots follow it. It is only ever reached through its offsets: a reference to memory that
/// another process changes would be a false promise to the compiler.
#[repr(C)]
struct Header {
    /// `MAGIC` once the ring is ready, and never before.
    magic: u32,
    /// How many slots there are.
    capacity: u32,
    /// The slot of the oldest line.
    head: u32,
    /// The slot for the next line.
    tail: u32,
    /// 1: nobody is at work on the indices and the slots.
    mutex: sem_t,
    /// How many slots are free.
    free: sem_t,
    /// How many slots hold a line.
    used: sem_t,
}

#[repr(C)]
struct Slot {
    /// How many bytes of `data` count.
    length: u32,
    data: [u8; LONGEST],
}

const MAGIC: u32 = 0x5249_4e47; // "RING"
const LONGEST: usize = 252;
const SLOTS: usize = 128;
const SLOT: usize = 256;

// Programs that were compiled at different times must agree on this, so it is not left to chance.
const _: () = assert!(offset_of!(Header, magic) == 0 && offset_of!(Header, capacity) == 4);
const _: () = assert!(offset_of!(Header, head) == 8 && offset_of!(Header, tail) == 12);
const _: () = assert!(offset_of!(Header, mutex) == 16 && offset_of!(Header, free) == 48 && offset_of!(Header, used) == 80);
const _: () = assert!(size_of::<Header>() <= SLOTS && size_of::<Slot>() == SLOT && offset_of!(Slot, data) == 4);

/// A ring, mapped.
struct Ring {
    memory: *mut u8,
    capacity: u32,
}

/// What the command line asks for.
enum Command {
    Create { capacity: u32, name: CString },
    Put { name: CString },
    Get { lines: u32, limit: Option<u32>, name: CString },
    Rm { name: CString },
}

fn main() {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    match parse(args) {
        Some(Command::Create { capacity, name }) => create(&name, capacity),
        Some(Command::Put { name }) => put_all(&open(&name)),
        Some(Command::Get { lines, limit, name }) => get_some(&open(&name), lines, limit),
        Some(Command::Rm { name }) => remove(&name),
        None => {
            eprintln!("{USAGE}");
            process::exit(2);
        }
    }
}

/// Reads the command line; `None` is wrong usage.
fn parse(args: Vec<OsString>) -> Option<Command> {
    let mut args = args.into_iter();
    let verb = args.next()?.into_string().ok()?;
    let known = match verb.as_str() {
        "create" => "c",
        "get" => "nt",
        "put" | "rm" => "",
        _ => return None,
    };
    let mut options = HashMap::new();
    let name = loop {
        let arg = args.next()?;
        let Some(letter) = arg.to_str().and_then(|text| text.strip_prefix('-')) else { break CString::new(arg.into_vec()).ok()? };
        let letter = known.chars().find(|known| letter == known.to_string())?;
        options.insert(letter, args.next()?.to_str()?.parse::<u32>().ok()?);
    };
    let option = |letter| options.get(&letter).copied();
    if args.next().is_some() {
        return None;
    }
    match verb.as_str() {
        "create" => Some(Command::Create { capacity: option('c').filter(|capacity| (1..=65_536).contains(capacity))?, name }),
        "put" => Some(Command::Put { name }),
        "get" => Some(Command::Get { lines: Some(option('n').unwrap_or(1)).filter(|lines| *lines > 0)?, limit: option('t'), name }),
        _ => Some(Command::Rm { name }),
    }
}

/// How long the shared memory of a ring is.
fn length_of_ring(capacity: u32) -> usize {
    SLOTS + capacity as usize * SLOT
}

/// `ring create`: a new ring of so many slots, all of them free.
fn create(name: &CString, capacity: u32) {
    let fd = unsafe { libc::shm_open(name.as_ptr(), libc::O_CREAT | libc::O_EXCL | libc::O_RDWR, 0o600 as libc::mode_t) };
    if fd == -1 {
        fail("shm_open");
    }
    if let Err((call, error)) = fill(fd, capacity) {
        unsafe { libc::shm_unlink(name.as_ptr()) };
        fail_with(call, &error);
    }
}

fn fill(fd: c_int, capacity: u32) -> Result<(), (&'static str, Error)> {
    let length = length_of_ring(capacity);
    while unsafe { libc::ftruncate(fd, length as libc::off_t) } == -1 {
        let error = Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(("ftruncate", error));
        }
    }
    let memory = map(fd, length).map_err(|error| ("mmap", error))?;
    let ring = Ring { memory, capacity };
    ring.number(offset_of!(Header, capacity)).store(capacity, Ordering::Relaxed);
    for (semaphore, value) in [(ring.mutex(), 1), (ring.free(), capacity), (ring.used(), 0)] {
        if unsafe { libc::sem_init(semaphore, 1, value) } == -1 {
            return Err(("sem_init", Error::last_os_error()));
        }
    }
    ring.number(offset_of!(Header, magic)).store(MAGIC, Ordering::Release);
    Ok(())
}

/// Opens a ring that is there and ready, and believes nothing that it says about itself without a look.
fn open(name: &CString) -> Ring {
    let fd = unsafe { libc::shm_open(name.as_ptr(), libc::O_RDWR, 0) };
    if fd == -1 {
        fail("shm_open");
    }
    let length = length_of(fd);
    if length < SLOTS + SLOT {
        refuse(name, "it is too short for a ring");
    }
    let memory = map(fd, length).unwrap_or_else(|error| fail_with("mmap", &error));
    let mut ring = Ring { memory, capacity: 0 };
    if ring.number(offset_of!(Header, magic)).load(Ordering::Acquire) != MAGIC {
        refuse(name, "it is no ring, or not ready");
    }
    ring.capacity = ring.number(offset_of!(Header, capacity)).load(Ordering::Relaxed);
    if ring.capacity == 0 || length_of_ring(ring.capacity) != length {
        damaged("capacity");
    }
    ring
}

fn length_of(fd: c_int) -> usize {
    let mut st: libc::stat = unsafe { std::mem::zeroed() };
    if unsafe { libc::fstat(fd, &raw mut st) } == -1 {
        fail("fstat");
    }
    st.st_size as usize
}

fn map(fd: c_int, length: usize) -> Result<*mut u8, Error> {
    let memory = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0) };
    if memory == libc::MAP_FAILED {
        return Err(Error::last_os_error());
    }
    unsafe { libc::close(fd) };
    Ok(memory.cast())
}

impl Ring {
    fn number(&self, offset: usize) -> &AtomicU32 {
        unsafe { AtomicU32::from_ptr(self.memory.add(offset).cast()) }
    }

    fn mutex(&self) -> *mut sem_t {
        self.memory.wrapping_add(offset_of!(Header, mutex)).cast()
    }

    fn free(&self) -> *mut sem_t {
        self.memory.wrapping_add(offset_of!(Header, free)).cast()
    }

    fn used(&self) -> *mut sem_t {
        self.memory.wrapping_add(offset_of!(Header, used)).cast()
    }

    /// Inside the mutex: the offset of the slot that an index names.
    fn slot(&self, index: usize, what: &str) -> (u32, usize) {
        let at = self.number(index).load(Ordering::Relaxed);
        if at >= self.capacity {
            post(self.mutex());
            damaged(what);
        }
        (at, SLOTS + at as usize * SLOT)
    }

    fn put(&self, line: &[u8]) {
        wait(self.free(), None);
        wait(self.mutex(), None);
        let (at, slot) = self.slot(offset_of!(Header, tail), "tail");
        self.number(slot).store(line.len() as u32, Ordering::Relaxed);
        unsafe { ptr::copy_nonoverlapping(line.as_ptr(), self.memory.add(slot + offset_of!(Slot, data)), line.len()) };
        self.number(offset_of!(Header, tail)).store((at + 1) % self.capacity, Ordering::Relaxed);
        post(self.mutex());
        post(self.used());
    }

    fn get(&self, deadline: Option<timespec>) -> Vec<u8> {
        wait(self.used(), deadline);
        wait(self.mutex(), None);
        let (at, slot) = self.slot(offset_of!(Header, head), "head");
        let length = self.number(slot).load(Ordering::Relaxed) as u8 as usize;
        if length > LONGEST {
            post(self.mutex());
            damaged("length");
        }
        let mut line = vec![0; length];
        unsafe { ptr::copy_nonoverlapping(self.memory.add(slot + offset_of!(Slot, data)), line.as_mut_ptr(), length) };
        self.number(offset_of!(Header, head)).store((at + 1) % self.capacity, Ordering::Relaxed);
        post(self.mutex());
        post(self.free());
        line
    }
}

fn wait(semaphore: *mut sem_t, deadline: Option<timespec>) {
    loop {
        let (r, call) = match &deadline {
            Some(deadline) => (unsafe { libc::sem_timedwait(semaphore, &raw const *deadline) }, "sem_timedwait"),
            None => (unsafe { libc::sem_wait(semaphore) }, "sem_wait"),
        };
        if r == 0 {
            return;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            fail(call);
        }
    }
}

fn post(semaphore: *mut sem_t) {
    if unsafe { libc::sem_post(semaphore) } == -1 {
        fail("sem_post");
    }
}

fn in_milliseconds(limit: u32) -> timespec {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    if unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) } == -1 {
        fail("clock_gettime");
    }
    now.tv_sec += i64::from(limit / 1000);
    now.tv_nsec += i64::from(limit % 1000) * 1_000_000;
    if now.tv_nsec >= 1_000_000_000 {
        now.tv_nsec -= 1_000_000_000;
        now.tv_sec += 1;
    }
    now
}

fn put_all(ring: &Ring) {
    let mut line: Vec<u8> = Vec::new();
    let mut chunk = [0u8; 1000];
    loop {
        let n = unsafe { libc::read(0, chunk.as_mut_ptr().cast(), chunk.len()) };
        if n == -1 {
            if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                continue;
            }
            fail("read");
        }
        if n == 0 {
            break;
        }
        for &byte in &chunk[..n as usize] {
            if byte == b'\n' {
                ring.put(&line);
                line.clear();
            } else if line.len() == LONGEST {
                eprintln!("ring: a line has more than {LONGEST} bytes");
                process::exit(1);
            } else {
                line.push(byte);
            }
        }
    }
    if !line.is_empty() {
        ring.put(&line);
    }
}

fn get_some(ring: &Ring, lines: u32, limit: Option<u32>) {
    for _ in 0..lines {
        let mut line = ring.get(limit.map(in_milliseconds));
        line.push(b'\n');
        print(&line);
    }
}

fn remove(name: &CString) {
    if unsafe { libc::shm_unlink(name.as_ptr()) } == -1 {
        fail("shm_unlink");
    }
}

/// Writes to standard output now: `println!` would panic where it cannot write.
fn print(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        fail_with("write", &error);
    }
}

/// The object of this name is not what it should be.
fn refuse(name: &CString, reason: &str) -> ! {
    eprintln!("ring: {}: {reason}", name.to_string_lossy());
    process::exit(1);
}

/// Another process has written what cannot be.
fn damaged(what: &str) -> ! {
    eprintln!("ring: the ring is damaged: its {what} is out of range");
    process::exit(1);
}

/// Reports the call that has just failed, and ends the process. Use it at once: the next call may change errno.
fn fail(call: &str) -> ! {
    fail_with(call, &Error::last_os_error())
}

fn fail_with(call: &str, error: &Error) -> ! {
    eprintln!("ring: {call}: {error}");
    process::exit(1);
}
