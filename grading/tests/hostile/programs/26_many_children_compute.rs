//! Computes in one child after the other, each of which stays below the limit of a process.
//! verdicts: fail fail skipped fail
//! says: CPU time
fn main() {
    loop {
        unsafe {
            if libc::fork() == 0 {
                // Tenths of a second, in a program that is not optimised.
                (0..20_000_000u64).for_each(|n| drop(std::hint::black_box(n)));
                libc::_exit(0);
            }
            libc::wait(std::ptr::null_mut());
        }
    }
}
