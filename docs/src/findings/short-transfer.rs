/// One write, which need not write everything.
fn main() {
    let text = b"hello, world\n";
    unsafe {
        libc::write(1, text.as_ptr().cast(), text.len());
    }
}
