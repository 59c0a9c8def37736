/// A read that a signal has interrupted is taken for the end.
fn main() {
    let mut pipe = [0; 2];
    unsafe {
        libc::pipe(pipe.as_mut_ptr());
        libc::write(pipe[1], c"hello\n".as_ptr().cast(), 6);
        libc::close(pipe[1]);
        let mut byte = 0u8;
        while libc::read(pipe[0], (&raw mut byte).cast(), 1) > 0 {
            libc::write(1, (&raw const byte).cast(), 1);
        }
    }
}
