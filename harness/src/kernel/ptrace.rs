//! ptrace(2): the requests that the tracer makes of a stopped tracee.

use std::io;
use std::mem::{MaybeUninit, size_of};

use super::checked;
use super::process::Pid;

/// What PTRACE_GET_SYSCALL_INFO says of the stop that a tracee is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStop {
    /// At the entry of a call, before the kernel does it.
    Entry {
        /// The architecture by which the call was made.
        architecture: u32,
        /// The call's number on that architecture.
        number: u64,
        /// The six argument registers.
        arguments: [u64; 6],
        /// What the filter that stopped it said besides (SECCOMP_RET_DATA); 0 where it was no filter.
        note: u32,
    },
    /// At the exit of a call.
    Exit {
        /// The result, or a negative errno.
        result: i64,
    },
    /// In no call.
    None,
}

/// The options of every traced program: all children followed, events told apart from signals, all killed with the tracer.
pub const OPTIONS: libc::c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEEXIT
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_EXITKILL;

/// Attaches to a running process without stopping it (PTRACE_SEIZE).
pub fn seize(pid: Pid) -> io::Result<()> {
    // SAFETY: the request takes its options by value.
    checked(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0usize, OPTIONS as usize) }).map(drop)
}

/// How a stopped tracee goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// To the next call that the filter names (PTRACE_CONT).
    Continue,
    /// To the exit of the call that it is in (PTRACE_SYSCALL).
    ToExit,
    /// Stay in a group-stop, until SIGCONT (PTRACE_LISTEN).
    Listen,
    /// For one instruction (PTRACE_SINGLESTEP).
    Step,
}

/// Lets a stopped tracee go on, with a signal delivered or with none (0).
pub fn resume(pid: Pid, how: Resume, signal: i32) -> io::Result<()> {
    let request = match how {
        Resume::Continue => libc::PTRACE_CONT,
        Resume::ToExit => libc::PTRACE_SYSCALL,
        Resume::Listen => libc::PTRACE_LISTEN,
        Resume::Step => libc::PTRACE_SINGLESTEP,
    };
    // SAFETY: these requests take a signal number by value.
    checked(unsafe { libc::ptrace(request, pid, 0usize, signal as usize) }).map(drop)
}

/// Makes a running tracee stop; a call that it waits in is interrupted (PTRACE_INTERRUPT).
pub fn interrupt(pid: Pid) -> io::Result<()> {
    // SAFETY: the request takes no data.
    checked(unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, pid, 0usize, 0usize) }).map(drop)
}

/// The call that a stopped tracee is at (PTRACE_GET_SYSCALL_INFO, Linux 5.3).
pub fn call_stop(pid: Pid) -> io::Result<CallStop> {
    let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
    // SAFETY: `info` has as many bytes as the request is told.
    checked(unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size_of::<libc::ptrace_syscall_info>(), info.as_mut_ptr()) })?;
    // SAFETY: every bit pattern is a value of this plain structure, and it was zeroed before.
    let info = unsafe { info.assume_init() };
    Ok(match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => {
            // SAFETY: `op` says that the union holds an entry.
            let entry = unsafe { info.u.entry };
            CallStop::Entry { architecture: info.arch, number: entry.nr, arguments: entry.args, note: 0 }
        }
        libc::PTRACE_SYSCALL_INFO_SECCOMP => {
            // SAFETY: `op` says that the union holds a filter's stop.
            let stop = unsafe { info.u.seccomp };
            CallStop::Entry { architecture: info.arch, number: stop.nr, arguments: stop.args, note: stop.ret_data }
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => {
            // SAFETY: `op` says that the union holds an exit.
            let exit = unsafe { info.u.exit };
            CallStop::Exit { result: exit.sval }
        }
        _ => CallStop::None,
    })
}

/// The number that came with an event: the new child's id, the former thread id, the exit status (PTRACE_GETEVENTMSG).
pub fn event_message(pid: Pid) -> io::Result<u64> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the request writes one unsigned long.
    checked(unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, pid, 0usize, &raw mut message) })?;
    Ok(message)
}

/// The address that a tracee stopped by SIGSEGV or SIGBUS wanted (PTRACE_GETSIGINFO; sigaction(2), `si_addr`).
pub fn fault_address(pid: Pid) -> io::Result<u64> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: `info` has room for the structure that this request writes.
    checked(unsafe { libc::ptrace(libc::PTRACE_GETSIGINFO, pid, 0usize, info.as_mut_ptr()) })?;
    // SAFETY: every bit pattern is a value of this plain structure, and it was zeroed before.
    let info = unsafe { info.assume_init() };
    // SAFETY: the signal is one that carries an address.
    Ok(unsafe { info.si_addr() } as u64)
}

/// Eight bytes of a tracee's memory, whatever its protection (PTRACE_PEEKDATA).
pub fn peek(pid: Pid, address: u64) -> io::Result<u64> {
    let mut word = 0u64;
    // SAFETY: the system call, other than libc's function, writes the word that the last argument points to.
    checked(unsafe { libc::syscall(libc::SYS_ptrace, libc::c_long::from(libc::PTRACE_PEEKDATA), libc::c_long::from(pid), address, &raw mut word) })?;
    Ok(word)
}

/// Writes eight bytes into a tracee's memory, which must be open for writing where it is shared (PTRACE_POKEDATA).
pub fn poke(pid: Pid, address: u64, word: u64) -> io::Result<()> {
    // SAFETY: the request takes the word by value.
    checked(unsafe { libc::ptrace(libc::PTRACE_POKEDATA, pid, address as usize, word as usize) }).map(drop)
}

/// Reads the memory of a tracee: as many bytes as can be had, up to the buffer's length; process_vm_readv(2).
pub fn read_memory(pid: Pid, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: buffer.len() };
    // SAFETY: the local vector names the whole of `buffer`; the kernel checks the remote one.
    checked(unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) }).map(isize::cast_unsigned)
}
