//! The record of one student's work on one lab: what is kept, merged, shown and exported.
//!
//! A record holds no time, no process number and no path of this machine: the same submission, lab version and seed give the same bytes.

use harness::finding::Finding;
pub use harness::manifest::Visibility;
use harness::manifest::{CheckEntry, LabFolder};
use harness::record::CheckRecord;
use harness::verdict::Word;
use serde::{Deserialize, Serialize};

use crate::escape::{cut, shown};
use crate::ready::ReadyLab;
use crate::run::roster::Student;

/// The name of this form of record.
pub const SCHEMA: &str = "ipc-labs/record/1";

/// The most bytes of one check's message.
const MESSAGE_BYTES: usize = 64 << 10;

/// One student's work on one lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// The student's name, as it is shown.
    pub student: String,
    /// Every number, address and login that a learning platform knows the student by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// The lab's folder name.
    pub lab: String,
    /// What was graded with: see [`crate::run::version`].
    pub lab_version: String,
    /// A digest of what was handed in.
    pub submission: String,
    /// When it was handed in, as RFC 3339 has it, in UTC; absent if nobody said. Grading again does not move it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<String>,
    /// Whether the platform marked it as late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marked_late: bool,
    /// How strong the sandbox was; `null` if nothing was run.
    pub tier: Option<String>,
    /// The seed that inputs were drawn from.
    pub seed: u64,
    /// Points earned.
    pub points: u32,
    /// Points that can be earned.
    pub max_points: u32,
    /// Whether somebody must look: something could not be observed, so that the points may be too few.
    pub needs_attention: bool,
    /// How the build ended.
    pub outcome: Build,
    /// The checks, in the lab's order.
    pub checks: Vec<Check>,
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// In one word.
    pub status: Status,
    /// What the compiler or the collector said; empty for `built`.
    pub message: String,
}

/// How a build ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every program was built.
    Built,
    /// The compiler found errors.
    CompileError,
    /// A file that the lab asks for is not there.
    MissingFile,
    /// Something that is not taken: a link, a FIFO, a file that is too large, a source that includes another file.
    Refused,
}

/// One check of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The check's name.
    pub name: String,
    /// The verdict.
    pub verdict: Word,
    /// Points earned.
    pub points: u32,
    /// Points for a pass.
    pub max_points: u32,
    /// What was expected, what was observed, the next step; empty for a pass.
    pub message: String,
    /// What is wrong, part by part, where the verdict is `fail`: what `message` says, for reports that lay it out themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// The command that does the check again with the same inputs.
    pub replay: String,
    /// Whether the check is hidden: students do not have it, and never see what its programs were given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// When the student may see the check and its message.
    #[serde(default, skip_serializing_if = "Visibility::is_visible")]
    pub visibility: Visibility,
}

