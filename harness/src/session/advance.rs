//! Going on: letting the processes run until a condition holds, or never can.

use std::io;

use super::{CPU_LOOK, Halt, LONG_STILL, MOST_FRUITLESS, MOST_IN_A_ROW, POLLERS_LOOK, Program, SETTLED_TICKS, Session, Step, TICK};
use crate::call::{Call, name_of};
use crate::finding::Finding;
use crate::kernel::process::{self, Change, Pid, Waited};
use crate::sandbox::group::Memory;
use crate::trace::schedule::GoOn;
use crate::trace::time::Jump;
use crate::trace::waiting::{Rest, Waiting};
use crate::verdict::Unpassed;

/// How much more CPU time all processes of a run may use together than one of them.
const ALL_TO_ONE: u64 = 2;
/// How much longer than its time limit a run may last in which calls are made all the time: their number has a limit of its own.
const BUSY_TO_ASLEEP: u64 = 4;
/// Milliseconds after which a run ends whatever it does, unless its limit is higher: before the check is given up as a whole.
const LONGEST: u64 = 80_000;

impl Session {
    pub(super) fn look_whole(&self) -> Result<(), Unpassed> {
        if let Some(overstep) = &self.tracer.overstepped {
            return Err(overstep.finding().into());
        }
        if let Some(reason) = &self.tracer.unsupported {
            return Err(Unpassed::Skipped(reason.clone()));
        }
        self.tracer.blind.as_ref().map_or(Ok(()), |reason| Err(Unpassed::Broken(reason.clone())))
    }

