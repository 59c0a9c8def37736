//! x86-64: the call's number is in `orig_rax`, its result in `rax`; see syscall(2).

use std::io;
use std::mem::MaybeUninit;

use crate::kernel::checked;
use crate::kernel::process::Pid;
use crate::source::Snapshot;

/// What seccomp and ptrace call this architecture; `AUDIT_ARCH_X86_64` in `linux/audit.h`.
pub const AUDIT_ARCH: u32 = 0xc000_003e;

/// The registers of a stopped tracee.
pub struct Registers(libc::user_regs_struct);

impl Registers {
    /// PTRACE_GETREGS, ptrace(2).
    pub fn get(pid: Pid) -> io::Result<Self> {
        let mut registers = MaybeUninit::<libc::user_regs_struct>::uninit();
        // SAFETY: `registers` has room for the structure that this request writes.
        checked(unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, 0usize, registers.as_mut_ptr()) })?;
        // SAFETY: the request succeeded, so the structure is written.
        Ok(Self(unsafe { registers.assume_init() }))
    }

    /// PTRACE_SETREGS, ptrace(2).
    pub fn set(&self, pid: Pid) -> io::Result<()> {
        // SAFETY: the request reads the structure that the reference points to.
        checked(unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, 0usize, &raw const self.0) }).map(drop)
    }

    /// At a call's entry: the number of the call that the kernel will do; -1 does none.
    pub fn set_call(&mut self, pid: Pid, number: i64) -> io::Result<()> {
        self.0.orig_rax = number.cast_unsigned();
        self.set(pid)
    }

    /// One of the six arguments of a call.
    pub fn set_argument(&mut self, index: usize, value: u64) {
        let registers = &mut self.0;
        let argument = [&mut registers.rdi, &mut registers.rsi, &mut registers.rdx, &mut registers.r10, &mut registers.r8, &mut registers.r9];
        if let Some(register) = argument.into_iter().nth(index) {
            *register = value;
        }
    }

    /// At a call's exit: its result, or a negative errno.
    pub fn set_result(&mut self, result: i64) {
        self.0.rax = result.cast_unsigned();
    }

    /// The instruction pointer, the stack pointer and the frame pointer.
    #[must_use]
    pub fn frame(&self) -> [u64; 3] {
        [self.0.rip, self.0.rsp, self.0.rbp]
    }

    /// At the exit of a call that the kernel was told not to do: back to before the instruction (`syscall`, two bytes) that makes it.
    pub fn back_up(&mut self, number: u64, _first_argument: u64) {
        self.0.rip -= 2;
        self.0.rax = number;
    }
}

/// The registers of a snapshot as the unwinder takes them.
#[must_use]
pub fn unwind_registers(snapshot: &Snapshot) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(snapshot.instruction, snapshot.stack_pointer, snapshot.frame_pointer)
}
