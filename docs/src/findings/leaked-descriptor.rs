/// The parent only writes, and keeps the read end all the same.
fn main() {
    let (mut pipe, mut byte) = ([0; 2], 0u8);
    unsafe {
        libc::pipe(pipe.as_mut_ptr());
        if libc::fork() == 0 {
            libc::close(pipe[1]);
            while libc::read(pipe[0], (&raw mut byte).cast(), 1) == 1 {}
            libc::_exit(0);
        }
        libc::write(pipe[1], c"hello".as_ptr().cast(), 5);
        libc::close(pipe[1]);
        libc::wait(std::ptr::null_mut());
    }
}
