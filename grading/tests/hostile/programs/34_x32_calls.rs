//! Makes calls of the x32 kind.
//! verdicts: fail fail skipped fail
//! says: foreign ABI
fn main() {
    unsafe { libc::syscall(0x4000_0000 | libc::SYS_getpid) };
    relay()
}
