//! Idiomatic: the set and the segment are types, errors travel up as values, and both sides attach the segment
//! before they wait, so that starting over drops the old one (Drop detaches it) together with the old set.

use libc::{c_int, c_short, c_ushort, key_t};
use std::error::Error as StdError;
use std::ffi::CString;
use std::fmt;
use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::process::ExitCode;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

const CAPACITY: usize = 4092;

#[repr(C)]
struct Layout {
    length: AtomicU32,
    data: [u8; CAPACITY],
}

#[derive(Clone, Copy)]
#[repr(u16)]
enum Sem {
    Free,
    Full,
    Lock,
}

#[repr(C)]
union Semun {
    buf: *mut libc::semid_ds,
    array: *const c_ushort,
}

#[derive(Debug)]
struct Failed {
    call: &'static str,
    cause: io::Error,
}

impl Failed {
    fn now(call: &'static str) -> Self {
        Failed { call, cause: io::Error::last_os_error() }
    }

    fn is(&self, codes: &[c_int]) -> bool {
        self.cause.raw_os_error().is_some_and(|code| codes.contains(&code))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.cause)
    }
}

impl StdError for Failed {}

/// -1 becomes an error that names its call.
fn checked<T: PartialEq + From<i8>>(call: &'static str, result: T) -> Result<T, Failed> {
    if result == T::from(-1) { Err(Failed::now(call)) } else { Ok(result) }
}

/// Makes the call again for as long as it is interrupted.
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T, Failed>) -> Result<T, Failed> {
    loop {
        match call() {
            Err(failed) if failed.is(&[libc::EINTR]) => {}
            result => return result,
        }
    }
}

struct Set(c_int);

impl Set {
    fn create(key: key_t) -> Result<Set, Failed> {
        // SAFETY: semget takes no pointers.
        let id = unsafe { libc::semget(key, 3, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) };
        let set = Set(checked("semget", id)?);
        // All zero first; then one semop raises two of them and sets sem_otime in the same step.
        let zeros: [c_ushort; 3] = [0; 3];
        // SAFETY: `zeros` has a value for each of the three semaphores.
        let result = unsafe { libc::semctl(set.0, 0, libc::SETALL, Semun { array: zeros.as_ptr() }) };
        checked("semctl", result)?;
        set.operate(&mut [Set::op(Sem::Free, 1, 0), Set::op(Sem::Lock, 1, 0)])?;
        Ok(set)
    }

    fn open(key: key_t) -> Result<Set, Failed> {
        // SAFETY: semget takes no pointers.
        let set = Set(checked("semget", unsafe { libc::semget(key, 3, 0) })?);
        while set.last_operation()? == 0 {
            std::thread::yield_now();
        }
        Ok(set)
    }

    fn last_operation(&self) -> Result<libc::time_t, Failed> {
        let mut status = MaybeUninit::<libc::semid_ds>::uninit();
        // SAFETY: `status` has room for the semid_ds that IPC_STAT writes.
        let result = unsafe { libc::semctl(self.0, 0, libc::IPC_STAT, Semun { buf: status.as_mut_ptr() }) };
        checked("semctl", result)?;
        // SAFETY: IPC_STAT succeeded and wrote it.
        Ok(unsafe { status.assume_init() }.sem_otime)
    }

    fn op(sem: Sem, by: c_short, flags: c_int) -> libc::sembuf {
        libc::sembuf { sem_num: sem as u16, sem_op: by, sem_flg: flags as c_short }
    }

    fn operate(&self, operations: &mut [libc::sembuf]) -> Result<(), Failed> {
        uninterrupted(|| {
            // SAFETY: pointer and count are those of one slice.
            let result = unsafe { libc::semop(self.0, operations.as_mut_ptr(), operations.len()) };
            checked("semop", result).map(drop)
        })
    }

    fn take(&self, sem: Sem) -> Result<(), Failed> {
        self.operate(&mut [Set::op(sem, -1, 0)])
    }

    fn give(&self, sem: Sem) -> Result<(), Failed> {
        self.operate(&mut [Set::op(sem, 1, 0)])
    }

    fn remove(self) -> Result<(), Failed> {
        // SAFETY: IPC_RMID needs no fourth argument.
        checked("semctl", unsafe { libc::semctl(self.0, 0, libc::IPC_RMID) }).map(drop)
    }
}

struct Segment {
    id: c_int,
    at: NonNull<u8>,
}

