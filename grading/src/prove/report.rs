//! What `grade prove` says about a lab: rows of a table, and problems with their mend.

use std::collections::BTreeMap;
use std::path::Path;

use harness::manifest::{BadManifest, LabFolder};
use serde::Serialize;

use crate::escape::shown;
use crate::prove::{Examined, Outcome};

/// Whose problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The lab does not keep what it promises.
    Promise,
    /// The manifest cannot be used.
    Manifest,
    /// The harness or the machine did not do its part.
    Broken,
}

/// One thing that is wrong with a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whose problem it is.
    pub kind: Kind,
    /// Where: a file of the lab, or a submission.
    pub place: String,
    /// What was expected.
    pub expected: String,
    /// What was observed.
    pub observed: String,
    /// The next step.
    pub next: String,
}

impl Problem {
    /// A promise that the lab does not keep.
    #[must_use]
    pub fn promise(place: impl Into<String>, expected: impl Into<String>, observed: impl Into<String>, next: impl Into<String>) -> Self {
        Self { kind: Kind::Promise, place: place.into(), expected: expected.into(), observed: observed.into(), next: next.into() }
    }

    /// A fault of the harness or of the machine.
    #[must_use]
    pub fn broken(place: impl Into<String>, expected: impl Into<String>, observed: impl Into<String>) -> Self {
        let next = "this is a fault of the harness or of the machine, not of the lab: prove it again, then report it";
        Self { kind: Kind::Broken, ..Self::promise(place, expected, observed, next) }
    }
}

/// One row: how many of a kind of subject did as they should.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// As they should.
    pub right: usize,
    /// All.
    pub all: usize,
}

/// What came out of one lab.
#[derive(Debug, Clone, Serialize)]
pub struct LabReport {
    /// The lab's folder name.
    pub lab: String,
    /// Its title; empty if the manifest cannot be read.
    pub title: String,
    /// How many checks it has.
    pub checks: usize,
    /// Its points.
    pub points: u32,
    /// By kind of subject.
    pub rows: BTreeMap<&'static str, Row>,
    /// Checks that were skipped, with the reason, and how many times.
    pub skipped: BTreeMap<String, usize>,
    /// Checks that were broken beside others, with the reasons; what counts is what came out alone.
    pub again: Vec<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// How long it took: the sum over its subjects, several of which are examined at a time.
    pub seconds: f64,
    /// The part of that in which its subjects were built.
    pub building: f64,
    /// The part in each of its checks.
    pub checking: BTreeMap<String, f64>,
}

impl LabReport {
    /// The report of a lab about which nothing is known yet.
    #[must_use]
    pub fn new(lab: &LabFolder) -> Self {
        Self {
            lab: lab.folder.clone(),
            title: lab.manifest.title.clone(),
            checks: lab.manifest.checks.len(),
            points: lab.manifest.points(),
            rows: BTreeMap::new(),
            skipped: BTreeMap::new(),
            again: Vec::new(),
            problems: Vec::new(),
            seconds: 0.0,
            building: 0.0,
            checking: BTreeMap::new(),
        }
    }

    /// The report of a lab whose manifest cannot be used.
    #[must_use]
    pub fn unreadable(folder: &Path, bad: &BadManifest) -> Self {
        let problem = Problem {
            kind: Kind::Manifest,
            ..Problem::promise("lab.toml", "a manifest that can be read", bad.to_string(), "mend the line that the message names")
        };
        let lab = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            lab,
            title: String::new(),
            checks: 0,
            points: 0,
            rows: BTreeMap::new(),
            skipped: BTreeMap::new(),
            again: Vec::new(),
            problems: vec![problem],
            seconds: 0.0,
            building: 0.0,
            checking: BTreeMap::new(),
        }
    }

    /// Adds a problem.
    pub fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Adds what one subject took.
    pub fn took(&mut self, examined: &Examined) {
        self.again.extend(examined.again.iter().cloned());
        self.building += examined.building;
        self.seconds += examined.building;
        let Outcome::Checked(repetitions) = &examined.outcome else { return };
        for record in repetitions.iter().flatten().flatten() {
            *self.checking.entry(record.check.clone()).or_default() += record.seconds;
            self.seconds += record.seconds;
        }
    }

    /// Counts one subject.
    pub fn count(&mut self, row: &'static str, right: bool) {
        let row = self.rows.entry(row).or_default();
        row.all += 1;
        row.right += usize::from(right);
    }

    /// The report as text for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}  {}\n", self.lab, self.title);
        let mut line = |label: &str, value: String| text.push_str(&format!("  {label:<10} {value}\n"));
        if self.checks > 0 {
            line("lab.toml", format!("{} checks, {} points", self.checks, self.points));
        }
        for (name, says) in [
            ("starter", "fails a check"),
            ("solution", "passes every check"),
            ("accepted", "pass every check"),
            ("rejected", "fail the check that they are named for, and none before it"),
        ] {
            if let Some(row) = self.rows.get(name) {
                line(name, format!("{} of {} {says}", row.right, row.all));
            }
        }
        for (reason, times) in &self.skipped {
            line("skipped", format!("{} ({times} times)", shown(reason)));
        }
        for reason in &self.again {
            line("again", format!("broken beside others, so checked once more alone: {}", shown(reason)));
        }
        for problem in &self.problems {
            let label = if problem.kind == Kind::Broken { "broken" } else { "problem" };
            line(label, shown(&problem.place));
            for (label, value) in [("expected:", &problem.expected), ("observed:", &problem.observed), ("next:", &problem.next)] {
                line("", format!("{label:<10}{}", shown(value).replace('\n', "\n                       ")));
            }
        }
        let verdict = match self.problems.len() {
            0 => "proved".to_owned(),
            1 => "NOT proved: 1 problem".to_owned(),
            n => format!("NOT proved: {n} problems"),
        };
        line(&verdict, format!("({:.1} s)", self.seconds));
        text
    }
}
