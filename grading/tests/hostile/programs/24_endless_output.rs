//! Writes without end to both outputs.
//! verdicts: fail fail skipped fail
fn main() {
    let block = [b'a'; 65536];
    loop {
        unsafe { libc::write(1, block.as_ptr().cast(), block.len()) };
        unsafe { libc::write(2, block.as_ptr().cast(), block.len()) };
    }
}
