//! Data races: accesses of different processes to the same bytes, at least one of them a write, that nothing orders.
//!
//! Theory of operation: every task has a clock of its own, and a vector of what it knows of the others' clocks. What a call or an atomic operation hands on
//! ([`Races::release`]) and takes over ([`Races::acquire`]) carries such vectors from task to task. A byte remembers its last write and the reads since: an
//! access that does not know of them by its vector is not ordered after them, whatever the order in which they happened this time. The edges are
//! coarser than need be, so that a race may be missed and no ordered access is ever accused.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use super::Segment;
use crate::kernel::process::Pid;
use crate::source::Snapshot;
use crate::trace::event::ProcessId;
use crate::trace::object::ObjectId;

/// Most races of one run that are told apart.
const MOST_RACES: usize = 16;

/// An access, as a message names it.
#[derive(Debug)]
pub struct Site {
    /// Who.
    pub process: ProcessId,
    /// Whether it reads.
    pub reads: bool,
    /// Whether it writes.
    pub writes: bool,
    /// The piece of shared memory.
    pub segment: usize,
    /// The first byte of it that the access goes to.
    pub offset: u64,
    /// Where in the program it is made, as far as that was kept.
    pub snapshot: Option<Snapshot>,
}

/// Two accesses that nothing orders.
#[derive(Debug, Clone)]
pub struct Race {
    /// The one that came first in this run.
    pub first: Rc<Site>,
    /// The other.
    pub second: Rc<Site>,
}

/// What can hand order on from one task to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Through {
    /// One semaphore of a System V set.
    Semaphore(u64, u16),
    /// The state of a System V set as a whole, as semctl(2) sets and asks for it.
    SemaphoreSet(u64, bool),
    /// A System V queue.
    MessageQueue(u64),
    /// An object that a descriptor refers to.
    Object(ObjectId),
    /// All sockets: their two ends are not told apart.
    Sockets,
    /// Everything that poll(2) may tell of.
    Descriptors,
    /// The ends of processes and threads.
    Ends,
    /// Signals.
    Signals,
    /// A path.
    Path(String),
    /// A key of shmget(2), semget(2) or msgget(2), by the call's number.
    Key(u64, u64),
    /// A piece of shared memory as such: attaching, detaching, counting.
    Attached(Segment),
    /// A byte of shared memory that is accessed atomically, or that a futex(2) waits for.
    Byte(Segment, u64),
    /// A futex in memory that is not shared.
    Private(usize, u64),
}

type Clock = u32;
type Vector = Vec<Clock>;

#[derive(Default)]
struct Byte {
    written: Option<(usize, Clock, Rc<Site>)>,
    read: Vec<(usize, Clock, Rc<Site>)>,
    /// Once accessed atomically, plain accesses synchronise too.
    is_atomic: bool,
}

/// The clocks of a run, what the bytes of shared memory remember, and the races found.
#[derive(Default)]
pub struct Races {
    number_of: HashMap<Pid, usize>,
    vectors: Vec<Vector>,
    handed_on: HashMap<Through, Vector>,
    bytes: HashMap<(Segment, u64), Byte>,
    found: Vec<Race>,
    sites: usize,
    given_up: bool,
}

impl Races {
    /// The races found, in the order in which they were found.
    #[must_use]
    pub fn found(&self) -> &[Race] {
        &self.found
    }

    /// How many accesses were remembered.
    pub(super) fn sites(&self) -> usize {
        self.sites
    }

    /// From now on accesses may be missed, and with them what orders others: nothing is accused any more.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// A new task knows what the one knows that made it.
    pub(in crate::trace) fn born(&mut self, parent: Option<Pid>, child: Pid) {
        let mut vector = parent.map(|parent| self.number(parent)).map_or_else(Vector::new, |parent| self.vectors[parent].clone());
        let number = self.vectors.len();
        vector.resize(number + 1, 0);
        vector[number] = 1;
        self.vectors.push(vector);
        self.number_of.insert(child, number);
        if let Some(parent) = parent {
            self.tick(parent);
        }
    }

    fn number(&mut self, task: Pid) -> usize {
        if let Some(number) = self.number_of.get(&task) {
            return *number;
        }
        self.born(None, task);
        self.vectors.len() - 1
    }

    fn tick(&mut self, task: Pid) {
        let number = self.number(task);
        self.vectors[number][number] += 1;
    }

    /// What a task has done so far is done before whoever acquires the same later goes on.
    pub(in crate::trace) fn release(&mut self, task: Pid, through: Through) {
        let number = self.number(task);
        join(self.handed_on.entry(through).or_default(), &self.vectors[number]);
        self.tick(task);
    }

    /// A task goes on after all who released this.
    pub(in crate::trace) fn acquire(&mut self, task: Pid, through: &Through) {
        let number = self.number(task);
        if let Some(vector) = self.handed_on.get(through) {
            join(&mut self.vectors[number], vector);
        }
    }

