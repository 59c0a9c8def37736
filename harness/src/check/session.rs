//! What has been done in this run of a check executable.
//!
//! Theory of operation: a check's record is made when it is first asked for, by whichever thread asks, and kept. Asking for a check asks for its prerequisites
//! first; a thread that asks for one that another thread is busy with waits for it. No check waits for ever, since prerequisites always stand
//! earlier in the lab's order.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::isolation;
use super::programs::Places;
use super::registry::Registry;
use crate::record::CheckRecord;
use crate::verdict::{Unpassed, Word};

/// The checks of a lab with the records made so far.
pub(super) struct Session {
    /// The checks.
    pub registry: Registry,
    /// The seed of all of them.
    pub seed: u64,
    programs: Places,
    timelines: Option<PathBuf>,
    records: Vec<OnceLock<CheckRecord>>,
}

impl Session {
    /// A session in which nothing has been done.
    pub fn new(registry: Registry, seed: u64, programs: Places) -> Self {
        let records = registry.entries.iter().map(|_| OnceLock::new()).collect();
        Self { registry, seed, programs, timelines: None, records }
    }

    /// The same, whose failed checks leave the timeline of the run that they failed in as a file of their name in this folder.
    pub fn with_timelines(mut self, folder: Option<PathBuf>) -> Self {
        self.timelines = folder;
        self
    }

    /// The record of the check at `index`.
    pub fn record(&self, index: usize) -> &CheckRecord {
        self.records[index].get_or_init(|| {
            let entry = &self.registry.entries[index];
            if let Err(reason) = &entry.function {
                return self.without_run(index, Unpassed::Broken(reason.clone()));
            }
            for &earlier in &entry.after {
                let earlier = self.record(earlier);
                if let Some(reason) = skip_reason(earlier) {
                    return self.without_run(index, Unpassed::Skipped(reason));
                }
            }
            let once = || self.isolated(index).unwrap_or_else(|reason| self.without_run(index, Unpassed::Broken(reason)));
            let first = once();
            // What was the machine's fault may be gone; what is the check's own stays.
            if first.verdict == Word::Broken { once() } else { first }
        })
    }

    /// `indices` and all their prerequisites, in the lab's order.
    pub fn with_prerequisites(&self, indices: &[usize]) -> Vec<usize> {
        let mut needed = vec![false; self.records.len()];
        let mut open = indices.to_vec();
        while let Some(index) = open.pop() {
            if !std::mem::replace(&mut needed[index], true) {
                open.extend(&self.registry.entries[index].after);
            }
        }
        (0..needed.len()).filter(|&index| needed[index]).collect()
    }

    fn isolated(&self, index: usize) -> Result<CheckRecord, String> {
        let name = &self.registry.entries[index].name;
        let this = std::env::current_exe().map_err(|error| format!("cannot tell where this executable is: {error}"))?;
        let mut command = Command::new(this);
        command.args(["--lab-check", name, "--seed", &self.seed.to_string()]);
        command.args(self.programs.options());
        if let Some(folder) = &self.timelines {
            command.arg("--failure").arg(folder.join(name));
        }
        isolation::record(command, &self.registry.lab, name, isolation::DEADLINE)
    }

    fn without_run(&self, index: usize, unpassed: Unpassed) -> CheckRecord {
        self.registry.record(index, Err(unpassed), self.seed, String::new(), 0.0)
    }
}

/// Why what comes after `earlier` is skipped, if it is.
fn skip_reason(earlier: &CheckRecord) -> Option<String> {
    match earlier.verdict {
        Word::Pass => None,
        Word::Fail => Some(format!("{} failed", earlier.check)),
        Word::Broken => Some(format!("{} was broken", earlier.check)),
        Word::Skipped => Some(format!("{} was skipped", earlier.check)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::tests::sample;
    use super::*;
    use crate::finding::Finding;

    #[test]
    fn prerequisites_are_added_in_the_labs_order() {
        let session = Session::new(sample(), 1, Places::default());
        assert_eq!(session.with_prerequisites(&[1]), [0, 1]);
        assert_eq!(session.with_prerequisites(&[0]), [0]);
    }

    #[test]
    fn a_check_after_one_that_did_not_pass_is_skipped_with_the_reason() {
        let finding = Finding::new("k", "e", "o", "n");
        let cases: [(Unpassed, &str); 3] = [
            (finding.into(), "first failed"),
            (Unpassed::Broken("b".into()), "first was broken"),
            (Unpassed::Skipped("s".into()), "first was skipped"),
        ];
        for (unpassed, reason) in cases {
            let session = Session::new(sample(), 1, Places::default());
            let first = session.without_run(0, unpassed);
            session.records[0].set(first).unwrap();
            let second = session.record(1);
            assert_eq!((second.verdict, second.reason.as_deref(), second.points), (Word::Skipped, Some(reason), 0));
        }
    }
}
