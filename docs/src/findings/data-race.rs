/// Two processes add to one counter, and neither waits for the other.
fn main() {
    let (size, access) = (4096, libc::PROT_READ | libc::PROT_WRITE);
    unsafe {
        let counter = libc::mmap(std::ptr::null_mut(), size, access, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0).cast::<u32>();
        let child = libc::fork();
        counter.write_volatile(counter.read_volatile() + 1); // Parent and child both do this.
        if child == 0 {
            libc::_exit(0);
        }
        libc::wait(std::ptr::null_mut());
        println!("{}", counter.read_volatile());
    }
}
