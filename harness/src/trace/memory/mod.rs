//! Shared memory under a schedule: every access is a point of choice, and is seen.
//!
//! Theory of operation: as soon as a scheduled program maps memory that others may share, its pages are closed (an mprotect(2) that the tracer lets the
//! stopped process make). Each access then stops with SIGSEGV, which the program never sees: the task becomes ready like one that stopped at a call, and
//! when the schedule chooses it, the pages are opened for one instruction ([`access`]) and closed again. A read-modify-write without a LOCK prefix is two
//! accesses, since that is what another processor sees. Where the kernel itself will touch the memory (a read(2) into it, a futex(2) on it), the pages stay
//! open during that call ([`kernel_side`]). What orders the accesses of different processes is followed in [`order`]; what is not ordered is a race
//! ([`races`]).
//!
//! Invariants: memory is closed whenever its program runs outside the kernel, so that no access is missed, save where several threads of one process share
//! it and one of them is inside such a call: then races are no longer looked for. The program's registers and signals are the same after as before.

mod access;
mod kernel_side;
mod order;
pub mod races;

use std::collections::{HashMap, HashSet};
use std::io;

use super::event::ProcessId;
use super::{State, Tracer};
use crate::call::{Call, name_of};
use crate::kernel::arch::{self, Registers};
use crate::kernel::process::{self, Change, Pid, Waited};
use crate::kernel::ptrace::{self, Resume};
use access::Awaited;
use races::{Race, Races};

/// The unit of page protection; the kernel rounds lengths up to its own.
const PAGE: u64 = 4096;

/// What tells whether two mappings show the same memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Origin {
    /// A System V segment, by its id.
    SystemV(u64),
    /// A file or POSIX shared-memory object, by device and inode.
    File(u64, u64),
    /// A mapping without a file, which only relatives of the process share, by a number of its own.
    Anonymous(usize),
}

/// The number of a piece of shared memory, by the order in which the pieces were first mapped.
type Segment = usize;

/// One mapping of shared memory in one address space.
#[derive(Debug, Clone)]
struct Region {
    start: u64,
    length: u64,
    /// What it shows, and from which byte on.
    segment: Segment,
    offset: u64,
    /// The protection that the program asked for; mmap(2).
    protection: u64,
    /// The tasks that are inside calls for which it was opened; it is closed while there are none.
    open_for: HashSet<Pid>,
}

impl Region {
    fn contains(&self, address: u64) -> bool {
        address >= self.start && address - self.start < self.length
    }
}

/// One address space: that of a process, or of several between a vfork and the exec.
#[derive(Debug, Default, Clone)]
struct Space {
    regions: Vec<Region>,
    /// An instruction in it that makes a system call.
    call_instruction: Option<u64>,
}

impl Space {
    /// This range shows nothing any more; what regions have before and behind it stays.
    fn cut_out(&mut self, start: u64, length: u64) {
        let end = start.saturating_add(length);
        let (cut, mut kept): (Vec<_>, Vec<_>) = self.regions.drain(..).partition(|region| region.start < end && region.start + region.length > start);
        for region in cut {
            let before = start.saturating_sub(region.start);
            let behind = (region.start + region.length).saturating_sub(end);
            if before > 0 {
                kept.push(Region { length: before, ..region.clone() });
            }
            if behind > 0 {
                kept.push(Region { start: end, length: behind, offset: region.offset + (end - region.start), ..region });
            }
        }
        self.regions = kept;
    }
}

/// The kernel maps whole pages.
fn whole_pages(length: u64) -> u64 {
    length.div_ceil(PAGE).saturating_mul(PAGE)
}

/// What is known of the shared memory of a scheduled run.
#[derive(Default)]
pub struct Memory {
    spaces: Vec<Space>,
    space_of: HashMap<ProcessId, usize>,
    segments: Vec<Origin>,
    /// The accesses that tasks are stopped before.
    awaited: HashMap<Pid, Awaited>,
    /// The registers of tasks whose call was put off to open memory for it, and the region that is being opened.
    opening: HashMap<Pid, (Registers, usize)>,
    /// Signals that came while a task was made to step, to be sent again.
    put_off: Vec<(Pid, i32)>,
    /// What a task's registers were at its last access, to see a loop that only waits.
    last: HashMap<Pid, u64>,
    /// What kind of code makes an access, by program and instruction.
    makers: HashMap<(usize, u64), access::Maker>,
    accesses: usize,
    pub(super) races: Races,
}

