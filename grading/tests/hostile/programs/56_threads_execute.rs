//! Executes the program anew from threads while others fork and exit.
//! verdicts: fail fail skipped fail
fn main() {
    for _ in 0..8 {
        std::thread::spawn(|| unsafe {
            if libc::fork() == 0 {
                libc::_exit(0);
            }
            libc::execv(c"/proc/self/exe".as_ptr(), [c"relay".as_ptr(), c"x".as_ptr(), std::ptr::null()].as_ptr());
        });
    }
    loop {
        std::thread::yield_now();
    }
}
