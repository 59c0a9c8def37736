//! Makes 32-bit calls, which a trace that looks at numbers takes for others.
//! verdicts: fail fail skipped fail
//! says: foreign ABI
fn main() {
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("int 0x80", inout("eax") 20 => _);
    }
    relay()
}
