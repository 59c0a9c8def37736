//! aarch64, written from the documentation and **not yet run**: the call's number is in `x8` (changed through `NT_ARM_SYSTEM_CALL`), its result in `x0`;
//! see syscall(2) and ptrace(2). `x0` is argument and result in one, so a shortened first argument is not restored at exit.

use std::io;
use std::mem::{MaybeUninit, size_of};

use crate::kernel::checked;
use crate::kernel::process::Pid;
use crate::source::Snapshot;

/// What seccomp and ptrace call this architecture; `AUDIT_ARCH_AARCH64` in `linux/audit.h`.
pub const AUDIT_ARCH: u32 = 0xc000_00b7;

const NT_ARM_SYSTEM_CALL: libc::c_int = 0x404;

/// Whether single accesses to memory can be told and let through: not here, where an exclusive load and its store must not be stopped in between.
pub const SEES_ACCESSES: bool = false;

/// The registers of a stopped tracee.
#[derive(Clone)]
pub struct Registers(libc::user_regs_struct);

impl Registers {
    /// PTRACE_GETREGSET with NT_PRSTATUS, ptrace(2).
    pub fn get(pid: Pid) -> io::Result<Self> {
        let mut registers = MaybeUninit::<libc::user_regs_struct>::uninit();
        let mut vector = libc::iovec { iov_base: registers.as_mut_ptr().cast(), iov_len: size_of::<libc::user_regs_struct>() };
        // SAFETY: the vector names a buffer with room for the structure that this request writes.
        checked(unsafe { libc::ptrace(libc::PTRACE_GETREGSET, pid, libc::NT_PRSTATUS as usize, &raw mut vector) })?;
        // SAFETY: the request succeeded, so the structure is written.
        Ok(Self(unsafe { registers.assume_init() }))
    }

    /// PTRACE_SETREGSET with NT_PRSTATUS, ptrace(2).
    pub fn set(&self, pid: Pid) -> io::Result<()> {
        let mut vector = libc::iovec { iov_base: (&raw const self.0).cast_mut().cast(), iov_len: size_of::<libc::user_regs_struct>() };
        // SAFETY: the vector names a structure that the request only reads.
        checked(unsafe { libc::ptrace(libc::PTRACE_SETREGSET, pid, libc::NT_PRSTATUS as usize, &raw mut vector) }).map(drop)
    }

    /// At a call's entry: the number of the call that the kernel will do; -1 does none.
    pub fn set_call(&mut self, pid: Pid, number: i64) -> io::Result<()> {
        let mut number = number as libc::c_int;
        let mut vector = libc::iovec { iov_base: (&raw mut number).cast(), iov_len: size_of::<libc::c_int>() };
        // SAFETY: the vector names an int that the request only reads.
        checked(unsafe { libc::ptrace(libc::PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL as usize, &raw mut vector) }).map(drop)
    }

    /// One of the six arguments of a call.
    pub fn set_argument(&mut self, index: usize, value: u64) {
        self.0.regs[index] = value;
    }

    /// At a call's exit: its result, or a negative errno.
    pub fn set_result(&mut self, result: i64) {
        self.0.regs[0] = result.cast_unsigned();
    }

    /// The number of the call that the tracee is in.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.regs[8]
    }

    /// One of the six arguments of a call.
    #[must_use]
    pub fn argument(&self, index: usize) -> u64 {
        self.0.regs[index]
    }

    /// What a call returned: its result, or a negative errno.
    #[must_use]
    pub fn result(&self) -> i64 {
        self.0.regs[0].cast_signed()
    }

    /// At a call's entry: the instruction (`svc`, four bytes) that makes it.
    #[must_use]
    pub fn call_instruction(&self) -> u64 {
        self.0.pc - 4
    }

    /// Between two instructions: the next one is the `svc` at this address, and makes this call.
    pub fn prepare_call(&mut self, at: u64, number: u64, arguments: [u64; 3]) {
        self.0.pc = at;
        self.0.regs[8] = number;
        self.0.regs[..3].copy_from_slice(&arguments);
    }

    /// A number that is the same for the same values in all general registers.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.0
            .regs
            .iter()
            .chain([&self.0.pc, &self.0.sp])
            .fold(0xcbf2_9ce4_8422_2325, |digest, value| (digest ^ value).wrapping_mul(0x0100_0000_01b3))
    }

    /// The instruction pointer, the stack pointer and the frame pointer.
    #[must_use]
    pub fn frame(&self) -> [u64; 3] {
        [self.0.pc, self.0.sp, self.0.regs[29]]
    }

    /// At the exit of a call that the kernel was told not to do: back to before the instruction (`svc`, four bytes) that makes it.
    pub fn back_up(&mut self, number: u64, first_argument: u64) {
        self.0.pc -= 4;
        self.0.regs[0] = first_argument;
        self.0.regs[8] = number;
    }
}

/// The registers of a snapshot as the unwinder takes them. The link register is not kept: libc's wrappers save it before the call, and the stack has it.
#[must_use]
pub fn unwind_registers(snapshot: &Snapshot) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(0, snapshot.stack_pointer, snapshot.frame_pointer)
}

/// The access to memory that the instruction at the instruction pointer makes: not told here, see [`SEES_ACCESSES`].
#[must_use]
pub fn access_at(_code: &[u8], _registers: &Registers) -> Option<super::Access> {
    None
}
