//! x86-64: the call's number is in `orig_rax`, its result in `rax`; see syscall(2).

use std::io;
use std::mem::MaybeUninit;

use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, Mnemonic, OpAccess};

use super::Access;
use crate::kernel::checked;
use crate::kernel::process::Pid;
use crate::source::Snapshot;

/// What seccomp and ptrace call this architecture; `AUDIT_ARCH_X86_64` in `linux/audit.h`.
pub const AUDIT_ARCH: u32 = 0xc000_003e;

/// Whether single accesses to memory can be told and let through.
pub const SEES_ACCESSES: bool = true;

/// The registers of a stopped tracee.
#[derive(Clone)]
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

    /// The number of the call that the tracee is in.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.orig_rax
    }

    /// One of the six arguments of a call.
    #[must_use]
    pub fn argument(&self, index: usize) -> u64 {
        let registers = &self.0;
        [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9][index]
    }

    /// What a call returned: its result, or a negative errno.
    #[must_use]
    pub fn result(&self) -> i64 {
        self.0.rax.cast_signed()
    }

    /// At a call's entry: the instruction (`syscall`, two bytes) that makes it.
    #[must_use]
    pub fn call_instruction(&self) -> u64 {
        self.0.rip - 2
    }

    /// Between two instructions: the next one is the `syscall` at this address, and makes this call. No call is under way any more that the kernel would
    /// make again.
    pub fn prepare_call(&mut self, at: u64, number: u64, arguments: [u64; 3]) {
        self.0.rip = at;
        self.0.rax = number;
        self.0.orig_rax = u64::MAX;
        [self.0.rdi, self.0.rsi, self.0.rdx] = arguments;
    }

    /// A number that is the same for the same values in all general registers.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let r = &self.0;
        [r.rip, r.rsp, r.rbp, r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15]
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |digest, value| (digest ^ value).wrapping_mul(0x0100_0000_01b3))
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

/// The access to memory that the instruction at the instruction pointer makes; `None` if it makes none or is not known.
#[must_use]
pub fn access_at(code: &[u8], registers: &Registers) -> Option<Access> {
    let mut decoder = Decoder::with_ip(64, code, registers.0.rip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    if instruction.is_invalid() {
        return None;
    }
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(&instruction);
    let mut access = Access::default();
    for memory in info.used_memory() {
        let (reads, writes) = match memory.access() {
            OpAccess::Read | OpAccess::CondRead => (true, false),
            OpAccess::Write | OpAccess::CondWrite => (false, true),
            OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
            OpAccess::None | OpAccess::NoMemAccess => continue,
        };
        access.reads |= reads;
        access.writes |= writes;
        access.size = access.size.max(memory.memory_size().size() as u64);
    }
    if !(access.reads || access.writes) {
        return None;
    }
    access.atomic = instruction.has_lock_prefix() || (instruction.mnemonic() == Mnemonic::Xchg && access.writes);
    access.repeats = instruction.is_string_instruction() && (instruction.has_rep_prefix() || instruction.has_repne_prefix());
    access.wide = access.repeats || (0..instruction.op_count()).any(|operand| instruction.op_register(operand).is_vector_register());
    access.length = if access.repeats { access.size * registers.0.rcx } else { access.size };
    Some(access)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(code: &[u8]) -> Option<Access> {
        // SAFETY: all zeroes are a value of this plain structure.
        let registers = Registers(unsafe { std::mem::zeroed() });
        access_at(code, &registers)
    }

    #[test]
    fn accesses_are_told_from_the_instruction() {
        let add = access(&[0x83, 0x00, 0x01]).expect("add dword [rax], 1");
        assert!(add.reads && add.writes && !add.atomic && add.size == 4);
        let locked = access(&[0xf0, 0x48, 0xff, 0x07]).expect("lock inc qword [rdi]");
        assert!(locked.reads && locked.writes && locked.atomic && locked.size == 8);
        let load = access(&[0x48, 0x8b, 0x07]).expect("mov rax, [rdi]");
        assert!(load.reads && !load.writes && !load.wide);
        let exchange = access(&[0x87, 0x07]).expect("xchg [rdi], eax");
        assert!(exchange.atomic);
        let wide = access(&[0x0f, 0x11, 0x07]).expect("movups [rdi], xmm0");
        assert!(wide.writes && wide.wide && wide.size == 16);
        assert!(access(&[0xf3, 0xa4]).is_some_and(|copy| copy.repeats), "rep movsb");
        assert_eq!(access(&[0x90]), None, "nop");
    }
}
