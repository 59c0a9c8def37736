extern "C" fn woken(_signal: libc::c_int) {}

/// The signal may come before `pause`, which then waits for another one.
fn main() {
    unsafe {
        libc::signal(libc::SIGUSR1, woken as extern "C" fn(libc::c_int) as libc::sighandler_t);
        let parent = libc::getpid();
        if libc::fork() == 0 {
            libc::kill(parent, libc::SIGUSR1);
            libc::_exit(0);
        }
        libc::pause();
        libc::wait(std::ptr::null_mut());
    }
}
