//! The timelines of the runs that checks failed in, one file for each student and lab, beside the records.
//!
//! Theory of operation: a record is the same every time, byte for byte; the order in which processes come to their calls need not be, so that a picture of it has no place in a
//! record. It is kept in a file of its own, which says what it is of. A report shows it where that is what the record is of; that there is none changes no mark.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use harness::timeline::Timeline;
use harness::verdict::Word;
use serde::{Deserialize, Serialize};

use crate::escape::shown;
use crate::run::record::Record;

/// The folder of them, below the output folder.
pub const FOLDER: &str = "timelines";
/// Characters of a step or of a process's name.
const LONGEST: usize = 160;

/// The timelines of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timelines {
    submission: String,
    lab_version: String,
    seed: u64,
    checks: BTreeMap<String, Timeline>,
}

impl Timelines {
    /// What the check executable left in `folder`, of the checks that this record has as failed. Texts are made harmless: some are the program's.
    #[must_use]
    pub fn collect(folder: &Path, record: &Record) -> Self {
        let left = |name: &str| {
            let mut timeline: Timeline = serde_json::from_slice(&fs::read(folder.join(name)).ok()?).ok()?;
            let texts = timeline.lanes.iter_mut().chain(timeline.steps.iter_mut().map(|step| &mut step.text));
            texts.for_each(|text| *text = shown(text).chars().take(LONGEST).collect());
            Some((name.to_owned(), timeline))
        };
        let failed = record.checks.iter().filter(|check| check.verdict == Word::Fail);
        Self {
            submission: record.submission.clone(),
            lab_version: record.lab_version.clone(),
            seed: record.seed,
            checks: failed.filter_map(|check| left(&check.name)).collect(),
        }
    }

    /// Where they are, below the output folder.
    #[must_use]
    pub fn path(student: &str, lab: &str) -> PathBuf {
        Path::new(FOLDER).join(student).join(format!("{lab}.json"))
    }

    /// Those of a record below this output folder, if they are of what the record is of.
    #[must_use]
    pub fn read(out: &Path, student: &str, record: &Record) -> Option<Self> {
        let found: Self = serde_json::from_slice(&fs::read(out.join(Self::path(student, &record.lab))).ok()?).ok()?;
        let same = (&found.submission, &found.lab_version, found.seed) == (&record.submission, &record.lab_version, record.seed);
        same.then_some(found)
    }

    /// These, and those of `others` for checks that these have none of.
    #[must_use]
    pub fn and(mut self, others: Option<Self>) -> Self {
        for (check, timeline) in others.into_iter().flat_map(|others| others.checks) {
            self.checks.entry(check).or_insert(timeline);
        }
        self
    }

    /// That of a check.
    #[must_use]
    pub fn of(&self, check: &str) -> Option<&Timeline> {
        self.checks.get(check)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }
}
