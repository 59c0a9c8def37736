/// The parent sleeps in a read until the child has written something.
fn main() {
    let (mut pipe, mut answer) = ([0; 2], 42u8);
    unsafe {
        libc::pipe(pipe.as_mut_ptr());
        if libc::fork() == 0 {
            libc::sleep(1); // Stands for work.
            libc::write(pipe[1], (&raw const answer).cast(), 1);
            libc::_exit(0);
        }
        libc::read(pipe[0], (&raw mut answer).cast(), 1);
        println!("{answer}");
        libc::wait(std::ptr::null_mut());
    }
}
