/// If `pipe` fails, there is no pipe, and both numbers are still 0: the standard input.
fn main() {
    let mut pipe = [0; 2];
    unsafe {
        libc::pipe(pipe.as_mut_ptr());
        libc::write(pipe[1], c"hello\n".as_ptr().cast(), 6);
    }
}
