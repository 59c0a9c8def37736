//! In the way of the standard library: a mapping that unmaps itself, a guard that gives the mutex back on every way out, errors as values up to `main`, an
//! iterator over the lines of standard input, and every byte of the ring an atomic, so that there is no pointer arithmetic outside of one function.

use memoffset::offset_of;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libc::sem_t;

#[repr(C)]
struct Header {
    magic: u32,
    capacity: u32,
    head: u32,
    tail: u32,
    mutex: sem_t,
    free: sem_t,
    used: sem_t,
}

const _: () = assert!(offset_of!(Header, mutex) == 16 && offset_of!(Header, free) == 48 && offset_of!(Header, used) == 80);

const MAGIC: u32 = u32::from_be_bytes(*b"RING");
const BEFORE_SLOTS: usize = 128;
const SLOT: usize = 256;
const DATA: usize = 4;
const MOST: usize = SLOT - DATA;

type Outcome<T> = Result<T, String>;

fn failed<T>(call: &str) -> Outcome<T> {
    Err(format!("{call}: {}", io::Error::last_os_error()))
}

/// Makes a call until no signal interrupts it.
fn call(name: &str, mut attempt: impl FnMut() -> i32) -> Outcome<i32> {
    loop {
        match attempt() {
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return failed(name),
            result => return Ok(result),
        }
    }
}

/// A shared-memory object in this process's memory.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    fn of(file: &File, length: usize) -> Outcome<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel picks the place, so nothing of ours is covered.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        match NonNull::new(start.cast::<u8>()) {
            Some(place) if start != libc::MAP_FAILED => Ok(Self { start: place, length }),
            _ => failed("mmap"),
        }
    }

    fn at<T>(&self, offset: usize) -> *mut T {
        assert!(offset + size_of::<T>() <= self.length && offset % align_of::<T>() == 0);
        self.start.as_ptr().wrapping_add(offset).cast()
    }

    fn number(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: `at` gives an aligned place in the mapping, which lives as long as `self`; all reach it by atomic accesses.
        unsafe { AtomicU32::from_ptr(self.at(offset)) }
    }

    fn byte(&self, offset: usize) -> &AtomicU8 {
        // SAFETY: as for `number`.
        unsafe { AtomicU8::from_ptr(self.at(offset)) }
    }

    fn semaphore(&self, offset: usize) -> Semaphore {
        Semaphore(self.at(offset))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mmap returned this place for this length, and it is not used again.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

#[derive(Clone, Copy)]
struct Semaphore(*mut sem_t);

impl Semaphore {
    fn set_up(self, value: u32) -> Outcome<()> {
        // SAFETY: the semaphore lies in a mapping, and nobody uses it yet.
        call("sem_init", || unsafe { libc::sem_init(self.0, 1, value) }).map(drop)
    }

    fn wait(self) -> Outcome<()> {
        // SAFETY: the semaphore is set up: the ring's magic number says so.
        call("sem_wait", || unsafe { libc::sem_wait(self.0) }).map(drop)
    }

    fn wait_for(self, limit: Duration) -> Outcome<()> {
        let until = (SystemTime::now() + limit).duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = libc::timespec { tv_sec: until.as_secs() as i64, tv_nsec: until.subsec_nanos().into() };
        // SAFETY: the semaphore is set up, and `until` lives longer than the call.
        call("sem_timedwait", || unsafe { libc::sem_timedwait(self.0, &raw const until) }).map(drop)
    }

    fn post(self) -> Outcome<()> {
        // SAFETY: the semaphore is set up.
        call("sem_post", || unsafe { libc::sem_post(self.0) }).map(drop)
    }
}

/// Gives the mutex back when it goes.
struct Guard(Semaphore);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.post();
    }
}

struct Ring {
    mapping: Mapping,
    capacity: u32,
}

impl Ring {
    fn create(name: &CStr, capacity: u32) -> Outcome<()> {
        let file = open_object(name, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL)?;
        Self::furnish(&file, capacity).inspect_err(|_| drop(unlink(name)))
    }

    fn furnish(file: &File, capacity: u32) -> Outcome<()> {
        let length = BEFORE_SLOTS + capacity as usize * SLOT;
        file.set_len(length as u64).map_err(|error| format!("ftruncate: {error}"))?;
        let mapping = Mapping::of(file, length)?;
        mapping.semaphore(offset_of!(Header, mutex)).set_up(1)?;
        mapping.semaphore(offset_of!(Header, free)).set_up(capacity)?;
        mapping.semaphore(offset_of!(Header, used)).set_up(0)?;
        mapping.number(offset_of!(Header, capacity)).store(capacity, Ordering::Relaxed);
        mapping.number(offset_of!(Header, magic)).store(MAGIC, Ordering::Release);
        Ok(())
    }

    fn open(name: &CStr) -> Outcome<Self> {
        let file = open_object(name, libc::O_RDWR)?;
        let length = file.metadata().map_err(|error| format!("fstat: {error}"))?.len() as usize;
        if length < BEFORE_SLOTS {
            return Err("not a ring, or not one yet".into());
        }
        let mapping = Mapping::of(&file, length)?;
        if mapping.number(offset_of!(Header, magic)).load(Ordering::Acquire) != MAGIC {
            return Err("not a ring, or not one yet".into());
        }
        let capacity = mapping.number(offset_of!(Header, capacity)).load(Ordering::Relaxed);
        let fits = capacity > 0 && (length - BEFORE_SLOTS) / SLOT >= capacity as usize;
        if fits { Ok(Self { mapping, capacity }) } else { Err("the ring's capacity is not what it can be".into()) }
    }

