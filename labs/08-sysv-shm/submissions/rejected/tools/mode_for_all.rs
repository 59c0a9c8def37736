//! The segment and the set are made with mode 0666: whoever has an account on the machine can read along, and change what is read.

use libc::{c_int, c_short, c_ushort, key_t, sembuf, semid_ds};
use memoffset::offset_of;
use std::ffi::CString;
use std::io::Error;
use std::mem::MaybeUninit;
use std::{env, process, ptr};

/// The segment, as the writer and the reader agree on it. It is only ever reached through its offsets: a
/// reference to memory that another process changes would be a false promise to the compiler.
#[repr(C)]
struct Segment {
    /// How many bytes of `data` count; 0 is end-of-file.
    length: u32,
    data: [u8; CAPACITY],
}

const CAPACITY: usize = 4092;
const LENGTH: usize = offset_of!(Segment, length);
const DATA: usize = offset_of!(Segment, data);

// Two programs must agree on this layout, so it is not left to chance.
const _: () = assert!(LENGTH == 0 && DATA == 4 && size_of::<Segment>() == 4096);

/// The semaphores of the set, by number.
const FREE: c_ushort = 0; // 1: the segment is the writer's
const FULL: c_ushort = 1; // 1: the segment is the reader's
const LOCK: c_ushort = 2; // 1: no writer is at work
const SEMAPHORES: c_int = 3;

/// The fourth argument of semctl, which C leaves to the caller to define.
#[repr(C)]
union Semun {
    buf: *mut semid_ds,
    array: *mut c_ushort,
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", keyfile] => write_side(key_of(keyfile)),
        ["read", keyfile] => read_side(key_of(keyfile)),
        _ => {
            eprintln!("usage: xfr write|read KEYFILE");
            process::exit(2);
        }
    }
}

/// Copies standard input into the segment, piece by piece, and removes both objects once the reader is done.
fn write_side(key: key_t) {
    // Nobody gives the lock back: it goes with the set, or with this process.
    let set = enter(key, LOCK, libc::SEM_UNDO as c_short);
    let (id, segment) = attach(key, libc::IPC_CREAT, 0);
    let mut piece = [0; CAPACITY];
    loop {
        // Reading may take for ever, so it comes before the turn: a writer killed here keeps nobody waiting.
        let n = read_some(&mut piece);
        must(change(set, FREE, -1, 0));
        put(segment, &piece[..n]);
        must(change(set, FULL, 1, 0));
        if n == 0 {
            break;
        }
    }
    // The reader gives this turn when it has seen the end; after it, it touches neither object.
    must(change(set, FREE, -1, 0));
    detach(segment);
    // The set is the door, and goes last: whoever waits behind it finds no old segment when it is gone.
    remove_segment(id);
    remove_set(set);
}

/// Copies the pieces from the segment to standard output until one has length 0.
fn read_side(key: key_t) {
    let set = enter(key, FULL, 0);
    // A piece is there, and so its segment is: a writer made it.
    let (_, segment) = attach(key, 0, libc::SHM_RDONLY);
    let mut piece = [0; CAPACITY];
    loop {
        let n = get(segment, &mut piece);
        must(change(set, FREE, 1, 0));
        if n == 0 {
            break;
        }
        write_all(&piece[..n]);
        must(change(set, FULL, -1, 0));
    }
    detach(segment);
}

fn key_of(keyfile: &str) -> key_t {
    let path = CString::new(keyfile).expect("an argument has no NUL inside");
    // SAFETY: `path` is a NUL-terminated string that outlives the call.
    let key = unsafe { libc::ftok(path.as_ptr(), c_int::from(b'x')) };
    if key == -1 {
        fail("ftok");
    }
    key
}

/// Opens the set, creating it where there is none, and decrements one of its semaphores. A set that is removed
/// in the meantime belonged to a transfer that is over: this one starts over with the next set.
fn enter(key: key_t, semaphore: c_ushort, flags: c_short) -> c_int {
    loop {
        let Some(set) = open_set(key) else { continue };
        match change(set, semaphore, -1, flags) {
            Err(error) if is_removed(&error) => {}
            result => {
                must(result);
                return set;
            }
        }
    }
}

/// The set of this key, initialised; `None` when it was removed while this process tried.
fn open_set(key: key_t) -> Option<c_int> {
    let create = libc::IPC_CREAT | libc::IPC_EXCL | 0o666;
    // SAFETY: semget takes no pointers.
    let set = unsafe { libc::semget(key, SEMAPHORES, create) };
    if set != -1 {
        initialise(set);
        return Some(set);
    }
    if Error::last_os_error().raw_os_error() != Some(libc::EEXIST) {
        fail("semget");
    }
    // SAFETY: semget takes no pointers.
    let set = unsafe { libc::semget(key, SEMAPHORES, 0) };
    if set != -1 {
        return is_ready(set).then_some(set);
    }
    if Error::last_os_error().raw_os_error() != Some(libc::ENOENT) {
        fail("semget");
    }
    None
}

/// What the creator does: the values first, and then the sign that they are there.
fn initialise(set: c_int) {
    let mut values = [0; SEMAPHORES as usize];
    values[usize::from(FREE)] = 1;
    values[usize::from(LOCK)] = 1;
    let array = Semun { array: values.as_mut_ptr() };
    // SAFETY: SETALL reads one value for each semaphore of the set, and `values` has as many.
    if unsafe { libc::semctl(set, 0, libc::SETALL, array) } == -1 {
        fail("semctl");
    }
    // Waits for the value 0 that FULL has: a semop that changes nothing, but sets sem_otime.
    must(change(set, FULL, 0, 0));
}

