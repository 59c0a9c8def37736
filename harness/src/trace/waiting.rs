//! Who waits for what: the test that everything rests on, and its answer in words.
//!
//! A task waits if the kernel saw it off the CPU in one unbroken sleep, in a call without a time limit. When all tasks wait, no timer is armed and no TCP
//! segment is under way, nothing inside the run can wake any of them. The letter in `/proc/PID/stat` alone would be wrong once in some hundred thousand
//! times, and a false deadlock is a false mark.

use super::event::{Detail, Event, ProcessId};
use super::object::{Kind, ObjectId};
use super::{State, Task, Tracer};
use crate::call::{Call, has_time_limit, name_of};
use crate::kernel::process::Pid;
use crate::kernel::ptrace::read_memory;
use crate::kernel::{ipc, message};
use crate::procfs::{Access, Activity, Table};

/// A task that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The task.
    pub(crate) pid: Pid,
    /// Its process.
    pub process: ProcessId,
    /// The call that it waits in; `None` for a process stopped by a signal.
    pub call: Option<(u64, [u64; 6])>,
}

/// What the tasks of a run are doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// At least one runs, or may be woken at any moment.
    Active,
    /// All sleep, at least one of them in a call with a time limit, or with a timer armed: they will go on by themselves.
    Limited(Vec<Waiting>),
    /// All wait, and nothing inside the run can wake them.
    Waiting(Vec<Waiting>),
}

impl Tracer {
    /// What the tasks are doing; those that a fault holds do not count.
    #[must_use]
    pub fn rest(&self) -> Rest {
        match self.asleep() {
            Rest::Active => Rest::Active,
            // Who sleeps may be woken by a segment that arrives while the tables of the connections are read, and those take longest: they are read for a
            // run that sleeps only, and what is not under way then can no longer wake anyone.
            _ if self.segments_under_way() => Rest::Active,
            _ => self.asleep(),
        }
    }

    /// What the tasks are doing, segments under way left out of account.
    fn asleep(&self) -> Rest {
        if !self.early.is_empty() {
            return Rest::Active;
        }
        let mut waiting = Vec::new();
        let mut limited = self.expects_an_alarm() || self.timers.iter().any(|(process, armed)| *armed && self.process(*process).exit.is_none());
        for (pid, task) in &self.tasks {
            let call = match task.state {
                State::Held(_) => continue,
                State::Ready => return Rest::Active,
                // Continued already, but not yet come to the stop that tells so.
                State::GroupStop if !self.proc.is_stopped(*pid) => return Rest::Active,
                State::GroupStop => None,
                State::Resumed => match self.proc.activity(*pid) {
                    Activity::Asleep { number, arguments } => {
                        limited |= has_time_limit(number, &arguments)
                            || ends_by_our_clock(task)
                            || self.is_limited_object(task.pending.as_ref().map(|pending| pending.event));
                        Some((number, arguments))
                    }
                    Activity::Running => return Rest::Active,
                    // A thread group's leader that ended before its threads stays as a zombie.
                    Activity::Gone if self.outlived(*pid, task) => continue,
                    Activity::Gone => return Rest::Active,
                },
            };
            waiting.push(Waiting { pid: *pid, process: task.process, call });
        }
        waiting.sort_by_key(|one| (one.process, one.pid));
        if limited { Rest::Limited(waiting) } else { Rest::Waiting(waiting) }
    }

    /// Whether all tasks but those that made the last fruitless calls wait for ever, or are held: then nobody will change what these ask for.
    #[must_use]
    pub fn only_pollers_go_on(&self) -> bool {
        let at_rest = |(pid, task): (&Pid, &Task)| match self.proc.activity(*pid) {
            _ if self.pollers.contains(pid) => true,
            _ if task.state == State::Ready => false,
            _ if task.state != State::Resumed => true,
            Activity::Asleep { number, arguments } => !has_time_limit(number, &arguments) && !ends_by_our_clock(task),
            Activity::Running => false,
            // As in `rest`: a leader that ended before its threads.
            Activity::Gone => self.outlived(*pid, task),
        };
        self.early.is_empty() && self.tasks.iter().all(at_rest)
    }

    /// Whether another thread of the same process lives on. Where all have ended, the kernel has yet to tell of it, and what waits for that may go on.
    pub(super) fn outlived(&self, pid: Pid, task: &Task) -> bool {
        self.tasks.iter().any(|(other, sibling)| *other != pid && sibling.process == task.process && self.proc.activity(*other) != Activity::Gone)
    }

    fn is_limited_object(&self, event: Option<usize>) -> bool {
        event.and_then(|event| self.events.get(event)?.object).is_some_and(|object| self.objects.get(object).has_time_limit)
    }