    fn lock(&self) -> Outcome<Guard> {
        let mutex = self.mapping.semaphore(offset_of!(Header, mutex));
        mutex.wait().map(|()| Guard(mutex))
    }

    /// The offset of the slot that a number of the header names; the number then names the next one. Only for who has locked.
    fn step(&self, number: usize, _guard: &Guard) -> Outcome<usize> {
        let number = self.mapping.number(number);
        let slot = number.load(Ordering::Relaxed);
        if slot >= self.capacity {
            return Err(format!("there is no slot {slot} in a ring of {}", self.capacity));
        }
        number.store((slot + 1) % self.capacity, Ordering::Relaxed);
        Ok(BEFORE_SLOTS + slot as usize * SLOT)
    }

    fn put(&self, line: &[u8]) -> Outcome<()> {
        if line.len() > MOST {
            return Err(format!("a line of {} bytes is too long", line.len()));
        }
        self.mapping.semaphore(offset_of!(Header, free)).wait()?;
        let guard = self.lock()?;
        let slot = self.step(offset_of!(Header, tail), &guard)?;
        for (place, byte) in line.iter().enumerate() {
            self.mapping.byte(slot + DATA + place).store(*byte, Ordering::Relaxed);
        }
        self.mapping.number(slot).store(line.len() as u32, Ordering::Relaxed);
        drop(guard);
        self.mapping.semaphore(offset_of!(Header, used)).post()
    }

    fn get(&self, limit: Option<Duration>) -> Outcome<Vec<u8>> {
        let used = self.mapping.semaphore(offset_of!(Header, used));
        limit.map_or_else(|| used.wait(), |limit| used.wait_for(limit))?;
        let guard = self.lock()?;
        let slot = self.step(offset_of!(Header, head), &guard)?;
        let length = self.mapping.number(slot).load(Ordering::Relaxed) as usize;
        if length > MOST {
            return Err(format!("a slot says that its line has {length} bytes"));
        }
        let line = (slot + DATA..slot + DATA + length).map(|at| self.mapping.byte(at).load(Ordering::Relaxed)).collect();
        drop(guard);
        self.mapping.semaphore(offset_of!(Header, free)).post()?;
        Ok(line)
    }
}

fn open_object(name: &CStr, flags: i32) -> Outcome<File> {
    let mode: libc::c_uint = 0o600;
    // SAFETY: `name` ends in NUL.
    let fd = call("shm_open", || unsafe { libc::shm_open(name.as_ptr(), flags, mode) })?;
    // SAFETY: shm_open has just returned this descriptor, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

fn unlink(name: &CStr) -> Outcome<()> {
    // SAFETY: `name` ends in NUL.
    call("shm_unlink", || unsafe { libc::shm_unlink(name.as_ptr()) }).map(drop)
}

fn put_lines(ring: &Ring) -> Outcome<()> {
    io::stdin().lock().split(b'\n').try_for_each(|line| ring.put(&line.map_err(|error| format!("read: {error}"))?))
}

fn print_lines(ring: &Ring, count: u32, limit: Option<Duration>) -> Outcome<()> {
    (0..count).try_for_each(|_| {
        let line = [ring.get(limit)?, vec![b'\n']].concat();
        let mut out = io::stdout().lock();
        out.write_all(&line).and_then(|()| out.flush()).map_err(|error| format!("write: {error}"))
    })
}

/// What to do, if the command line makes sense.
fn command() -> Option<Box<dyn FnOnce() -> Outcome<()>>> {
    let mut args: Vec<_> = std::env::args_os().skip(1).collect();
    let name = CString::new(args.pop().filter(|_| !args.is_empty())?.into_vec()).ok()?;
    let words: Vec<&str> = args.iter().map(|arg| arg.to_str()).collect::<Option<_>>()?;
    let (verb, options) = words.split_first()?;
    let (mut capacity, mut count, mut limit) = (None, 1, None);
    for option in options.chunks(2) {
        let [letter, number] = option else { return None };
        let number: u32 = number.parse().ok()?;
        match (*verb, *letter) {
            ("create", "-c") => capacity = Some(number).filter(|number| (1..=65_536).contains(number)),
            ("get", "-n") => count = Some(number).filter(|number| *number > 0)?,
            ("get", "-t") => limit = Some(Duration::from_millis(number.into())),
            _ => return None,
        }
    }
    if name.to_bytes().starts_with(b"-") {
        return None;
    }
    Some(match (*verb, capacity) {
        ("create", Some(capacity)) => Box::new(move || Ring::create(&name, capacity)),
        ("put", None) => Box::new(move || put_lines(&Ring::open(&name)?)),
        ("get", None) => Box::new(move || print_lines(&Ring::open(&name)?, count, limit)),
        ("rm", None) => Box::new(move || unlink(&name)),
        _ => return None,
    })
}

fn main() -> ExitCode {
    let Some(command) = command() else {
        eprintln!("usage: ring create -c CAP NAME | put NAME | get [-n N] [-t MS] NAME | rm NAME");
        return ExitCode::from(2);
    };
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("ring: {message}");
            ExitCode::FAILURE
        }
    }
}
