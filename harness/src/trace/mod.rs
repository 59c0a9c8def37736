//! The tracer: follows every process of a run at its system calls.
//!
//! Theory of operation: one thread is parent and tracer of all programs of a run. Each program is seized before it executes, with a seccomp filter that
//! stops it at the calls that matter; at such a stop the call is decoded, faults are carried out, and the process goes on to the call's exit, where its
//! result is taken down. Children are followed from birth. What the processes hold and where they wait is never reconstructed: [`Proc`] asks the kernel.
//!
//! Invariants: a tracee that is not held, not in a group-stop and not newly born is always resumed before the tracer waits again; an event is only ever
//! completed by the exit of the same call in the same task; whatever could not be observed sets [`Tracer::blind`], and a run with that set has no verdict.

mod calls;
pub mod choice;
mod datagram;
pub mod decode;
pub mod event;
mod inject;
mod lives;
pub mod memory;
pub mod native;
mod notes;
pub mod object;
mod overstep;
pub mod schedule;
mod telling;
pub mod time;
mod vector;
pub mod waiting;

use std::collections::{HashMap, HashSet};
use std::io;

use crate::fault::{Fault, Fired};
use crate::kernel::process::{self, Change, Pid};
use crate::kernel::ptrace::{self, Resume};
use crate::procfs::Proc;
use crate::source::{Locator, Snapshot};
use datagram::Datagrams;
use event::{Event, Exit, Moment, Process, ProcessId, SignalEvent, TableAtTransfer};
use memory::Memory;
use object::{ObjectId, Objects};
pub use overstep::Overstep;
use schedule::Schedule;
use time::Time;

/// Most calls of a run whose place in the source can be told.
const MOST_SNAPSHOTS: usize = 4096;

/// A task (thread) that is traced.
struct Task {
    process: ProcessId,
    /// When it was born: an order that does not depend on process ids.
    born: Moment,
    /// The event of the call that it is in.
    pending: Option<Pending>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Goes on by itself.
    Resumed,
    /// Stopped, until the schedule chooses it.
    Ready,
    /// Stopped by a signal such as SIGSTOP.
    GroupStop,
    /// Kept at a call's entry by this fault.
    Held(usize),
}

struct Pending {
    event: usize,
    /// The result that a fault puts in place of the kernel's.
    result: Option<i64>,
    /// An argument that a fault changed, and its true value.
    restore: Option<(usize, u64)>,
    /// Words of memory that a fault changed, by their addresses, and their true values.
    restore_words: Vec<(u64, u64)>,
    /// The faults that may hold the task when the call is done.
    afterwards: Vec<usize>,
    /// Why the process is taken back to before the call.
    back_up: Option<BackUp>,
    /// Whether the kernel told of a child that the call made.
    gave_birth: bool,
    /// Whether the schedule has let it begin.
    begun: bool,
    /// When its time is over, on the run's own clock.
    over_at: Option<i64>,
    /// Whether its time is over.
    timed_out: bool,
    /// Whether it sets an alarm that is kept in the kernel's place.
    keeps_alarm: bool,
}

/// Why a process is taken back to before a call that it was about to make.
#[derive(Debug, Clone, Copy)]
enum BackUp {
    /// This fault holds it there.
    Hold(usize),
    /// A signal came just before the call.
    Signal,
}

impl Pending {
    /// The call of this event, as the program made it.
    fn of(event: usize) -> Self {
        Self {
            event,
            result: None,
            restore: None,
            restore_words: Vec::new(),
            afterwards: Vec::new(),
            back_up: None,
            gave_birth: false,
            begun: false,
            over_at: None,
            timed_out: false,
            keeps_alarm: false,
        }
    }
}

/// How a run is traced.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether descriptors are resolved to objects and pointers decoded.
    pub decode: bool,
    /// Whether events are kept; without it only the last call of each task is known.
    pub keep_events: bool,
    /// Whether the bytes that are moved are kept.
    pub keep_data: bool,
    /// Most events.
    pub most_events: usize,
    /// Most processes over the whole run.
    pub most_processes: usize,
    /// Most bytes of mappings that no resource limit counts, and files in memory with them: in a run of its own, and not where a program runs where it stands.
    pub most_shared_memory: Option<u64>,
}

/// A call back for every finished call, for tools that print a trace.
pub type OnEvent = Box<dyn FnMut(&Process, &Event)>;