/// What everyone else does: waits until sem_otime tells that the creator is done. False when the set is gone.
fn is_ready(set: c_int) -> bool {
    loop {
        let mut state = MaybeUninit::<semid_ds>::uninit();
        let buf = Semun { buf: state.as_mut_ptr() };
        // SAFETY: IPC_STAT writes one semid_ds, and `state` has room for it.
        if unsafe { libc::semctl(set, 0, libc::IPC_STAT, buf) } == -1 {
            if is_removed(&Error::last_os_error()) {
                return false;
            }
            fail("semctl");
        }
        // SAFETY: the call succeeded, so all of `state` is written.
        if unsafe { state.assume_init() }.sem_otime != 0 {
            return true;
        }
        // SAFETY: sched_yield has no preconditions.
        unsafe { libc::sched_yield() };
    }
}

/// Adds `by` to a semaphore, waiting until that is possible; `by` 0 waits until its value is 0.
fn change(set: c_int, semaphore: c_ushort, by: c_short, flags: c_short) -> Result<(), Error> {
    let mut operation = sembuf { sem_num: semaphore, sem_op: by, sem_flg: flags };
    loop {
        // SAFETY: `operation` is one sembuf, and the count says one.
        if unsafe { libc::semop(set, &raw mut operation, 1) } == 0 {
            return Ok(());
        }
        let error = Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
}

/// The set of this id was removed: EIDRM while the process waited for it, EINVAL before.
fn is_removed(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIDRM | libc::EINVAL))
}

fn must(result: Result<(), Error>) {
    if let Err(error) = result {
        fail_with("semop", &error);
    }
}

/// The id of the segment, and the address at which this process now sees it.
fn attach(key: key_t, create: c_int, mode: c_int) -> (c_int, *mut u8) {
    // SAFETY: shmget takes no pointers.
    let id = unsafe { libc::shmget(key, size_of::<Segment>(), create | 0o666) };
    if id == -1 {
        fail("shmget");
    }
    // SAFETY: with a null address the kernel picks a free place, so nothing of ours is covered.
    let address = unsafe { libc::shmat(id, ptr::null(), mode) };
    if address.addr() == usize::MAX {
        fail("shmat");
    }
    (id, address.cast())
}

/// Puts one piece into the segment. The caller has the turn.
fn put(segment: *mut u8, piece: &[u8]) {
    let data = segment.wrapping_add(DATA);
    // SAFETY: `piece` is at most CAPACITY long, which is what the attached segment holds from `data` on.
    unsafe { ptr::copy_nonoverlapping(piece.as_ptr(), data, piece.len()) };
    let length: *mut u32 = segment.wrapping_add(LENGTH).cast();
    // SAFETY: `length` lies in the attached segment, aligned, since segments begin at a page.
    unsafe { length.write(piece.len() as u32) };
}

/// Copies the piece out of the segment, and returns its length. The caller has the turn.
fn get(segment: *const u8, piece: &mut [u8; CAPACITY]) -> usize {
    let length: *const u32 = segment.wrapping_add(LENGTH).cast();
    // SAFETY: `length` lies in the attached segment, aligned, since segments begin at a page.
    let n = unsafe { length.read() } as usize;
    // Another process wrote this number: believing it would let that process choose what is read here.
    if n > CAPACITY {
        eprintln!("xfr: a piece of {n} bytes does not fit the segment");
        process::exit(1);
    }
    let data = segment.wrapping_add(DATA);
    // SAFETY: `n` bytes lie both in the attached segment from `data` on and in `piece`, as checked above.
    unsafe { ptr::copy_nonoverlapping(data, piece.as_mut_ptr(), n) };
    n
}

fn detach(segment: *const u8) {
    // SAFETY: shmat returned `segment`, and nobody uses it after this.
    if unsafe { libc::shmdt(segment.cast()) } == -1 {
        fail("shmdt");
    }
}

fn remove_segment(id: c_int) {
    // SAFETY: IPC_RMID ignores the pointer.
    if unsafe { libc::shmctl(id, libc::IPC_RMID, ptr::null_mut()) } == -1 {
        fail("shmctl");
    }
}

fn remove_set(set: c_int) {
    // SAFETY: IPC_RMID takes no fourth argument.
    if unsafe { libc::semctl(set, 0, libc::IPC_RMID) } == -1 {
        fail("semctl");
    }
}

/// One read of standard input: how many bytes there were, 0 at end-of-file.
fn read_some(buffer: &mut [u8]) -> usize {
    loop {
        // SAFETY: `buffer` has room for the number of bytes asked for.
        let n = unsafe { libc::read(0, buffer.as_mut_ptr().cast(), buffer.len()) };
        if n >= 0 {
            return n as usize;
        }
        if Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            fail("read");
        }
    }
}

/// Writes all of `bytes` to standard output: a write may take fewer than it is given.
fn write_all(bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: `rest` has the number of bytes that are given.
        let n = unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) };
        if n >= 0 {
            rest = &rest[n as usize..];
        } else if Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            fail("write");
        }
    }
}

fn fail(call: &str) -> ! {
    fail_with(call, &Error::last_os_error())
}

fn fail_with(call: &str, error: &Error) -> ! {
    eprintln!("xfr: {call}: {error}");
    process::exit(1);
}
