//! Fills files without a name, which are memory, and holds them.
//! verdicts: fail fail skipped fail
//! says: a run makes at most 4 files in memory
fn main() {
    let block = vec![1u8; 1 << 20];
    let mut written = 0usize;
    'all: for _ in 0..40 {
        let file = unsafe { libc::memfd_create(c"x".as_ptr(), 0) };
        if file == -1 {
            break;
        }
        for _ in 0..64 {
            if unsafe { libc::write(file, block.as_ptr().cast(), block.len()) } != block.len() as isize {
                break 'all;
            }
            written += block.len();
        }
    }
    if written > 1 << 30 {
        through(&format!("{written} bytes in memory files"));
    }
    std::process::exit(3)
}