/// How a step of a task ended.
enum Stepped {
    /// It made one instruction.
    Done,
    /// Something else came first: a fault of the instruction's, or the task's end.
    Otherwise(Change),
}

/// The calls that change what is mapped; a scheduled run stops at them too.
const MAPPING_CALLS: [&str; 4] = ["mmap", "munmap", "mremap", "futex"];

/// Whether a call is one of those that are looked at for the memory's sake only, and are no points of choice.
pub(super) fn is_silent(number: u64) -> bool {
    matches!(&*name_of(number), "mmap" | "munmap" | "mremap")
}

impl Tracer {
    /// The numbers of the calls that a program of the run is stopped at.
    #[must_use]
    pub fn calls_to_stop_at(&self) -> Vec<u32> {
        let mut numbers = Call::named_numbers();
        if self.is_scheduled() {
            numbers.extend(Call::numbers_of(&MAPPING_CALLS));
        }
        if self.has_own_time() {
            numbers.extend(Call::numbers_of(&super::time::CALLS));
        }
        numbers
    }

    fn space_of(&mut self, process: ProcessId) -> usize {
        if let Some(space) = self.memory.space_of.get(&process) {
            return *space;
        }
        self.memory.spaces.push(Space::default());
        let space = self.memory.spaces.len() - 1;
        self.memory.space_of.insert(process, space);
        space
    }

    /// The data races found so far.
    #[must_use]
    pub fn races(&self) -> &[Race] {
        self.memory.races.found()
    }

    /// A new process has a copy of its parent's address space, or shares it until it executes (vfork).
    pub(super) fn inherit_memory(&mut self, parent: ProcessId, child: ProcessId, shares: bool) {
        if !self.is_scheduled() {
            return;
        }
        let space = self.space_of(parent);
        if shares {
            self.memory.space_of.insert(child, space);
            return;
        }
        let mut copy = self.memory.spaces[space].clone();
        copy.regions.iter_mut().for_each(|region| region.open_for.clear());
        self.memory.spaces.push(copy);
        self.memory.space_of.insert(child, self.memory.spaces.len() - 1);
    }

    /// A program that executes another has a new address space.
    pub(super) fn forget_memory(&mut self, process: ProcessId) {
        self.memory.space_of.remove(&process);
    }

    /// Forgets what a task that has ended was about to do.
    pub(super) fn forget_task_memory(&mut self, pid: Pid) {
        self.memory.awaited.remove(&pid);
        self.memory.opening.remove(&pid);
        self.memory.last.remove(&pid);
    }

