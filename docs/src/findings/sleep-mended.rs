/// The parent waits for the child, however long it takes.
fn main() {
    let (size, access) = (4096, libc::PROT_READ | libc::PROT_WRITE);
    unsafe {
        let answer = libc::mmap(std::ptr::null_mut(), size, access, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0).cast::<u32>();
        if libc::fork() == 0 {
            answer.write_volatile(42);
            libc::_exit(0);
        }
        libc::wait(std::ptr::null_mut()); // The child has written when this returns.
        println!("{}", answer.read_volatile());
    }
}
