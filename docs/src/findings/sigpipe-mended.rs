/// The signal is ignored, and the write says what is wrong.
fn main() {
    let mut pipe = [0; 2];
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::pipe(pipe.as_mut_ptr());
        libc::close(pipe[0]);
        if libc::write(pipe[1], c"hello".as_ptr().cast(), 5) == -1 {
            // EPIPE: nobody reads any more. That is for the program to decide on.
            eprintln!("write: {}", std::io::Error::last_os_error());
        }
    }
}