impl Record {
    /// The record of a submission that has not been graded yet.
    #[must_use]
    pub fn new(student: &Student, lab: &LabFolder, lab_version: &str, seed: u64, submission: String) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            student: student.name.clone(),
            ids: student.ids.clone(),
            lab: lab.folder.clone(),
            lab_version: lab_version.to_owned(),
            submission,
            submitted: student.handed(&lab.folder).and_then(|handed| handed.submitted.clone()),
            marked_late: student.handed(&lab.folder).is_some_and(|handed| handed.marked_late),
            tier: None,
            seed,
            points: 0,
            max_points: lab.manifest.points(),
            needs_attention: false,
            outcome: Build { status: Status::Built, message: String::new() },
            checks: Vec::new(),
        }
    }

    /// The record of a submission of which no program could be run.
    #[must_use]
    pub fn not_built(mut self, outcome: Build, lab: &LabFolder) -> Self {
        let outcome = Build { message: shown(&outcome.message), ..outcome };
        self.outcome = outcome;
        self.with_all_checks(lab, Word::Skipped, "not checked: there is no program to run, see the outcome of the build")
    }

    /// The record of a submission that was checked.
    #[must_use]
    pub fn checked(mut self, ready: &ReadyLab<'_>, verdicts: Result<Vec<CheckRecord>, String>) -> Self {
        let records = match verdicts {
            Ok(records) => records,
            Err(reason) => {
                self.needs_attention = true;
                return self.with_all_checks(ready.lab, Word::Broken, &reason);
            }
        };
        self.tier = records.first().map(|record| record.tier.clone());
        for record in &records {
            let entry = ready.lab.manifest.check_named(&record.check);
            let max_points = entry.map_or(0, |check| check.points);
            // Points follow from the verdict alone, whatever else a check executable says.
            let points = if record.verdict == Word::Pass { max_points } else { 0 };
            self.points += points;
            self.needs_attention |= match record.verdict {
                Word::Pass | Word::Fail => false,
                Word::Broken => true,
                Word::Skipped => !ready.skip_is_explained(record, true),
            };
            let message = shortened(&shown(&record.message()));
            self.checks.push(Check {
                name: record.check.clone(),
                verdict: record.verdict,
                points,
                max_points,
                message,
                finding: record.finding.as_ref().map(harmless),
                replay: record.replay.clone(),
                // What no manifest knows is not for students.
                hidden: entry.is_none_or(|check| check.hidden),
                visibility: entry.map_or(Visibility::Hidden, CheckEntry::visibility),
            });
        }
        self
    }

    /// This record with the checks of another in the place of its own.
    #[must_use]
    pub fn with_checks_of(mut self, other: Self) -> Self {
        for check in other.checks {
            if let Some(place) = self.checks.iter_mut().find(|place| place.name == check.name) {
                *place = check;
            }
        }
        self.points = self.checks.iter().map(|check| check.points).sum();
        self.needs_attention |= other.needs_attention;
        self.tier = other.tier.or(self.tier);
        self
    }

    fn with_all_checks(mut self, lab: &LabFolder, verdict: Word, message: &str) -> Self {
        let check = |check: &CheckEntry| Check {
            name: check.name.clone(),
            verdict,
            points: 0,
            max_points: check.points,
            message: shown(message),
            finding: None,
            hidden: check.hidden,
            visibility: check.visibility(),
            replay: format!("cargo lab check {} {} --seed {}", lab.name, check.name, self.seed),
        };
        self.checks = lab.manifest.checks.iter().map(check).collect();
        self
    }

    /// Whether this record, read from disk, is what grading `fresh` would give: nobody need look at it, and it is of the same submission, lab and seed.
    #[must_use]
    pub fn answers(&self, fresh: &Self) -> bool {
        !self.needs_attention && self.is_of(fresh)
    }

    /// Whether this record is of the same student, submission, lab and seed.
    #[must_use]
    pub fn is_of(&self, fresh: &Self) -> bool {
        self.differs_in(fresh).is_empty()
    }

    /// In what this record is of something else, in one word; empty if it is of the same.
    #[must_use]
    pub fn differs_in(&self, fresh: &Self) -> &'static str {
        if self.schema != fresh.schema {
            "schema"
        } else if (&self.student, &self.lab) != (&fresh.student, &fresh.lab) {
            "student or lab"
        } else if self.submission != fresh.submission {
            "submission"
        } else if (&self.lab_version, self.max_points) != (&fresh.lab_version, fresh.max_points) {
            "lab version"
        } else if self.seed != fresh.seed {
            "seed"
        } else {
            ""
        }
    }

    /// Why somebody must look at it, if so.
    #[must_use]
    pub fn attention(&self) -> Option<String> {
        if !self.needs_attention {
            return None;
        }
        if self.outcome.status != Status::Built {
            return Some(self.outcome.message.clone());
        }
        let unobserved: Vec<&str> =
            self.checks.iter().filter(|check| matches!(check.verdict, Word::Broken | Word::Skipped)).map(|check| &*check.name).collect();
        Some(format!("not observed: {}", unobserved.join(", ")))
    }
}

fn shortened(text: &str) -> String {
    if text.len() > MESSAGE_BYTES { format!("{}\n(cut here)\n", cut(text, MESSAGE_BYTES)) } else { text.to_owned() }
}

/// The finding with every text made harmless, as the message is.
fn harmless(finding: &Finding) -> Finding {
    let text = |text: &str| shortened(&shown(text));
    let mut finding = finding.clone();
    for part in [&mut finding.kind, &mut finding.expected, &mut finding.observed, &mut finding.next].into_iter().chain(&mut finding.evidence) {
        *part = text(part);
    }
    for label in &mut finding.labels {
        (label.what, label.text, label.place.file) = (text(&label.what), text(&label.text), text(&label.place.file));
        // A path of this machine; empty already where the line's text was read.
        label.place.path.clear();
    }
    finding
}
