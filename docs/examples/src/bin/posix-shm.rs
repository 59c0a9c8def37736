//! A POSIX shared-memory object with a semaphore inside it. Child and parent map it each for
//! themselves, as strangers would.

use std::ffi::{CStr, CString};
use std::io::Error;
use std::mem::MaybeUninit;
use std::process::exit;

use libc::{c_int, sem_t};
use memoffset::offset_of;

/// What lies in the object. Only addresses of its fields are taken, never a reference to the
/// whole: other processes write to it.
#[repr(C)]
struct Shared {
    full: MaybeUninit<sem_t>,
    number: u32,
}

fn main() {
    let name = CString::new(format!("/book-shm-{}", std::process::id())).expect("no NUL");
    // SAFETY: the name ends with NUL.
    let fd = unsafe {
        libc::shm_open(name.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, 0o600)
    };
    check("shm_open", fd);
    // A new object has length 0: a touch beyond the end is a SIGBUS.
    // SAFETY: takes no pointer.
    check("ftruncate", unsafe { libc::ftruncate(fd, size_of::<Shared>() as libc::off_t) });
    let (full, number) = map(fd);
    // In place, in the shared memory; the 1 says that processes share it, and not only threads.
    // SAFETY: room for a sem_t that nobody uses yet.
    check("sem_init", unsafe { libc::sem_init(full, 1, 0) });

    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    check("fork", pid);
    if pid == 0 {
        let (full, number) = map(open(&name));
        // SAFETY: room for a u32, and the parent does not touch it before the semaphore says
        // so.
        unsafe { number.write(42) };
        // SAFETY: initialised above.
        check("sem_post", unsafe { libc::sem_post(full) });
        // SAFETY: ends this process, and runs nothing of the parent's.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: initialised above.
    check("sem_wait", unsafe { libc::sem_wait(full) });
    // SAFETY: room for a u32, and the child is done with it.
    println!("the child has left {}", unsafe { number.read() });

    // SAFETY: null says that we do not ask how it has ended.
    check("waitpid", unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) });
    // SAFETY: initialised above, and nobody waits for it any more.
    check("sem_destroy", unsafe { libc::sem_destroy(full) });
    // SAFETY: the name ends with NUL.
    check("shm_unlink", unsafe { libc::shm_unlink(name.as_ptr()) });
}

fn open(name: &CStr) -> c_int {
    // SAFETY: the name ends with NUL.
    let fd = unsafe { libc::shm_open(name.as_ptr(), libc::O_RDWR, 0) };
    check("shm_open", fd);
    fd
}

/// Maps the object and gives the addresses of its two fields.
fn map(fd: c_int) -> (*mut sem_t, *mut u32) {
    // SAFETY: a new mapping at a place that the kernel chooses.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size_of::<Shared>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            fd,
            0,
        )
    };
    if memory == libc::MAP_FAILED {
        check("mmap", -1);
    }
    let at = |offset: usize| memory.wrapping_byte_add(offset);
    (at(offset_of!(Shared, full)).cast(), at(offset_of!(Shared, number)).cast())
}

fn check(call: &str, result: c_int) {
    if result == -1 {
        eprintln!("posix-shm: {call}: {}", Error::last_os_error());
        exit(1);
    }
}
