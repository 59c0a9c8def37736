//! seccomp(2): the filter that stops a program at the calls that matter and lets the others run at full speed.

use super::arch::AUDIT_ARCH;

/// One instruction of the filter.
pub use libc::sock_filter as Instruction;

/// Which calls stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stops {
    /// Every call.
    All,
    /// The calls with these numbers.
    These(Vec<u32>),
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
/// Offsets into `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The bit of a call's number that marks the x32 calls on x86-64.
const X32: u32 = 0x4000_0000;

/// The filter: a call of a foreign ABI always stops, io_uring is refused (it would go round the trace), and of the others those in `stops`.
#[must_use]
pub fn filter(stops: &Stops) -> Vec<Instruction> {
    let instruction = |code: u16, k: u32, jt: u8, jf: u8| Instruction { code, jt, jf, k };
    let refused = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    let mut program = vec![
        instruction(LOAD, ARCHITECTURE, 0, 0),
        instruction(EQUAL, AUDIT_ARCH, 1, 0),
        instruction(RETURN, libc::SECCOMP_RET_TRACE, 0, 0),
        instruction(LOAD, NUMBER, 0, 0),
        instruction(AT_LEAST, X32, 0, 1),
        instruction(RETURN, libc::SECCOMP_RET_TRACE, 0, 0),
    ];
    let mut when = |number: u32, action: u32| {
        program.push(instruction(EQUAL, number, 0, 1));
        program.push(instruction(RETURN, action, 0, 0));
    };
    for number in [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register] {
        when(number as u32, refused);
    }
    if let Stops::These(numbers) = stops {
        for number in numbers {
            when(*number, libc::SECCOMP_RET_TRACE);
        }
    }
    let otherwise = if *stops == Stops::All { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
    program.push(instruction(RETURN, otherwise, 0, 0));
    program
}
