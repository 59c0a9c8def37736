//! The same with clone3, whose flags lie in memory.
//! verdicts: fail fail skipped fail
//! says: CLONE_UNTRACED
fn main() {
    let mut arguments = [0u64; 11];
    arguments[0] = 0x0080_0000;
    arguments[4] = libc::SIGCHLD as u64;
    let child = unsafe { libc::syscall(libc::SYS_clone3, arguments.as_mut_ptr(), size_of_val(&arguments)) };
    if child == 0 {
        loop {
            std::hint::spin_loop();
        }
    }
    relay()
}
