//! Carrying out faults: at which call, and what is done there.

use std::io;

use super::event::Event;
use super::object::Kind;
use super::vector::{Count, Cut, Vector};
use super::{BackUp, Pending, State, Task, Tracer};
use crate::call::Call;
use crate::fault::{Action, Fault, When, Who};
use crate::kernel::arch::Registers;
use crate::kernel::process::{self, Pid};
use crate::kernel::ptrace;

impl Tracer {
    /// Whether some task is held until the check releases it.
    #[must_use]
    pub fn holds_someone(&self) -> bool {
        let until_released = |fault: usize| matches!(self.faults[fault].0.action, Action::Hold | Action::HoldBefore);
        self.tasks.values().any(|task| matches!(task.state, State::Held(fault) if until_released(fault)))
    }

    /// Lets the first task go on that was only delayed; `false` if there is none.
    pub fn release_delayed(&mut self) -> io::Result<bool> {
        let delayed = |task: &Task| matches!(task.state, State::Held(fault) if self.faults[fault].0.action == Action::Delay);
        let first = self.tasks.iter().filter(|(_, task)| delayed(task)).map(|(pid, task)| (task.process, *pid)).min();
        let Some((_, pid)) = first else { return Ok(false) };
        self.release_task(pid)?;
        Ok(true)
    }

    fn release_task(&mut self, pid: Pid) -> io::Result<()> {
        self.activity += 1;
        self.set_state(pid, State::Resumed);
        self.resume(pid, 0)
    }

    /// Whether a task is held by this fault, or a datagram kept.
    #[must_use]
    pub fn is_held_by(&self, fault: usize) -> bool {
        self.tasks.values().any(|task| task.state == State::Held(fault)) || self.keeps_datagram(fault)
    }

    /// Lets the tasks go on that this fault holds, and the datagrams arrive.
    pub fn release(&mut self, fault: usize) -> io::Result<()> {
        self.release_datagrams(fault);
        let held: Vec<Pid> = self.tasks.iter().filter(|(_, task)| task.state == State::Held(fault)).map(|(pid, _)| *pid).collect();
        held.into_iter().try_for_each(|pid| self.release_task(pid))
    }

