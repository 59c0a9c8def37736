//! Makes pipes until the user's share is used up, and fills them: others' pipes must not become smaller.
//! verdicts: fail fail skipped fail
//! says: so many pipes
fn main() {
    let block = [1u8; 65536];
    let mut children = Vec::new();
    for _ in 0..3 {
        let child = unsafe { libc::fork() };
        if child == 0 {
            for _ in 0..490 {
                let mut ends = [0; 2];
                unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) };
                unsafe { libc::write(ends[1], block.as_ptr().cast(), block.len()) };
            }
            unsafe { libc::_exit(0) };
        }
        children.push(child);
    }
    children.iter().for_each(|child| drop(unsafe { libc::waitpid(*child, std::ptr::null_mut(), 0) }));
    relay()
}
