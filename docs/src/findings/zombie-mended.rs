/// A child ends, and its parent takes its status.
fn main() {
    unsafe {
        if libc::fork() == 0 {
            libc::_exit(3);
        }
        let mut status = 0;
        libc::wait(&raw mut status);
        assert_eq!(libc::WEXITSTATUS(status), 3);
    }
}
