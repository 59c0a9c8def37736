//! A constant that does not fit into the compiler's memory, nor into a file.
//! build: compile_error
static HUGE: [u8; 1 << 40] = [1; 1 << 40];
fn main() {
    println!("{}", HUGE[std::env::args().len()]);
}
