/// The parent hopes that a second is long enough for the child.
fn main() {
    let (size, access) = (4096, libc::PROT_READ | libc::PROT_WRITE);
    unsafe {
        let answer = libc::mmap(std::ptr::null_mut(), size, access, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0).cast::<u32>();
        if libc::fork() == 0 {
            answer.write_volatile(42);
            libc::_exit(0);
        }
        libc::sleep(1);
        println!("{}", answer.read_volatile());
        libc::wait(std::ptr::null_mut());
    }
}