/// The tracer of one run.
pub struct Tracer {
    /// `/proc` of the tracer's own PID namespace.
    pub proc: Proc,
    /// Calls, in the order of their entries.
    pub events: Vec<Event>,
    /// Processes, in the order of their birth.
    pub processes: Vec<Process>,
    /// Objects that descriptors refer to.
    pub objects: Objects,
    /// Signals delivered.
    pub signals: Vec<SignalEvent>,
    /// Descriptors before first transfers.
    pub tables: Vec<TableAtTransfer>,
    /// Faults, with what came of them.
    pub faults: Vec<(Fault, Fired)>,
    /// Why the trace is not whole, if it is not.
    pub blind: Option<String>,
    /// What the machine does not offer and the run needs, if that is so.
    pub unsupported: Option<String>,
    /// What a process did that no program may do here, if one did: beyond a limit, or out of the tracer's sight.
    pub overstepped: Option<Overstep>,
    /// Clock ticks of CPU time that ended processes used, as far as the kernel told at their end.
    pub cpu_of_ended: u64,
    /// Grows with everything that happens.
    pub activity: u64,
    /// Calls in a row that did nothing: failed, moved nothing, found nothing.
    pub fruitless: u32,
    /// Whether something was written to a standard stream that nobody has taken yet.
    pub output_waits: bool,
    /// Tables of TCP connections in other networks than the tracer's own, where programs or peers are.
    pub connections_elsewhere: Vec<crate::procfs::Table>,
    /// Whether no program is in the tracer's own network: then nobody waits for what happens there.
    pub nobody_at_home: bool,
    /// Told of every finished call.
    pub on_event: Option<OnEvent>,
    schedule: Option<Schedule>,
    time: Option<Time>,
    memory: Memory,
    datagrams: Datagrams,
    snapshots: HashMap<usize, Snapshot>,
    locator: Locator,
    tasks: HashMap<Pid, Task>,
    by_pid: HashMap<Pid, ProcessId>,
    /// Children that stopped before their parents' word of them.
    early: HashSet<Pid>,
    /// Children that ended before their parents' word of them.
    gone_early: HashMap<Pid, Exit>,
    /// The tasks that made the fruitless calls.
    pollers: HashSet<Pid>,
    transferred: HashSet<(ProcessId, ObjectId, bool)>,
    timers: HashMap<ProcessId, bool>,
    names: Vec<String>,
    called: HashMap<usize, String>,
    clock: Moment,
    /// Bytes of transfers that events hold.
    kept_bytes: usize,
    /// How many descriptors were looked at before first transfers.
    looked_at_descriptors: usize,
    /// Memory files made, and bytes mapped where no resource limit counts them.
    memory_files: usize,
    uncounted_bytes: u64,
    /// Bytes that the queues hold which were to be made.
    queue_bytes: u64,
    options: Options,
}

impl Tracer {
    /// A tracer that follows nothing yet.
    pub fn new(proc: Proc, options: Options) -> Self {
        Self {
            proc,
            events: Vec::new(),
            processes: Vec::new(),
            objects: Objects::default(),
            signals: Vec::new(),
            tables: Vec::new(),
            faults: Vec::new(),
            blind: None,
            unsupported: None,
            overstepped: None,
            cpu_of_ended: 0,
            kept_bytes: 0,
            looked_at_descriptors: 0,
            memory_files: 0,
            uncounted_bytes: 0,
            queue_bytes: 0,
            activity: 0,
            fruitless: 0,
            output_waits: false,
            connections_elsewhere: Vec::new(),
            nobody_at_home: false,
            on_event: None,
            schedule: None,
            time: None,
            memory: Memory::default(),
            datagrams: Datagrams::default(),
            snapshots: HashMap::new(),
            locator: Locator::default(),
            tasks: HashMap::new(),
            by_pid: HashMap::new(),
            early: HashSet::new(),
            gone_early: HashMap::new(),
            pollers: HashSet::new(),
            transferred: HashSet::new(),
            timers: HashMap::new(),
            names: Vec::new(),
            called: HashMap::new(),
            clock: 0,
            options,
        }
    }

    /// Attaches to a program that waits to be executed.
    pub fn follow(&mut self, pid: Pid, program: usize, name: &str) -> io::Result<ProcessId> {
        ptrace::seize(pid)?;
        let inner = self.proc.process_of(pid)?.1;
        self.names.resize(self.names.len().max(program + 1), String::new());
        self.names[program] = name.to_owned();
        let id = self.add_process(pid, inner, program, None);
        let born = self.now();
        self.tasks.insert(pid, Task { process: id, born, pending: None, state: State::Resumed });
        self.memory.races.born(None, pid);
        Ok(id)
    }

    /// The executables of the run: what else its processes map is not read.
    pub fn read_only(&mut self, executables: &[std::path::PathBuf]) {
        self.locator.read_only(executables);
    }

    /// Gives a started program a name of its own for messages.
    pub fn call(&mut self, program: usize, name: &str) {
        self.called.insert(program, name.to_owned());
    }

    fn add_process(&mut self, pid: Pid, inner: Pid, program: usize, parent: Option<ProcessId>) -> ProcessId {
        let id = ProcessId(self.processes.len());
        self.processes.push(Process {
            id,
            pid,
            inner,
            program,
            parent,
            born_at: None,
            executed: parent.is_some(),
            exit: None,
            ended: None,
            reaped: false,
            unreaped: Vec::new(),
            maps_at_end: Vec::new(),
            descriptors_at_end: Vec::new(),
            descriptors_at_exec: None,
        });
        self.by_pid.insert(pid, id);
        if self.processes.len() > self.options.most_processes {
            let most = self.options.most_processes;
            self.overstep(
                "limit",
                format!("a run makes at most {most} processes"),
                "it made more",
                "look for a loop that forks without end, and at who calls fork in a child; fork(2)",
            );
        }
        id
    }

