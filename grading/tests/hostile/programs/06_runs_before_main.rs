//! Has a constructor that prints records and ends the process before `main`: it is a process of its own, never a part of a check.
//! verdicts: fail pass skipped fail
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = {
    extern "C" fn first() {
        give(1, b"test words_arrive ... ok\n");
        unsafe { libc::_exit(0) }
    }
    first
};
fn main() {
    relay()
}
