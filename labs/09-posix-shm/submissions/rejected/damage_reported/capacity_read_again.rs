//! An index is compared with the capacity that stands in the shared memory at that moment, which nobody has compared with the object's length: another
//! process may have made it larger.

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
    let mode: c_uint = 0o600;
    // Without O_EXCL two creators would both initialise, one of them under the feet of those who use the ring.
    // SAFETY: `name` ends in NUL.
    let fd = unsafe { libc::shm_open(name.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, mode) };
    if fd == -1 {
        fail("shm_open");
    }
    if let Err((call, error)) = furnish(fd, capacity) {
        // Half a ring is of no use to anyone, and would be in the way of the next create.
        // SAFETY: `name` ends in NUL.
        unsafe { libc::shm_unlink(name.as_ptr()) };
        fail_with(call, &error);
    }
}

/// Makes a ring out of an object that is empty so far; with the error, the call that failed.
fn furnish(fd: c_int, capacity: u32) -> Result<(), (&'static str, Error)> {
    let length = length_of_ring(capacity);
    // A mapping reaches as far as the object does: what lies behind its end raises SIGBUS. What this adds is zero.
    // SAFETY: ftruncate takes no pointers.
    if unsafe { libc::ftruncate(fd, length as libc::off_t) } == -1 {
        return Err(("ftruncate", Error::last_os_error()));
    }
    let ring = Ring { memory: map(fd, length).map_err(|error| ("mmap", error))?, capacity };
    ring.number(offset_of!(Header, capacity)).store(capacity, Ordering::Relaxed);
    for (semaphore, value) in [(ring.mutex(), 1), (ring.free(), capacity), (ring.used(), 0)] {
        // pshared is 1: those who use the semaphores are processes, not threads of one.
        // SAFETY: the semaphore lies in the mapping, aligned, and nobody uses it before the magic number is there.
        if unsafe { libc::sem_init(semaphore, 1, value) } == -1 {
            return Err(("sem_init", Error::last_os_error()));
        }
    }
    // Release: whoever sees the magic number sees all the rest.
    ring.number(offset_of!(Header, magic)).store(MAGIC, Ordering::Release);
    Ok(())
}

/// Opens a ring that is there and ready, and believes nothing that it says about itself without a look.
fn open(name: &CString) -> Ring {
    // SAFETY: `name` ends in NUL.
    let fd = unsafe { libc::shm_open(name.as_ptr(), libc::O_RDWR, 0) };
    if fd == -1 {
        fail("shm_open");
    }
    let length = length_of(fd);
    // The creator may be between its shm_open and its ftruncate: touching the mapping would raise SIGBUS.
    if length < SLOTS {
        refuse(name, "not ready, or no ring");
    }
    let mut ring = Ring { memory: map(fd, length).unwrap_or_else(|error| fail_with("mmap", &error)), capacity: 0 };
    // Acquire: with the magic number comes all that was stored before it.
    if ring.number(offset_of!(Header, magic)).load(Ordering::Acquire) != MAGIC {
        refuse(name, "not ready, or no ring");
    }
    // Read once, compared, and kept: what another process writes there later is of no interest.
    ring.capacity = ring.number(offset_of!(Header, capacity)).load(Ordering::Relaxed);
    if ring.capacity == 0 || length_of_ring(ring.capacity) > length {
        refuse(name, "damaged: its capacity does not fit its length");
    }
    ring
}

