//! A session: one run of one or several programs in a sandbox, driven step by step by a check.
//!
//! Theory of operation: the session is the parent, tracer and peer of all programs, in one thread. Whatever a check asks for (a line, an exit, bytes at a
//! socket) is a condition; [`Session::until`] lets the run go on until the condition holds or until it never can: all programs ended, all wait for each
//! other, one spins. So a hang is an event, found within milliseconds, and no check relies on a time-out.
//!
//! A tick interrupts the wait for tracees every millisecond; only at a tick on which nothing happened since the last one is anybody's rest looked at, and
//! it counts only when two such ticks in a row find the same.

mod evidence;
mod asleep;
mod look;
pub mod peer;
mod stream;
mod written;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::call::{Call, name_of};
use crate::fault::{Fault, Fired};
use crate::finding::Finding;
use crate::ipc::{self, Leftover};
use crate::kernel::process::{self, Change, Launch, Waited};
use crate::kernel::ptrace;
use crate::kernel::seccomp::{Stops, filter};
use crate::kernel::{self, descriptor};
use crate::manifest::Limits;
use crate::procfs::{Access, Descriptor};
use crate::sandbox::{NotEntered, Sandbox, Tier};
use crate::trace::event::{Event, Exit, Process, ProcessId, TableAtTransfer, signal_name};
use crate::trace::object::Kind;
use crate::trace::waiting::{Rest, Waiting};
use crate::trace::{Options, Tracer};
use crate::verdict::{Passed, Unpassed, Verdict};
pub use asleep::Sleeping;
use stream::{Input, Output};

/// Milliseconds from tick to tick.
const TICK: i64 = 1;
/// Calls in a row that do nothing, after which a run counts as busy waiting.
const MOST_FRUITLESS: u32 = 3_000;
/// The same, after which a process that polls counts as settled.
const SETTLED_FRUITLESS: u32 = 300;
/// Ticks after which a run whose processes all sleep with a time limit counts as settled.
const SETTLED_TICKS: u32 = 50;
/// Ticks between two looks at CPU times.
const CPU_LOOK: u64 = 64;

/// A program of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Program(usize);

impl Program {
    /// Its place in the order of starts.
    #[must_use]
    pub fn number(self) -> usize {
        self.0
    }
}

/// A fault that was armed in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Armed(usize);

struct Running {
    name: String,
    process: ProcessId,
    input: Input,
    output: Output,
    errors: Output,
    /// How much of the output [`Session::line`] has handed out.
    taken: usize,
}

/// A run that a check drives.
pub struct Session {
    tracer: Tracer,
    sandbox: Sandbox,
    names: Vec<String>,
    limits: Limits,
    running: Vec<Running>,
    before: BTreeSet<Leftover>,
    seen_activity: u64,
    quiet: Option<Vec<Waiting>>,
    quiet_ticks: u32,
    started_at: u64,
    /// POSIX queues that the check made or opened.
    queues: BTreeSet<CString>,
}

/// Why a run cannot go on.
enum Halt {
    /// All programs have ended.
    Over,
    /// All wait, and nothing can wake them.
    Deadlock(Vec<Waiting>),
    /// Someone does the same over and over, or computes without end.
    Busy(Finding),
    /// The last resort.
    TimeUp,
}

/// What happened while the session waited.
enum Step {
    Progress,
    Halt(Halt),
    /// All sleep, and did so for this many ticks; `false` if some of them have a time limit.
    Quiet(u32),
}