    /// What a finished call means for what is mapped.
    fn follow_mappings(&mut self, pid: Pid, index: usize) -> io::Result<()> {
        let event = &self.events[index];
        let (process, call, number, arguments) = (event.process, event.call, event.number, event.arguments);
        let Some(result) = event.success() else { return Ok(()) };
        let space = self.space_of(process);
        match (&*name_of(number), call) {
            ("mmap", _) if arguments[3] as i32 & libc::MAP_SHARED != 0 => self.mapped_shared(pid, space, result, &arguments),
            ("munmap", _) => {
                self.memory.spaces[space].cut_out(arguments[0], whole_pages(arguments[1]));
                Ok(())
            }
            ("mremap", _) => self.moved(pid, space, result, &arguments),
            (_, Call::Shmat) => {
                let length = self.proc.length_of_mapping(pid, result).unwrap_or(PAGE);
                let writes = arguments[2] as i32 & libc::SHM_RDONLY == 0;
                let protection = libc::PROT_READ | if writes { libc::PROT_WRITE } else { 0 };
                self.add_region(pid, space, Origin::SystemV(arguments[0]), Region::new(result, length, 0, protection as u64))
            }
            (_, Call::Shmdt) => {
                self.memory.spaces[space].regions.retain(|region| region.start != arguments[0]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn mapped_shared(&mut self, pid: Pid, space: usize, start: u64, arguments: &[u64; 6]) -> io::Result<()> {
        let length = whole_pages(arguments[1]);
        let anonymous = arguments[3] as i32 & libc::MAP_ANONYMOUS != 0;
        let origin = if anonymous {
            Origin::Anonymous(self.memory.segments.len())
        } else {
            // What the system's libraries map is not the program's.
            let link = self.proc.link(pid, arguments[4] as i32).unwrap_or_default();
            if ["/usr/", "/lib", "/etc/", "/nix/"].iter().any(|folder| link.starts_with(folder)) {
                return Ok(());
            }
            let Ok((identity, _)) = self.proc.identity(pid, arguments[4] as i32) else { return Ok(()) };
            Origin::File(identity.device, identity.inode)
        };
        let offset = if anonymous { 0 } else { arguments[5] };
        self.add_region(pid, space, origin, Region::new(start, length, offset, arguments[2]))
    }

    /// mremap(2) of shared memory: what is moved, grown or shrunk stays as closed as it was; a length of 0 makes a second mapping.
    fn moved(&mut self, pid: Pid, space: usize, start: u64, arguments: &[u64; 6]) -> io::Result<()> {
        let (from, old_length, length) = (arguments[0], whole_pages(arguments[1]), whole_pages(arguments[2]));
        let Some(region) = self.memory.spaces[space].regions.iter().find(|region| region.contains(from)).cloned() else { return Ok(()) };
        let stays = arguments[3] as i32 & libc::MREMAP_DONTUNMAP != 0;
        if !stays {
            self.memory.spaces[space].cut_out(from, old_length);
        }
        let origin = self.memory.segments[region.segment].clone();
        self.add_region(pid, space, origin, Region::new(start, length, region.offset + (from - region.start), region.protection))
    }

    fn add_region(&mut self, pid: Pid, space: usize, origin: Origin, mut region: Region) -> io::Result<()> {
        if !arch::SEES_ACCESSES {
            self.blind.get_or_insert_with(|| "shared memory under a forced schedule, which is not supported on this architecture".into());
            return Ok(());
        }
        let known = self.memory.segments.iter().position(|known| *known == origin);
        region.segment = known.unwrap_or_else(|| {
            self.memory.segments.push(origin);
            self.memory.segments.len() - 1
        });
        let (start, length) = (region.start, region.length);
        self.memory.spaces[space].cut_out(start, length);
        self.memory.spaces[space].regions.push(region);
        self.protect(pid, space, start, length, 0)
    }

    /// Lets a stopped task change the protection of memory.
    fn protect(&mut self, pid: Pid, space: usize, start: u64, length: u64, protection: u64) -> io::Result<()> {
        let result = self.make_call(pid, space, libc::SYS_mprotect as u64, [start, length, protection])?;
        if result < 0 {
            let error = io::Error::from_raw_os_error(-result as i32);
            self.blind.get_or_insert_with(|| format!("shared memory cannot be protected: {error}"));
        }
        Ok(())
    }

    /// Opens or closes all regions of a space that are not open for a call.
    fn protect_all(&mut self, pid: Pid, space: usize, open: bool) -> io::Result<()> {
        let closed: Vec<(u64, u64, u64)> = self.memory.spaces[space]
            .regions
            .iter()
            .filter(|region| region.open_for.is_empty())
            .map(|region| (region.start, region.length, region.protection))
            .collect();
        closed.into_iter().try_for_each(|(start, length, protection)| self.protect(pid, space, start, length, if open { protection } else { 0 }))
    }

    /// Lets a stopped task make a call between two of its instructions; the call's result, or a negative errno. It must not be one that the filter stops at.
    fn make_call(&mut self, pid: Pid, space: usize, number: u64, arguments: [u64; 3]) -> io::Result<i64> {
        let Some(at) = self.memory.spaces[space].call_instruction else {
            return Err(io::Error::other("no instruction is known that makes a system call"));
        };
        let saved = Registers::get(pid)?;
        let mut registers = saved.clone();
        registers.prepare_call(at, number, arguments);
        registers.set(pid)?;
        let stepped = self.step(pid)?;
        if let Stepped::Otherwise(change) = stepped {
            self.handle(pid, change)?;
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let result = Registers::get(pid)?.result();
        saved.set(pid)?;
        Ok(result)
    }

    /// Lets a stopped task make one instruction; signals that come meanwhile are put off.
    fn step(&mut self, pid: Pid) -> io::Result<Stepped> {
        ptrace::resume(pid, Resume::Step, 0)?;
        loop {
            match process::wait(pid, true)? {
                Waited::Change(_, Change::Stopped { signal: libc::SIGTRAP, event: 0 }) => return Ok(Stepped::Done),
                Waited::Change(_, Change::Stopped { signal, event: 0 })
                    if !matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE) && signal & 0x80 == 0 =>
                {
                    self.memory.put_off.push((pid, signal));
                    ptrace::resume(pid, Resume::Step, 0)?;
                }
                // SIGCONT makes a task stop that was not stopped, only to tell of it; and another thread may have taken a stop signal for the whole group.
                Waited::Change(_, Change::Stopped { signal, event: libc::PTRACE_EVENT_STOP }) => {
                    if signal != libc::SIGTRAP {
                        self.memory.put_off.push((pid, signal));
                    }
                    ptrace::resume(pid, Resume::Step, 0)?;
                }
                Waited::Change(_, change) => return Ok(Stepped::Otherwise(change)),
                Waited::Interrupted | Waited::Nothing => {}
                Waited::NoChild => return Err(io::Error::from_raw_os_error(libc::ESRCH)),
            }
        }
    }

    /// Sends the signals again that came while a task was made to step.
    fn send_put_off(&mut self) -> io::Result<()> {
        for (pid, signal) in std::mem::take(&mut self.memory.put_off) {
            match process::kill(pid, signal) {
                // Whom it was for has ended meanwhile; that says nothing of the task that is looked after now.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// Takes in a SIGSEGV that is an access to closed memory; `false` if it is the program's own.
    pub(super) fn stopped_before_access(&mut self, pid: Pid) -> io::Result<bool> {
        if !self.is_scheduled() {
            return Ok(false);
        }
        let address = ptrace::fault_address(pid)?;
        let space = self.space_of(self.tasks[&pid].process);
        let region = self.memory.spaces[space].regions.iter().find(|region| region.contains(address) && region.open_for.is_empty());
        // A write to what was mapped for reading only is the program's own fault.
        let Some(region) = region else { return Ok(false) };
        let (segment, offset) = (region.segment, region.offset + (address - region.start));
        if let Some(schedule) = &mut self.schedule {
            schedule.note((segment as u64) << 48 ^ offset);
        }
        self.memory.accesses += 1;
        if self.memory.accesses > self.options.most_events {
            self.blind.get_or_insert_with(|| format!("more than {} accesses to shared memory in one run", self.options.most_events));
        }
        self.memory.awaited.insert(pid, Awaited { address, segment, offset, half_done: None });
        self.now();
        self.let_go(pid, Resume::Continue, 0)?;
        Ok(true)
    }

    /// Whether the schedule's choice of this task means an access, which is then made.
    pub(super) fn makes_awaited_access(&mut self, pid: Pid) -> io::Result<bool> {
        let Some(awaited) = self.memory.awaited.remove(&pid) else { return Ok(false) };
        match self.access(pid, awaited) {
            // It was killed meanwhile: its end is told next.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(true),
            result => result.map(|()| true),
        }
    }

    /// After a call: closes what was open for it, follows what it mapped, and what it orders.
    pub(super) fn after_scheduled_call(&mut self, pid: Pid, index: usize) -> io::Result<()> {
        if !self.is_scheduled() || !self.process(self.events[index].process).executed {
            return Ok(());
        }
        // A call that the kernel makes again is not over.
        if self.events[index].result.is_some_and(|result| result <= -512) {
            return Ok(());
        }
        self.take_over(pid, index);
        self.close_after_call(pid, index)?;
        self.follow_mappings(pid, index)?;
        self.send_put_off()
    }

    /// Makes a task ready again that is in the middle of an access.
    fn ready_again(&mut self, pid: Pid, awaited: Awaited) -> io::Result<()> {
        self.memory.awaited.insert(pid, awaited);
        self.set_state(pid, State::Ready);
        self.let_go(pid, Resume::Continue, 0)
    }
}

impl Region {
    /// A region that is closed; its segment is told later.
    fn new(start: u64, length: u64, offset: u64, protection: u64) -> Self {
        Self { start, length, segment: 0, offset, protection, open_for: HashSet::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unmapped_in_the_middle_leaves_both_ends() {
        let mut space =
            Space { regions: vec![Region::new(0x10_000, 0x5000, 0x2000, 3), Region::new(0x20_000, 0x1000, 0, 3)], call_instruction: None };
        space.cut_out(0x11_000, 0x2000);
        let mut left: Vec<_> = space.regions.iter().map(|region| (region.start, region.length, region.offset)).collect();
        left.sort_unstable();
        assert_eq!(left, [(0x10_000, 0x1000, 0x2000), (0x13_000, 0x2000, 0x5000), (0x20_000, 0x1000, 0)]);
        space.cut_out(0, u64::MAX);
        assert!(space.regions.is_empty());
    }
}
