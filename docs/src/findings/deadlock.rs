/// Parent and child each wait for the other to begin.
fn main() {
    let (mut down, mut up, mut byte) = ([0; 2], [0; 2], 0u8);
    unsafe {
        libc::pipe(down.as_mut_ptr());
        libc::pipe(up.as_mut_ptr());
        if libc::fork() == 0 {
            libc::close(down[1]);
            libc::close(up[0]);
            libc::read(down[0], (&raw mut byte).cast(), 1); // The child waits for the parent,
            libc::write(up[1], (&raw const byte).cast(), 1);
            libc::_exit(0);
        }
        libc::close(down[0]);
        libc::close(up[1]);
        libc::read(up[0], (&raw mut byte).cast(), 1); // and the parent for the child.
        libc::write(down[1], (&raw const byte).cast(), 1);
        libc::wait(std::ptr::null_mut());
    }
}
