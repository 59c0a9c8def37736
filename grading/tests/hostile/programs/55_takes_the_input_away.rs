//! Opens its standard streams a second time, the other way round, and leaves them without waiting and full.
//! verdicts: fail fail skipped fail
fn main() {
    unsafe {
        let input = libc::open(c"/proc/self/fd/0".as_ptr(), libc::O_WRONLY | libc::O_NONBLOCK);
        let output = libc::open(c"/proc/self/fd/1".as_ptr(), libc::O_RDONLY | libc::O_NONBLOCK);
        for fd in [0, 1, 2, input, output] {
            libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
            libc::fcntl(fd, libc::F_SETPIPE_SZ, 4096);
            libc::fcntl(fd, libc::F_SETOWN, 1);
        }
        libc::dup2(output, 0);
        libc::dup2(input, 1);
    }
    relay()
}
