//! The tracer: follows every process of a run at its system calls.
//!
//! Theory of operation: one thread is parent and tracer of all programs of a run. Each program is seized before it executes, with a seccomp filter that
//! stops it at the calls that matter; at such a stop the call is decoded, faults are carried out, and the process goes on to the call's exit, where its
//! result is taken down. Children are followed from birth. What the processes hold and where they wait is never reconstructed: [`Proc`] asks the kernel.
//!
//! Invariants: a tracee that is not held, not in a group-stop and not newly born is always resumed before the tracer waits again; an event is only ever
//! completed by the exit of the same call in the same task; whatever could not be observed sets [`Tracer::blind`], and a run with that set has no verdict.

pub mod decode;
pub mod event;
mod inject;
pub mod memory;
pub mod native;
mod notes;
pub mod object;
pub mod schedule;
mod telling;
mod vector;
pub mod waiting;

use std::collections::{HashMap, HashSet};
use std::io;

use crate::call::Call;
use crate::fault::{Fault, Fired};
use crate::kernel::arch::{AUDIT_ARCH, Registers};
use crate::kernel::process::{self, Change, Pid};
use crate::kernel::ptrace::{self, CallStop, Resume};
use crate::procfs::Proc;
use crate::source::{Locator, MOST_STACK, Snapshot};
use event::{Detail, Event, Exit, Moment, Process, ProcessId, SignalEvent, TableAtTransfer};
use memory::Memory;
use object::{ObjectId, Objects};
use schedule::Schedule;

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
    /// The fault that holds the task when the call is done.
    held_afterwards: Option<usize>,
    /// Why the process is taken back to before the call.
    back_up: Option<BackUp>,
    /// Whether the schedule has let it begin.
    begun: bool,
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
        Self { event, result: None, restore: None, restore_words: Vec::new(), held_afterwards: None, back_up: None, begun: false }
    }
}

/// How a run is traced.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether descriptors are resolved to objects and pointers decoded.
    pub decode: bool,
    /// Whether events are kept; without it only the last call of each task is known.
    pub keep_events: bool,
    /// Most events.
    pub most_events: usize,
    /// Most processes over the whole run.
    pub most_processes: usize,
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
    /// Grows with everything that happens.
    pub activity: u64,
    /// Calls in a row that did nothing: failed, moved nothing, found nothing.
    pub fruitless: u32,
    /// Whether something was written to a standard stream that nobody has taken yet.
    pub output_waits: bool,
    /// Tables of TCP connections in other networks than the tracer's own, where programs or peers are.
    pub connections_elsewhere: Vec<crate::procfs::Table>,
    /// Told of every finished call.
    pub on_event: Option<OnEvent>,
    schedule: Option<Schedule>,
    memory: Memory,
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
    options: Options,
}

