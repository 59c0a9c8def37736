/// The result is looked at where the call is made.
fn main() {
    let mut pipe = [0; 2];
    unsafe {
        if libc::pipe(pipe.as_mut_ptr()) == -1 {
            eprintln!("pipe: {}", std::io::Error::last_os_error());
            std::process::exit(1);
        }
        libc::write(pipe[1], c"hello\n".as_ptr().cast(), 6);
    }
}
