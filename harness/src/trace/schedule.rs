//! Forced schedules: one task runs at a time, and a seed decides which.
//!
//! Theory of operation: under a schedule a stopped task is not resumed but made ready. Only when every task that was let go is stopped again or proven
//! asleep does the seed choose the next among the ready ones. Every call has a stop before and one after it, so each is a point of choice; and since nothing
//! else runs meanwhile, the same seed gives the same interleaving, on an idle machine and on a busy one. Sleeps return at once: they order nothing.
//!
//! Between two calls, each access to shared memory is a point of choice as well: see [`super::memory`]. A signal that waits for a process just before a call
//! that may block comes, for some seeds, before it: so a wake-up can be lost, as it can in life.

use std::collections::BTreeMap;
use std::io;

use super::choice::{Choice, Guide, Step, TIRED_AFTER, To};
use super::event::Moment;
use super::memory::races::Through;
use super::{BackUp, State, Tracer, memory};
use crate::call::Call;
use crate::kernel::arch::Registers;
use crate::kernel::process::Pid;
use crate::kernel::ptrace::{self, Resume};
use crate::procfs::Activity;
use crate::random::Random;

/// Who may go on, and how.
pub struct Schedule {
    order: Order,
    /// By the order of birth, which does not depend on process ids.
    ready: BTreeMap<Moment, Ready>,
    fingerprint: u64,
}

/// What decides.
enum Order {
    /// A seed.
    Random(Random),
    /// A path of choices.
    Along(Box<Guide>),
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
    /// The seed has chosen, and the chosen task was let go.
    Chosen,
    /// Nobody is ready: all sleep, are held, or have ended.
    Nobody,
}

impl Schedule {
    /// The schedule of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::ordered(Order::Random(Random::new(seed, "schedule")))
    }

    /// The schedule along this path.
    #[must_use]
    fn along(path: Vec<Step>) -> Self {
        Self::ordered(Order::Along(Box::new(Guide::along(path))))
    }

    fn ordered(order: Order) -> Self {
        Self { order, ready: BTreeMap::new(), fingerprint: 0xcbf2_9ce4_8422_2325 }
    }

    /// Who goes on, of those who are ready.
    fn choose(&mut self, leads_to_nothing: bool) -> Option<Moment> {
        match &mut self.order {
            Order::Random(random) => {
                let place = random.below(self.ready.len() as u64) as usize;
                self.ready.keys().nth(place).copied()
            }
            Order::Along(guide) => guide.choose(&self.ready.keys().copied().collect::<Vec<_>>(), leads_to_nothing),
        }
    }

    /// Whether a signal that waits comes before a call, and not into it.
    fn signal_comes_first(&mut self) -> bool {
        match &mut self.order {
            Order::Random(random) => random.below(2) == 0,
            Order::Along(guide) => guide.comes_first(),
        }
    }

    fn guide(&mut self) -> Option<&mut Guide> {
        match &mut self.order {
            Order::Random(_) => None,
            Order::Along(guide) => Some(guide),
        }
    }

    pub(super) fn note(&mut self, value: u64) {
        self.fingerprint = (self.fingerprint ^ value).wrapping_mul(0x0100_0000_01b3);
    }
}

impl Tracer {
    /// From now on this seed decides who goes on.
    pub fn schedule_by(&mut self, seed: u64) {
        self.schedule = Some(Schedule::new(seed));
        self.let_time_stand_still();
    }

    /// From now on this path decides who goes on, and behind its end whoever went on last.
    pub fn schedule_along(&mut self, path: Vec<Step>) {
        self.schedule = Some(Schedule::along(path));
        self.let_time_stand_still();
    }

    /// The choices that were made along a path, and whether all of them were those that the path was made for.
    #[must_use]
    pub fn choices(&self) -> (&[Choice], bool) {
        match self.schedule.as_ref().map(|schedule| &schedule.order) {
            Some(Order::Along(guide)) => (guide.made(), !guide.diverged),
            _ => (&[], true),
        }
    }

    /// The task that was chosen goes to sleep.
    pub(super) fn note_sleep(&mut self) {
        if let Some(guide) = self.schedule.as_mut().and_then(Schedule::guide) {
            guide.goes_to_sleep();
        }
    }

    /// The task that was chosen accesses shared memory.
    pub(super) fn note_deed_in_memory(&mut self, pid: Pid, segment: usize, offset: u64, length: u64, writes: bool) {
        let Some(task) = self.tasks.get(&pid).map(|task| task.born) else { return };
        if let Some(guide) = self.schedule.as_mut().and_then(Schedule::guide) {
            guide.accesses(task, segment, offset, length, writes);
        }
    }

