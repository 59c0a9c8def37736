//! What messages say of a run: what a process is called, and which lines of its source a call came from.

use super::Tracer;
use super::event::ProcessId;
use crate::kernel::arch::Registers;
use crate::kernel::process::Pid;
use crate::kernel::ptrace;
use crate::source::{self, Mapping, Place, Snapshot};

impl Tracer {
    pub(super) fn executable_mappings(&self, pid: Pid) -> Vec<Mapping> {
        source::mappings(&self.proc.file(&format!("{pid}/maps")).unwrap_or_default())
    }

    /// The lines of the program's own source that led to a call, innermost first; empty without debug information.
    pub fn places_of(&mut self, event: usize) -> Vec<Place> {
        let Some(snapshot) = self.snapshots.get(&event).cloned() else { return Vec::new() };
        self.places(self.events[event].process, &snapshot)
    }

    /// The same for a snapshot of a process.
    pub fn places(&mut self, process: ProcessId, snapshot: &Snapshot) -> Vec<Place> {
        let process = self.process(process);
        let maps = if process.exit.is_none() { self.executable_mappings(process.pid) } else { process.maps_at_end.clone() };
        // A process that was killed had no time to show its mappings; its relatives have the same.
        let relatives = || self.processes.iter().filter(|other| other.program == process.program).map(|other| &other.maps_at_end);
        let maps = if maps.is_empty() { relatives().find(|maps| !maps.is_empty()).cloned().unwrap_or_default() } else { maps };
        self.locator.places(&maps, snapshot)
    }

    /// What a process is called in messages.
    #[must_use]
    pub fn name(&self, id: ProcessId) -> String {
        let process = self.process(id);
        let program = &self.names[process.program];
        let alone = self.names.len() == 1;
        let same_name: Vec<usize> = (0..self.names.len()).filter(|other| self.names[*other] == *program).collect();
        let program = match same_name.iter().position(|other| *other == process.program) {
            _ if self.called.contains_key(&process.program) => self.called[&process.program].clone(),
            Some(place) if same_name.len() > 1 => format!("{program} {}", place + 1),
            _ => program.clone(),
        };
        let siblings: Vec<ProcessId> =
            self.processes.iter().filter(|other| other.parent == process.parent && other.program == process.program).map(|other| other.id).collect();
        let number = siblings.iter().position(|sibling| *sibling == id).map_or(1, |place| place + 1);
        match process.parent {
            None if alone && self.processes.len() > 1 => "the parent".into(),
            None => program,
            Some(parent) if alone && self.process(parent).parent.is_none() => {
                if siblings.len() == 1 {
                    "the child".into()
                } else {
                    format!("child {number}")
                }
            }
            Some(parent) if siblings.len() == 1 => format!("the child of {}", self.name(parent)),
            Some(parent) => format!("child {number} of {}", self.name(parent)),
        }
    }
}

/// The registers and the top of the stack of a stopped task, so many bytes of it.
pub(super) fn snapshot(pid: Pid, registers: &Registers, most: usize) -> Snapshot {
    let [instruction, stack_pointer, frame_pointer] = registers.frame();
    let mut stack = [0; source::MOST_STACK];
    let most = most.min(stack.len());
    let length = ptrace::read_memory(pid, stack_pointer, &mut stack[..most]).unwrap_or(0);
    Snapshot { instruction, stack_pointer, frame_pointer, stack: stack[..length].to_vec() }
}
