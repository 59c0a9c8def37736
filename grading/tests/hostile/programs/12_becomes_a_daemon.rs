//! Leaves a daemon behind: forked twice, in a session of its own, without descriptors.
//! verdicts: fail fail skipped fail
//! says: waits
fn main() {
    unsafe {
        if libc::fork() == 0 {
            libc::setsid();
            if libc::fork() == 0 {
                (0..3).for_each(|fd| drop(libc::close(fd)));
                loop {
                    libc::pause();
                }
            }
            libc::_exit(0);
        }
        libc::wait(std::ptr::null_mut());
    }
    relay()
}
