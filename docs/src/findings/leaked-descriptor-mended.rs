/// Each process closes the end that it does not use.
fn main() {
    let (mut pipe, mut byte) = ([0; 2], 0u8);
    unsafe {
        libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC); // Nothing that is executed inherits it.
        if libc::fork() == 0 {
            libc::close(pipe[1]);
            while libc::read(pipe[0], (&raw mut byte).cast(), 1) == 1 {}
            libc::_exit(0);
        }
        libc::close(pipe[0]); // The parent only writes.
        libc::write(pipe[1], c"hello".as_ptr().cast(), 5);
        libc::close(pipe[1]);
        libc::wait(std::ptr::null_mut());
    }
}