impl Segment {
    fn attach(key: key_t) -> Result<Segment, Failed> {
        // SAFETY: shmget takes no pointers.
        let id = unsafe { libc::shmget(key, size_of::<Layout>(), libc::IPC_CREAT | 0o600) };
        let id = checked("shmget", id)?;
        // SAFETY: a null address lets the kernel choose a free one.
        let at = unsafe { libc::shmat(id, ptr::null(), 0) };
        if at.addr() == usize::MAX {
            return Err(Failed::now("shmat"));
        }
        Ok(Segment { id, at: NonNull::new(at.cast()).expect("shmat never returns null") })
    }

    fn length(&self) -> &AtomicU32 {
        let length = self.at.as_ptr().wrapping_add(offset_of!(Layout, length)).cast();
        // SAFETY: aligned, attached for as long as `self` lives, and an atomic may change under us.
        unsafe { AtomicU32::from_ptr(length) }
    }

    fn data(&self) -> *mut u8 {
        self.at.as_ptr().wrapping_add(offset_of!(Layout, data))
    }

    fn store(&self, bytes: &[u8]) {
        // SAFETY: at most CAPACITY bytes, and it is our turn.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.data(), bytes.len()) };
        self.length().store(bytes.len() as u32, Ordering::Release);
    }

    fn load(&self) -> Vec<u8> {
        let length = self.length().load(Ordering::Acquire) as usize;
        let mut bytes = vec![0; length.min(CAPACITY)];
        // SAFETY: at most CAPACITY bytes, and it is our turn.
        unsafe { ptr::copy_nonoverlapping(self.data(), bytes.as_mut_ptr(), bytes.len()) };
        bytes
    }

    fn remove(self) -> Result<(), Failed> {
        // SAFETY: IPC_RMID ignores the pointer.
        checked("shmctl", unsafe { libc::shmctl(self.id, libc::IPC_RMID, ptr::null_mut()) }).map(drop)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: attached in `attach`, and no pointer into it outlives `self`.
        unsafe { libc::shmdt(self.at.as_ptr().cast()) };
    }
}

/// Both objects, with one semaphore taken; tries anew for as long as they vanish.
fn enter(key: key_t, operation: libc::sembuf) -> Result<(Set, Segment), Failed> {
    let attempt = || -> Result<(Set, Segment), Failed> {
        let set = match Set::create(key) {
            Err(failed) if failed.is(&[libc::EEXIST]) => Set::open(key)?,
            result => result?,
        };
        let segment = Segment::attach(key)?;
        set.operate(&mut [operation])?;
        Ok((set, segment))
    };
    loop {
        match attempt() {
            // From shmat, too, when the segment goes right after shmget.
            Err(failed) if failed.call != "shmget" && failed.is(&[libc::EIDRM, libc::EINVAL, libc::ENOENT]) => {}
            result => return result,
        }
    }
}

fn write_side(key: key_t) -> Result<(), Failed> {
    let (set, segment) = enter(key, Set::op(Sem::Lock, -1, libc::SEM_UNDO))?;
    let mut buffer = [0; CAPACITY];
    loop {
        let n = uninterrupted(|| {
            // SAFETY: `buffer` has room for its own length.
            checked("read", unsafe { libc::read(0, buffer.as_mut_ptr().cast(), buffer.len()) })
        })?;
        let piece = &buffer[..n as usize];
        set.take(Sem::Free)?;
        segment.store(piece);
        set.give(Sem::Full)?;
        if piece.is_empty() {
            break;
        }
    }
    set.take(Sem::Free)?;
    segment.remove()?;
    set.remove()
}

fn read_side(key: key_t) -> Result<(), Failed> {
    let (set, segment) = enter(key, Set::op(Sem::Full, -1, 0))?;
    loop {
        let piece = segment.load();
        set.give(Sem::Free)?;
        if piece.is_empty() {
            return Ok(());
        }
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let n = uninterrupted(|| {
                // SAFETY: pointer and length are those of one slice.
                checked("write", unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) })
            })?;
            rest = &rest[n as usize..];
        }
        set.take(Sem::Full)?;
    }
}

fn run(side: fn(key_t) -> Result<(), Failed>, keyfile: &str) -> Result<(), Failed> {
    let path = CString::new(keyfile).expect("arguments have no NUL");
    // SAFETY: `path` is NUL-terminated.
    side(checked("ftok", unsafe { libc::ftok(path.as_ptr(), c_int::from(b'x')) })?)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["write", keyfile] => run(write_side, keyfile),
        ["read", keyfile] => run(read_side, keyfile),
        _ => {
            eprintln!("usage: xfr write|read KEYFILE");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("xfr: {failed}");
            ExitCode::FAILURE
        }
    }
}
