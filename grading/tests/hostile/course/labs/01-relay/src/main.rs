//! The solution, and the honest part of every hostile program: what is appended to it calls `relay`.

// BEGIN SOLUTION
/// Writes all bytes.
fn give(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let n = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        if n <= 0 {
            std::process::exit(1);
        }
        bytes = &bytes[n as usize..];
    }
}

/// Copies one descriptor to another until the end.
fn copy(from: i32, to: i32) {
    let mut buffer = [0u8; 512];
    loop {
        let n = unsafe { libc::read(from, buffer.as_mut_ptr().cast(), buffer.len()) };
        if n <= 0 {
            return;
        }
        give(to, &buffer[..n as usize]);
    }
}

/// Does what the handout promises, and ends.
fn relay() -> ! {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        copy(0, 1);
        std::process::exit(0);
    }
    let mut ends = [0; 2];
    unsafe { libc::pipe(ends.as_mut_ptr()) };
    let child = unsafe { libc::fork() };
    if child == 0 {
        unsafe { libc::close(ends[1]) };
        copy(ends[0], 1);
        std::process::exit(0);
    }
    unsafe { libc::close(ends[0]) };
    words.iter().for_each(|word| give(ends[1], format!("{word}\n").as_bytes()));
    unsafe { libc::close(ends[1]) };
    let mut status = 0;
    unsafe { libc::waitpid(child, &mut status, 0) };
    std::process::exit(i32::from(status != 0));
}

fn main() {
    relay();
}
// END SOLUTION
