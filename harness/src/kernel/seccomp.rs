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
    /// The same, and quietly ([`QUIET`]) those that make memory which no resource limit of a process counts: memory files, and mappings that are shared
    /// or grow downwards (the kernel takes the latter for a stack, whatever their length).
    TheseAndMemory(Vec<u32>),
}

/// What a stop for the memory's sake alone carries (SECCOMP_RET_DATA).
pub const QUIET: u32 = 1;

/// Calls that make files without a name, which are memory.
pub const MEMORY_FILES: [libc::c_long; 2] = [libc::SYS_memfd_create, libc::SYS_memfd_secret];
/// The flags of mmap(2) with which RLIMIT_DATA does not count a mapping; MAP_SHARED_VALIDATE has the bit of MAP_SHARED.
pub const UNCOUNTED: u64 = (libc::MAP_SHARED | libc::MAP_GROWSDOWN) as u64;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
/// Offsets into `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The lower half of the first argument, on a little-endian machine.
const FIRST_ARGUMENT: u32 = 16;
const FOURTH_ARGUMENT: u32 = 40;
/// The bit of a call's number that marks the x32 calls on x86-64.
const X32: u32 = 0x4000_0000;

/// Calls that do other calls' work unseen: io_uring and asynchronous I/O.
const UNSEEN: [libc::c_long; 5] =
    [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_io_setup, libc::SYS_io_submit];
/// prctl(2): lets a process answer its own calls, `linux/prctl.h`.
const PR_SET_SYSCALL_USER_DISPATCH: u32 = 59;
/// Calls whose effect no namespace holds in: keys belong to the user and to the login session, and these programs and counters to the machine.
const FAR_REACHING: [libc::c_long; 6] =
    [libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_request_key, libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_userfaultfd];

/// How far the filter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// What goes round the trace is refused, and nothing else: the program is somebody's own.
    Trace,
    /// The program may be anybody's: also refused is what reaches beyond namespaces, and a filter of its own, whose answer would come before this one's, so
    /// that the calls it answers would never be seen (SECCOMP_RET_USER_NOTIF of seccomp_unotify(2) can even let them happen).
    Sandbox,
}

/// The filter: a call of a foreign ABI always stops, what goes beyond `reach` is refused, and of the others those in `stops` stop.
#[must_use]
pub fn filter(stops: &Stops, reach: Reach) -> Vec<Instruction> {
    let instruction = |code: u16, k: u32, jt: u8, jf: u8| Instruction { code, jt, jf, k };
    let refused = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    let forbidden = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
    let mut program = vec![
        instruction(LOAD, ARCHITECTURE, 0, 0),
        instruction(EQUAL, AUDIT_ARCH, 1, 0),
        instruction(RETURN, libc::SECCOMP_RET_TRACE, 0, 0),
        instruction(LOAD, NUMBER, 0, 0),
        instruction(AT_LEAST, X32, 0, 1),
        instruction(RETURN, libc::SECCOMP_RET_TRACE, 0, 0),
    ];
    if reach == Reach::Sandbox {
        program.extend([
            instruction(EQUAL, libc::SYS_prctl as u32, 0, 5),
            instruction(LOAD, FIRST_ARGUMENT, 0, 0),
            instruction(EQUAL, libc::PR_SET_SECCOMP.cast_unsigned(), 1, 0),
            instruction(EQUAL, PR_SET_SYSCALL_USER_DISPATCH, 0, 1),
            instruction(RETURN, forbidden, 0, 0),
            instruction(LOAD, NUMBER, 0, 0),
        ]);
    }
    let mut when = |number: u32, action: u32| {
        program.push(instruction(EQUAL, number, 0, 1));
        program.push(instruction(RETURN, action, 0, 0));
    };
    UNSEEN.iter().for_each(|number| when(*number as u32, refused));
    if reach == Reach::Sandbox {
        FAR_REACHING.iter().for_each(|number| when(*number as u32, refused));
        when(libc::SYS_seccomp as u32, forbidden);
    }
    if let Stops::These(numbers) | Stops::TheseAndMemory(numbers) = stops {
        numbers.iter().for_each(|number| when(*number, libc::SECCOMP_RET_TRACE));
    }
    // After those that stop anyway: a call that is an event is one whatever memory it makes.
    if let Stops::TheseAndMemory(_) = stops {
        MEMORY_FILES.iter().for_each(|number| when(*number as u32, libc::SECCOMP_RET_TRACE | QUIET));
        program.extend([
            instruction(EQUAL, libc::SYS_mmap as u32, 0, 3),
            instruction(LOAD, FOURTH_ARGUMENT, 0, 0),
            instruction(ANY_BIT, UNCOUNTED as u32, 0, 1),
            instruction(RETURN, libc::SECCOMP_RET_TRACE | QUIET, 0, 0),
        ]);
    }
    let otherwise = if *stops == Stops::All { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
    program.push(instruction(RETURN, otherwise, 0, 0));
    program
}