    /// Whether TCP has sent what is not acknowledged yet: the kernel's timers then still work for the run. A window that stays closed (timer 4) does not
    /// count: it opens only when somebody reads.
    fn segments_under_way(&self) -> bool {
        /// The bits of a socket's type beside its flags; socket(2).
        const TYPE: u64 = 0xf;
        let sockets = || self.events.iter().filter(|event| event.call == Call::Socket);
        let stream =
            |domain: i32| sockets().any(|event| event.arguments[0] as i32 == domain && event.arguments[1] & TYPE == libc::SOCK_STREAM as u64);
        let six = stream(libc::AF_INET6);
        // A peer of the check's own speaks IPv4 to a socket of either kind; and a packet socket, or a raw one, sees the connections of everyone.
        let sees_all = |event: &Event| event.arguments[0] as i32 == libc::AF_PACKET || event.arguments[1] & TYPE == libc::SOCK_RAW as u64;
        let four = six || stream(libc::AF_INET) || sockets().any(sees_all);
        let own = [("self/net/tcp", four), ("self/net/tcp6", six)]
            .into_iter()
            .filter(|(_, used)| *used && !self.nobody_at_home)
            .map(|(table, _)| self.proc.table(table));
        own.chain(self.connections_elsewhere.iter().map(Table::read)).any(|table| {
            let is_armed = |line: &str| line.split_whitespace().nth(5).is_some_and(|timer| timer.starts_with("01:"));
            table.unwrap_or_default().lines().skip(1).any(is_armed)
        })
    }

    /// What the descriptors refer to that a sleeping task's call was given or watches.
    pub fn awaited(&mut self, waiting: &Waiting) -> Vec<Kind> {
        let Some((number, arguments)) = waiting.call else { return Vec::new() };
        let numbers: Vec<i32> = match Call::from_number(number) {
            // `struct pollfd`: the descriptor and two masks of 16 bits; poll(2).
            Call::Poll => memory(waiting.pid, arguments[0], arguments[1].saturating_mul(8))
                .chunks_exact(8)
                .map(|entry| i32::from_ne_bytes([entry[0], entry[1], entry[2], entry[3]]))
                .collect(),
            Call::Select => (1..4)
                .filter(|set| arguments[*set] != 0)
                .flat_map(|set| members(&memory(waiting.pid, arguments[set], arguments[0].div_ceil(64) * 8), arguments[0]))
                .collect(),
            Call::EpollWait => {
                let info = self.proc.file(&format!("{}/fdinfo/{}", waiting.pid, arguments[0] as i32)).unwrap_or_default();
                info.lines().filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok()).collect()
            }
            call if call.takes_descriptor() => vec![arguments[0] as i32],
            _ => Vec::new(),
        };
        let objects: Vec<ObjectId> = numbers.into_iter().filter_map(|number| self.object_of(waiting.pid, number)).collect();
        objects.into_iter().map(|object| self.objects.get(object).kind).collect()
    }

    /// The processes that wait, in words, one line each, with who could wake them.
    pub fn describe(&mut self, waiting: &[Waiting]) -> Vec<String> {
        let mut lines: Vec<String> = waiting.iter().map(|one| self.describe_one(one)).collect();
        lines.dedup();
        lines
    }

    fn describe_one(&mut self, waiting: &Waiting) -> String {
        let name = self.name(waiting.process);
        let Some((number, arguments)) = waiting.call else { return format!("{name} is stopped by a signal and nobody continues it") };
        let call = Call::from_number(number);
        let word = if call == Call::Fork { "vfork".into() } else { call.word() };
        if call.takes_descriptor() {
            let descriptor = arguments[0] as i32;
            if let Some(object) = self.object_of(waiting.pid, descriptor) {
                return format!(
                    "{name} waits in {word} on descriptor {descriptor}, {}{}",
                    self.objects.get(object).name,
                    self.other_end(call, object)
                );
            }
            return format!("{name} waits in {word} on descriptor {descriptor}");
        }
        match call {
            Call::Open => format!("{name} waits in open of {} until another process opens its other end", self.pending_path(waiting.pid)),
            Call::Wait => {
                let alive: Vec<ProcessId> = self
                    .processes
                    .iter()
                    .filter(|child| child.parent == Some(waiting.process) && child.exit.is_none())
                    .map(|child| child.id)
                    .collect();
                let names: Vec<String> = alive.into_iter().map(|child| self.name(child)).collect();
                if names.is_empty() { format!("{name} waits in wait") } else { format!("{name} waits in wait for {}", names.join(" and ")) }
            }
            Call::Msgsnd => format!("{name} waits in msgsnd for room in a queue{}", fill(arguments[0] as i32)),
            Call::Msgrcv => format!("{name} waits in msgrcv for {}{}", wanted_type(arguments[3] as i64), fill(arguments[0] as i32)),
            Call::Semop => self.describe_semaphore(&name, waiting, arguments[0] as i32),
            Call::Pause | Call::Sigsuspend | Call::Sigwait => format!("{name} waits in {word} for a signal"),
            Call::Other(_) if name_of(number) == "futex" => format!("{name} waits in futex (a mutex, condition, semaphore or thread)"),
            _ => format!("{name} waits in {word}"),
        }
    }

    /// The event of the call that a task waits in.
    #[must_use]
    pub fn pending_event(&self, waiting: &Waiting) -> Option<usize> {
        self.tasks.get(&waiting.pid).and_then(|task| task.pending.as_ref()).map(|pending| pending.event)
    }

    fn pending_path(&self, pid: Pid) -> String {
        let event = self.tasks.get(&pid).and_then(|task| task.pending.as_ref()).and_then(|pending| self.events.get(pending.event));
        match event.map(|event| &event.detail) {
            Some(Detail::Path(path)) => format!("FIFO {}", path.rsplit('/').next().unwrap_or(path)),
            _ => "a FIFO".into(),
        }
    }

    fn describe_semaphore(&self, name: &str, waiting: &Waiting, set: i32) -> String {
        let event = self.tasks.get(&waiting.pid).and_then(|task| task.pending.as_ref()).and_then(|pending| self.events.get(pending.event));
        let wanted: Vec<String> = event
            .map(|event| event.operations())
            .unwrap_or_default()
            .iter()
            .filter(|operation| operation.change <= 0)
            .map(|operation| {
                let value = ipc::semaphore_value(set, i32::from(operation.number)).map_or_else(|_| "unknown".into(), |value| value.to_string());
                let until = if operation.change == 0 { "to become 0".to_owned() } else { format!("to be at least {}", -operation.change) };
                format!("semaphore {} {until} (it is {value})", operation.number)
            })
            .collect();
        format!("{name} waits in semop for {}", if wanted.is_empty() { "a semaphore".into() } else { wanted.join(" and ") })
    }

    /// The process that waits for an end of a pipe or FIFO that nobody but itself holds, with the pipe's name and the descriptor.
    #[must_use]
    pub fn waits_for_itself(&mut self, waiting: &Waiting) -> Option<(String, String, i32)> {
        let (number, arguments) = waiting.call?;
        let call = Call::from_number(number);
        let object = if call.takes_data() { self.object_of(waiting.pid, arguments[0] as i32)? } else { return None };
        let [(process, descriptor)] = self.holders(call, object)[..] else { return None };
        let kind = self.objects.get(object).kind;
        let itself = process == waiting.process && matches!(kind, Kind::Pipe | Kind::Fifo);
        itself.then(|| (self.name(process), self.objects.get(object).name.clone(), descriptor))
    }

    /// The live processes that hold the other end of a pipe or FIFO, each with the descriptor.
    fn holders(&self, call: Call, object: ObjectId) -> Vec<(ProcessId, i32)> {
        let needed: fn(Access) -> bool = if call.takes_data() { Access::writes } else { Access::reads };
        let alive = self.processes.iter().filter(|process| process.exit.is_none());
        let held_by = |process: &super::event::Process| {
            let descriptors = self.proc.descriptors(process.pid).unwrap_or_default();
            let of_it = descriptors.into_iter().filter(|held| self.objects.find(held.identity) == Some(object) && needed(held.access));
            of_it.map(|held| (process.id, held.number)).collect::<Vec<_>>()
        };
        alive.flat_map(held_by).collect()
    }

    /// Who holds the end of a pipe or FIFO that the waiting process needs.
    fn other_end(&self, call: Call, object: ObjectId) -> String {
        if !matches!(self.objects.get(object).kind, Kind::Pipe | Kind::Fifo) {
            return String::new();
        }
        let end = if call.takes_data() { "write" } else { "read" };
        let holders: Vec<String> =
            self.holders(call, object).into_iter().map(|(process, number)| format!("{} as descriptor {number}", self.name(process))).collect();
        if holders.is_empty() {
            format!("; no process of the run holds its {end} end")
        } else {
            format!("; its {end} end is held by {}", holders.join(" and "))
        }
    }
}

