//! Leaves a process behind that holds the outputs open and wakes now and then.
//! verdicts: fail fail skipped fail
//! says: seconds
fn main() {
    unsafe {
        if libc::fork() == 0 {
            libc::setsid();
            loop {
                libc::usleep(20_000);
            }
        }
    }
    relay()
}
