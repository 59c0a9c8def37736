extern "C" fn woken(_signal: libc::c_int) {}

/// The signal is blocked until `sigsuspend` lets it in and waits, in one step.
fn main() {
    unsafe {
        libc::signal(libc::SIGUSR1, woken as extern "C" fn(libc::c_int) as libc::sighandler_t);
        let (mut blocked, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&raw mut blocked);
        libc::sigaddset(&raw mut blocked, libc::SIGUSR1);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const blocked, &raw mut before);
        let parent = libc::getpid();
        if libc::fork() == 0 {
            libc::kill(parent, libc::SIGUSR1);
            libc::_exit(0);
        }
        libc::sigsuspend(&raw const before);
        libc::wait(std::ptr::null_mut());
    }
}
