/// The parent begins, and the child answers.
fn main() {
    let (mut down, mut up, mut byte) = ([0; 2], [0; 2], 0u8);
    unsafe {
        libc::pipe(down.as_mut_ptr());
        libc::pipe(up.as_mut_ptr());
        if libc::fork() == 0 {
            libc::close(down[1]);
            libc::close(up[0]);
            libc::read(down[0], (&raw mut byte).cast(), 1);
            libc::write(up[1], (&raw const byte).cast(), 1);
            libc::_exit(0);
        }
        libc::close(down[0]);
        libc::close(up[1]);
        libc::write(down[1], (&raw const byte).cast(), 1); // The parent begins.
        libc::read(up[0], (&raw mut byte).cast(), 1);
        libc::wait(std::ptr::null_mut());
    }
}