    /// Takes down whether the run came to the end of its memory. Who wants more is killed, or is refused it.
    pub(super) fn look_at_memory(&mut self) -> io::Result<()> {
        match self.group.as_ref().map_or(Ok(Memory::Enough), |group| group.memory())? {
            Memory::Enough => {}
            Memory::Limit => self.tracer.overstep(
                "limit",
                format!("all processes of a run together have at most {} MiB of memory", self.limits.memory_mib),
                "they wanted more, and the kernel killed one of them",
                "look for memory that is taken in a loop and not given back, in all processes together: what pipes, files in /tmp and /dev/shm and queues hold counts too",
            ),
            Memory::Machine => {
                self.tracer.blind.get_or_insert_with(|| "the machine had no memory left, and the kernel killed a process of the run".into());
            }
        }
        Ok(())
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
            match self.step()? {
                Step::Progress => {}
                Step::Quiet(_) => self.jump()?,
                Step::Halt(halt) => {
                    self.pump()?;
                    // What was on its way when the run came to rest still counts.
                    if let Some(value) = reached(self)? {
                        return Ok(value);
                    }
                    if !matches!(halt, Halt::TimeUp) && self.tracer.let_datagram_arrive() {
                        self.quiet = None;
                        continue;
                    }
                    return Err(self.explain(goal, halt));
                }
            }
        }
    }

    /// Everyone sleeps, and someone for a limited time: where time may jump, the next of these limits is over now.
    pub(super) fn jump(&mut self) -> Result<(), Unpassed> {
        if self.tracer.has_own_time() && (self.tracer.release_delayed()? || self.tracer.jump(i64::MAX)? == Jump::Jumped) {
            self.quiet = None;
        }
        Ok(())
    }

    /// So much time passes for the programs, with all that it brings about, where time may jump. What is held stays held.
    ///
    /// # Errors
    /// Broken, if the trace is not whole.
    pub fn let_time_pass(&mut self, time: std::time::Duration) -> Result<(), Unpassed> {
        let until = self.tracer.elapsed().saturating_add(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
        loop {
            self.settle()?;
            match self.tracer.jump(until)? {
                Jump::Jumped => {}
                Jump::Nothing => break self.tracer.come_to(until),
                Jump::RealTime => break std::thread::sleep(time),
            }
        }
        self.settle()
    }

    pub(super) fn step(&mut self) -> Result<Step, Unpassed> {
        if self.tracer.is_over() {
            return Ok(Step::Halt(Halt::Over));
        }
        if self.tracer.is_scheduled()
            && let Some(step) = self.scheduled_step()?
        {
            return Ok(step);
        }
        self.wait_for_change()
    }

    /// Under a schedule: takes in what has happened, and lets the next one go on. `None` where nobody can.
    fn scheduled_step(&mut self) -> Result<Option<Step>, Unpassed> {
        let under_way = self.tracer.is_under_way();
        // Asked after that look: what has happened before it is told now, and what happens later comes of somebody's being under way.
        if let Some((pid, change)) = self.next_change(false)? {
            return self.take_in(pid, change).map(Some);
        }
        if under_way {
            let step = if process::ticks() == self.looked_at { Step::Progress } else { self.tick()? };
            std::thread::yield_now();
            return Ok(Some(step));
        }
        match self.tracer.go_on()? {
            GoOn::Chosen => Ok(Some(Step::Progress)),
            GoOn::Nobody => {
                if self.pump()? || self.tracer.release_delayed()? {
                    return Ok(Some(Step::Progress));
                }
                // Everyone was proven asleep just now, one after the other, while nobody ran.
                match self.tracer.rest() {
                    Rest::Waiting(waiting) if !waiting.is_empty() => Ok(Some(Step::Halt(Halt::Deadlock(waiting)))),
                    _ => Ok(None),
                }
            }
        }
    }

    /// The next stop or end that is not handled yet; `None`, if there is none or a tick came first.
    fn next_change(&mut self, block: bool) -> Result<Option<(Pid, Change)>, Unpassed> {
        self.childless = false;
        while let Some((pid, mut change)) = self.changes.pop_front() {
            // It may have been killed while the others had their turn: then only its end is left to tell of, or not even that.
            loop {
                match process::wait(pid, false)? {
                    Waited::Change(_, newer) => change = newer,
                    Waited::NoChild if matches!(change, Change::Stopped { .. }) => break,
                    _ => return Ok(Some((pid, change))),
                }
            }
        }
        match process::wait(-1, block)? {
            Waited::Change(pid, change) => Ok(Some((pid, change))),
            Waited::NoChild => {
                self.childless = true;
                Ok(None)
            }
            Waited::Nothing | Waited::Interrupted => Ok(None),
        }
    }

    fn wait_for_change(&mut self) -> Result<Step, Unpassed> {
        match self.next_change(true)? {
            Some((pid, change)) => self.take_in(pid, change),
            None if self.childless => Ok(Step::Halt(Halt::Over)),
            None => self.tick(),
        }
    }

    fn take_in(&mut self, pid: Pid, change: Change) -> Result<Step, Unpassed> {
        let change = self.give_the_others_a_turn(pid)?.unwrap_or(change);
        self.tracer.handle(pid, change)?;
        if change == Change::Killed(libc::SIGKILL) {
            self.look_at_memory()?;
        }
        if self.tracer.output_waits {
            self.pump()?;
        }
        if self.tracer.fruitless > MOST_FRUITLESS
            && self.tracer.fruitless.is_multiple_of(POLLERS_LOOK)
            && !self.tracer.holds_someone()
            && self.tracer.only_pollers_go_on()
        {
            if !self.tracer.release_delayed()? {
                return Ok(Step::Halt(Halt::Busy(self.busy_with_calls())));
            }
            self.tracer.fruitless = 0;
        }
        self.look_whole()?;
        // A run in which something happens all the time has its limits too.
        if process::ticks() > self.looked_at + CPU_LOOK { self.tick() } else { Ok(Step::Progress) }
    }

    /// waitpid(2) tells of the oldest child first, and one that stops all the time could keep the others waiting for ever: once it has come often enough in
    /// a row, all others that have stopped are taken down before it goes on. What it has come to itself meanwhile, having been killed, is returned.
    fn give_the_others_a_turn(&mut self, pid: Pid) -> io::Result<Option<Change>> {
        let (last, times) = self.in_a_row;
        self.in_a_row = if last == pid { (pid, times + 1) } else { (pid, 0) };
        let mut newer = None;
        if self.in_a_row.1 > MOST_IN_A_ROW {
            self.in_a_row.1 = 0;
            while let Waited::Change(other, change) = process::wait(-1, false)? {
                if other == pid {
                    newer = Some(change);
                } else {
                    self.changes.push_back((other, change));
                }
            }
        }
        Ok(newer)
    }

    fn tick(&mut self) -> Result<Step, Unpassed> {
        let before = std::mem::replace(&mut self.looked_at, process::ticks());
        // While calls are made the limit of calls counts, so that it does not depend on the machine which of the two is met.
        let limit = self.limits.wall_seconds * 1000 / TICK as u64;
        if self.tracer.activity != self.seen_activity && self.excused < limit.max(LONGEST.min(limit * BUSY_TO_ASLEEP)) - limit {
            self.started_at += self.looked_at - before;
            self.excused += self.looked_at - before;
        }
        let elapsed = self.looked_at.saturating_sub(self.started_at);
        if elapsed > limit {
            return Ok(Step::Halt(Halt::TimeUp));
        }
        if self.looked_at >= self.next_look {
            if let Some(finding) = self.busy_computing() {
                return Ok(Step::Halt(Halt::Busy(finding)));
            }
            self.excuse_what_the_machine_held_up();
        }
        let moved = self.pump()?;
        if moved || self.tracer.activity != self.seen_activity {
            self.seen_activity = self.tracer.activity;
            self.quiet = None;
            self.still_since = self.looked_at;
            return Ok(Step::Progress);
        }
        self.look_for_a_lost_stop();
        self.tracer.ring_alarms_that_are_due()?;
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

    /// Where nothing has happened for long, nobody may be stopped who was let go: that would be our fault.
    fn look_for_a_lost_stop(&mut self) {
        if self.looked_at < self.still_since + LONG_STILL {
            return;
        }
        self.still_since = self.looked_at;
        let lost = self.tracer.has_lost_a_stop();
        if lost && self.looks_lost {
            let states = self.tracer.raw_states().join("; ");
            self.tracer.blind.get_or_insert_with(|| format!("a stop of a process was lost ({states})"));
        }
        self.looks_lost = lost;
    }

    /// Moves standard input in and standard output and error out; `true` if anything moved.
    pub(super) fn pump(&mut self) -> io::Result<bool> {
        self.tracer.output_waits = false;
        let mut moved = false;
        for running in &mut self.running {
            moved |= running.input.pump()? | running.output.pump()? | running.errors.pump()?;
        }
        let endless = self.running.iter().find(|running| running.output.is_endless() || running.errors.is_endless());
        // What a program writes where it stands is its own affair.
        if let Some(running) = endless.filter(|_| !self.stands) {
            let stream = if running.output.is_endless() { "standard output" } else { "standard error" };
            self.tracer.overstep(
                "limit",
                format!("{} writes what the handout asks for", running.name),
                format!("it writes to {stream} without end: many times the {} bytes that are kept", self.limits.output_bytes),
                "look for a loop that does not end; the beginning of what it writes shows which",
            );
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

    /// Time in which a process could go on and the machine did not let it (it waits for a disk, or for a CPU) does not count against the run.
    fn excuse_what_the_machine_held_up(&mut self) {
        let alive = self.tracer.processes.iter().filter(|process| process.exit.is_none());
        let used = self.tracer.cpu_of_ended + alive.map(|process| self.tracer.proc.cpu_ticks(process.pid)).sum::<u64>();
        let (activity, used_before) = std::mem::replace(&mut self.progress, (self.tracer.activity, used));
        if activity == self.tracer.activity && self.tracer.rest() == Rest::Active {
            // What computes is limited by the time that it was given a CPU for, in clock ticks of 10 ms.
            self.started_at += CPU_LOOK.saturating_sub(used.saturating_sub(used_before) * 10 / TICK as u64);
        }
        self.next_look = self.looked_at + CPU_LOOK;
    }

    fn busy_computing(&self) -> Option<Finding> {
        let limit = self.limits.cpu_seconds * 100;
        let alive = self.tracer.processes.iter().filter(|process| process.exit.is_none());
        let used: Vec<_> = alive.map(|process| (process.id, self.tracer.proc.cpu_ticks(process.pid))).collect();
        let together = self.tracer.cpu_of_ended + used.iter().map(|(_, ticks)| ticks).sum::<u64>();
        let observed = match used.iter().find(|(_, ticks)| *ticks > limit) {
            Some((process, _)) => format!("{} used {} seconds of CPU time", self.tracer.name(*process), self.limits.cpu_seconds),
            None if together > ALL_TO_ONE * limit => {
                format!("the processes of the run used {} seconds of CPU time together", ALL_TO_ONE * self.limits.cpu_seconds)
            }
            None => return None,
        };
        Some(Finding::new(
            "busy-waiting",
            "a process that has nothing to do waits in a call that blocks",
            observed,
            "look for a loop that does not end, or that asks a variable again and again instead of waiting in the kernel",
        ))
    }

    pub(super) fn explain(&mut self, goal: &str, halt: Halt) -> Unpassed {
        if let Err(unpassed) = self.look_at_memory().map_err(Unpassed::from).and_then(|()| self.look_whole()) {
            return unpassed;
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
                let itself = waiting.iter().find_map(|one| self.tracer.waits_for_itself(one));
                let next = itself.map_or_else(
                    || next_step_for(&waiting),
                    |(process, pipe, descriptor)| {
                        format!("{process} waits for an end-of-file that it prevents itself: it holds the last write end of {pipe}; close descriptor {descriptor} there before the read; pipe(7)")
                    },
                );
                let labels = self.labels_of(&waiting);
                let page = self.page_of_deadlock(&waiting);
                Finding::new("deadlock", goal, observed, next).with(lines).at(labels).explained_by(page).into()
            }
            Halt::Busy(mut finding) => {
                finding.expected = format!("{goal}; {}", finding.expected);
                finding.at(self.labels_of_last_calls()).into()
            }
            Halt::TimeUp => {
                let lines = self.waiting_lines();
                if lines.is_empty() {
                    // Someone could have gone on all the time and did not come to the limit of CPU time: the machine did not let it, or we did not.
                    let states = self.tracer.raw_states().join("; ");
                    return Unpassed::Broken(format!(
                        "nothing came of it in {} seconds, and not for the program's own waiting ({states})",
                        self.limits.wall_seconds
                    ));
                }
                let observed = format!("nothing came of it in {} seconds, and the processes neither end nor wait for ever", self.limits.wall_seconds);
                Finding::new("time", goal, observed, "look for a loop that sleeps and asks again, or for a time limit that is far too long")
                    .with(lines)
                    .into()
            }
        }
    }

    /// Lets the run go on until nobody does anything, where so many calls that do nothing count as nothing.
    pub(super) fn come_to_rest(&mut self, goal: &str, fruitless: u32) -> Result<(), Unpassed> {
        self.quiet = None;
        self.tracer.fruitless = 0;
        loop {
            self.pump()?;
            if self.tracer.fruitless > fruitless && self.tracer.fruitless.is_multiple_of(POLLERS_LOOK) && self.tracer.only_pollers_go_on() {
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
    } else if has(Call::Msgsnd) {
        "a System V queue holds only so many bytes (16384 by default), and who sends into a full one sleeps: see who has to receive from it; msgop(2)"
    } else if has(Call::Msgrcv) {
        "see who has to send, into which queue, and of which type; msgop(2)"
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