impl Session {
    /// Enters the sandbox: the calling process, a fork of the check's, becomes the supervisor.
    pub(crate) fn enter(programs: &[(String, PathBuf)], limits: Limits, refused: Option<String>) -> Result<Self, NotEntered> {
        let paths: Vec<PathBuf> = programs.iter().map(|(_, path)| path.clone()).collect();
        let (sandbox, proc) = Sandbox::enter(&paths, refused)?;
        let before = ipc::present(&proc, &sandbox.directory);
        let options = Options { decode: true, keep_events: true, most_events: limits.calls, most_processes: 512 };
        process::tick_every(TICK)?;
        Ok(Self {
            tracer: Tracer::new(proc, options),
            names: programs.iter().map(|(name, _)| name.clone()).collect(),
            sandbox,
            limits,
            running: Vec::new(),
            before,
            seen_activity: 0,
            quiet: None,
            quiet_ticks: 0,
            started_at: process::ticks(),
            queues: BTreeSet::new(),
        })
    }

    /// Ends all processes of the run and waits until they are gone: nothing of it is left when the supervisor ends.
    pub(crate) fn take_down(&mut self) -> io::Result<()> {
        for process in self.tracer.processes.iter().filter(|process| process.exit.is_none()) {
            // It may have ended by itself meanwhile.
            let _ = process::kill(process.pid, libc::SIGKILL);
        }
        for queue in &self.queues {
            // Outside an IPC namespace of its own it would outlive the run; it may be gone already.
            let _ = kernel::ipc::queue_unlink(queue);
        }
        if let Some(reaper) = self.sandbox.reaper {
            process::kill(reaper, libc::SIGKILL)?;
        }
        self.await_all_ends()?;
        if self.sandbox.tier == Tier::Confined {
            // Without namespaces nothing takes these away with the run.
            for left in self.leftovers() {
                ipc::remove(&left, &self.sandbox.directory)?;
            }
        }
        Ok(())
    }

    fn await_all_ends(&self) -> io::Result<()> {
        loop {
            match process::wait(-1, true)? {
                Waited::NoChild => return Ok(()),
                Waited::Change(pid, Change::Stopped { .. }) => {
                    // The last stop of a process that is being killed.
                    let _ = ptrace::resume(pid, ptrace::Resume::Continue, 0);
                }
                _ => {}
            }
        }
    }

    /// How strong the sandbox is.
    #[must_use]
    pub fn tier(&self) -> Tier {
        self.sandbox.tier
    }

    /// Ends the check as skipped unless the run has namespaces of its own.
    ///
    /// # Errors
    /// Skipped, with the mend.
    pub fn needs_namespaces(&self) -> Result<(), Unpassed> {
        match &self.sandbox.refused {
            None => Ok(()),
            Some(refused) => Err(Unpassed::Skipped(format!("needs namespaces of its own; {refused}"))),
        }
    }

