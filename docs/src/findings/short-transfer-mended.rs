/// Writes until everything is written.
fn main() {
    let mut rest = &b"hello, world\n"[..];
    while !rest.is_empty() {
        let written = unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) };
        let Ok(written) = usize::try_from(written) else { std::process::exit(1) };
        rest = &rest[written..];
    }
}
