//! Has the compiler read a file of the machine's.
//! build: compile_error refused
fn main() {
    println!("{}", include_str!("/etc/passwd"));
}
