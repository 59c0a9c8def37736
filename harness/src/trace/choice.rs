//! Choices that are made along a path: each one is on record, so that another run can make the same ones and then a different one.
//!
//! Theory of operation: the task that went on last goes on, as long as it can and what it does has an effect; so a schedule is known by where it departs from that. The path says
//! which choice is made first, second and so on; behind its end nothing departs any more. What each task does between two choices (a call on an object, an access to
//! shared memory) is noted as well: where a task does something that conflicts with what another one did before, and could have gone on instead of that one, the
//! choice is one whose reversal is worth a run of its own.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::event::Moment;
use super::memory::races::Through;

/// Steps in a row that led to nothing, after which others come first.
pub(super) const TIRED_AFTER: u32 = 200;
/// Steps of one task in a row, after which others come first.
const MOST_IN_A_ROW: u32 = 500;
/// Bytes that count as one place of shared memory.
const PLACE: u64 = 8;

/// One choice of a path: which of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How many there are to choose from; 0 if the path does not say.
    pub options: u32,
    /// Which of them; 0 departs from nothing.
    pub chosen: u32,
}

/// One choice that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What was chosen.
    pub step: Step,
    /// How many of the options behind the first take nothing from a task that could go on.
    pub free: u32,
    /// Other choices that would have reversed the order of two deeds that conflict.
    pub reversing: Vec<u32>,
    /// Whom there was to choose from.
    #[serde(skip)]
    tasks: Vec<Moment>,
}

impl Choice {
    /// How many preemptions an option is: one, if it takes the turn from a task that could go on.
    pub fn preemptions(&self, option: u32) -> u32 {
        u32::from(option > self.free)
    }
}

/// What a deed is done to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum To {
    /// An object, path, semaphore, queue …
    Object(Through),
    /// A place of shared memory.
    Memory(usize, u64),
}

/// What a task does after it was chosen.
#[derive(Debug, Clone, Copy)]
struct Deed {
    task: Moment,
    /// The choice after which it did that, if there was one.
    choice: Option<usize>,
    writes: bool,
}

/// A path that is followed, and what came of it.
#[derive(Default)]
pub(super) struct Guide {
    path: Vec<Step>,
    made: Vec<Choice>,
    /// Whether a choice was not the one that the path was made for.
    pub diverged: bool,
    current: Option<Moment>,
    in_a_row: u32,
    /// Whether the task that went on last has gone to sleep since.
    sleeps: bool,
    /// The choice that let the present task go on.
    at: Option<usize>,
    deeds: HashMap<To, Vec<Deed>>,
}

#[cfg(test)]
impl Choice {
    /// A choice of which nothing more is known.
    pub fn plain(step: Step) -> Self {
        Self { step, free: 0, reversing: Vec::new(), tasks: Vec::new() }
    }
}

impl Guide {
    pub fn along(path: Vec<Step>) -> Self {
        Self { path, ..Self::default() }
    }

    pub fn made(&self) -> &[Choice] {
        &self.made
    }

    pub fn goes_to_sleep(&mut self) {
        self.sleeps = true;
    }

