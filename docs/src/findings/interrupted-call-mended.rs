/// A read that a signal has interrupted is made again.
fn main() {
    let mut pipe = [0; 2];
    unsafe {
        libc::pipe(pipe.as_mut_ptr());
        libc::write(pipe[1], c"hello\n".as_ptr().cast(), 6);
        libc::close(pipe[1]);
        let mut byte = 0u8;
        loop {
            match libc::read(pipe[0], (&raw mut byte).cast(), 1) {
                1 => drop(libc::write(1, (&raw const byte).cast(), 1)),
                -1 if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {} // Again.
                _ => break,
            }
        }
    }
}
