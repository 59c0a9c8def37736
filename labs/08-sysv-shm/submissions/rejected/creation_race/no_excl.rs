//! Mistake: whoever finds no set creates one without IPC_EXCL. If the other side has created it meanwhile, semget opens that one, and its values are set again in
//! the middle of the transfer.

use libc::{c_int, c_short, c_void};
use std::ffi::CString;
use std::io::Error;
use std::{env, mem, process, ptr};

const SIZE: usize = 4092;
const FREE: u16 = 0;
const FULL: u16 = 1;
const LOCK: u16 = 2;
const NSEMS: c_int = 3;

#[repr(C)]
struct Shared {
    length: u32,
    data: [u8; SIZE],
}

#[repr(C)]
union Semun {
    val: c_int,
    buf: *mut libc::semid_ds,
}

fn errno() -> c_int {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn die(call: &str) -> ! {
    eprintln!("xfr: {call}: {}", Error::last_os_error());
    process::exit(1);
}

/// 0, or -1 with errno set; EINTR is not among the errors.
fn sem(set: c_int, number: u16, op: c_short, flags: c_int) -> c_int {
    let mut buf = libc::sembuf { sem_num: number, sem_op: op, sem_flg: flags as c_short };
    loop {
        // SAFETY: one sembuf, as the count says.
        let result = unsafe { libc::semop(set, &mut buf, 1) };
        if result == 0 || errno() != libc::EINTR {
            return result;
        }
    }
}

fn set_value(set: c_int, number: u16, val: c_int) {
    // SAFETY: SETVAL takes an int in the union.
    if unsafe { libc::semctl(set, c_int::from(number), libc::SETVAL, Semun { val }) } == -1 {
        die("semctl");
    }
}

/// -1 when the set was removed while we were at it.
fn create_or_open(key: libc::key_t) -> c_int {
    // SAFETY: no pointers.
    let mut set = unsafe { libc::semget(key, NSEMS, 0o600) };
    if set == -1 && errno() == libc::ENOENT {
        // There is none, so this process makes it.
        // SAFETY: no pointers.
        set = unsafe { libc::semget(key, NSEMS, libc::IPC_CREAT | 0o600) };
        if set == -1 {
            die("semget");
        }
        set_value(set, FREE, 1);
        set_value(set, FULL, 0);
        set_value(set, LOCK, 1);
        // Up and down again, only for sem_otime.
        if sem(set, LOCK, -1, 0) == -1 {
            die("semop");
        }
        if sem(set, LOCK, 1, 0) == -1 {
            die("semop");
        }
        return set;
    }
    if set == -1 {
        die("semget");
    }
    loop {
        // SAFETY: semid_ds is plain old data, so all zeros are a value.
        let mut info: libc::semid_ds = unsafe { mem::zeroed() };
        // SAFETY: IPC_STAT fills in the semid_ds that `buf` points to.
        if unsafe { libc::semctl(set, 0, libc::IPC_STAT, Semun { buf: &mut info }) } == -1 {
            if errno() == libc::EIDRM || errno() == libc::EINVAL {
                return -1;
            }
            die("semctl");
        }
        if info.sem_otime != 0 {
            return set;
        }
        let nap = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        // SAFETY: `nap` is a valid timespec, and the remaining time may be null. Cut short, it is as good.
        unsafe { libc::nanosleep(&nap, ptr::null_mut()) };
    }
}

/// Opens the set and waits for one of its semaphores; begins again when the set is removed.
fn enter(key: libc::key_t, number: u16, flags: c_int) -> c_int {
    loop {
        let set = create_or_open(key);
        if set == -1 {
            continue;
        }
        if sem(set, number, -1, flags) == 0 {
            return set;
        }
        if errno() != libc::EIDRM && errno() != libc::EINVAL {
            die("semop");
        }
    }
}

fn get_segment(key: libc::key_t) -> (c_int, *mut Shared) {
    // SAFETY: no pointers.
    let id = unsafe { libc::shmget(key, mem::size_of::<Shared>(), libc::IPC_CREAT | 0o600) };
    if id == -1 {
        die("shmget");
    }
    // SAFETY: the kernel chooses the address.
    let p = unsafe { libc::shmat(id, ptr::null(), 0) };
    if p as isize == -1 {
        die("shmat");
    }
    (id, p as *mut Shared)
}

fn writer(key: libc::key_t) {
    let set = enter(key, LOCK, libc::SEM_UNDO);
    let (id, shared) = get_segment(key);
    let mut buf = [0u8; SIZE];
    let mut n: isize = -1;
    while n != 0 {
        // SAFETY: `buf` has SIZE bytes.
        n = unsafe { libc::read(0, buf.as_mut_ptr() as *mut c_void, SIZE) };
        if n == -1 {
            if errno() == libc::EINTR {
                continue;
            }
            die("read");
        }
        if sem(set, FREE, -1, 0) == -1 {
            die("semop");
        }
        // SAFETY: `shared` is attached, and it is the writer's turn.
        let to = unsafe { &raw mut (*shared).data } as *mut u8;
        // SAFETY: n is at most SIZE, the room on both sides.
        unsafe { ptr::copy_nonoverlapping(buf.as_ptr(), to, n as usize) };
        // SAFETY: as above.
        unsafe { (*shared).length = n as u32 };
        if sem(set, FULL, 1, 0) == -1 {
            die("semop");
        }
    }
    // The reader has seen the end once the segment is free again.
    if sem(set, FREE, -1, 0) == -1 {
        die("semop");
    }
    // SAFETY: attached above.
    if unsafe { libc::shmdt(shared as *const c_void) } == -1 {
        die("shmdt");
    }
    // SAFETY: IPC_RMID does not look at the pointer.
    if unsafe { libc::shmctl(id, libc::IPC_RMID, ptr::null_mut()) } == -1 {
        die("shmctl");
    }
    // SAFETY: IPC_RMID needs no fourth argument.
    if unsafe { libc::semctl(set, 0, libc::IPC_RMID) } == -1 {
        die("semctl");
    }
}

fn reader(key: libc::key_t) {
    let set = enter(key, FULL, 0);
    let (_, shared) = get_segment(key);
    loop {
        // SAFETY: `shared` is attached, and it is the reader's turn.
        let length = unsafe { (*shared).length } as usize;
        if length > SIZE {
            eprintln!("xfr: bad length {length}");
            process::exit(1);
        }
        // SAFETY: as above.
        let data = unsafe { &raw const (*shared).data } as *const u8;
        let mut done = 0;
        while done < length {
            let rest = data.wrapping_add(done) as *const c_void;
            // SAFETY: `rest` has `length - done` bytes in the segment.
            let n = unsafe { libc::write(1, rest, length - done) };
            if n >= 0 {
                done += n as usize;
            } else if errno() != libc::EINTR {
                die("write");
            }
        }
        if sem(set, FREE, 1, 0) == -1 {
            die("semop");
        }
        if length == 0 {
            break;
        }
        if sem(set, FULL, -1, 0) == -1 {
            die("semop");
        }
    }
    // SAFETY: attached above.
    if unsafe { libc::shmdt(shared as *const c_void) } == -1 {
        die("shmdt");
    }
}

fn main() {
    let args: Vec<String> = env::args().collect();
    if args.len() != 3 || (args[1] != "write" && args[1] != "read") {
        eprintln!("usage: xfr write|read KEYFILE");
        process::exit(2);
    }
    let path = CString::new(args[2].as_str()).unwrap();
    // SAFETY: `path` ends in a NUL.
    let key = unsafe { libc::ftok(path.as_ptr(), 'x' as c_int) };
    if key == -1 {
        die("ftok");
    }
    if args[1] == "write" {
        writer(key);
    } else {
        reader(key);
    }
}
