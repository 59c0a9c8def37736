/// Who makes the name takes it away again.
fn main() {
    unsafe {
        let memory = libc::shm_open(c"/example".as_ptr(), libc::O_CREAT | libc::O_EXCL | libc::O_RDWR, 0o600);
        libc::ftruncate(memory, 4096);
        libc::close(memory);
        libc::shm_unlink(c"/example".as_ptr());
    }
}
