/// The last reader is gone when the program writes. (Rust ignores SIGPIPE at the start; a C program, and one after exec, does not.)
fn main() {
    let mut pipe = [0; 2];
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::pipe(pipe.as_mut_ptr());
        libc::close(pipe[0]);
        libc::write(pipe[1], c"hello".as_ptr().cast(), 5);
    }
}
