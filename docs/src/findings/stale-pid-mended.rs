/// Until it is waited for, the child keeps its number, even if it has ended.
fn main() {
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(0);
        }
        if libc::kill(child, libc::SIGTERM) == -1 {
            std::process::exit(1);
        }
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
}
