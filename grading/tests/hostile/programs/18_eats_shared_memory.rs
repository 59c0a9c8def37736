//! Takes memory that no limit of a process counts: shared and without a name, in itself and in children.
//! verdicts: fail fail skipped fail
//! says: a run maps at most 960 MiB of shared memory
fn main() {
    let mut got = 0;
    for _ in 0..48 {
        let length = 64 << 20;
        unsafe {
            let at = libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0);
            if at == libc::MAP_FAILED {
                break;
            }
            (0..length).step_by(4096).for_each(|byte| at.cast::<u8>().add(byte).write_volatile(1));
        }
        got += length;
    }
    if got > 1 << 30 {
        through(&format!("{got} bytes of shared memory"));
    }
    std::process::exit(3)
}