/// ERESTARTNOHAND of `linux/errno.h`: where no handler runs, the kernel makes the call again.
const AGAIN_WITHOUT_HANDLER: i64 = -514;
/// The result of a call that was not carried out and is made again: ERESTARTNOINTR.
const MADE_AGAIN: i64 = -513;

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
            activity: 0,
            fruitless: 0,
            output_waits: false,
            connections_elsewhere: Vec::new(),
            on_event: None,
            schedule: None,
            memory: Memory::default(),
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
            self.blind.get_or_insert_with(|| format!("more than {} processes in one run", self.options.most_processes));
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

    fn ended(&mut self, pid: Pid, exit: Exit) {
        let now = self.now();
        self.early.remove(&pid);
        if !self.tasks.contains_key(&pid) && self.tasks.values().any(|task| self.makes_process(task)) {
            self.gone_early.insert(pid, exit);
        }
        if let Some(id) = self.by_pid.remove(&pid) {
            self.set_ended(id, exit, now);
            // Of a process that was killed at once there was no stop at its end.
            self.forget_tasks(|_, task| task.process == id);
        }
        self.forget_tasks(|task, _| task == pid);
        self.adopt_orphans();
    }

    fn set_ended(&mut self, id: ProcessId, exit: Exit, now: Moment) {
        let process = &mut self.processes[id.0];
        process.exit = Some(exit);
        process.ended = Some(now);
        self.output_waits = true;
    }

    /// Forgets tasks that are gone, wherever they are known.
    fn forget_tasks(&mut self, is_gone: impl Fn(Pid, &Task) -> bool) {
        let gone: Vec<Pid> = self.tasks.iter().filter(|(pid, task)| is_gone(**pid, task)).map(|(pid, _)| *pid).collect();
        for pid in gone {
            self.tasks.remove(&pid);
            self.unschedule(pid);
            self.forget_task_memory(pid);
        }
    }

    /// Whether a task is in a call that makes a process or thread.
    fn makes_process(&self, task: &Task) -> bool {
        task.pending.as_ref().is_some_and(|pending| self.events[pending.event].call == Call::Fork)
    }

    /// A process that is killed while it makes a child does not tell of it any more. Once nobody is left who could, a child that has stopped is taken in as
    /// that of the program's first process.
    fn adopt_orphans(&mut self) {
        if self.early.is_empty() || self.tasks.values().any(|task| self.makes_process(task)) {
            return;
        }
        for child in std::mem::take(&mut self.early) {
            let born = self.now();
            let parent = self.processes.iter().rfind(|process| process.exit.is_some()).map(|process| process.id);
            let program = parent.map_or(0, |parent| self.process(parent).program);
            let inner = self.proc.process_of(child).map_or(child, |(_, inner)| inner);
            let process = self.add_process(child, inner, program, parent);
            if let Some(parent) = parent {
                self.inherit_memory(parent, process, false);
            }
            self.tasks.insert(child, Task { process, born, pending: None, state: State::Resumed });
            self.memory.races.born(None, child);
            // It may be killed at this very moment: then its end is told next.
            let _ = self.let_go(child, Resume::Continue, 0);
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

    fn born(&mut self, parent: Pid, shares_memory: bool) -> io::Result<()> {
        let born = self.now();
        let child = Pid::try_from(ptrace::event_message(parent)?).unwrap_or(0);
        let parent_id = self.tasks[&parent].process;
        // A child that is dead already has no status file; then it is a process of its own that nobody will see move.
        let (process_pid, inner) = self.proc.process_of(child).unwrap_or((child, child));
        let process = if process_pid == child {
            let program = self.process(parent_id).program;
            let born_at = self.tasks[&parent].pending.as_ref().map(|pending| pending.event);
            let id = self.add_process(child, inner, program, Some(parent_id));
            self.processes[id.0].born_at = born_at;
            self.inherit_memory(parent_id, id, shares_memory);
            id
        } else {
            parent_id
        };
        self.fruitless = 0;
        self.memory.races.born(Some(parent), child);
        if let Some(exit) = self.gone_early.remove(&child) {
            if self.by_pid.remove(&child).is_some() {
                self.set_ended(process, exit, born);
            }
            return self.resume(parent, 0);
        }
        self.tasks.insert(child, Task { process, born, pending: None, state: State::Resumed });
        if self.early.remove(&child) {
            // It may have been killed meanwhile; its parent goes on all the same.
            match self.let_go(child, Resume::Continue, 0) {
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                result => result?,
            }
        }
        self.resume(parent, 0)
    }

    fn executed(&mut self, pid: Pid) -> io::Result<()> {
        self.now();
        // A thread that executes takes over the leader's id, and all other threads are gone.
        let former = Pid::try_from(ptrace::event_message(pid)?).unwrap_or(pid);
        if former != pid
            && let Some(task) = self.tasks.remove(&former)
        {
            self.unschedule(former);
            self.unschedule(pid);
            self.forget_task_memory(former);
            self.tasks.insert(pid, task);
        }
        let id = self.tasks[&pid].process;
        self.forget_tasks(|other, task| task.process == id && other != pid);
        self.processes[id.0].executed = true;
        self.note_table_at_exec(id);
        self.forget_memory(id);
        self.fruitless = 0;
        self.resume(pid, 0)
    }

    /// The stop at a task's end, while the process still has its descriptors and children.
    fn ending(&mut self, pid: Pid) -> io::Result<()> {
        self.now();
        self.release_end(pid);
        let id = self.tasks[&pid].process;
        if self.process(id).pid == pid && self.process(id).executed {
            self.processes[id.0].unreaped = self.children_not_waited_for(id);
            if self.options.decode {
                self.processes[id.0].descriptors_at_end = self.proc.descriptors(pid).unwrap_or_default();
                self.processes[id.0].maps_at_end = self.executable_mappings(pid);
            }
        }
        if let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.take()) {
            self.tell(pending.event); // exit_group(2), and calls that death cut short
        }
        ptrace::resume(pid, Resume::Continue, 0)
    }

    fn tell(&mut self, event: usize) {
        if let Some(mut on_event) = self.on_event.take() {
            let event = &self.events[event];
            on_event(self.process(event.process), event);
            self.on_event = Some(on_event);
        }
    }

    fn children_not_waited_for(&self, id: ProcessId) -> Vec<ProcessId> {
        let parent = self.process(id);
        if self.proc.ignores(parent.pid, libc::SIGCHLD) {
            return Vec::new(); // wait(2), NOTES: such children are never zombies.
        }
        let not_waited_for = |child: &&Process| child.parent == Some(id) && !child.reaped;
        let gone = |child: &Process| child.ended.is_some() && self.proc.process_of(child.pid).is_err();
        self.processes.iter().filter(not_waited_for).filter(|child| !gone(child)).map(|child| child.id).collect()
    }

    fn call_entered(&mut self, pid: Pid) -> io::Result<()> {
        let CallStop::Entry { architecture, number, arguments } = ptrace::call_stop(pid)? else {
            return self.was_killed_meanwhile(pid, "a stop at a call's entry that the kernel does not describe");
        };
        if self.opens_memory_first(pid, number, &arguments)? {
            return Ok(());
        }
        let entered = self.now();
        let process = self.tasks[&pid].process;
        if architecture != AUDIT_ARCH || number & 0x4000_0000 != 0 {
            self.blind.get_or_insert_with(|| "the program made a system call of a foreign ABI (32-bit or x32), which cannot be followed".into());
            return process::kill(pid, libc::SIGKILL);
        }
        let call = Call::from_number(number);
        let decode = self.options.decode && self.process(process).executed;
        let object = if decode && call.takes_descriptor() { self.object_of(pid, arguments[0] as i32) } else { None };
        let detail = if decode { decode::at_entry(pid, call, number, &arguments) } else { Detail::None };
        let control = if decode { decode::control_at_entry(pid, number, &arguments) } else { None };
        let index = self.events.len();
        let event = Event {
            entered,
            entered_at: std::time::SystemTime::now(),
            left: None,
            process,
            task: pid,
            call,
            number,
            arguments,
            result: None,
            object,
            injected: false,
            injected_by: None,
            detail,
            control,
        };
        self.events.push(event);
        if self.events.len() > self.options.most_events {
            self.blind.get_or_insert_with(|| format!("more than {} calls in one run", self.options.most_events));
        }
        if let Some(object) = object {
            self.note_table(pid, index, call, object);
        }
        if decode && self.snapshots.len() < MOST_SNAPSHOTS {
            self.snapshots.insert(index, telling::snapshot(pid, &Registers::get(pid)?, MOST_STACK));
        }
        self.tasks.entry(pid).and_modify(|task| task.pending = Some(Pending::of(index)));
        self.note_call(number);
        self.hand_on(pid, index);
        if self.is_scheduled() && call == Call::Sleep && self.process(process).executed {
            // Time orders nothing: whoever relies on it is found out.
            Registers::get(pid)?.set_call(pid, -1)?;
            self.tasks.entry(pid).and_modify(|task| task.pending.iter_mut().for_each(|pending| pending.result = Some(0)));
        }
        if self.carry_out_faults(pid, index)? { Ok(()) } else { self.resume(pid, 0) }
    }

    /// A stop that turned into another one before it was looked at: that of a process's end, or else the trace is not whole.
    fn was_killed_meanwhile(&mut self, pid: Pid, otherwise: &str) -> io::Result<()> {
        if let process::Waited::Change(_, change) = process::wait(pid, false)? {
            return self.handle(pid, change);
        }
        self.blind.get_or_insert_with(|| otherwise.into());
        self.resume(pid, 0)
    }

    fn call_left(&mut self, pid: Pid) -> io::Result<()> {
        if self.has_opened_memory(pid)? {
            return Ok(());
        }
        let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.take()) else { return self.resume(pid, 0) };
        let CallStop::Exit { mut result } = ptrace::call_stop(pid)? else {
            return self.was_killed_meanwhile(pid, "a stop at a call's exit that the kernel does not describe");
        };
        for (address, word) in &pending.restore_words {
            ptrace::poke(pid, *address, *word)?;
        }
        if let Some(reason) = pending.back_up {
            let event = &mut self.events[pending.event];
            event.result = Some(MADE_AGAIN);
            let mut registers = Registers::get(pid)?;
            registers.back_up(event.number, event.arguments[0]);
            registers.set(pid)?;
            self.now();
            return match reason {
                BackUp::Hold(fault) => {
                    self.set_state(pid, State::Held(fault));
                    Ok(())
                }
                BackUp::Signal => self.resume(pid, 0),
            };
        }
        if pending.result.is_some() || pending.restore.is_some() {
            let mut registers = Registers::get(pid)?;
            if let Some(injected) = pending.result {
                registers.set_result(injected);
                result = injected;
            }
            if let Some((argument, value)) = pending.restore {
                registers.set_argument(argument, value);
            }
            registers.set(pid)?;
        }
        if result == -i64::from(libc::EINTR) && pending.result.is_none() && self.proc.only_ignored_signals_wait(pid) {
            // Traced, a process is woken even by a SIGCHLD that it ignores, and semop, epoll_wait and their like then fail with EINTR, which without a
            // tracer they would not. The kernel makes the call again, unless a handler runs after all.
            let mut registers = Registers::get(pid)?;
            registers.set_result(AGAIN_WITHOUT_HANDLER);
            registers.set(pid)?;
            result = AGAIN_WITHOUT_HANDLER;
        }
        let left = self.now();
        let event = &mut self.events[pending.event];
        event.left = Some(left);
        event.result = Some(result);
        if self.options.decode && self.processes[event.process.0].executed {
            let before = std::mem::replace(&mut event.detail, Detail::None);
            event.detail = decode::at_exit(pid, event.call, &event.arguments, event.number, result, before);
            self.take_note(pid, pending.event);
            self.after_scheduled_call(pid, pending.event)?;
        }
        self.tell(pending.event);
        if !self.options.keep_events {
            self.forget_events();
        }
        // A call that the kernel makes again is not done yet; a fault that was released meanwhile has no calls any more.
        let done = result > -512;
        if let Some(number) = pending.held_afterwards.filter(|number| done && !self.faults[*number].0.calls.is_empty()) {
            self.set_state(pid, State::Held(number));
            return Ok(());
        }
        self.resume(pid, 0)
    }

    /// Drops finished events once there are many, when nobody will look at them.
    fn forget_events(&mut self) {
        const MANY: usize = 4096;
        if self.events.len() < MANY || self.tasks.values().any(|task| task.pending.is_some()) {
            return;
        }
        self.events.clear();
    }
}
