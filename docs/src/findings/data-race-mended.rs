use std::sync::atomic::{AtomicU32, Ordering};

/// Two processes add to one counter, each in one step.
fn main() {
    let (size, access) = (4096, libc::PROT_READ | libc::PROT_WRITE);
    unsafe {
        let counter = libc::mmap(std::ptr::null_mut(), size, access, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0).cast::<AtomicU32>();
        let child = libc::fork();
        (*counter).fetch_add(1, Ordering::SeqCst); // Read, add and write are one step.
        if child == 0 {
            libc::_exit(0);
        }
        libc::wait(std::ptr::null_mut());
        println!("{}", (*counter).load(Ordering::SeqCst));
    }
}
