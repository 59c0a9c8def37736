//! The course proves itself: everything that a lab promises is held against what it is.
//!
//! Theory of operation: for one lab after the other, what stands on paper comes first ([`paper`]): manifest, handout, doc comments, dependencies and
//! markers agree, and the submissions are named as they should be. Then every subject ([`subjects`]: starter, solution, accepted and rejected
//! submissions) is compiled once and checked, as a student's would be, several at a time; [`verdicts`] judges each. A lab's problems do not stop the
//! next lab. [`report`] tells, for each problem, what was expected, what was observed and the next step.

pub mod messages;
pub mod paper;
pub mod report;
pub mod subjects;
pub mod verdicts;

use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use harness::manifest::LabFolder;
use harness::verdict::Word;
use serde::Serialize;

use crate::compile::{Built, Compiler};
use crate::failure::Failure;
use crate::parallel;
use crate::ready::{self, ReadyLab};
use crate::workspace;
use report::{LabReport, Problem};
use subjects::{Kind, Subject};
use verdicts::Verdicts;

/// What `grade prove` was asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The labs by name; none means all.
    pub labs: Vec<String>,
    /// The seed that inputs are drawn from.
    pub seed: u64,
    /// How many subjects are worked on at a time.
    pub jobs: usize,
    /// How often every subject is checked.
    pub repeat: usize,
    /// Whether a check that was skipped is a problem.
    pub no_skips: bool,
    /// What is done with the messages of rejected submissions.
    pub messages: Messages,
}

/// What is done with the messages that rejected submissions get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// Nothing: the verdicts are what counts.
    Passed,
    /// They are compared with those recorded, and between repetitions.
    Compared,
    /// They are recorded.
    Recorded,
}

/// What came out of all labs.
#[derive(Debug, Serialize)]
pub struct Proof {
    /// The seed.
    pub seed: u64,
    /// How often every subject was checked.
    pub repeat: usize,
    /// One report for each lab.
    pub labs: Vec<LabReport>,
}

impl Proof {
    /// 0 if every lab keeps its promises, 3 if something was broken, 2 if a manifest cannot be used, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let worst = |kind| self.labs.iter().flat_map(|lab| &lab.problems).any(|problem| problem.kind == kind);
        if worst(report::Kind::Broken) {
            3
        } else if worst(report::Kind::Manifest) {
            2
        } else {
            u8::from(worst(report::Kind::Promise))
        }
    }
}

