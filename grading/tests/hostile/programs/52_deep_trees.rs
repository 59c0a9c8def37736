//! Leaves a tree as deep as can be, whose folders nobody may enter.
//! verdicts: fail fail skipped pass
//! unlike: only with words
fn main() {
    if std::env::args().len() > 1 {
        for _ in 0..4000 {
            unsafe {
                libc::mkdir(c"d".as_ptr(), 0o700);
                if libc::chdir(c"d".as_ptr()) == -1 {
                    break;
                }
            }
        }
        unsafe { libc::chmod(c".".as_ptr(), 0) };
        std::fs::write("/tmp/x", "").unwrap();
        unsafe { libc::chmod(c"/tmp/d".as_ptr(), 0) };
        std::process::exit(1);
    }
    relay()
}