    /// An atomic access: a read takes over, a write hands on.
    pub(super) fn atomic(&mut self, task: Pid, (segment, offset): (Segment, u64), length: u64, reads: bool, writes: bool) {
        for at in offset..offset + length {
            let through = Through::Byte(segment, at);
            self.bytes.entry((segment, at)).or_default().is_atomic = true;
            if reads {
                self.acquire(task, &through);
            }
            if writes {
                let number = self.number(task);
                join(self.handed_on.entry(through).or_default(), &self.vectors[number]);
            }
        }
        if writes {
            self.tick(task);
        }
    }

    /// An ordinary access: a race, if it does not know of the accesses before it.
    pub(super) fn plain(&mut self, task: Pid, (segment, offset): (Segment, u64), length: u64, site: &Rc<Site>) {
        if (offset..offset + length).any(|at| self.bytes.get(&(segment, at)).is_some_and(|byte| byte.is_atomic)) {
            // Some code accesses these bytes atomically, and ordinary instructions may be atomic too.
            self.atomic(task, (segment, offset), length, site.reads, site.writes);
            return;
        }
        self.sites += 1;
        let number = self.number(task);
        let (vector, now) = (&self.vectors[number], self.vectors[number][number]);
        let knows = |(other, clock, _): &(usize, Clock, Rc<Site>)| *other == number || vector.get(*other).is_some_and(|known| known >= clock);
        let mut other = None;
        for at in offset..offset + length {
            let byte = self.bytes.entry((segment, at)).or_default();
            let unknown = byte.written.iter().chain(if site.writes { &byte.read[..] } else { &[] }).find(|earlier| !knows(earlier));
            other = other.or_else(|| unknown.map(|(_, _, earlier)| Rc::clone(earlier)));
            let this = (number, now, Rc::clone(site));
            if site.writes {
                byte.written = Some(this);
                byte.read.clear();
            } else {
                byte.read.retain(|(reader, ..)| *reader != number);
                byte.read.push(this);
            }
        }
        if let Some(first) = other {
            self.found_one(Race { first, second: Rc::clone(site) });
        }
    }

    fn found_one(&mut self, race: Race) {
        let alike = |known: &Race| known.second.segment == race.second.segment && known.second.offset == race.second.offset;
        if !self.given_up && self.found.len() < MOST_RACES && !self.found.iter().any(alike) {
            self.found.push(race);
        }
    }
}

fn join(one: &mut Vector, other: &[Clock]) {
    one.resize(one.len().max(other.len()), 0);
    one.iter_mut().zip(other).for_each(|(known, told)| *known = (*known).max(*told));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(process: usize, writes: bool) -> Rc<Site> {
        Rc::new(Site { process: ProcessId(process), reads: !writes, writes, segment: 0, offset: 0, snapshot: None })
    }

    /// Two tasks with a common past.
    fn two() -> Races {
        let mut races = Races::default();
        races.born(None, 1);
        races.plain(1, (0, 0), 8, &site(0, true));
        races.born(Some(1), 2);
        races.born(Some(1), 3);
        races
    }

    #[test]
    fn what_came_before_the_fork_is_ordered() {
        let mut races = two();
        races.plain(2, (0, 0), 8, &site(1, true));
        assert!(races.found().is_empty());
    }

    #[test]
    fn two_writes_without_order_race_even_where_they_do_not_overlap_in_time() {
        let mut races = two();
        races.plain(2, (0, 0), 8, &site(1, true));
        races.plain(3, (0, 4), 1, &site(2, true));
        assert_eq!(races.found().len(), 1);
        assert_eq!((races.found()[0].first.process, races.found()[0].second.process), (ProcessId(1), ProcessId(2)));
    }

    #[test]
    fn two_reads_do_not_race_and_neighbouring_bytes_are_apart() {
        let mut races = two();
        races.plain(2, (0, 0), 4, &site(1, false));
        races.plain(3, (0, 0), 4, &site(2, false));
        races.plain(2, (0, 4), 1, &site(1, true));
        races.plain(3, (0, 5), 1, &site(2, true));
        assert!(races.found().is_empty());
    }

    #[test]
    fn a_semaphore_orders_those_who_come_after_it() {
        let mut races = two();
        races.plain(2, (0, 0), 8, &site(1, true));
        races.release(2, Through::Semaphore(0, 0));
        races.acquire(3, &Through::Semaphore(0, 0));
        races.plain(3, (0, 0), 8, &site(2, true));
        assert!(races.found().is_empty());
        races.plain(2, (0, 0), 8, &site(1, true));
        assert_eq!(races.found().len(), 1, "the way back is not ordered");
    }

    #[test]
    fn an_atomic_flag_orders_what_it_announces() {
        let mut races = two();
        races.plain(2, (0, 0), 8, &site(1, true));
        races.atomic(2, (0, 64), 4, false, true);
        races.atomic(3, (0, 64), 4, true, false);
        races.plain(3, (0, 0), 8, &site(2, false));
        assert!(races.found().is_empty());
    }
}
