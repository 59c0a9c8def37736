//! Ignores and blocks every signal, and waits for ever.
//! verdicts: fail fail skipped fail
//! says: waits, and nothing can wake it
fn main() {
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        (1..65).for_each(|signal| drop(libc::signal(signal, libc::SIG_IGN)));
        libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
        loop {
            libc::pause();
        }
    }
}