    /// Which of these tasks goes on. Where nothing that is done leads to anything, others come first than who went on last.
    pub fn choose(&mut self, ready: &[Moment], leads_to_nothing: bool) -> Option<Moment> {
        let mut tasks = ready.to_vec();
        // By birth, beginning with the one after who went on last.
        let next = tasks.iter().position(|task| self.current.is_some_and(|current| *task > current)).unwrap_or(0);
        tasks.rotate_left(next);
        let could_go_on = self.current.is_some_and(|current| tasks.contains(&current));
        let tired = leads_to_nothing || self.sleeps || self.in_a_row >= MOST_IN_A_ROW;
        let others = u32::try_from(tasks.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let free = match (could_go_on, tired) {
            (false, _) => others,
            // The last one is who went on last.
            (true, true) => others.saturating_sub(1),
            (true, false) => {
                tasks.rotate_right(1);
                0
            }
        };
        let number = if tasks.len() > 1 { self.decide(others + 1, free, tasks.clone()) as usize } else { 0 };
        if tasks.len() == 1 {
            self.at = None;
        }
        let chosen = *tasks.get(number)?;
        self.in_a_row = if self.current == Some(chosen) { self.in_a_row + 1 } else { 0 };
        self.current = Some(chosen);
        self.sleeps = false;
        Some(chosen)
    }

    /// Whether what may come first or later comes first; it comes later unless the path says otherwise.
    pub fn comes_first(&mut self) -> bool {
        let at = self.at;
        let first = self.decide(2, 0, Vec::new()) == 1;
        self.at = at;
        first
    }

    fn decide(&mut self, options: u32, free: u32, tasks: Vec<Moment>) -> u32 {
        let place = self.made.len();
        let wanted = self.path.get(place).copied().unwrap_or(Step { options, chosen: 0 });
        self.diverged |= wanted.options != 0 && wanted.options != options;
        let chosen = if wanted.chosen < options { wanted.chosen } else { 0 };
        self.made.push(Choice { step: Step { options, chosen }, free, reversing: Vec::new(), tasks });
        self.at = Some(place);
        chosen
    }

    /// The task that was chosen does something: notes which choice would have let it do so before somebody else's last deed that conflicts.
    pub fn does(&mut self, task: Moment, to: To, writes: bool) {
        let deeds = self.deeds.entry(to).or_default();
        let before = deeds.iter().rev().find(|deed| deed.task != task && (deed.writes || writes));
        if let Some(choice) = before.and_then(|deed| self.made.get_mut(deed.choice?))
            && let Some(place) = choice.tasks.iter().position(|other| *other == task)
            && let Ok(place) = u32::try_from(place)
            && place != choice.step.chosen
            && !choice.reversing.contains(&place)
        {
            choice.reversing.push(place);
        }
        deeds.push(Deed { task, choice: self.at, writes });
    }

    /// The same for an access to shared memory.
    pub fn accesses(&mut self, task: Moment, segment: usize, offset: u64, length: u64, writes: bool) {
        for place in offset / PLACE..=(offset + length.max(1) - 1) / PLACE {
            self.does(task, To::Memory(segment, place), writes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_goes_on_unless_the_path_departs() {
        let mut guide = Guide::along(vec![Step { options: 2, chosen: 1 }]);
        assert_eq!(guide.choose(&[1], false), Some(1));
        assert_eq!(guide.choose(&[1, 2], false), Some(2), "the path departs");
        assert_eq!(guide.choose(&[1, 2, 3], false), Some(2), "and behind its end nothing does");
        assert_eq!(guide.choose(&[1, 3], false), Some(3), "who comes next by birth");
        let made: Vec<_> = guide.made().iter().map(|choice| (choice.step.options, choice.step.chosen, choice.free)).collect();
        assert_eq!(made, [(2, 1, 0), (3, 0, 0), (2, 0, 1)]);
        assert!(!guide.diverged);
    }

    #[test]
    fn another_number_of_tasks_is_another_run() {
        let mut guide = Guide::along(vec![Step { options: 3, chosen: 1 }]);
        guide.choose(&[1, 2], false);
        assert!(guide.diverged);
    }

    #[test]
    fn who_leads_to_nothing_lets_others_go_first() {
        let mut guide = Guide::along(Vec::new());
        guide.choose(&[1], false);
        assert_eq!(guide.choose(&[1, 2], true), Some(2));
        assert_eq!(guide.choose(&[1, 2], true), Some(1), "they take turns");
        let costs: Vec<_> = guide.made().iter().map(|choice| [choice.preemptions(0), choice.preemptions(1)]).collect();
        assert_eq!(costs, [[0, 1], [0, 1]], "to go on all the same is a preemption");
    }

    #[test]
    fn a_conflict_names_the_choice_that_would_reverse_it() {
        let mut guide = Guide::along(Vec::new());
        guide.choose(&[1, 2], false);
        guide.accesses(1, 0, 0, 8, false);
        guide.choose(&[1, 2], false);
        guide.accesses(1, 0, 0, 8, true);
        guide.choose(&[2], false);
        guide.accesses(2, 0, 4, 1, false);
        let reversing: Vec<_> = guide.made().iter().map(|choice| choice.reversing.clone()).collect();
        assert_eq!(reversing, [vec![], vec![1]], "two reads do not conflict");
    }
}
