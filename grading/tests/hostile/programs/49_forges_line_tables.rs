//! Claims, in its debug information, to have been compiled from a file of the machine's: a message would show that file's line.
//! verdicts: fail fail skipped fail
//! says: lab.toml:1
//! hides: title = 
core::arch::global_asm!(
    ".text", ".globl waits_for_ever", ".type waits_for_ever,@function", "waits_for_ever:", "mov $34, %eax", "syscall", "ret", "waits_for_ever_end:",
    ".size waits_for_ever, .-waits_for_ever",
    // A unit of its own with a line table by hand: version 4, one file, one line.
    ".section .debug_abbrev,\"\",@progbits", "forged_abbrev:", ".byte 1,17,0,3,8,27,8,16,23,17,1,18,7,0,0,0",
    ".section .debug_info,\"\",@progbits", ".long forged_end - forged_start", "forged_start:", ".short 4", ".long forged_abbrev", ".byte 8", ".byte 1",
    ".asciz \"@COURSE@/labs/01-relay/lab.toml\"", ".asciz \"@COURSE@\"", ".long forged_lines", ".quad waits_for_ever", ".quad waits_for_ever_end - waits_for_ever", "forged_end:",
    ".section .debug_line,\"\",@progbits", "forged_lines:", ".long lines_end - lines_start", "lines_start:", ".short 4", ".long header_end - header_start", "header_start:",
    ".byte 1,1,1,-5,14,13,0,1,1,1,1,0,0,0,1,0,0,1", ".asciz \"@COURSE@/labs/01-relay\"", ".byte 0", ".asciz \"lab.toml\"", ".byte 1,0,0,0", "header_end:",
    ".byte 0,9,2", ".quad waits_for_ever", ".byte 1", ".byte 2", ".uleb128 waits_for_ever_end - waits_for_ever", ".byte 0,1,1", "lines_end:", ".text",
    options(att_syntax)
);
unsafe extern "C" {
    fn waits_for_ever();
}
fn main() {
    unsafe { waits_for_ever() };
    relay()
}
