//! Forced schedules: one task runs at a time, and a seed decides which.
//!
//! Theory of operation: under a schedule a stopped task is not resumed but made ready. Only when every task that was let go is stopped again or proven
//! asleep does the seed choose the next among the ready ones. Every call has a stop before and one after it, so each is a point of choice; and since nothing
//! else runs meanwhile, the same seed gives the same interleaving, on an idle machine and on a busy one. Sleeps return at once: they order nothing.
//!
//! What happens between two calls runs through without a choice: accesses to shared memory are not told apart.

use std::collections::BTreeMap;
use std::io;

use super::event::Moment;
use super::{State, Tracer};
use crate::kernel::process::Pid;
use crate::kernel::ptrace::{self, Resume};
use crate::procfs::Activity;
use crate::random::Random;

/// Who may go on, and how.
pub struct Schedule {
    random: Random,
    /// By the order of birth, which does not depend on process ids.
    ready: BTreeMap<Moment, Ready>,
    fingerprint: u64,
}

#[derive(Debug, Clone, Copy)]
struct Ready {
    pid: Pid,
    how: Resume,
    signal: i32,
}

/// What came of the attempt to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoOn {
    /// Someone is on the way to its next stop.
    Running,
    /// The seed has chosen, and the chosen task was let go.
    Chosen,
    /// Nobody is ready: all sleep, are held, or have ended.
    Nobody,
}

impl Schedule {
    /// The schedule of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, "schedule"), ready: BTreeMap::new(), fingerprint: 0xcbf2_9ce4_8422_2325 }
    }

    fn note(&mut self, value: u64) {
        self.fingerprint = (self.fingerprint ^ value).wrapping_mul(0x0100_0000_01b3);
    }
}

impl Tracer {
    /// From now on this seed decides who goes on.
    pub fn schedule_by(&mut self, seed: u64) {
        self.schedule = Some(Schedule::new(seed));
    }

    /// Whether a seed decides who goes on.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.schedule.is_some()
    }

    /// A number that tells schedules apart: the same for the same sequence of choices and calls.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.schedule.as_ref().map_or(0, |schedule| schedule.fingerprint)
    }

    /// Lets a stopped task go on: at once, or when the schedule chooses it.
    pub(super) fn let_go(&mut self, pid: Pid, how: Resume, signal: i32) -> io::Result<()> {
        let (Some(schedule), Some(task)) = (&mut self.schedule, self.tasks.get_mut(&pid)) else { return ptrace::resume(pid, how, signal) };
        task.state = State::Ready;
        schedule.ready.insert(task.born, Ready { pid, how, signal });
        Ok(())
    }

    /// Takes a task that has ended out of the schedule.
    pub(super) fn unschedule(&mut self, pid: Pid) {
        if let Some(schedule) = &mut self.schedule {
            schedule.ready.retain(|_, ready| ready.pid != pid);
        }
    }

    /// Lets the next task go on, if none is under way.
    ///
    /// # Errors
    /// What ptrace(2) says, save that the chosen task was killed meanwhile.
    pub fn go_on(&mut self) -> io::Result<GoOn> {
        let under_way =
            |(pid, task): (&Pid, &super::Task)| task.state == State::Resumed && !matches!(self.proc.activity(*pid), Activity::Asleep { .. });
        if !self.early.is_empty() || self.tasks.iter().any(under_way) {
            return Ok(GoOn::Running);
        }
        let Some(schedule) = &mut self.schedule else { return Ok(GoOn::Nobody) };
        let place = schedule.random.below(schedule.ready.len() as u64) as usize;
        let Some(born) = schedule.ready.keys().nth(place).copied() else { return Ok(GoOn::Nobody) };
        let Some(Ready { pid, how, signal }) = schedule.ready.remove(&born) else { return Ok(GoOn::Nobody) };
        schedule.note(u64::from(born));
        if let Some(task) = self.tasks.get_mut(&pid) {
            task.state = State::Resumed;
        }
        match ptrace::resume(pid, how, signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(GoOn::Running),
            result => result.map(|()| GoOn::Chosen),
        }
    }

    /// Adds a call to the schedule's fingerprint.
    pub(super) fn note_call(&mut self, number: u64) {
        if let Some(schedule) = &mut self.schedule {
            schedule.note(number);
        }
    }
}
