use std::sync::atomic::{AtomicU32, Ordering};

/// The parent looks again and again whether the child has written something.
fn main() {
    let (size, access) = (4096, libc::PROT_READ | libc::PROT_WRITE);
    unsafe {
        let answer = libc::mmap(std::ptr::null_mut(), size, access, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0).cast::<AtomicU32>();
        if libc::fork() == 0 {
            libc::sleep(1); // Stands for work.
            (*answer).store(42, Ordering::SeqCst);
            libc::_exit(0);
        }
        while (*answer).load(Ordering::SeqCst) == 0 {}
        println!("{}", (*answer).load(Ordering::SeqCst));
        libc::wait(std::ptr::null_mut());
    }
}
