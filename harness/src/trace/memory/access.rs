//! One access to shared memory: what it is, and letting it happen.

use std::io;
use std::rc::Rc;

use super::races::Site;
use super::{Segment, Stepped};
use crate::kernel::arch::{self, Access, Registers};
use crate::kernel::process::{Change, Pid};
use crate::kernel::ptrace::{self, Resume, read_memory};
use crate::source;
use crate::trace::Tracer;
use crate::trace::telling::snapshot;

/// Most bytes of stack that are kept of one access: its line is near.
const MOST_STACK: usize = 2 << 10;
/// Most snapshots of accesses that are kept in one run.
const MOST_SNAPSHOTS: usize = 16 << 10;
/// Most bytes of one instruction; a manual of the x86-64 architecture.
const MOST_CODE: usize = 15;
/// Most steps of one instruction that repeats itself.
const MOST_REPEATS: usize = 1 << 20;

/// An access that a task is stopped before.
#[derive(Debug, Clone, Copy)]
pub struct Awaited {
    /// Its address in the task's address space.
    pub address: u64,
    /// The memory that it goes to.
    pub segment: Segment,
    /// The place in that memory, in bytes.
    pub offset: u64,
    /// The value that was read, when the reading half of a read-modify-write is done.
    pub half_done: Option<u64>,
}

/// What kind of code makes an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// The program's own, without synchronisation.
    Plain,
    /// Rust's atomic operations, which are ordinary instructions where the architecture orders them by itself.
    Atomic,
    /// libc's: locks and semaphores synchronise by ordinary instructions too, and only its copying of memory is the program's.
    Libc,
}

impl Tracer {
    /// Lets a task that was chosen make its access, or one half of it, and go on.
    pub(super) fn access(&mut self, pid: Pid, mut awaited: Awaited) -> io::Result<()> {
        let registers = Registers::get(pid)?;
        let mut code = [0; MOST_CODE];
        let length = read_memory(pid, registers.frame()[0], &mut code).unwrap_or(0);
        let access = arch::access_at(&code[..length], &registers);
        let space = self.space_of(self.tasks[&pid].process);
        if awaited.half_done.is_none() {
            self.look_for_a_loop(pid, &registers, access);
            let splits = access.is_some_and(|access| access.reads && access.writes && !access.atomic && !access.repeats && access.size <= 8);
            if splits {
                let halves = Access { writes: false, ..access.unwrap_or_default() };
                self.note_access(pid, &registers, awaited, Some(halves));
                awaited.half_done = Some(ptrace::peek(pid, awaited.address)?);
                return self.ready_again(pid, awaited);
            }
            self.note_access(pid, &registers, awaited, access);
        } else {
            self.note_access(pid, &registers, awaited, access.map(|access| Access { reads: false, ..access }));
        }
        self.protect_all(pid, space, true)?;
        if let (Some(read), Some(access)) = (awaited.half_done, access) {
            put_back(pid, awaited.address, read, access.size)?;
        }
        let mut stepped = self.step(pid)?;
        for _ in 0..MOST_REPEATS {
            let same_instruction = matches!(stepped, Stepped::Done) && access.is_some_and(|access| access.repeats);
            if !same_instruction || Registers::get(pid)?.frame()[0] != registers.frame()[0] {
                break;
            }
            stepped = self.step(pid)?;
        }
        match stepped {
            Stepped::Done => {}
            // A fault of the instruction's own, for instance SIGBUS beyond the end of a file.
            Stepped::Otherwise(Change::Stopped { signal, event: 0 }) => return self.deliver(pid, signal),
            Stepped::Otherwise(change) => return self.handle(pid, change),
        }
        self.protect_all(pid, space, false)?;
        self.send_put_off()?;
        ptrace::resume(pid, Resume::Continue, 0)
    }

    /// A task that reads the same with the same registers over and over waits for somebody else to write it.
    fn look_for_a_loop(&mut self, pid: Pid, registers: &Registers, access: Option<Access>) {
        let digest = registers.digest();
        let repeats = self.memory.last.insert(pid, digest) == Some(digest) && access.is_some_and(|access| !access.writes);
        if repeats {
            self.count_as_fruitless(pid);
        } else {
            self.fruitless = 0;
        }
    }

    fn note_access(&mut self, pid: Pid, registers: &Registers, awaited: Awaited, access: Option<Access>) {
        let Some(access) = access else { return };
        let process = self.tasks[&pid].process;
        let maker = self.maker(pid, registers.frame()[0]);
        let synchronises = access.atomic || maker == Maker::Atomic || (maker == Maker::Libc && !access.wide);
        let length = access.length.clamp(1, 1 << 16);
        let place = (awaited.segment, awaited.offset);
        self.note_deed_in_memory(pid, awaited.segment, awaited.offset, length, access.writes);
        if synchronises {
            self.memory.races.atomic(pid, place, length, access.reads, access.writes);
        } else {
            let snapshot = (self.memory.races.sites() < MOST_SNAPSHOTS).then(|| snapshot(pid, registers, MOST_STACK));
            let site =
                Rc::new(Site { process, reads: access.reads, writes: access.writes, offset: awaited.offset, segment: awaited.segment, snapshot });
            self.memory.races.plain(pid, place, length, &site);
        }
    }

    /// What kind of code an instruction belongs to.
    fn maker(&mut self, pid: Pid, instruction: u64) -> Maker {
        let program = self.process(self.tasks[&pid].process).program;
        if let Some(maker) = self.memory.makers.get(&(program, instruction)) {
            return *maker;
        }
        let maps = self.executable_mappings(pid);
        let maker = match self.locator.owner(&maps, instruction) {
            source::Owner::System => Maker::Libc,
            source::Owner::Program(functions) if functions.iter().any(|name| is_atomic(name)) => Maker::Atomic,
            source::Owner::Program(_) | source::Owner::Unknown => Maker::Plain,
        };
        self.memory.makers.insert((program, instruction), maker);
        maker
    }
}

/// Whether a function, by its mangled or plain name, is one of Rust's atomic operations.
fn is_atomic(name: &str) -> bool {
    name.contains("4sync6atomic") || name.contains("sync::atomic")
}

/// Writes the value back that the first half of a read-modify-write read: its second half must not see what others have written since.
fn put_back(pid: Pid, address: u64, value: u64, size: u64) -> io::Result<()> {
    let now = ptrace::peek(pid, address)?;
    let mask = if size >= 8 { u64::MAX } else { (1 << (size * 8)) - 1 };
    ptrace::poke(pid, address, now & !mask | value & mask)
}
