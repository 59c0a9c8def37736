//! `lab check`: builds labs, runs their checks, and tells what came out.
//!
//! Theory of operation: a check that is asked for by name is run together with its prerequisites. If one of those stands in its way, that one is what the student
//! has to look at, so it is reported too; otherwise only the check itself is.

use super::build::{self, Built};
use super::hint::known;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::workspace::Workspace;
use super::{CheckArguments, NoAnswer, Status, given, json, layout, print, report, run};
use crate::check::seed;
use crate::manifest::LabFolder;
use crate::record::CheckRecord;
use crate::verdict::Word;

/// What came out of one lab.
#[derive(Debug)]
pub struct LabResult<'lab> {
    /// The lab.
    pub lab: &'lab LabFolder,
    /// Whether it compiles.
    pub compiles: bool,
    /// The records; none if it does not compile.
    pub records: Vec<CheckRecord>,
}

impl LabResult<'_> {
    /// How the command ends if this is its only lab.
    fn status(&self) -> Status {
        let of_record = |record: &CheckRecord| match record.verdict {
            Word::Pass | Word::Skipped => Status::AllPassed,
            Word::Fail => Status::Failed,
            Word::Broken => Status::Broken,
        };
        let compiled = if self.compiles { Status::AllPassed } else { Status::Failed };
        self.records.iter().map(of_record).max().unwrap_or(compiled)
    }
}

/// Does what `arguments` ask for.
pub fn perform(arguments: &CheckArguments) -> Result<Status, NoAnswer> {
    let workspace = Workspace::here()?;
    let labs: Vec<&LabFolder> = match &arguments.lab {
        Some(name) => vec![workspace.labs.get(name)?],
        None => workspace.labs.0.iter().collect(),
    };
    if let Some(check) = &arguments.check {
        known(labs[0], check)?;
    }
    let given = given::programs(&labs, &arguments.program)?;
    let seed = seed::choose(arguments.seed).map_err(NoAnswer::bad_input)?;
    let mut built = build::build(&workspace, &labs, Progress::spinner("building", !arguments.plain))?;
    for executables in built.values_mut() {
        executables.programs.files.clone_from(&given);
    }
    let results = check_all(&labs, &built, arguments, seed);
    if arguments.json {
        print(json::object(&results, seed), true)?;
    } else {
        print(report::drawn(&results, seed, layout::width(arguments.plain)), arguments.plain)?;
    }
    Ok(results.iter().map(LabResult::status).max().unwrap_or(Status::AllPassed))
}

fn check_all<'lab>(labs: &[&'lab LabFolder], built: &Built, arguments: &CheckArguments, seed: u64) -> Vec<LabResult<'lab>> {
    let asked_for = arguments.check.as_deref();
    let total = labs.iter().filter(|lab| built.contains_key(&lab.name)).map(|lab| names(lab, asked_for).len()).sum();
    let progress = Progress::bar(total, "checking", !arguments.plain);
    let check_one = |&lab: &&'lab LabFolder| {
        let Some(executables) = built.get(&lab.name) else { return LabResult { lab, compiles: false, records: Vec::new() } };
        let mut tell = |record: &CheckRecord| {
            progress.step();
            progress.say(&format!("{} {}", record.lab, record.check));
        };
        let mut records = run::run(lab, &names(lab, asked_for), executables, seed, arguments.jobs, &mut tell, &Interrupt::never());
        if let Some(check) = asked_for {
            keep_what_matters(&mut records, check);
        }
        for record in &mut records {
            record.replay.push_str(&given::shown(&arguments.program));
        }
        LabResult { lab, compiles: true, records }
    };
    labs.iter().map(check_one).collect()
}

/// The checks to run, in the lab's order: all, or the one asked for and its prerequisites, and theirs.
fn names<'lab>(lab: &'lab LabFolder, asked_for: Option<&str>) -> Vec<&'lab str> {
    let checks = &lab.manifest.checks;
    let Some(asked_for) = asked_for else { return checks.iter().map(|check| &*check.name).collect() };
    let mut needed = vec![asked_for];
    // Prerequisites stand before what needs them, so that one pass from the end finds them all.
    for check in checks.iter().rev() {
        if needed.contains(&&*check.name) {
            needed.extend(check.after.iter().map(String::as_str));
        }
    }
    checks.iter().map(|check| &*check.name).filter(|name| needed.contains(name)).collect()
}

/// Keeps the record of `check`, and of its prerequisites those that kept it from being done.
fn keep_what_matters(records: &mut Vec<CheckRecord>, check: &str) {
    let skipped = records.iter().any(|record| record.check == check && record.verdict == Word::Skipped);
    records.retain(|record| record.check == check || (skipped && record.verdict != Word::Pass));
}
