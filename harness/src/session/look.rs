//! A look at the processes of a run as they are at this moment. [`Session::settle`] first: what moves is not to be looked at.

use super::{Program, Session};
use crate::trace::event::ProcessId;
use crate::trace::object::Kind;
use crate::verdict::Unpassed;

impl Session {
    /// The descriptors that the program's first process holds now, with the kind and name of what they refer to, standard streams left out.
    ///
    /// # Errors
    /// Broken, if `/proc` cannot be read.
    pub fn descriptors(&mut self, program: Program) -> Result<Vec<(i32, Kind, String)>, Unpassed> {
        self.descriptors_of(self.running[program.0].process)
    }

    /// The same of any process that has not ended.
    ///
    /// # Errors
    /// Broken, if `/proc` cannot be read.
    pub fn descriptors_of(&mut self, process: ProcessId) -> Result<Vec<(i32, Kind, String)>, Unpassed> {
        let pid = self.tracer.process(process).pid;
        let held = self.tracer.proc.descriptors(pid)?;
        let known = held.iter().filter_map(|held| Some((held.number, self.tracer.object_of(pid, held.number)?))).collect::<Vec<_>>();
        let describe = |(number, object): (i32, usize)| {
            let object = self.tracer.objects.get(object);
            (number, object.kind, object.name.clone())
        };
        Ok(known.into_iter().map(describe).filter(|(_, kind, _)| *kind != Kind::Standard).collect())
    }

    /// The program's processes that have ended and that nobody has waited for.
    #[must_use]
    pub fn zombies(&self, program: Program) -> Vec<ProcessId> {
        let zombie = |process: &&crate::trace::event::Process| process.exit.is_some() && self.tracer.proc.is_zombie(process.pid);
        self.processes_of(program).filter(zombie).map(|process| process.id).collect()
    }

    /// How many bytes of what was given to the program's standard input the pipe has not taken yet, because it is full.
    #[must_use]
    pub fn input_left(&self, program: Program) -> usize {
        self.running[program.0].input.left()
    }
}