    /// Whether any traced task is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.tasks.is_empty()
    }

    /// All tasks in raw words, for reports of our own faults.
    #[must_use]
    pub fn raw_states(&self) -> Vec<String> {
        let mut states: Vec<String> = self
            .tasks
            .iter()
            .map(|(pid, task)| {
                let call = task.pending.as_ref().map_or_else(|| "no call".into(), |pending| self.events[pending.event].call.word());
                format!("{}: {:?} in {call}, {}", self.name(task.process), task.state, self.proc.raw_state(*pid))
            })
            .collect();
        states.extend(self.early.iter().map(|pid| format!("a child that nobody has announced: {}", self.proc.raw_state(*pid))));
        states.sort();
        states
    }

    /// Whether some task is stopped although it was let go: its stop was told and lost, and it would stand still for ever. To be asked when the kernel has
    /// nothing to tell.
    #[must_use]
    pub fn has_lost_a_stop(&self) -> bool {
        self.tasks.iter().any(|(pid, task)| task.state == State::Resumed && self.proc.is_stopped(*pid))
    }

    /// The process with this id.
    #[must_use]
    pub fn process(&self, id: ProcessId) -> &Process {
        &self.processes[id.0]
    }

    /// Kills a process. Who is killed is held no more, so that nobody counts as at rest before the kernel has told of its end.
    pub fn kill(&mut self, id: ProcessId) -> io::Result<()> {
        process::kill(self.process(id).pid, libc::SIGKILL)?;
        self.activity += 1;
        self.tasks.values_mut().filter(|task| task.process == id).for_each(|task| task.state = State::Resumed);
        Ok(())
    }

    fn now(&mut self) -> Moment {
        self.clock += 1;
        self.activity += 1;
        self.clock
    }

    /// Takes in what waitpid(2) told.
    pub fn handle(&mut self, pid: Pid, change: Change) -> io::Result<()> {
        let outcome = match change {
            Change::Exited(status) => {
                self.ended(pid, Exit::Status(status));
                Ok(())
            }
            Change::Killed(signal) => {
                self.ended(pid, Exit::Signal(signal));
                Ok(())
            }
            Change::Stopped { signal, event } => self.stopped(pid, signal, event),
        };
        match outcome {
            // A stopped process may be killed at any moment: its end is told next.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            outcome => outcome,
        }
    }

    fn stopped(&mut self, pid: Pid, signal: i32, event: i32) -> io::Result<()> {
        if !self.tasks.contains_key(&pid) {
            if event == libc::PTRACE_EVENT_EXIT {
                self.early.remove(&pid);
                return ptrace::resume(pid, Resume::Continue, 0);
            }
            // A child's first stop may come before its parent's word of it.
            self.early.insert(pid);
            self.adopt_orphans();
            return Ok(());
        }
        match event {
            0 if signal == libc::SIGTRAP | 0x80 => self.call_left(pid),
            0 => self.signalled(pid, signal),
            libc::PTRACE_EVENT_SECCOMP => self.call_entered(pid),
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => self.born(pid, event == libc::PTRACE_EVENT_VFORK),
            libc::PTRACE_EVENT_EXEC => self.executed(pid),
            libc::PTRACE_EVENT_EXIT => self.ending(pid),
            libc::PTRACE_EVENT_STOP if matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) => {
                self.activity += 1;
                self.set_state(pid, State::GroupStop);
                ptrace::resume(pid, Resume::Listen, 0)
            }
            _ => {
                self.set_state(pid, State::Resumed);
                self.resume(pid, 0)
            }
        }
    }

    fn set_state(&mut self, pid: Pid, state: State) {
        if let Some(task) = self.tasks.get_mut(&pid) {
            task.state = state;
        }
    }

    fn resume(&mut self, pid: Pid, signal: i32) -> io::Result<()> {
        let in_call = self.tasks.get(&pid).is_some_and(|task| task.pending.is_some());
        self.let_go(pid, if in_call { Resume::ToExit } else { Resume::Continue }, signal)
    }

    fn signalled(&mut self, pid: Pid, signal: i32) -> io::Result<()> {
        if signal == libc::SIGSEGV && self.stopped_before_access(pid)? {
            return Ok(());
        }
        self.deliver(pid, signal)
    }

    fn deliver(&mut self, pid: Pid, signal: i32) -> io::Result<()> {
        self.acquire_signal(pid, signal);
        let at = self.now();
        let process = self.tasks[&pid].process;
        self.signals.push(SignalEvent { at, process, signal });
        if signal == libc::SIGALRM {
            self.timers.insert(process, false);
        }
        self.fruitless = 0;
        self.resume(pid, signal)
    }

    fn tell(&mut self, event: usize) {
        if let Some(mut on_event) = self.on_event.take() {
            let event = &self.events[event];
            on_event(self.process(event.process), event);
            self.on_event = Some(on_event);
        }
    }
}
