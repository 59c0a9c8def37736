//! Writes the words, and then lines of one byte without end.
//! verdicts: fail fail skipped pass
//! unlike: line_by_line is over when the input ends
fn main() {
    if std::env::args().len() == 1 {
        relay()
    }
    std::env::args().skip(1).for_each(|word| println!("{word}"));
    loop {
        unsafe { libc::write(1, b"\n".as_ptr().cast(), 1) };
    }
}
