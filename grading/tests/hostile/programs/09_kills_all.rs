//! Kills and stops all that it can reach, and takes PID 1 its resources.
//! verdicts: pass fail pass pass
//! says: without having waited
fn main() {
    for signal in (1..65).filter(|signal| *signal != libc::SIGCHLD) {
        unsafe { libc::kill(1, signal) };
    }
    unsafe { libc::kill(-1, libc::SIGKILL) };
    unsafe { libc::kill(-1, libc::SIGSTOP) };
    let nothing = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    for resource in 0..16 {
        if resource != libc::RLIMIT_NPROC {
            unsafe { libc::prlimit(1, resource, &nothing, std::ptr::null_mut()) };
        }
    }
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 1, 19) };
    // Orphans are PID 1's children: whoever made it use its processor time would have it killed.
    for _ in 0..40 {
        if unsafe { libc::fork() } == 0 {
            unsafe { libc::fork() };
            unsafe { libc::_exit(0) };
        }
        unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
    }
    relay()
}
