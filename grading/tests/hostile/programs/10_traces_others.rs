//! Attaches to, reads and writes PID 1, and looks for processes that are not its own.
//! verdicts: pass pass pass pass
fn main() {
    for pid in [1, 2, 3, std::process::id() as i32 + 1] {
        for request in [libc::PTRACE_ATTACH, libc::PTRACE_SEIZE] {
            if unsafe { libc::ptrace(request, pid, 0, 0) } != -1 && pid != std::process::id() as i32 {
                through(&format!("traces {pid}"));
            }
        }
        let mut byte = 0u8;
        let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        for address in [0x400000usize, 0x555555554000, 0x7ffff7fc1000] {
            let remote = libc::iovec { iov_base: address as *mut _, iov_len: 1 };
            let own = pid == std::process::id() as i32;
            if !own && unsafe { libc::process_vm_readv(pid, &local, 1, &remote, 1, 0) } == 1 || !own && unsafe { libc::process_vm_writev(pid, &local, 1, &remote, 1, 0) } == 1 {
                through(&format!("reads or writes {pid}"));
            }
        }
        let handle = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as i32;
        for number in 0..64 {
            if pid == 1 && handle != -1 && unsafe { libc::syscall(libc::SYS_pidfd_getfd, handle, number, 0) } != -1 {
                through(&format!("takes descriptor {number} of {pid}"));
            }
        }
        if handle != -1 {
            unsafe { libc::close(handle) };
        }
    }
    relay()
}
