//! Exits with everything done, and leaves a grandchild that computes for ever.
//! verdicts: fail fail skipped fail
//! says: CPU time
fn main() {
    unsafe {
        if libc::fork() == 0 {
            if libc::fork() == 0 {
                libc::setsid();
                loop {
                    std::hint::spin_loop();
                }
            }
            libc::_exit(0);
        }
        libc::wait(std::ptr::null_mut());
    }
    relay()
}
