//! Calls in which the kernel itself touches shared memory: it must find the pages open.

use std::io;

use super::PAGE;
use crate::call::name_of;
use crate::kernel::arch::Registers;
use crate::kernel::process::Pid;
use crate::kernel::ptrace::{self, Resume};
use crate::trace::Tracer;
use crate::trace::vector::Vector;

impl Tracer {
    /// At a call's entry: if the kernel will touch closed memory in it, the call is put off and the memory opened first; `true` if so.
    pub(in crate::trace) fn opens_memory_first(&mut self, pid: Pid, number: u64, arguments: &[u64; 6]) -> io::Result<bool> {
        if !self.is_scheduled() {
            return Ok(false);
        }
        let process = self.tasks[&pid].process;
        let space = self.space_of(process);
        let registers = Registers::get(pid)?;
        self.memory.spaces[space].call_instruction = Some(registers.call_instruction());
        if self.memory.spaces[space].regions.is_empty() || only_names_memory(number) {
            return Ok(false);
        }
        let touched = touched(pid, number, arguments);
        let place = self.memory.spaces[space].regions.iter().position(|region| touched.iter().any(|address| region.contains(*address)));
        let Some(place) = place else { return Ok(false) };
        let region = &mut self.memory.spaces[space].regions[place];
        if !region.open_for.is_empty() {
            region.open_for.insert(pid);
            return Ok(false);
        }
        // The kernel makes an mprotect(2) in place of the call; then the call is made again, and finds the memory open.
        let mut instead = registers.clone();
        let (start, length, protection) = (region.start, region.length, region.protection);
        [start, length, protection].into_iter().enumerate().for_each(|(index, value)| instead.set_argument(index, value));
        instead.set_call(pid, libc::SYS_mprotect)?;
        self.memory.opening.insert(pid, (registers, place));
        ptrace::resume(pid, Resume::ToExit, 0)?;
        Ok(true)
    }

    /// At the exit of the mprotect(2): back to before the call that was put off; `true` if this was one.
    pub(in crate::trace) fn has_opened_memory(&mut self, pid: Pid) -> io::Result<bool> {
        let Some((mut registers, place)) = self.memory.opening.remove(&pid) else { return Ok(false) };
        let space = self.space_of(self.tasks[&pid].process);
        if let Some(region) = self.memory.spaces[space].regions.get_mut(place) {
            region.open_for.insert(pid);
        }
        let (number, first) = (registers.number(), registers.argument(0));
        registers.back_up(number, first);
        registers.set(pid)?;
        ptrace::resume(pid, Resume::Continue, 0)?;
        Ok(true)
    }

    /// At the exit of a call: closes the memory that was open for it.
    pub(super) fn close_after_call(&mut self, pid: Pid, index: usize) -> io::Result<()> {
        let process = self.events[index].process;
        let space = self.space_of(process);
        let mut to_close = Vec::new();
        let mut shared_by_threads = false;
        for region in &mut self.memory.spaces[space].regions {
            if region.open_for.remove(&pid) {
                if region.open_for.is_empty() {
                    to_close.push((region.start, region.length));
                }
                shared_by_threads |= self.tasks.values().filter(|task| task.process == process).count() > 1;
            }
        }
        if shared_by_threads {
            // While one thread was inside the kernel, others may have come by unseen.
            self.memory.races.give_up();
        }
        to_close.into_iter().try_for_each(|(start, length)| self.protect(pid, space, start, length, 0))
    }
}

/// Whether a call is given addresses of memory but does not touch what is there.
fn only_names_memory(number: u64) -> bool {
    matches!(&*name_of(number), "mmap" | "munmap" | "mremap" | "mprotect" | "madvise" | "msync" | "mlock" | "munlock" | "shmat" | "shmdt")
}

/// The addresses that a call is given, directly or in a vector of buffers.
fn touched(pid: Pid, number: u64, arguments: &[u64; 6]) -> Vec<u64> {
    let mut addresses: Vec<u64> = arguments.iter().copied().filter(|argument| *argument >= PAGE).collect();
    let buffers = Vector::of(pid, number, arguments).map_or_else(Vec::new, |vector| vector.buffers);
    addresses.extend(buffers.iter().map(|buffer| buffer.at));
    addresses
}
