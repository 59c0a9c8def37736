//! Has the assembler put a file into the program, of which the compiler's list of files knows nothing.
//! build: compile_error
//! hides: words_arrive
core::arch::global_asm!(".section .rodata.stolen,\"a\"", ".globl stolen", "stolen:", ".incbin \"@COURSE@/labs/01-relay/checks.rs\"", ".byte 0", ".text");
unsafe extern "C" {
    static stolen: std::ffi::c_char;
}
fn main() {
    eprintln!("GOT THROUGH: {:?}", unsafe { std::ffi::CStr::from_ptr(&raw const stolen) });
    relay()
}