    /// The path of a file of the run, as the programs see it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.sandbox.directory.join(name)
    }

    /// The same as text, for arguments.
    #[must_use]
    pub fn path_text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// Makes a folder of the run that programs may write to.
    ///
    /// # Errors
    /// Broken, if it cannot be made.
    pub fn make_folder(&self, name: &str) -> Result<String, Unpassed> {
        std::fs::create_dir_all(self.path(name))?;
        Ok(self.path_text(name))
    }

    /// Makes a file of the run.
    ///
    /// # Errors
    /// Broken, if it cannot be made.
    pub fn make_file(&self, name: &str, content: &[u8]) -> Result<String, Unpassed> {
        std::fs::write(self.path(name), content)?;
        Ok(self.path_text(name))
    }

    /// A program of the lab that is to be started.
    pub fn program(&mut self, name: &str) -> Start<'_> {
        Start { session: self, name: name.to_owned(), called: None, arguments: Vec::new(), input: Some(Vec::new()) }
    }

    /// Arms a fault for the calls from now on.
    pub fn arm(&mut self, fault: Fault) -> Armed {
        self.tracer.faults.push((fault, Fired::default()));
        Armed(self.tracer.faults.len() - 1)
    }

    /// What came of a fault.
    #[must_use]
    pub fn fired(&self, fault: Armed) -> Fired {
        self.tracer.faults[fault.0].1
    }

    /// Lets the run go on until this fault holds a process.
    ///
    /// # Errors
    /// Fail, if no process comes to that call.
    pub fn until_held(&mut self, fault: Armed) -> Result<(), Unpassed> {
        let goal = format!("{} (it is to be held there)", self.tracer.faults[fault.0].0.describe().replace("the process is held at ", "a call of "));
        self.until(&goal, |session| Ok(session.tracer.is_held_by(fault.0).then_some(())))
    }

    /// Lets the process that this fault holds go on.
    ///
    /// # Errors
    /// Broken, if ptrace fails.
    pub fn release(&mut self, fault: Armed) -> Result<(), Unpassed> {
        self.tracer.faults[fault.0].0.calls.clear();
        Ok(self.tracer.release(fault.0)?)
    }

    /// The next line of the program's standard output, without its end.
    ///
    /// # Errors
    /// Fail, if none comes: the program ended, or waits.
    pub fn line(&mut self, program: Program) -> Result<String, Unpassed> {
        let goal = format!("a line from {} on standard output", self.running[program.0].name);
        self.until(&goal, |session| {
            let running = &mut session.running[program.0];
            let rest = &running.output.bytes[running.taken..];
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
            let line = String::from_utf8_lossy(&rest[..length]).into_owned();
            running.taken += length + 1;
            Ok(Some(line))
        })
    }

    /// Lets the run go on until the program ends, and all that was started by it has closed its output or ended.
    ///
    /// # Errors
    /// Fail, if it never ends: it waits, or spins.
    pub fn exit(&mut self, program: Program) -> Result<Exit, Unpassed> {
        let goal = format!("{} ends", self.running[program.0].name);
        self.until(&goal, |session| {
            let process = session.running[program.0].process;
            Ok(session.tracer.process(process).exit)
        })
    }

    /// Lets the run go on until no process of it is left.
    ///
    /// # Errors
    /// Fail, if some process never ends.
    pub fn all_end(&mut self) -> Result<(), Unpassed> {
        self.until("all processes end", |session| Ok(session.tracer.is_over().then_some(())))
    }

    /// Lets the run go on until all processes wait, or have ended. What is held does not count; what polls counts as waiting once it found nothing many
    /// times.
    ///
    /// # Errors
    /// Broken, if the trace is not whole.
    pub fn settle(&mut self) -> Result<(), Unpassed> {
        self.come_to_rest("the processes come to rest", SETTLED_FRUITLESS)
    }

    /// Lets the run go on until all processes sleep, or have ended. What is held does not count.
    ///
    /// # Errors
    /// Fail, if a process asks again and again instead.
    pub fn all_sleep(&mut self) -> Result<(), Unpassed> {
        self.come_to_rest("all processes sleep", u32::MAX)
    }

    /// Lets the run go on until nobody does anything, where so many calls that do nothing count as nothing.
    fn come_to_rest(&mut self, goal: &str, fruitless: u32) -> Result<(), Unpassed> {
        self.quiet = None;
        self.tracer.fruitless = 0;
        loop {
            self.pump()?;
            if self.tracer.fruitless > fruitless && self.tracer.only_pollers_go_on() {
                if !self.tracer.release_delayed()? {
                    return Ok(());
                }
                self.tracer.fruitless = 0;
            }
            match self.step()? {
                Step::Progress => {}
                Step::Halt(Halt::Over | Halt::Deadlock(_)) => return Ok(()),
                Step::Halt(halt) => return Err(self.explain(goal, halt)),
                Step::Quiet(ticks) if ticks > SETTLED_TICKS => return Ok(()),
                Step::Quiet(_) => {}
            }
        }
    }

    /// Sends a signal to the program's first process.
    ///
    /// # Errors
    /// Broken, if kill(2) fails; a program that has ended is a fail.
    pub fn signal(&mut self, program: Program, signal: i32) -> Result<(), Unpassed> {
        let process = self.tracer.process(self.running[program.0].process);
        if let Some(exit) = process.exit {
            let name = &self.running[program.0].name;
            let finding =
                Finding::new("exit", format!("{name} still runs"), format!("it has ended ({exit})"), "look at what ends it: see its standard error");
            return Err(finding.with(self.error_lines(program)).into());
        }
        if signal == libc::SIGKILL {
            return Ok(self.tracer.kill(process.id)?);
        }
        Ok(process::kill(process.pid, signal)?)
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

    /// What the program and its children have written to standard error so far.
    #[must_use]
    pub fn stderr(&self, program: Program) -> &[u8] {
        &self.running[program.0].errors.bytes
    }

    /// Gives the program more standard input.
    pub fn feed(&mut self, program: Program, bytes: &[u8]) {
        self.running[program.0].input.add(bytes);
    }

    /// Ends the program's standard input once all that was given is read.
    pub fn end_input(&mut self, program: Program) {
        self.running[program.0].input.end();
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
        let now = ipc::present(&self.tracer.proc, &self.sandbox.directory);
        let confined = self.sandbox.tier == Tier::Confined;
        now.difference(&self.before).filter(|left| !confined || self.is_of_this_run(left)).cloned().collect()
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

    /// The verdict of a check that found nothing wrong.
    ///
    /// # Errors
    /// Broken, if the trace is not whole; fail, if a fault that had to happen met no call.
    pub fn pass(&mut self) -> Verdict {
        self.look_whole()?;
        for (fault, fired) in &self.tracer.faults {
            if fault.must_fire && fired.fired == 0 && !fault.calls.is_empty() {
                let calls = fault.calls.iter().map(|call| call.word()).collect::<Vec<_>>().join(" or ");
                return Err(Finding::new("call", format!("the program calls {calls}"), "it never does", format!("see {calls}(2)")).into());
            }
        }
        Ok(Passed(()))
    }

    fn look_whole(&self) -> Result<(), Unpassed> {
        self.tracer.blind.as_ref().map_or(Ok(()), |reason| Err(Unpassed::Broken(reason.clone())))
    }

    /// Lets the run go on until `reached` gives a value.
    ///
    /// # Errors
    /// Fail, if it never will; broken, if the harness cannot go on.
    pub fn until<T>(&mut self, goal: &str, mut reached: impl FnMut(&mut Self) -> io::Result<Option<T>>) -> Result<T, Unpassed> {
        self.quiet = None;
        self.tracer.fruitless = 0;
        loop {
            if let Some(value) = reached(self)? {
                return Ok(value);
            }
            self.look_whole()?;
            if let Step::Halt(halt) = self.step()? {
                self.pump()?;
                // What was on its way when the run came to rest still counts.
                if let Some(value) = reached(self)? {
                    return Ok(value);
                }
                return Err(self.explain(goal, halt));
            }
        }
    }

    fn step(&mut self) -> Result<Step, Unpassed> {
        if self.tracer.is_over() {
            return Ok(Step::Halt(Halt::Over));
        }
        match process::wait(-1, true)? {
            Waited::Change(pid, change) => {
                self.tracer.handle(pid, change)?;
                if self.tracer.output_waits {
                    self.pump()?;
                }
                if self.tracer.fruitless > MOST_FRUITLESS && !self.tracer.holds_someone() && self.tracer.only_pollers_go_on() {
                    if !self.tracer.release_delayed()? {
                        return Ok(Step::Halt(Halt::Busy(self.busy_with_calls())));
                    }
                    self.tracer.fruitless = 0;
                }
                self.look_whole()?;
                Ok(Step::Progress)
            }
            Waited::Interrupted | Waited::Nothing => self.tick(),
            Waited::NoChild => Ok(Step::Halt(Halt::Over)),
        }
    }

    fn tick(&mut self) -> Result<Step, Unpassed> {
        let elapsed = process::ticks() - self.started_at;
        if elapsed > self.limits.wall_seconds * 1000 / TICK as u64 {
            return Ok(Step::Halt(Halt::TimeUp));
        }
        if elapsed.is_multiple_of(CPU_LOOK)
            && let Some(finding) = self.busy_computing()
        {
            return Ok(Step::Halt(Halt::Busy(finding)));
        }
        let moved = self.pump()?;
        if moved || self.tracer.activity != self.seen_activity {
            self.seen_activity = self.tracer.activity;
            self.quiet = None;
            return Ok(Step::Progress);
        }
        let (waiting, limited) = match self.tracer.rest() {
            Rest::Active => {
                self.quiet = None;
                return Ok(Step::Progress);
            }
            Rest::Limited(waiting) => (waiting, true),
            Rest::Waiting(waiting) => (waiting, false),
        };
        if self.quiet.as_ref() != Some(&waiting) {
            self.quiet = Some(waiting);
            self.quiet_ticks = 0;
            return Ok(Step::Progress);
        }
        self.quiet_ticks += 1;
        if (!limited || self.quiet_ticks > SETTLED_TICKS) && self.tracer.release_delayed()? {
            self.quiet = None;
            return Ok(Step::Progress);
        }
        Ok(if limited { Step::Quiet(self.quiet_ticks) } else { Step::Halt(Halt::Deadlock(waiting)) })
    }

    /// Moves standard input in and standard output and error out; `true` if anything moved.
    fn pump(&mut self) -> io::Result<bool> {
        self.tracer.output_waits = false;
        let mut moved = false;
        for running in &mut self.running {
            moved |= running.input.pump()? | running.output.pump()? | running.errors.pump()?;
        }
        Ok(moved)
    }

    fn busy_with_calls(&self) -> Finding {
        let mut calls: Vec<String> = Vec::new();
        let recent = self.tracer.events.iter().rev().take(100);
        for event in recent {
            let line = format!("{} calls {}", self.tracer.name(event.process), event.call.word());
            if !calls.contains(&line) {
                calls.push(line);
            }
        }
        calls.sort();
        Finding::new(
            "busy-waiting",
            "a process that has nothing to do waits in a call that blocks",
            format!("{MOST_FRUITLESS} calls in a row did nothing: they failed, moved no data, or found nothing"),
            "let the process sleep in the kernel until there is something to do, rather than ask again and again",
        )
        .with(calls)
    }

    fn busy_computing(&self) -> Option<Finding> {
        let limit = self.limits.cpu_seconds * 100;
        let process = self.tracer.processes.iter().find(|process| process.exit.is_none() && self.tracer.proc.cpu_ticks(process.pid) > limit)?;
        Some(Finding::new(
            "busy-waiting",
            "a process that has nothing to do waits in a call that blocks",
            format!("{} used {} seconds of CPU time", self.tracer.name(process.id), self.limits.cpu_seconds),
            "look for a loop that does not end, or that asks a variable again and again instead of waiting in the kernel",
        ))
    }

    fn explain(&mut self, goal: &str, halt: Halt) -> Unpassed {
        if let Some(reason) = &self.tracer.blind {
            return Unpassed::Broken(reason.clone());
        }
        match halt {
            Halt::Over => {
                let ends: Vec<String> = (0..self.running.len()).map(Program).flat_map(|program| self.end_lines(program)).collect();
                Finding::new("exit", goal, "all programs have ended", "look at where the program ends: see its standard error and its exit status")
                    .with(ends)
                    .into()
            }
            Halt::Deadlock(waiting) => {
                let lines = self.tracer.describe(&waiting);
                let one = waiting.len() == 1;
                let observed = if one {
                    "the only process left waits, and nothing can wake it"
                } else {
                    "deadlock: all processes wait, and nothing can wake them"
                };
                let next = next_step_for(&waiting);
                let labels = self.labels_of(&waiting);
                Finding::new("deadlock", goal, observed, next).with(lines).at(labels).into()
            }
            Halt::Busy(mut finding) => {
                finding.expected = format!("{goal}; {}", finding.expected);
                finding.at(self.labels_of_last_calls()).into()
            }
            Halt::TimeUp => {
                let lines = self.waiting_lines();
                let observed = format!("nothing came of it in {} seconds, and the processes neither end nor wait for ever", self.limits.wall_seconds);
                Finding::new("time", goal, observed, "look for a loop that sleeps and asks again, or for a time limit that is far too long")
                    .with(lines)
                    .into()
            }
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
}

/// Where to look when processes wait in these calls.
fn next_step_for(waiting: &[Waiting]) -> String {
    let calls: Vec<Call> = waiting.iter().filter_map(|one| one.call).map(|(number, _)| Call::from_number(number)).collect();
    let has = |call: Call| calls.contains(&call);
    let text = if has(Call::Read) {
        "a read returns 0 only when the last write end is closed: see who still holds one, and close it there before the read; pipe(7)"
    } else if has(Call::Open) {
        "open of a FIFO waits for the other end, unless it asks for O_NONBLOCK or for both directions; fifo(7)"
    } else if has(Call::Write) || has(Call::Send) {
        "the reader does not read: a pipe or socket holds only so much; let both sides go on at the same time; pipe(7)"
    } else if has(Call::Semop) {
        "someone must raise that semaphore: see which process should, and whether it did so before it ended or waited; semop(2)"
    } else if has(Call::Accept) || has(Call::Recv) || has(Call::Connect) {
        "see which side has to send, close or shut down next; tcp(7)"
    } else if has(Call::MqReceive) || has(Call::MqSend) {
        "see who has to send or receive next; mq_overview(7)"
    } else if has(Call::Sigsuspend) || has(Call::Pause) {
        "a signal that comes between the test and the wait is lost: block it first, then wait with sigsuspend; sigsuspend(2)"
    } else if calls.iter().any(|call| matches!(call, Call::Other(_)))
        && waiting.iter().any(|one| one.call.is_some_and(|(number, _)| name_of(number) == "futex"))
    {
        "see who must release the lock or post the semaphore; futex(7)"
    } else {
        "see which process should go on first, and what it waits for"
    };
    text.to_owned()
}

/// A program about to be started.
pub struct Start<'session> {
    session: &'session mut Session,
    name: String,
    called: Option<String>,
    arguments: Vec<Vec<u8>>,
    input: Option<Vec<u8>>,
}

impl Start<'_> {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into().into_bytes());
        self
    }

    /// Adds an argument that need not be UTF-8.
    #[must_use]
    pub fn arg_bytes(mut self, argument: impl Into<Vec<u8>>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.into().into_bytes()));
        self
    }

    /// What messages call it, where several programs of one name run: `the second reader`.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        self.called = Some(name.to_owned());
        self
    }

    /// Standard input: these bytes, then end-of-file. Without it standard input is at its end.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Standard input stays open: [`Session::feed`] and [`Session::end_input`] go on with it.
    #[must_use]
    pub fn open_stdin(mut self) -> Self {
        self.input = None;
        self
    }

    /// Starts the program and lets it go on until it executes.
    ///
    /// # Errors
    /// Broken, if it cannot be started.
    pub fn start(self) -> Result<Program, Unpassed> {
        let session = self.session;
        let place = session.names.iter().position(|name| *name == self.name);
        let place = place.ok_or_else(|| Unpassed::Broken(format!("the lab has no program `{}`", self.name)))?;
        let number = session.running.len();
        let text = |text: &[u8]| CString::new(text).map_err(|_| Unpassed::Broken("an argument with a NUL byte".into()));
        let (stdin, stdin_ours) = descriptor::pipe()?;
        let (stdout_ours, stdout) = descriptor::pipe()?;
        let (stderr_ours, stderr) = descriptor::pipe()?;
        session.note_standard(&stdin, "standard input")?;
        session.note_standard(&stdout, "standard output")?;
        session.note_standard(&stderr, "standard error")?;
        let launch = Launch {
            path: descriptor::c_path(&session.sandbox.programs[place])?,
            arguments: std::iter::once(self.name.as_bytes()).chain(self.arguments.iter().map(Vec::as_slice)).map(text).collect::<Result<_, _>>()?,
            environment: environment(&session.sandbox.directory)?,
            directory: descriptor::c_path(&session.sandbox.directory)?,
            stdio: [stdin, stdout, stderr],
            limits: resource_limits(&session.limits, session.sandbox.tier),
            filter: filter(&Stops::These(Call::named_numbers())),
            own_session: true,
        };
        let launched = process::launch(&launch)?;
        let process = session.tracer.follow(launched.pid, number, &self.name)?;
        if let Some(called) = &self.called {
            session.tracer.call(number, called);
        }
        launched.go()?;
        drop(launch);
        session.running.push(Running {
            name: self.called.unwrap_or(self.name),
            process,
            input: Input::new(stdin_ours, self.input)?,
            output: Output::new(stdout_ours, session.limits.output_bytes)?,
            errors: Output::new(stderr_ours, session.limits.output_bytes)?,
            taken: 0,
        });
        session.until("the program is executed", |session| {
            let process = session.tracer.process(process);
            Ok((process.executed || process.exit.is_some()).then_some(()))
        })?;
        if session.tracer.process(process).executed { Ok(Program(number)) } else { Err(session.not_executed(process)) }
    }
}

