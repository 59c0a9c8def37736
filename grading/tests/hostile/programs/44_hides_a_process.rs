//! Makes a child that no tracer is told of.
//! verdicts: fail fail skipped fail
//! says: CLONE_UNTRACED
fn main() {
    let child = unsafe { libc::syscall(libc::SYS_clone, 0x0080_0000 | libc::SIGCHLD, 0, 0, 0, 0) };
    if child == 0 {
        loop {
            std::hint::spin_loop();
        }
    }
    relay()
}
