//! `grade mutants`: single mistakes, made mechanically in a lab's solution, and whether the checks see them.
//!
//! Theory of operation: [`mistakes`] makes variants of the solution that differ in one place, as a student's mistake would: a call left out, a result not looked
//! at, a flag forgotten, a retry that is none. Each that compiles is checked like a submission, until its first failure. One that passes every check either
//! does the same as the solution, or shows what the checks do not see: its author reads the list. The list of those read, with the reason, is
//! `submissions/survivors.txt` beside the submissions, a line for each; whatever else survives is a problem.

pub mod mistakes;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use harness::manifest::LabFolder;
use harness::verdict::Word;

use crate::compile::Compiler;
use crate::failure::Failure;
use crate::ready::{Outcome, ReadyLab};
use crate::{parallel, sources, workspace};
use mistakes::Mistake;

/// What became of one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It does not compile.
    NotBuilt,
    /// This check fails.
    Failed(String),
    /// It passes every check.
    Survived,
    /// It could not be judged.
    Broken(String),
}

/// What came out of one lab.
#[derive(Debug)]
pub struct LabReport {
    /// The lab's folder name.
    pub lab: String,
    /// Every variant that compiles, with what became of it.
    pub judged: Vec<(Mistake, Fate)>,
    /// The reasons that the lab's author gives for survivors, by [`Mistake::place`].
    pub explained: BTreeMap<String, String>,
}

impl LabReport {
    /// How many variants there are, how many failed, and those that survived without an explanation.
    #[must_use]
    pub fn figures(&self) -> (usize, usize, Vec<&Mistake>) {
        let failed = self.judged.iter().filter(|(_, fate)| matches!(fate, Fate::Failed(_))).count();
        let survived = self.judged.iter().filter(|(mistake, fate)| *fate == Fate::Survived && !self.explained.contains_key(&mistake.place()));
        (self.judged.len(), failed, survived.map(|(mistake, _)| mistake).collect())
    }

    /// The report in lines.
    #[must_use]
    pub fn text(&self) -> String {
        let (all, failed, unexplained) = self.figures();
        let explained = self.judged.iter().filter(|(mistake, fate)| *fate == Fate::Survived && self.explained.contains_key(&mistake.place())).count();
        let mut text = format!("{}\n  mistakes   {all} that compile; {failed} fail a check, {explained} do no harm and say why\n", self.lab);
        for mistake in unexplained {
            text.push_str(&format!("  survives   {}\n             {}\n", mistake.place(), mistake.line));
        }
        for (mistake, fate) in &self.judged {
            if let Fate::Broken(reason) = fate {
                text.push_str(&format!("  broken     {}: {reason}\n", mistake.place()));
            }
        }
        text
    }
}

/// Judges the variants of the chosen labs; `tell` is given each lab's report as soon as it is there.
///
/// # Errors
/// An unknown lab, no compiler, a lab that does not build.
pub fn judge(root: &Path, names: &[String], seed: u64, jobs: usize, mut tell: impl FnMut(&LabReport)) -> Result<Vec<LabReport>, Failure> {
    let compiler = Compiler::find(root)?;
    let mut reports = Vec::new();
    for lab in workspace::labs(root, names)? {
        let report = judge_lab(root, &lab, &compiler, seed, jobs)?;
        tell(&report);
        reports.push(report);
    }
    Ok(reports)
}

fn judge_lab(root: &Path, lab: &LabFolder, compiler: &Compiler, seed: u64, jobs: usize) -> Result<LabReport, Failure> {
    let ready = ReadyLab::prepare(root, lab, compiler)?;
    let solution = sources::solution(lab)?;
    let scratch = tempfile::tempdir().map_err(|error| Failure::machine("make a folder in", &std::env::temp_dir(), &error))?;
    let mistakes: Vec<Mistake> = mistakes::of(&solution);
    let fates = parallel::map(&mistakes, jobs, |mistake| fate(&ready, &mistake.applied(&solution), scratch.path(), seed));
    let mut judged = Vec::new();
    for (mistake, fate) in mistakes.into_iter().zip(fates) {
        match fate? {
            Fate::NotBuilt => {}
            fate => judged.push((mistake, fate)),
        }
    }
    Ok(LabReport { lab: lab.folder.clone(), judged, explained: explanations(lab) })
}

fn fate(ready: &ReadyLab<'_>, sources: &[sources::Source], scratch: &Path, seed: u64) -> Result<Fate, Failure> {
    let Outcome::Programs(programs) = ready.build(sources, scratch)? else { return Ok(Fate::NotBuilt) };
    // One check after the other: most mistakes fail an early one, and what comes after it costs time only.
    for check in &ready.lab.manifest.checks {
        match ready.check(&programs, seed, &[&check.name]) {
            Ok(records) if records.iter().any(|record| record.verdict == Word::Fail) => return Ok(Fate::Failed(check.name.clone())),
            Ok(records) => {
                if let Some(record) = records.iter().find(|record| record.verdict == Word::Broken) {
                    return Ok(Fate::Broken(format!("{}: {}", check.name, record.reason.as_deref().unwrap_or_default())));
                }
            }
            Err(reason) => return Ok(Fate::Broken(reason)),
        }
    }
    Ok(Fate::Survived)
}

/// The lines `PLACE: REASON` of the lab's `submissions/survivors.txt`.
fn explanations(lab: &LabFolder) -> BTreeMap<String, String> {
    let text = fs::read_to_string(lab.path.join("submissions/survivors.txt")).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(": ")).map(|(place, reason)| (place.trim().to_owned(), reason.trim().to_owned())).collect()
}