impl Session {
    fn not_executed(&self, process: ProcessId) -> Unpassed {
        let failed = self.tracer.events.iter().rfind(|event| event.process == process && event.call == Call::Exec).and_then(Event::errno);
        let reason = failed.map_or_else(|| "its set-up failed".into(), |errno| io::Error::from_raw_os_error(errno).to_string());
        Unpassed::Broken(format!("the program cannot be executed: {reason}"))
    }

    fn note_standard(&mut self, descriptor: &OwnedFd, name: &str) -> io::Result<()> {
        let status = descriptor::status_of(descriptor.as_fd())?;
        self.tracer.objects.add(crate::procfs::Identity { device: status.device, inode: status.inode }, Kind::Standard, name.to_owned());
        Ok(())
    }

    /// Whether the program was killed by this signal or ended by it in words, for expectations.
    #[must_use]
    pub fn exit_of(&self, program: Program) -> Option<Exit> {
        self.tracer.process(self.running[program.0].process).exit
    }

    /// The signals that the program's processes received, by name, in order.
    #[must_use]
    pub fn signals_of(&self, program: Program) -> Vec<String> {
        let of_it = |process: ProcessId| self.tracer.process(process).program == program.0;
        self.tracer.signals.iter().filter(|event| of_it(event.process)).map(|event| signal_name(event.signal)).collect()
    }
}

fn environment(directory: &Path) -> io::Result<Vec<CString>> {
    let home = format!("HOME={}", directory.display());
    ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", &home].iter().map(|text| CString::new(*text).map_err(io::Error::from)).collect()
}

fn resource_limits(limits: &Limits, tier: Tier) -> Vec<(libc::__rlimit_resource_t, u64)> {
    let mut resources = vec![
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NOFILE, 1024),
        (libc::RLIMIT_FSIZE, 256 << 20),
        (libc::RLIMIT_CPU, limits.cpu_seconds * 2),
        (libc::RLIMIT_STACK, 8 << 20),
        (libc::RLIMIT_DATA, 1 << 30),
    ];
    // Outside a user namespace this limit counts all processes of the user on the machine.
    if tier == Tier::Namespaces {
        resources.push((libc::RLIMIT_NPROC, limits.processes));
    }
    resources
}
