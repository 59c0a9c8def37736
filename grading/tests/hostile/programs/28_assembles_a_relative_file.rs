//! The same with a path that leads out of the folder, and with an assembler's include.
//! build: compile_error
core::arch::global_asm!(".include \"../../../../../../../../../etc/passwd\"");
fn main() {
    relay()
}
