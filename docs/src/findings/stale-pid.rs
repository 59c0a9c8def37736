/// After `wait` the number is nobody's, and may soon be somebody else's.
fn main() {
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(0);
        }
        libc::wait(std::ptr::null_mut());
        if libc::kill(child, libc::SIGTERM) == -1 {
            std::process::exit(1);
        }
    }
}
