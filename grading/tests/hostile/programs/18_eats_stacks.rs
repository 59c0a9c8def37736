//! Takes memory that the kernel takes for a stack, which no limit of a process counts, in itself and in children.
//! verdicts: fail fail skipped fail
//! says: a run maps at most 960 MiB of shared memory
fn main() {
    let mut got = 0;
    for turn in 0..48 {
        let length = 64 << 20;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN;
        unsafe {
            let at = libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
            if at == libc::MAP_FAILED {
                break;
            }
            (0..length).step_by(4096).for_each(|byte| at.cast::<u8>().add(byte).write_volatile(1));
            if turn % 8 == 7 && libc::fork() > 0 {
                libc::waitpid(-1, std::ptr::null_mut(), 0);
                libc::_exit(3);
            }
        }
        got += length;
    }
    if got > 1 << 30 {
        through(&format!("{got} bytes of stacks"));
    }
    std::process::exit(3)
}
