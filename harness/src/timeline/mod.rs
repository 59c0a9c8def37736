//! A run as a picture: a lane for each process, its calls in the order in which they were done, and what led to what.

pub mod picture;
pub mod text;

use serde::{Deserialize, Serialize};

/// One run of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The processes, in the order of their birth.
    pub lanes: Vec<String>,
    /// What they did, in the order in which it was done.
    pub steps: Vec<Step>,
}

/// One thing that a process did, or that happened to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The process, by its lane.
    pub lane: usize,
    /// What it did, in words.
    pub text: String,
    /// The step that led to it, in another lane: the write before a read, the fork before a child's first call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<usize>,
    /// The step before which it began: it took until here, since it waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<usize>,
    /// Whether it is no mere course of things: a failure, a fault that was carried out, a call that never came back.
    #[serde(default)]
    pub stands_out: bool,
    /// How often it was done in a row.
    #[serde(default = "once")]
    pub times: usize,
}

fn once() -> usize {
    1
}

impl Timeline {
    /// The same with steps that repeat folded into one: those that a process did several times in a row, nobody else having done anything between, and
    /// those of a loop of two.
    #[must_use]
    pub fn folded(&self) -> Self {
        let mut folded = Self { lanes: self.lanes.clone(), steps: Vec::new() };
        let mut place = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let at = |earlier: Option<usize>| earlier.and_then(|earlier| place.get(earlier).copied());
            let step = Step { from: at(step.from), since: at(step.since), ..step.clone() };
            let count = folded.steps.len();
            let alike = |other: &Step| other.lane == step.lane && other.text == step.text && other.stands_out == step.stands_out;
            let same = (1..=2).filter_map(|back| count.checked_sub(back)).find(|earlier| {
                alike(&folded.steps[*earlier])
                    && folded.steps[*earlier..].iter().all(|between| between.lane == step.lane)
                    && (*earlier + 1 == count || folded.steps[*earlier].times > folded.steps[count - 1].times || folded.steps[count - 1].times > 1)
            });
            match same {
                Some(earlier) => {
                    folded.steps[earlier].times += step.times;
                    place.push(earlier);
                }
                None => {
                    folded.steps.push(step);
                    place.push(count);
                }
            }
        }
        folded
    }

    /// The same with at most so many lanes, the first, and so many steps: the beginning and, since what went wrong stands at the end, three times as many of the last.
    #[must_use]
    pub fn cut(&self, lanes: usize, steps: usize) -> Self {
        let shown: Vec<usize> = (0..self.steps.len()).filter(|number| self.steps[*number].lane < lanes).collect();
        let left_out = shown.len().saturating_sub(steps);
        let first = if left_out == 0 { shown.len() } else { steps / 4 };
        let kept = || shown[..first].iter().chain(&shown[first + left_out..]);
        // The step that says what is missing has a place of its own.
        let gap = usize::from(left_out > 0);
        let place = |number: usize| kept().position(|kept| *kept == number).map(|place| if place < first { place } else { place + gap });
        let taken = |number: &usize| {
            let step = &self.steps[*number];
            // A wait that began in what is left out is drawn from there on.
            let since =
                step.since.map(|since| kept().position(|kept| *kept >= since).map_or(0, |place| if place < first { place } else { place + gap }));
            Step { from: step.from.and_then(place), since, ..step.clone() }
        };
        let mut cut: Vec<Step> = kept().map(taken).collect();
        if left_out > 0 {
            cut.insert(first, Step { text: format!("({left_out} steps are left out here)"), times: 1, ..Step::default() });
        }
        let mut names: Vec<String> = self.lanes.iter().take(lanes).cloned().collect();
        let others = self.lanes.len() - names.len();
        if let Some(last) = names.last_mut().filter(|_| others > 0) {
            last.push_str(&format!(" ({others} more processes are left out)"));
        }
        Self { lanes: names, steps: cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn step(lane: usize, text: &str, from: Option<usize>) -> Step {
        Step { lane, text: text.into(), from, times: 1, ..Step::default() }
    }

    pub(super) fn sample() -> Timeline {
        let steps = vec![
            step(0, "pipe = 3, 4", None),
            step(0, "fork: the child", None),
            step(0, "write 4 (pipe A) = 5 bytes", None),
            step(1, "read 3 (pipe A) = 5 bytes", Some(2)),
            Step { stands_out: true, ..step(1, "read 3 (pipe A): never comes back", None) },
        ];
        Timeline { lanes: vec!["the parent".into(), "the child".into()], steps }
    }

    #[test]
    fn what_repeats_is_folded_and_causes_follow() {
        let mut timeline = sample();
        timeline.steps.splice(2..2, (0..500).map(|_| step(0, "write 4 (pipe A) = 1 byte", None)));
        timeline.steps[503].from = Some(502);
        let folded = timeline.folded();
        assert_eq!(folded.steps.len(), 6);
        assert_eq!((folded.steps[2].times, folded.steps[4].from), (500, Some(3)));
    }

    #[test]
    fn what_is_too_long_keeps_its_beginning_and_its_end() {
        let mut timeline = sample();
        timeline.steps.splice(2..2, (0..500).map(|number| step(0, &format!("write {number}"), None)));
        timeline.steps[503].from = Some(502);
        timeline.steps[504].since = Some(400);
        let cut = timeline.cut(9, 12);
        assert_eq!((cut.steps.len(), &*cut.steps[0].text, &*cut.steps[3].text), (13, "pipe = 3, 4", "(493 steps are left out here)"));
        let last = &cut.steps[11..];
        assert_eq!((&*last[0].text, last[0].from, last[1].since), ("read 3 (pipe A) = 5 bytes", Some(10), Some(4)));
        assert_eq!(sample().cut(9, 12), sample());
        let one = sample().cut(1, 12);
        assert_eq!((one.lanes, one.steps.len()), (vec!["the parent (1 more processes are left out)".to_owned()], 3));
    }

    #[test]
    fn nothing_is_folded_across_another_process() {
        let lanes = vec!["a".into(), "b".into()];
        let steps = vec![step(0, "x", None), step(1, "y", None), step(0, "x", None)];
        assert_eq!(Timeline { lanes, steps }.folded().steps.len(), 3);
    }
}
