//! What differs between architectures: the registers that hold a call's number, arguments and result, and the
//! instructions that access memory.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::{AUDIT_ARCH, Registers, SEES_ACCESSES, access_at, unwind_registers};
#[cfg(target_arch = "x86_64")]
pub use x86_64::{AUDIT_ARCH, Registers, SEES_ACCESSES, access_at, unwind_registers};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the harness knows the registers of x86-64 and aarch64; add a module beside this one for another architecture");

/// An access to memory that one instruction makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// Whether it reads.
    pub reads: bool,
    /// Whether it writes.
    pub writes: bool,
    /// Bytes that it moves at a time.
    pub size: u64,
    /// Whether it is one undivided whole for other processors.
    pub atomic: bool,
    /// Whether it moves more than a general register holds, as code does that copies memory.
    pub wide: bool,
    /// Whether the instruction repeats itself.
    pub repeats: bool,
    /// Bytes from its address on that it moves altogether.
    pub length: u64,
}