/// Proves the labs; `tell` is given each lab's report as soon as it is there, in the labs' order.
///
/// # Errors
/// An unknown lab, no compiler, no labs. Everything that is wrong with a lab is a problem in its report.
pub fn prove(root: &Path, request: &Request, mut tell: impl FnMut(&LabReport)) -> Result<Proof, Failure> {
    let compiler = Compiler::find(root)?;
    let scratch = tempfile::tempdir().map_err(|error| Failure::machine("make a folder in", &std::env::temp_dir(), &error))?;
    let loaded: Vec<_> = chosen_folders(root, &request.labs)?
        .into_iter()
        .map(|folder| LabFolder::load(&folder).map_err(|bad| Box::new(LabReport::unreadable(&folder, &bad))))
        .collect();
    let (prepared, mut reports): (Vec<_>, Vec<_>) = loaded
        .iter()
        .map(|lab| match lab {
            Ok(lab) => prepare(root, lab, &compiler, scratch.path()),
            Err(unreadable) => (None, (**unreadable).clone()),
        })
        .unzip();

    // A subject is examined beside others; one that was not observed clearly, alone.
    let beside = RwLock::new(());
    // The subjects of all labs are one heap of work, so that no processor waits for a lab's last one.
    let work: Vec<(usize, &Prepared<'_>, &Subject)> = (0..)
        .zip(&prepared)
        .filter_map(|(number, lab)| Some((number, lab.as_ref()?)))
        .flat_map(|(number, lab)| lab.subjects.iter().map(move |subject| (number, lab, subject)))
        .collect();
    let mut examined: Vec<Vec<Examined>> = prepared.iter().map(|_| Vec::new()).collect();
    let mut concluded = 0;
    let mut failure = None;
    // The labs in their order, as far as all of their subjects have been examined.
    let mut conclude = |examined: &[Vec<Examined>]| -> Result<(), Failure> {
        while let (Some(lab), Some(report)) = (prepared.get(concluded), reports.get_mut(concluded)) {
            if let Some(lab) = lab {
                if examined[concluded].len() < lab.subjects.len() {
                    break;
                }
                judge(lab, &examined[concluded], request, report)?;
            }
            tell(report);
            concluded += 1;
        }
        Ok(())
    };
    conclude(&examined)?;
    parallel::each(
        &work,
        request.jobs,
        |(number, lab, subject)| (*number, examine(&lab.ready, subject, scratch.path(), request, &beside)),
        |(number, result)| match result {
            Ok(one) => {
                examined[number].push(one);
                if let Err(error) = conclude(&examined) {
                    failure.get_or_insert(error);
                }
            }
            Err(error) => {
                failure.get_or_insert(error);
            }
        },
    );
    match failure {
        Some(failure) => Err(failure),
        None => Ok(Proof { seed: request.seed, repeat: request.repeat, labs: reports }),
    }
}

/// The folders of the named labs. A lab with a bad manifest has a name all the same: its folder's.
fn chosen_folders(root: &Path, names: &[String]) -> Result<Vec<std::path::PathBuf>, Failure> {
    let folders = workspace::lab_folders(root)?;
    if folders.is_empty() {
        return Err(Failure::BadInput(format!("expected labs below {}; there are none", root.join("labs").display())));
    }
    let known: Vec<String> = folders.iter().filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned())).collect();
    let mut chosen = Vec::new();
    for name in names {
        let wanted = name.trim_end_matches('/').trim_start_matches("labs/");
        let is = |folder: &&String| {
            let (number, package) = folder.split_once('-').unwrap_or(("", folder));
            *folder == wanted || package == wanted || (wanted.parse::<u32>().is_ok() && wanted.parse::<u32>() == number.parse::<u32>())
        };
        let Some(folder) = known.iter().find(is) else {
            let packages: Vec<&str> = known.iter().map(|folder| folder.split_once('-').map_or(&**folder, |(_, package)| package)).collect();
            return Err(Failure::BadInput(format!("there is no lab `{wanted}`{}", harness::manifest::did_you_mean(wanted, &packages))));
        };
        chosen.push(folder.clone());
    }
    Ok(folders.into_iter().filter(|folder| chosen.is_empty() || chosen.iter().any(|name| folder.ends_with(name))).collect())
}

/// A lab whose subjects can be examined.
struct Prepared<'a> {
    ready: ReadyLab<'a>,
    subjects: Vec<Subject>,
}

/// What stands on paper, and the build of the lab's own parts; without these there is the report alone.
fn prepare<'a>(root: &Path, lab: &'a LabFolder, compiler: &'a Compiler, scratch: &Path) -> (Option<Prepared<'a>>, LabReport) {
    let start = Instant::now();
    let mut report = LabReport::new(lab);
    paper::examine(lab, &mut report);
    let subjects = subjects::find(lab, &mut report);
    let prepared = match ReadyLab::prepare(root, lab, compiler) {
        Ok(ready) => {
            compare_lists(&ready, scratch, &mut report);
            Some(Prepared { ready, subjects })
        }
        Err(failure) => {
            report.problem(Problem::promise("build", "the lab and its check executable build", failure.to_string(), "mend the build errors above"));
            None
        }
    };
    report.seconds = start.elapsed().as_secs_f64();
    (prepared, report)
}

/// Judges a lab's subjects, all of which have been examined.
fn judge(prepared: &Prepared<'_>, examined: &[Examined], request: &Request, report: &mut LabReport) -> Result<(), Failure> {
    let Prepared { ready, subjects } = prepared;
    for (subject, examined) in subjects.iter().zip(examined) {
        verdicts::judge(ready, subject, &examined.outcome, request, report);
        report.took(examined);
    }
    let messages = messages::of(subjects.iter().zip(examined.iter().map(|examined| &examined.outcome)));
    match request.messages {
        Messages::Compared if !not_observed(report) => messages::compare(ready.lab, &messages, report),
        Messages::Recorded if !not_observed(report) => {
            let path = messages::file(ready.lab);
            messages::record(&path, &messages).map_err(|error| Failure::machine("write", &path, &error))?;
        }
        _ => {}
    }
    Ok(())
}

