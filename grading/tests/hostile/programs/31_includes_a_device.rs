//! Has the compiler read a file that does not end.
//! build: compile_error refused
static ENDLESS: &[u8] = include_bytes!("/dev/zero");
fn main() {
    println!("{}", ENDLESS[0]);
}
