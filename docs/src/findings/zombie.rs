/// A child ends, and its parent never asks how.
fn main() {
    unsafe {
        if libc::fork() == 0 {
            libc::_exit(3);
        }
    }
}
