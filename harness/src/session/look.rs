//! A look at a run: what its processes have done, and how they are at this moment. [`Session::settle`] first: what moves is not to be looked at.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;

use super::{Program, Session};
use crate::call::Call;
use crate::finding::Finding;
use crate::ipc::{self, Leftover};
use crate::kernel;
use crate::procfs::{Access, Descriptor};
use crate::sandbox::Tier;
use crate::trace::event::{Event, Exit, Process, ProcessId, TableAtTransfer};
use crate::trace::object::Kind;
use crate::trace::waiting::Rest;
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

    /// Those descriptors of a process that exec would not close, standard streams left out.
    ///
    /// # Errors
    /// Broken, if `/proc` cannot be read.
    pub fn left_open_at_exec(&mut self, process: ProcessId) -> Result<Vec<(i32, Kind, String)>, Unpassed> {
        let held = self.tracer.proc.descriptors(self.tracer.process(process).pid)?;
        let closed: BTreeSet<i32> = held.into_iter().filter(|held| held.close_on_exec).map(|held| held.number).collect();
        Ok(self.descriptors_of(process)?.into_iter().filter(|(number, ..)| !closed.contains(number)).collect())
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

    /// Whether the program's first process has ended.
    #[must_use]
    pub fn has_ended(&self, program: Program) -> bool {
        self.tracer.process(self.running[program.0].process).exit.is_some()
    }

    /// What the program and its children have written to standard output so far.
    #[must_use]
    pub fn stdout(&self, program: Program) -> &[u8] {
        &self.running[program.0].output.bytes
    }

    /// How many bytes of standard output are kept, if more than that came.
    #[must_use]
    pub fn cut_after(&self, program: Program) -> Option<usize> {
        let output = &self.running[program.0].output;
        output.cut.then_some(output.bytes.len())
    }

    /// What the program and its children have written to standard error so far.
    #[must_use]
    pub fn stderr(&self, program: Program) -> &[u8] {
        &self.running[program.0].errors.bytes
    }

    /// The calls so far, in the order of their entries.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.tracer.events
    }

    /// The calls that the program's own processes made once it was executed.
    pub fn events_of(&self, program: Program) -> impl Iterator<Item = &Event> {
        let number = program.0;
        self.tracer.events.iter().filter(move |event| self.tracer.process(event.process).program == number)
    }

    /// The processes so far, in the order of their birth.
    #[must_use]
    pub fn processes(&self) -> &[Process] {
        &self.tracer.processes
    }

    /// The program's processes: its first, then its children and theirs.
    pub fn processes_of(&self, program: Program) -> impl Iterator<Item = &Process> {
        self.tracer.processes.iter().filter(move |process| process.program == program.0)
    }

    /// What a process is called in messages.
    #[must_use]
    pub fn name(&self, process: ProcessId) -> String {
        self.tracer.name(process)
    }

    /// The kind of object that a call was for.
    #[must_use]
    pub fn kind_of(&self, event: &Event) -> Option<Kind> {
        event.object.map(|object| self.tracer.objects.get(object).kind)
    }

    /// The name of the object that a call was for.
    #[must_use]
    pub fn object_name(&self, event: &Event) -> String {
        event.object.map_or_else(|| "nothing".into(), |object| self.tracer.objects.get(object).name.clone())
    }

    /// The descriptors of each process just before its first transfer on each pipe and FIFO.
    #[must_use]
    pub fn tables(&self) -> &[TableAtTransfer] {
        &self.tracer.tables
    }

    /// How the program's live processes have the object of this name open now: one entry for each descriptor.
    #[must_use]
    pub fn access_to(&self, program: Program, object: &str) -> Vec<Access> {
        let alive = self.processes_of(program).filter(|process| process.exit.is_none());
        let held = alive.flat_map(|process| self.tracer.proc.descriptors(process.pid).unwrap_or_default());
        let is_it = |held: &Descriptor| self.tracer.objects.find(held.identity).is_some_and(|found| self.tracer.objects.get(found).name == object);
        held.filter(is_it).map(|held| held.access).collect()
    }

    /// The objects that are there now and were not before the run.
    #[must_use]
    pub fn leftovers(&self) -> Vec<Leftover> {
        // Files that a program makes where it stands are what it is there for.
        let now = if self.stands { ipc::objects(&self.tracer.proc) } else { ipc::present(&self.tracer.proc, &self.sandbox.directory) };
        let confined = self.sandbox.tier == Tier::Confined;
        let found = now.difference(&self.before).filter(|left| !confined || self.is_of_this_run(left)).cloned();
        found.chain(self.unlisted_queues(libc::O_CREAT)).collect()
    }

    /// POSIX queues of a system that does not list them, having no mqueue file system at its place: those that are there and that a call of this run
    /// opened with all these flags.
    pub(super) fn unlisted_queues(&self, flags: i32) -> Vec<Leftover> {
        let listed = || self.tracer.proc.file("self/mounts").is_ok_and(|mounts| mounts.contains(" /dev/mqueue mqueue "));
        if self.sandbox.tier.has_namespaces() || listed() {
            return Vec::new();
        }
        let opened = self.tracer.events.iter().filter(|event| event.call == Call::MqOpen && event.succeeded());
        let made = opened.filter(|event| event.arguments[1] as i32 & flags == flags).filter_map(Event::path);
        // The kernel is given the name without its slash.
        let names: BTreeSet<String> = made.map(|name| format!("/{}", name.trim_start_matches('/'))).collect();
        let is_there = |name: &String| match CString::new(name.as_str()).map(|name| kernel::ipc::queue_open(&name)) {
            Ok(Err(error)) => error.kind() != io::ErrorKind::NotFound,
            opened => opened.is_ok(),
        };
        names.into_iter().filter(is_there).map(Leftover::Queue).collect()
    }

    /// Without namespaces others make objects too: only what a process of this run has got or opened is the run's.
    fn is_of_this_run(&self, left: &Leftover) -> bool {
        let got = |call: Call, id: i32| self.tracer.events.iter().any(|event| event.call == call && event.success() == u64::try_from(id).ok());
        let named = |name: &str| self.tracer.events.iter().any(|event| event.path().is_some_and(|path| path.trim_start_matches("/dev/shm/") == name));
        match left {
            Leftover::Segment(id) => got(Call::Shmget, *id),
            Leftover::SemaphoreSet(id) => got(Call::Semget, *id),
            Leftover::MessageQueue(id) => got(Call::Msgget, *id),
            // The kernel is given the name without its slash.
            Leftover::Queue(name) => named(name.trim_start_matches('/')),
            Leftover::SharedMemory(name) => named(name),
            Leftover::Fifo(_) | Leftover::Socket(_) | Leftover::File(_) => true,
        }
    }

    /// Files that the check itself makes do not count as left behind: call it once they are there.
    pub fn count_as_there_before(&mut self) {
        self.before = ipc::present(&self.tracer.proc, &self.sandbox.directory);
    }

    /// The value of a System V semaphore; semctl(2).
    ///
    /// # Errors
    /// Broken, if there is no such set.
    pub fn semaphore_value(&self, set: i32, number: i32) -> Result<i32, Unpassed> {
        Ok(kernel::ipc::semaphore_value(set, number).map_err(|error| kernel::named("semctl GETVAL", &error))?)
    }

    /// What the processes that wait now wait for, in words.
    pub fn waiting_lines(&mut self) -> Vec<String> {
        match self.tracer.rest() {
            Rest::Active => Vec::new(),
            Rest::Limited(waiting) | Rest::Waiting(waiting) => self.tracer.describe(&waiting),
        }
    }

    /// How the program ended, and the last lines of its standard error, for messages.
    #[must_use]
    pub fn end_lines(&self, program: Program) -> Vec<String> {
        let running = &self.running[program.0];
        let exit = self.tracer.process(running.process).exit;
        let mut lines = vec![exit.map_or_else(|| format!("{} still runs", running.name), |exit| format!("{} ended with {exit}", running.name))];
        lines.extend(self.error_lines(program));
        lines
    }

    /// How the program has ended and what it said of it, if it has once the run is at rest: evidence for what did not come. A peer may learn of a connection's
    /// end before the tracer does of the program's.
    ///
    /// # Errors
    /// Broken, if the trace is not whole. A run that does not come to rest is no error: it has another finding already.
    pub fn last_words(&mut self, program: Program) -> Result<Vec<String>, Unpassed> {
        match self.settle() {
            Ok(()) | Err(Unpassed::Fail(_)) => Ok(if self.has_ended(program) { self.end_lines(program) } else { Vec::new() }),
            Err(unpassed) => Err(unpassed),
        }
    }

    /// A finding of a check's own exchange with the programs, such as a connection refused, with how those have ended that have, once the run is at rest: often
    /// that is why.
    pub(super) fn with_all_last_words(&mut self, mut finding: Finding) -> Unpassed {
        if let Err(unpassed @ (Unpassed::Broken(_) | Unpassed::Skipped(_))) = self.settle() {
            return unpassed;
        }
        for program in (0..self.running.len()).map(Program) {
            match self.exit_of(program) {
                // The check's own doing.
                Some(Exit::Signal(signal)) if self.has_sent(program, signal) => {}
                Some(exit) => {
                    finding.evidence.extend(self.end_lines(program));
                    if exit != Exit::Status(0) {
                        finding.next = format!("look at what ends {}: see its standard error", self.running[program.0].name);
                    }
                }
                None => {}
            }
        }
        finding.into()
    }

    /// Whether the check has sent this signal to the program.
    #[must_use]
    pub fn has_sent(&self, program: Program, signal: i32) -> bool {
        self.signals_sent.contains(&(program, signal))
    }

    /// Whether the program was killed by this signal or ended by it in words, for expectations.
    #[must_use]
    pub fn exit_of(&self, program: Program) -> Option<Exit> {
        self.tracer.process(self.running[program.0].process).exit
    }
}