    /// Carries out the faults that match this call; `true` if the task is not to be resumed.
    pub(super) fn carry_out_faults(&mut self, pid: Pid, index: usize) -> io::Result<bool> {
        let matching = (0..self.faults.len()).filter(|number| self.matches(&self.faults[*number].0, &self.events[index]));
        // What is to happen after the call is noted before a fault may keep the task at its entry, and counted when the call is done: of processes that
        // ask for one lock, the first is the one that gets it.
        let (afterwards, before): (Vec<_>, Vec<_>) = matching.partition(|number| self.faults[*number].0.afterwards);
        if let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.as_mut()) {
            pending.afterwards = afterwards;
        }
        for number in before {
            if self.is_to_be_overtaken(number) {
                self.overtake(pid, number);
                self.faults[number].1.matched += 1;
                continue;
            }
            if !self.is_due(number, index) {
                continue;
            }
            let action = self.faults[number].0.action;
            let (call, arguments) = (self.events[index].number, self.events[index].arguments);
            if let Action::Datagram(fate) = action {
                self.keep_from_arriving(pid, index, number, fate)?;
                continue;
            }
            let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.as_mut()) else { continue };
            match action {
                Action::Datagram(_) => {}
                Action::Fail(errno) => {
                    Registers::get(pid)?.set_call(pid, -1)?;
                    pending.result = Some(-i64::from(errno));
                }
                Action::FailAfter(errno) => pending.result = Some(-i64::from(errno)),
                Action::Shorten(bytes) if has_plain_length(call) => {
                    set_argument(pid, 2, bytes)?;
                    pending.restore = Some((2, arguments[2]));
                }
                // What another fault has cut already is not the program's vector any more.
                Action::Shorten(_) if !pending.restore_words.is_empty() => {}
                Action::Shorten(bytes) => {
                    if let Some(cut) = Vector::of(pid, call, &arguments).and_then(|vector| vector.cut_to(bytes)) {
                        cut_vector(pid, &cut, pending)?;
                    }
                }
                Action::Kill => {
                    process::kill(pid, libc::SIGKILL)?;
                    return Ok(true);
                }
                Action::Signal(signal) => process::kill(self.processes[self.events[index].process.0].pid, signal)?,
                Action::ExitWith(status) => {
                    set_argument(pid, 0, u64::from(status))?;
                }
                Action::HoldBefore => {
                    Registers::get(pid)?.set_call(pid, -1)?;
                    pending.back_up = Some(BackUp::Hold(number));
                }
                Action::Hold | Action::Delay => {
                    self.set_state(pid, State::Held(number));
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Counts a call that matches a fault; whether the fault is carried out at this one.
    fn is_due(&mut self, number: usize, index: usize) -> bool {
        let (fault, fired) = &mut self.faults[number];
        fired.matched += 1;
        let due = match fault.when {
            When::Nth(n) => fired.matched == n,
            When::Every => true,
            When::Alternately => fired.matched % 2 == 1,
        };
        if due {
            fired.fired += 1;
            self.events[index].injected = true;
            self.events[index].injected_by = Some(number);
        }
        due
    }

    /// The fault that holds a task now that its call is done. One that was released meanwhile has no calls any more.
    pub(super) fn holds_afterwards(&mut self, pending: &Pending) -> Option<usize> {
        let armed: Vec<usize> = pending.afterwards.iter().copied().filter(|number| !self.faults[*number].0.calls.is_empty()).collect();
        armed.into_iter().filter(|number| self.is_due(*number, pending.event)).last()
    }

    fn matches(&self, fault: &Fault, event: &Event) -> bool {
        let process = self.process(event.process);
        if !process.executed || !fault.calls.contains(&event.call) {
            return false;
        }
        // What is armed for fork is for a new process: how many threads a program starts is its own affair.
        if event.makes_thread() {
            return false;
        }
        if let Some((of, kind)) = fault.site {
            return of == event.process && kind == event.object.map(|object| self.objects.get(object).kind);
        }
        let who = match fault.who {
            Who::Anyone => true,
            Who::Parent => process.parent.is_none(),
            Who::Children => process.parent.is_some(),
        };
        let program =
            fault.program.as_ref().is_none_or(|name| self.names[process.program] == *name) && fault.of.is_none_or(|number| process.program == number);
        let argument = fault.argument.is_none_or(|(index, mask, value)| event.arguments[index] & mask == value);
        let named = fault.named.is_none_or(|name| event.object.is_some_and(|object| self.objects.get(object).name == name));
        let kind = event.object.map(|object| self.objects.get(object).kind);
        let object = match (&fault.on, kind) {
            _ if fault.on_anything => true,
            (Some(kinds), Some(kind)) => kinds.contains(&kind),
            (Some(kinds), None) => self.kind_to_open(process.pid, event).is_some_and(|kind| kinds.contains(&kind)),
            (None, Some(kind)) => kind.is_between_processes(),
            // The loader and the runtime open and read files of their own.
            (None, None) => !matches!(event.call, Call::Read | Call::Write) && (event.call != Call::Open || is_path_of_the_run(event)),
        };
        let is_longer_than = |bytes: u64| length_of_transfer(event).is_some_and(|length| length > bytes);
        let long_enough = fault.longer_than == 0 || is_longer_than(fault.longer_than);
        // Who only peeks would get the same few bytes again and again.
        let can_shorten = !matches!(fault.action, Action::Shorten(bytes) if !is_longer_than(bytes) || only_peeks(event));
        let is_sent = !matches!(fault.action, Action::Datagram(_)) || self.sends_datagram(event);
        who && named && program && argument && object && long_enough && can_shorten && is_sent
    }

    /// The kind of what a call that is entered will open, if that exists.
    fn kind_to_open(&self, pid: Pid, event: &Event) -> Option<Kind> {
        if event.call != Call::Open {
            return None;
        }
        let relative = matches!(&*crate::call::name_of(event.number), "openat" | "openat2");
        let directory = Some(event.arguments[0] as i32).filter(|directory| relative && *directory != libc::AT_FDCWD);
        self.proc.type_at(pid, directory, event.path()?).ok().map(Kind::of_named)
    }
}

/// Whether a path is the run's own: below its working directory, not the system's.
pub(super) fn is_path_of_the_run(event: &Event) -> bool {
    event.path().is_some_and(|path| {
        !["/usr", "/lib", "/etc", "/proc", "/sys", "/dev/null", "/dev/urandom", "/bin"].iter().any(|system| path.starts_with(system))
    })
}

fn set_argument(pid: Pid, index: usize, value: u64) -> io::Result<()> {
    let mut registers = Registers::get(pid)?;
    registers.set_argument(index, value);
    registers.set(pid)
}

/// Cuts the vector of a call at its entry, and notes what is to be put back at its exit.
fn cut_vector(pid: Pid, cut: &Cut, pending: &mut Pending) -> io::Result<()> {
    let (place, count, fewer) = cut.count;
    match place {
        Count::Argument => {
            set_argument(pid, 2, fewer)?;
            pending.restore = Some((2, count));
        }
        Count::Memory(address) => {
            ptrace::poke(pid, address, fewer)?;
            pending.restore_words.push((address, count));
        }
    }
    let (address, length, shorter) = cut.last;
    ptrace::poke(pid, address, shorter)?;
    pending.restore_words.push((address, length));
    Ok(())
}

/// How many bytes a call that is entered moves at most, if that can be told.
fn length_of_transfer(event: &Event) -> Option<u64> {
    if has_plain_length(event.number) {
        return Some(event.arguments[2]);
    }
    Vector::of(event.task, event.number, &event.arguments).map(|vector| vector.length())
}

/// Whether a call leaves what it receives where it is; recv(2), MSG_PEEK.
fn only_peeks(event: &Event) -> bool {
    let flags = match &*crate::call::name_of(event.number) {
        "recvfrom" => event.arguments[3],
        "recvmsg" => event.arguments[2],
        _ => 0,
    };
    flags as i32 & libc::MSG_PEEK != 0
}

/// Whether the call's third argument is the number of bytes to move.
fn has_plain_length(number: u64) -> bool {
    matches!(&*crate::call::name_of(number), "read" | "write" | "pread64" | "pwrite64" | "sendto" | "recvfrom")
}
