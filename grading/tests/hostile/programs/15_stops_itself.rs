//! Stops itself, and all of its group.
//! verdicts: fail fail skipped fail
//! says: is stopped by a signal
fn main() {
    unsafe { libc::kill(0, libc::SIGSTOP) };
    relay()
}
