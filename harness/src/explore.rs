//! Exploring the schedules of a run: one after another, each of them once, those first that reverse what the last ones have shown to conflict.
//!
//! Theory of operation: a schedule is a path of choices ([`Step`]); behind the path's end whoever went on last goes on. A run along a path shows the choices that came after it, and
//! each other option of each of them is the path of a schedule that was not done yet. So all schedules hang together in one tree, and none is done twice. A choice
//! that takes the turn from a task that could have gone on is a preemption; most mistakes need one or two of them. Of the paths that are known, that is done first which
//! reverses the order of two deeds that conflict (accesses to the same memory, calls on the same object), then that with the fewest preemptions.
//!
//! Nothing here is drawn at random: the same program has the same schedules in the same order.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::rc::Rc;

use crate::kernel::descriptor;
use crate::lab::Lab;
use crate::session::Session;
use crate::trace::choice::{Choice, Step};
use crate::verdict::{Unpassed, Verdict};

/// Holds the word of the one schedule that is to be done instead of all.
const ONE_SCHEDULE: &str = "LAB_SCHEDULE";

/// Which schedules are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    preemptions: Option<u32>,
    schedules: u32,
}

/// All schedules in which at most so many times the turn is taken from a process that could have gone on.
#[must_use]
pub fn preemptions(most: u32) -> Bound {
    Bound { preemptions: Some(most), schedules: 2_000 }
}

/// All schedules, those first that reverse a conflict which an earlier one has shown.
#[must_use]
pub fn conflicts_reversed() -> Bound {
    Bound { preemptions: None, schedules: 200 }
}

impl Bound {
    /// At most so many schedules (2,000 with a bound on preemptions, else 200): where there are more, the exploration is not complete.
    #[must_use]
    pub fn at_most(mut self, schedules: u32) -> Self {
        self.schedules = schedules.max(1);
        self
    }
}

/// What was explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explored {
    /// How many schedules were done.
    pub schedules: u32,
    /// Whether these were all that the bound asks for.
    pub complete: bool,
    bound: Bound,
}

impl std::fmt::Display for Explored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |number: u32| if number == 1 { "" } else { "s" };
        write!(f, "{} schedule{}", self.schedules, plural(self.schedules))?;
        if let Some(most) = self.bound.preemptions {
            write!(f, " with at most {most} preemption{}", plural(most))?;
        }
        f.write_str(if self.complete { ", complete" } else { ", not complete" })
    }
}

/// A schedule that was not done yet: another option of a choice that a run has shown.
#[derive(Debug, Clone)]
struct Path {
    run: Rc<[Step]>,
    /// Which of that run's choices is another one.
    at: usize,
    chosen: u32,
}

impl Path {
    fn steps(&self) -> Vec<Step> {
        let mut steps = self.run[..=self.at].to_vec();
        steps[self.at].chosen = self.chosen;
        steps
    }
}

/// The order in which schedules are done: conflicts reversed, preemptions, the order in which they were found.
type Rank = (bool, u32, u64);

/// The schedules that are known and were not done yet.
struct Frontier {
    bound: Bound,
    paths: BTreeMap<Rank, Path>,
    /// The paths by their choices, to find one whose rank changes.
    ranks: HashMap<u64, Rank>,
    found: u64,
}

impl Frontier {
    /// Takes in what a run along so many steps has shown.
    fn take_in(&mut self, followed: usize, choices: &[Choice]) {
        let run: Rc<[Step]> = choices.iter().map(|choice| choice.step).collect();
        let mut preemptions = 0;
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        for (at, choice) in choices.iter().enumerate() {
            for chosen in (0..choice.step.options).filter(|option| *option != choice.step.chosen) {
                let reverses = choice.reversing.contains(&chosen);
                let name = with(digest, chosen);
                if at >= followed {
                    let preemptions = preemptions + choice.preemptions(chosen);
                    if self.bound.preemptions.is_none_or(|most| preemptions <= most) {
                        self.found += 1;
                        let rank = (!reverses, preemptions, self.found);
                        self.paths.insert(rank, Path { run: Rc::clone(&run), at, chosen });
                        self.ranks.insert(name, rank);
                    }
                } else if let Some(rank) = self.ranks.get_mut(&name).filter(|rank| reverses && rank.0)
                    && let Some(path) = self.paths.remove(rank)
                {
                    rank.0 = false;
                    self.paths.insert(*rank, path);
                }
            }
            preemptions += choice.preemptions(choice.step.chosen);
            digest = with(digest, choice.step.chosen);
        }
    }
}

/// A digest of choices and one more.
fn with(digest: u64, chosen: u32) -> u64 {
    (digest ^ (u64::from(chosen) + 1)).wrapping_mul(0x0100_0000_01b3)
}

/// A path in a word: the places at which it departs, and to which option.
fn word(steps: &[Step]) -> String {
    let departures = steps.iter().enumerate().filter(|(_, step)| step.chosen != 0).map(|(place, step)| format!("{place}.{}", step.chosen));
    let word = departures.collect::<Vec<_>>().join("-");
    if word.is_empty() { "first".into() } else { word }
}

