//! Makes calls without end that all succeed.
//! verdicts: fail fail skipped fail
//! says: calls
fn main() {
    loop {
        unsafe { libc::close(libc::dup(1)) };
    }
}
