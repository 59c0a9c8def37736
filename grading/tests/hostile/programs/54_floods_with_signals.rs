//! Lets timers send signals as fast as the kernel does.
//! verdicts: fail fail skipped fail
fn main() {
    extern "C" fn handle(_: i32) {}
    unsafe {
        libc::signal(libc::SIGALRM, handle as extern "C" fn(i32) as usize);
        let every = libc::timeval { tv_sec: 0, tv_usec: 1 };
        libc::setitimer(libc::ITIMER_REAL, &libc::itimerval { it_interval: every, it_value: every }, std::ptr::null_mut());
        loop {
            std::hint::spin_loop();
        }
    }
}
