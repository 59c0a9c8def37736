//! Makes processes that make processes.
//! verdicts: fail fail skipped fail
fn main() {
    loop {
        unsafe { libc::fork() };
    }
}