    /// The task that was chosen begins a call: what it does to objects that others may use too.
    fn note_deed(&mut self, pid: Pid, event: usize) {
        if self.schedule.as_mut().and_then(Schedule::guide).is_none() {
            return;
        }
        let Some(task) = self.tasks.get(&pid).map(|task| task.born) else { return };
        let objects = self.what_it_orders(event);
        if let Some(guide) = self.schedule.as_mut().and_then(Schedule::guide) {
            // These stand for so much that everything would conflict with everything.
            let exact = objects.into_iter().filter(|through| !matches!(through, Through::Descriptors | Through::Ends));
            exact.for_each(|through| guide.does(task, To::Object(through), true));
        }
    }

    /// Whether a seed or a path decides who goes on.
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
        if task.pending.as_ref().is_some_and(|pending| memory::is_silent(self.events[pending.event].number)) {
            return ptrace::resume(pid, how, signal);
        }
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

    /// Whether someone is on the way to its next stop. Where nobody is, and the kernel has nothing to tell afterwards, [`Tracer::go_on`] may choose: a task that
    /// was continued after a group-stop looks as stopped as before, and only the kernel's word tells the difference.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        let under_way = |(pid, task): (&Pid, &super::Task)| match task.state {
            State::Resumed => match self.proc.activity(*pid) {
                Activity::Asleep { .. } => false,
                Activity::Gone => !self.outlived(*pid, task),
                Activity::Running => true,
            },
            State::GroupStop => !self.proc.is_stopped(*pid),
            State::Ready | State::Held(_) => false,
        };
        !self.early.is_empty() || self.tasks.iter().any(under_way)
    }

    /// Lets the task go on that the seed chooses. To be called only when nobody is under way.
    ///
    /// # Errors
    /// What ptrace(2) says, save that the chosen task was killed meanwhile.
    pub fn go_on(&mut self) -> io::Result<GoOn> {
        let tired = self.fruitless >= TIRED_AFTER;
        let Some(schedule) = &mut self.schedule else { return Ok(GoOn::Nobody) };
        let Some(born) = schedule.choose(tired) else { return Ok(GoOn::Nobody) };
        let Some(Ready { pid, how, signal }) = schedule.ready.remove(&born) else { return Ok(GoOn::Nobody) };
        schedule.note(u64::from(born));
        self.set_state(pid, State::Resumed);
        match self.let_chosen_go(pid, how, signal) {
            // It was killed meanwhile: its end is told next.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(GoOn::Chosen),
            result => result.map(|()| GoOn::Chosen),
        }
    }

    fn let_chosen_go(&mut self, pid: Pid, how: Resume, signal: i32) -> io::Result<()> {
        if self.makes_awaited_access(pid)? {
            return Ok(());
        }
        if how == Resume::ToExit {
            self.begin_call(pid)?;
        }
        ptrace::resume(pid, how, signal)
    }

    /// A chosen task is about to begin its call. If it may block, and a signal waits that a handler takes, then for half of the seeds the signal came just
    /// before: the call is put off, and made again after the handler.
    fn begin_call(&mut self, pid: Pid) -> io::Result<()> {
        let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.as_mut()).filter(|pending| !pending.begun) else { return Ok(()) };
        pending.begun = true;
        let event = pending.event;
        let untouched = pending.result.is_none() && pending.restore.is_none() && pending.back_up.is_none();
        let signal_waits = untouched && may_block(self.events[event].call) && self.proc.caught_signal_waits(pid);
        if signal_waits && self.schedule.as_mut().is_some_and(Schedule::signal_comes_first) {
            pending.back_up = Some(BackUp::Signal);
            Registers::get(pid)?.set_call(pid, -1)?;
            return Ok(());
        }
        self.note_deed(pid, event);
        Ok(())
    }

    /// Adds a call to the schedule's fingerprint.
    pub(super) fn note_call(&mut self, number: u64) {
        if let Some(schedule) = &mut self.schedule {
            schedule.note(number);
        }
    }
}

/// Whether a call may wait for something that a signal's handler brings about.
fn may_block(call: Call) -> bool {
    use Call::*;
    matches!(
        call,
        Read | Write
            | Wait
            | Pause
            | Sigsuspend
            | Poll
            | Select
            | EpollWait
            | Accept
            | Connect
            | Recv
            | Send
            | Semop
            | Msgrcv
            | Msgsnd
            | MqReceive
            | MqSend
            | Open
            | Flock
            | Fcntl
            | Sleep
    )
}