/// Whether something of the lab was skipped or broken, so that messages may be missing.
fn not_observed(report: &LabReport) -> bool {
    !report.skipped.is_empty() || report.problems.iter().any(|problem| problem.kind == report::Kind::Broken)
}

fn compare_lists(ready: &ReadyLab<'_>, scratch: &Path, report: &mut LabReport) {
    let expected: Vec<String> = ready.lab.manifest.checks.iter().map(|check| check.name.clone()).collect();
    match ready.listed_checks(scratch) {
        Ok(listed) if listed == expected => {}
        Ok(listed) => report.problem(Problem::promise(
            "checks.rs",
            format!("the checks of lab.toml, in its order: {}", expected.join(", ")),
            format!("the check executable lists: {}", listed.join(", ")),
            "make `harness::checks!` in checks.rs and [[check]] in lab.toml the same",
        )),
        Err(reason) => report.problem(Problem::broken("checks.rs", "the check executable lists its checks", reason)),
    }
}

/// One subject, examined.
pub struct Examined {
    /// What came out of it.
    pub outcome: Outcome,
    /// Seconds that building it took.
    pub building: f64,
    /// The checks that were broken beside other subjects, so that it was checked again alone, with the reasons.
    pub again: Vec<String>,
}

/// What came out of one subject: how it was built, and the verdicts of each repetition.
#[derive(Debug)]
pub enum Outcome {
    /// It does not build.
    NotBuilt(Built),
    /// It was checked so many times.
    Checked(Vec<Verdicts>),
}

fn examine(ready: &ReadyLab<'_>, subject: &Subject, scratch: &Path, request: &Request, beside: &RwLock<()>) -> Result<Examined, Failure> {
    let others = beside.read().unwrap_or_else(PoisonError::into_inner);
    let start = Instant::now();
    let built = ready.build(&subject.sources, scratch)?;
    let building = start.elapsed().as_secs_f64();
    let programs = match built {
        ready::Outcome::Programs(programs) => programs,
        ready::Outcome::Stopped(built) => return Ok(Examined { outcome: Outcome::NotBuilt(built), building, again: Vec::new() }),
    };
    // What a rejected submission does in the checks after its own says nothing about the course.
    let names: Vec<&str> = match &subject.kind {
        Kind::Rejected { check } => {
            let order = &ready.lab.manifest.checks;
            let last = order.iter().position(|entry| entry.name == *check).map_or(order.len(), |place| place + 1);
            order[..last].iter().map(|entry| &*entry.name).collect()
        }
        Kind::Starter | Kind::Solution | Kind::Accepted => Vec::new(),
    };
    let check = || ready.check(&programs, request.seed, &names);
    let mut repetitions: Vec<Verdicts> = (0..request.repeat.max(1)).map(|_| check()).collect();
    drop(others);
    let mut again = Vec::new();
    for verdicts in &mut repetitions {
        let broken = broken_in(verdicts);
        if !broken.is_empty() {
            // As in grading: what ran beside it may be the reason, and only what is broken alone too stays so.
            let _alone = beside.write().unwrap_or_else(PoisonError::into_inner);
            again.extend(broken.into_iter().map(|reason| format!("{}, {reason}", subject.place)));
            *verdicts = check();
        }
    }
    Ok(Examined { outcome: Outcome::Checked(repetitions), building, again })
}

/// The checks that were broken, with the reasons.
fn broken_in(verdicts: &Verdicts) -> Vec<String> {
    match verdicts {
        Ok(records) => records
            .iter()
            .filter(|record| record.verdict == Word::Broken)
            .map(|record| format!("{}: {}", record.check, record.reason.as_deref().unwrap_or("broken without a reason")))
            .collect(),
        Err(reason) => vec![reason.clone()],
    }
}

/// The word for a kind of subject, as the report's rows have it.
#[must_use]
pub fn row(kind: &Kind) -> &'static str {
    match kind {
        Kind::Starter => "starter",
        Kind::Solution => "solution",
        Kind::Accepted => "accepted",
        Kind::Rejected { .. } => "rejected",
    }
}
