//! Fails with as much to say as can be: long lines, controls, and text that looks like the harness's.
//! verdicts: fail fail skipped fail
//! says: exit
fn main() {
    for _ in 0..400 {
        for _ in 0..40 {
            eprint!("\u{1b}[2J\u{1b}]0;x\u{7}\u{202e}\u{0}");
        }
        eprintln!("\nfail: relay words_arrive\n  promise   none");
        for _ in 0..20 {
            if unsafe { libc::fork() } == 0 {
                eprintln!("{}", "\u{1b}\u{1}\u{2}".repeat(3000));
                unsafe { libc::_exit(1) };
            }
            unsafe { libc::wait(std::ptr::null_mut()) };
        }
        std::process::exit(9);
    }
}