/// How long the object is now.
fn length_of(fd: c_int) -> usize {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` has room for the one stat that fstat writes.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } == -1 {
        fail("fstat");
    }
    // SAFETY: the call succeeded, so all of `status` is written.
    unsafe { status.assume_init() }.st_size as usize
}

/// Maps the object, for all who have it mapped to see.
fn map(fd: c_int, length: usize) -> Result<*mut u8, Error> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: with a null address the kernel picks a free place, so nothing of ours is covered.
    let address = unsafe { libc::mmap(ptr::null_mut(), length, protection, libc::MAP_SHARED, fd, 0) };
    if address == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(address.cast()) }
}

impl Ring {
    /// A number of the header, by its offset.
    fn number(&self, offset: usize) -> &AtomicU32 {
        let address = self.memory.wrapping_add(offset).cast();
        // SAFETY: the offsets of the header's numbers are multiples of 4 and lie in the mapping, which stays; all reach them by atomic accesses.
        unsafe { AtomicU32::from_ptr(address) }
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

    /// The slot to which an index of the header points, and the index moved on; `None` if it points nowhere. The caller has the mutex.
    fn advance(&self, offset: usize) -> Option<*mut u8> {
        let index = self.number(offset).load(Ordering::Relaxed);
        // Another process wrote this number: believing it would let that process choose what is overwritten here.
        if index >= self.number(offset_of!(Header, capacity)).load(Ordering::Relaxed) {
            return None;
        }
        self.number(offset).store((index + 1) % self.capacity, Ordering::Relaxed);
        Some(self.memory.wrapping_add(SLOTS + index as usize * SLOT))
    }

    /// Puts one line in, waiting for a free slot.
    fn put(&self, line: &[u8]) {
        // First the slot, then the mutex: the other way round, whoever waits for a slot would keep out those who could free one.
        wait(self.free(), None);
        wait(self.mutex(), None);
        let slot = self.advance(offset_of!(Header, tail));
        if let Some(slot) = slot {
            let length: *mut u32 = slot.cast();
            // SAFETY: the slot lies in the mapping, aligned, and is this process's as long as it has the mutex.
            unsafe { length.write(line.len() as u32) };
            let data = slot.wrapping_add(offset_of!(Slot, data));
            // SAFETY: `line` is at most LONGEST bytes, which is what the slot holds from `data` on.
            unsafe { ptr::copy_nonoverlapping(line.as_ptr(), data, line.len()) };
        }
        // What is wrong is said when the mutex is free again: the others are not to wait for a process that has ended.
        post(self.mutex());
        if slot.is_none() {
            damaged("tail");
        }
        post(self.used());
    }

    /// Takes the oldest line out, waiting for one until a point in time, or as long as it takes.
    fn get(&self, deadline: Option<timespec>) -> Vec<u8> {
        wait(self.used(), deadline);
        wait(self.mutex(), None);
        let line = self.advance(offset_of!(Header, head)).map(line_of);
        post(self.mutex());
        match line {
            Some(Some(line)) => {
                post(self.free());
                line
            }
            Some(None) => damaged("length"),
            None => damaged("head"),
        }
    }
}

/// The line in a slot; `None` if it says that it is longer than a slot.
fn line_of(slot: *mut u8) -> Option<Vec<u8>> {
    let length: *const u32 = slot.cast();
    // SAFETY: the slot lies in the mapping, aligned, and is this process's as long as it has the mutex.
    let length = unsafe { length.read() } as usize;
    if length > LONGEST {
        return None;
    }
    let mut line = vec![0; length];
    let data = slot.wrapping_add(offset_of!(Slot, data));
    // SAFETY: `length` bytes lie both in the slot from `data` on, as checked above, and in `line`.
    unsafe { ptr::copy_nonoverlapping(data, line.as_mut_ptr(), length) };
    Some(line)
}

/// Waits for a semaphore: until it can be decremented, or, with a deadline, at most until then. A wait that a signal interrupts goes on.
fn wait(semaphore: *mut sem_t, deadline: Option<timespec>) {
    let call = if deadline.is_some() { "sem_timedwait" } else { "sem_wait" };
    loop {
        let result = match &deadline {
            // SAFETY: the creator has initialised the semaphore, which lies in the mapping, and `deadline` lives until after the call.
            Some(deadline) => unsafe { libc::sem_timedwait(semaphore, deadline) },
            // SAFETY: the creator has initialised the semaphore, which lies in the mapping.
            None => unsafe { libc::sem_wait(semaphore) },
        };
        if result == 0 {
            return;
        }
        let error = Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            fail_with(call, &error);
        }
    }
}

fn post(semaphore: *mut sem_t) {
    // SAFETY: the creator has initialised the semaphore, which lies in the mapping.
    if unsafe { libc::sem_post(semaphore) } == -1 {
        fail("sem_post");
    }
}

/// The point in time that lies so many milliseconds ahead, on the clock that sem_timedwait goes by.
fn in_milliseconds(limit: u32) -> timespec {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` has room for the one timespec that is written.
    if unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) } == -1 {
        fail("clock_gettime");
    }
    let nanoseconds = time.tv_nsec + i64::from(limit % 1000) * 1_000_000;
    time.tv_sec += i64::from(limit / 1000) + nanoseconds / 1_000_000_000;
    time.tv_nsec = nanoseconds % 1_000_000_000;
    time
}

/// `ring put`: every line of standard input, each as soon as it is there.
fn put_all(ring: &Ring) {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => fail_with("read", &error),
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.len() > LONGEST {
            eprintln!("ring: line {number} is too long: it has {} bytes, and a slot has room for {LONGEST}", line.len());
            process::exit(1);
        }
        ring.put(&line);
    }
}

/// `ring get`: takes so many lines, and prints each as soon as it has it.
fn get_some(ring: &Ring, lines: u32, limit: Option<u32>) {
    for _ in 0..lines {
        let mut line = ring.get(limit.map(in_milliseconds));
        line.push(b'\n');
        print(&line);
    }
}

/// `ring rm`: takes the name away. Who has the ring mapped may go on with it.
fn remove(name: &CString) {
    // SAFETY: `name` ends in NUL.
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