/// Whether a task's call ends by the run's own clock, whatever the kernel was told.
fn ends_by_our_clock(task: &Task) -> bool {
    task.pending.as_ref().is_some_and(|pending| pending.over_at.is_some())
}

/// Memory of a task, as much as can be read and no more than a table of all possible descriptors takes.
fn memory(pid: Pid, at: u64, length: u64) -> Vec<u8> {
    let mut buffer = vec![0; length.min(8 << 10) as usize];
    let read = read_memory(pid, at, &mut buffer).unwrap_or(0);
    buffer.truncate(read);
    buffer
}

/// The descriptors below `end` in a set of select(2).
fn members(set: &[u8], end: u64) -> Vec<i32> {
    (0..end.min(set.len() as u64 * 8)).filter(|number| set[(number / 8) as usize] >> (number % 8) & 1 == 1).map(|number| number as i32).collect()
}

/// The type of message that msgrcv(2) was asked for.
fn wanted_type(kind: i64) -> String {
    match kind {
        0 => "a message".into(),
        1.. => format!("a message of type {kind}"),
        _ => format!("a message of a type up to {}", kind.unsigned_abs()),
    }
}

/// How many messages a System V queue holds.
fn fill(queue: i32) -> String {
    match message::state(queue).map(|state| state.messages) {
        Ok(0) => " (the queue is empty)".into(),
        Ok(1) => " (the queue holds one message)".into(),
        Ok(messages) => format!(" (the queue holds {messages} messages)"),
        Err(_) => String::new(),
    }
}
