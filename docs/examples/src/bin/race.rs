//! A lost update, forced: the child adds 1 between the parent's load and the parent's store.
//! Then the same with one atomic operation each.

use std::io::Error;
use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering};

fn main() {
    // SAFETY: a new mapping at a place that the kernel chooses.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            8,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if memory == libc::MAP_FAILED {
        check("mmap", -1);
    }
    // SAFETY: the mapping is aligned to a page, stays to the end, and both processes use it
    // through this type alone.
    let counter = unsafe { AtomicU64::from_ptr(memory.cast()) };

    let loaded = counter.load(Ordering::Relaxed); // 0
    in_child(|| {
        let loaded = counter.load(Ordering::Relaxed); // 0 as well
        counter.store(loaded + 1, Ordering::Relaxed);
    });
    counter.store(loaded + 1, Ordering::Relaxed); // 1: what the child has stored is overwritten
    println!("load, add, store in each of two processes: {}", counter.load(Ordering::Relaxed));

    counter.store(0, Ordering::Relaxed);
    counter.fetch_add(1, Ordering::Relaxed);
    in_child(|| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    println!("one atomic addition in each of them: {}", counter.load(Ordering::Relaxed));
}

/// Does something in a child and waits for it: this is how the order above is forced.
fn in_child(work: impl FnOnce()) {
    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", pid);
    if pid == 0 {
        work();
        // SAFETY: ends this process, and runs nothing of the parent's.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: null says that we do not ask how it has ended.
    check("waitpid", unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) });
}

fn check(call: &str, result: libc::c_int) {
    if result == -1 {
        eprintln!("race: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