/// The path of a word; `None` if it is none.
fn path_of(word: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for departure in word.split('-').filter(|_| word != "first") {
        let (place, chosen) = departure.split_once('.')?;
        let place: usize = place.parse().ok().filter(|place| *place >= steps.len() && *place < 1 << 20)?;
        steps.resize(place, Step { options: 0, chosen: 0 });
        steps.push(Step { options: 0, chosen: chosen.parse().ok()? });
    }
    Some(steps)
}

impl Lab {
    /// Does a run under one schedule after another, as the bound says, until one fails. `LAB_SCHEDULE` in the environment names the only one that is done.
    pub fn explore(&self, bound: Bound, drive: impl Fn(&mut Session) -> Verdict) -> (Verdict, Explored) {
        let mut explored = Explored { schedules: 0, complete: false, bound };
        let verdict = self.explore_into(&mut explored, &drive);
        (verdict, explored)
    }

    fn explore_into(&self, explored: &mut Explored, drive: &impl Fn(&mut Session) -> Verdict) -> Verdict {
        let bound = explored.bound;
        if let Ok(asked_for) = std::env::var(ONE_SCHEDULE) {
            let steps = path_of(&asked_for);
            let steps = steps.ok_or_else(|| Unpassed::Broken(format!("{ONE_SCHEDULE}={asked_for} is no schedule: it looks like 17.1-40.2")))?;
            explored.schedules = 1;
            return self.along(steps, drive).1;
        }
        let mut frontier = Frontier { bound, paths: BTreeMap::new(), ranks: HashMap::new(), found: 0 };
        let mut steps = Vec::new();
        loop {
            let followed = steps.len();
            explored.schedules += 1;
            let (choices, verdict) = self.along(steps, drive);
            verdict.as_ref().map_err(Clone::clone)?;
            frontier.take_in(followed, &choices?);
            let Some((_, next)) = frontier.paths.pop_first() else {
                explored.complete = true;
                return verdict;
            };
            if explored.schedules == bound.schedules {
                return verdict;
            }
            steps = next.steps();
        }
    }

    /// One run along a path, and all choices that it made.
    fn along(&self, steps: Vec<Step>, drive: &impl Fn(&mut Session) -> Verdict) -> (Result<Vec<Choice>, Unpassed>, Verdict) {
        let (answer, write) = match descriptor::file_in_memory() {
            Ok(ends) => ends,
            Err(error) => return (Ok(Vec::new()), Err(error.into())),
        };
        let name = word(&steps);
        let verdict = self.session(|session| {
            session.schedule_along(steps);
            let verdict = drive(session);
            // The supervisor is another process: this is the way back.
            let choices = serde_json::to_vec(session.choices()?).map_err(std::io::Error::from)?;
            File::from(write).write_all(&choices)?;
            verdict
        });
        let verdict = verdict.map_err(|unpassed| match unpassed {
            Unpassed::Fail(finding) => {
                let line = format!("{ONE_SCHEDULE}={name} in the environment of the same command does this one schedule alone");
                Unpassed::from(finding.when(&format!("when one process runs at a time, in the order of schedule {name}")).with(vec![line]))
            }
            other => other,
        });
        let mut text = Vec::new();
        let choices = File::from(answer).read_to_end(&mut text).map_err(Unpassed::from);
        (choices.and_then(|_| serde_json::from_slice(&text).map_err(|error| std::io::Error::from(error).into())), verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All schedules of a program whose every run makes so many choices between two, none of them free.
    fn count(choices: usize, bound: Bound) -> (u32, bool) {
        let mut frontier = Frontier { bound, paths: BTreeMap::new(), ranks: HashMap::new(), found: 0 };
        let (mut steps, mut done) = (Vec::new(), 0);
        loop {
            done += 1;
            let step = |place: usize| steps.get(place).copied().unwrap_or(Step { options: 2, chosen: 0 });
            let made: Vec<Choice> = (0..choices).map(|place| Choice::plain(step(place))).collect();
            frontier.take_in(steps.len(), &made);
            let Some((_, next)) = frontier.paths.pop_first() else { return (done, true) };
            if done == bound.schedules {
                return (done, false);
            }
            steps = next.steps();
        }
    }

    #[test]
    fn every_schedule_is_done_once() {
        assert_eq!(count(6, conflicts_reversed()), (64, true));
        assert_eq!(count(6, preemptions(0)), (1, true));
        assert_eq!(count(6, preemptions(2)), (1 + 6 + 15, true));
        assert_eq!(count(20, preemptions(2).at_most(100)), (100, false));
    }

    #[test]
    fn a_word_and_its_path_are_the_same() {
        for name in ["first", "0.1", "17.1-40.2"] {
            assert_eq!(path_of(name).map(|steps| word(&steps)).as_deref(), Some(name));
        }
        for wrong in ["", "17", "x.1", "4.1-2.1", "99999999999.1"] {
            assert_eq!(path_of(wrong), None, "{wrong}");
        }
    }
}
