//! Maps files as code and puts FIFOs and giants in their places: whoever reads the files of its memory map waits for ever.
//! verdicts: fail fail skipped fail
//! says: waits
fn main() {
    unsafe {
        for number in 0..16 {
            let path = std::ffi::CString::new(format!("/tmp/m{number}")).unwrap();
            let file = libc::open(path.as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o755);
            libc::ftruncate(file, 200 << 20);
            libc::mmap(std::ptr::null_mut(), 200 << 20, libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE, file, 0);
            if number % 2 == 0 {
                libc::unlink(path.as_ptr());
                libc::mkfifo(path.as_ptr(), 0o600);
            }
        }
        libc::pause();
    }
    relay()
}
