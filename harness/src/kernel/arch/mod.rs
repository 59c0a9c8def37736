//! What differs between architectures: the registers that hold a call's number, arguments and result.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::{AUDIT_ARCH, Registers, unwind_registers};
#[cfg(target_arch = "x86_64")]
pub use x86_64::{AUDIT_ARCH, Registers, unwind_registers};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the harness knows the registers of x86-64 and aarch64; add a module beside this one for another architecture");
