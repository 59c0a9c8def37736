//! A System V segment with a semaphore that says when something is in it.

use std::io::Error;
use std::process::exit;

use libc::{c_int, sembuf};

/// The fourth argument of semctl(2), which the caller declares; only the member that is used
/// here.
#[repr(C)]
union Semun {
    val: c_int,
}

fn main() {
    // SAFETY: takes no pointer.
    let segment = unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, libc::IPC_CREAT | 0o600) };
    check("shmget", segment);
    // SAFETY: takes no pointer.
    let set = unsafe { libc::semget(libc::IPC_PRIVATE, 1, libc::IPC_CREAT | 0o600) };
    check("semget", set);
    // A new semaphore has no value that you may rely on.
    // SAFETY: SETVAL takes the union by value.
    check("semctl", unsafe { libc::semctl(set, 0, libc::SETVAL, Semun { val: 0 }) });
    // SAFETY: null leaves the place to the kernel.
    let memory = unsafe { libc::shmat(segment, std::ptr::null(), 0) };
    if memory.addr() == usize::MAX {
        check("shmat", -1); // not null: -1 as a pointer
    }
    let number = memory.cast::<u32>();

    // SAFETY: this program has one thread. The child inherits the segment where it is attached.
    let pid = unsafe { libc::fork() };
    check("fork", pid);
    if pid == 0 {
        // SAFETY: the segment has room for a u32, and the parent does not touch it before the
        // semaphore says so.
        unsafe { number.write(42) };
        change(set, 1); // "it is there": the parent may go on the moment this is done
        // SAFETY: ends this process, and runs nothing of the parent's.
        unsafe { libc::_exit(0) };
    }
    change(set, -1); // sleeps until the value is at least 1
    // SAFETY: the segment has room for a u32, and the child is done with it.
    println!("the child has left {}", unsafe { number.read() });

    // SAFETY: null says that we do not ask how it has ended.
    check("waitpid", unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) });
    // SAFETY: attached above, and not used after this.
    check("shmdt", unsafe { libc::shmdt(memory) });
    // SAFETY: IPC_RMID takes no structure.
    check("shmctl", unsafe { libc::shmctl(segment, libc::IPC_RMID, std::ptr::null_mut()) });
    // SAFETY: IPC_RMID takes no further argument.
    check("semctl", unsafe { libc::semctl(set, 0, libc::IPC_RMID) });
}

/// Adds to the semaphore; with a negative number, waits until there is enough and takes it.
fn change(set: c_int, by: i16) {
    let mut operation = sembuf { sem_num: 0, sem_op: by, sem_flg: 0 };
    // SAFETY: a pointer to one operation.
    check("semop", unsafe { libc::semop(set, &raw mut operation, 1) });
}

fn check(call: &str, result: c_int) {
    if result == -1 {
        eprintln!("sysv-shm: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
