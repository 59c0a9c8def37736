//! Grades a folder of submissions: `SUBMISSIONS/<student>/<lab folder>/src/…`.
//!
//! Theory of operation: the work is a list of tasks, one for each student and lab, done several at a time and in any order. A task takes the files
//! that the manifest names ([`collect`]), compiles them, runs the lab's check executable, and writes one record ([`record`]), which is whole or not
//! there ([`store`]). Nothing else is kept between tasks, so that a batch may be interrupted at any moment: started again, a task is done only if there is
//! no record of the same submission, lab version and seed. The table of grades is made from the records at the end, in the order of the students.
//!
//! What could not be observed is neither a pass nor silently a zero: such a record has `needs_attention`, is listed at the end, and is graded again
//! next time.

pub mod collect;
pub mod grades;
pub mod names;
pub mod progress;
pub mod record;
pub mod roster;
pub mod store;
pub mod version;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use harness::manifest::LabFolder;

use crate::compile::{Built, Compiler};
use crate::escape::shown;
use crate::failure::Failure;
use crate::intake::layout::Platform;
use crate::intake::{self, ledger};
use crate::parallel;
use crate::ready::{Outcome, ReadyLab};
use crate::workspace;
use collect::Collected;
use progress::Progress;
use record::{Build, Record, Status};
use roster::{Roster, Student};
use store::Store;

/// What `grade run` was asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The folder of submissions.
    pub submissions: PathBuf,
    /// The folder for records and grades.
    pub out: PathBuf,
    /// The labs by name; none means those that somebody handed in.
    pub labs: Vec<String>,
    /// The seed, if one was given.
    pub seed: Option<u64>,
    /// How many submissions are graded at a time.
    pub jobs: usize,
    /// The table of students, for what has to be taken in.
    pub roster: Option<PathBuf>,
    /// The table of times.
    pub times: Option<PathBuf>,
    /// How the submissions are laid out, where it is not to be told by the names.
    pub layout: Option<Platform>,
}

/// What came out of a batch.
#[derive(Debug)]
pub struct Batch {
    /// The seed.
    pub seed: u64,
    /// How many records were made now.
    pub graded: usize,
    /// How many were there already.
    pub kept: usize,
    /// What an instructor should know about the input.
    pub warnings: Vec<String>,
    /// Student and lab of each record that needs a look, with the reason.
    pub attention: Vec<String>,
}

/// One student's work on one lab.
struct Task<'a> {
    student: &'a Student,
    lab: &'a LabFolder,
    version: &'a str,
}

/// Grades all submissions.
///
/// # Errors
/// Input or an output folder that cannot be used, a full disk, a lab that does not build. Records that were written before stay.
pub fn run(root: &Path, request: &Request) -> Result<Batch, Failure> {
    let known = workspace::labs(root, &[])?;
    let wanted = workspace::labs(root, &request.labs)?;
    store::refuse_overlap(&request.submissions, &request.out)?;
    let (submissions, notes) = unpacked(request, &known, &wanted)?;
    let mut roster = roster::read(&submissions, &known)?;
    roster.warnings.splice(0..0, notes);
    let labs: Vec<LabFolder> =
        wanted.into_iter().filter(|lab| !request.labs.is_empty() || roster.students.iter().any(|s| s.labs.contains(&lab.folder))).collect();
    if labs.is_empty() {
        let mut text = format!("expected {}/<student>/<lab folder>/src/…; no student has a lab folder", request.submissions.display());
        roster.warnings.iter().for_each(|warning| text.push_str(&format!("\n  {}", shown(warning))));
        return Err(Failure::BadInput(text));
    }
    let store = Store::open(&request.out)?;
    let seed = store.seed(request.seed)?;
    let versions: BTreeMap<&str, String> = labs.iter().map(|lab| Ok((&*lab.folder, version::of(root, lab)?))).collect::<Result<_, Failure>>()?;
    let tasks: Vec<Task<'_>> = roster
        .students
        .iter()
        .flat_map(|student| labs.iter().map(|lab| Task { student, lab, version: &versions[&*lab.folder] }).collect::<Vec<_>>())
        .collect();
    let progress = Progress::new(tasks.len());
    roster.warnings.iter().for_each(|warning| progress.say(&format!("warning: {}", shown(warning))));
    progress.say(&format!("seed {seed}"));

    let compiler = Compiler::find(root)?;
    let mut ready = BTreeMap::new();
    for lab in &labs {
        progress.building(&lab.folder);
        ready.insert(&*lab.folder, ReadyLab::prepare(root, lab, &compiler)?);
    }
    let stop = AtomicBool::new(false);
    let done = parallel::map(&tasks, request.jobs, |task| {
        // One full disk is enough: what cannot be written need not be graded.
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let result = grade(task, &ready[&*task.lab.folder], &submissions, &store, seed);
        stop.fetch_or(result.is_err(), Ordering::Relaxed);
        if let Ok((record, kept)) = &result {
            progress.done(record, *kept);
        }
        Some(result)
    });
    progress.end();
    finish(&roster, &labs, done, &store, seed)
}

/// Where the submissions can be read: where they are, or, if they are packed, taken in below the output folder; and what there is to say of that.
fn unpacked(request: &Request, labs: &[LabFolder], wanted: &[LabFolder]) -> Result<(PathBuf, Vec<String>), Failure> {
    let submissions = &request.submissions;
    let tables = request.roster.is_some() || request.times.is_some() || request.layout.is_some();
    let is_ledger = submissions.join(ledger::FILE_NAME).is_file();
    if is_ledger && tables {
        return Err(Failure::BadInput(format!("{} is an intake: give --roster, --times and --layout to `grade intake`", submissions.display())));
    }
    if is_ledger || (!tables && submissions.is_dir() && !intake::is_packed(submissions)?) {
        return Ok((submissions.clone(), Vec::new()));
    }
    let only = (wanted.len() == 1 && !request.labs.is_empty()).then(|| labs.iter().position(|lab| lab.folder == wanted[0].folder)).flatten();
    let out = request.out.join("intake");
    let take = intake::Request {
        download: submissions.clone(),
        out: out.clone(),
        roster: request.roster.clone(),
        times: request.times.clone(),
        platform: request.layout,
        replace: true,
    };
    let taken = intake::take(labs, only, &take)?;
    let notes = taken.warnings.into_iter().chain(taken.refused.into_iter().map(|line| format!("refused: {line}"))).collect();
    Ok((out, notes))
}

/// Writes the grades, once every task has its record.
fn finish(
    roster: &Roster,
    labs: &[LabFolder],
    done: Vec<Option<Result<(Record, bool), Failure>>>,
    store: &Store,
    seed: u64,
) -> Result<Batch, Failure> {
    let mut batch = Batch { seed, graded: 0, kept: 0, warnings: roster.warnings.clone(), attention: Vec::new() };
    let mut records = Vec::new();
    // Tasks that were left out come after the failure that is the reason, but not always in this list: the failure is looked for first.
    let (results, left_out): (Vec<_>, Vec<_>) = done.into_iter().partition(Option::is_some);
    for result in results.into_iter().flatten() {
        let (record, kept) = result?;
        batch.graded += usize::from(!kept);
        batch.kept += usize::from(kept);
        if let Some(reason) = record.attention() {
            batch.attention.push(format!("{} {}: {reason}", record.student, record.lab));
        }
        records.push(record);
    }
    if !left_out.is_empty() {
        return Err(Failure::Broken(format!("{} submissions were not graded; start again", left_out.len())));
    }
    let names: Vec<&str> = labs.iter().map(|lab| &*lab.folder).collect();
    store.write(Path::new("grades.csv"), &grades::table(&names, &records)?)?;
    Ok(batch)
}

/// Does one task, unless its record is there already; the record, and whether it was.
fn grade(task: &Task<'_>, ready: &ReadyLab<'_>, submissions: &Path, store: &Store, seed: u64) -> Result<(Record, bool), Failure> {
    let collected = collect::collect(submissions, task.student, task.lab);
    let fresh = Record::new(task.student, task.lab, task.version, seed, collected.digest());
    let path = Path::new("records").join(&task.student.record_name).join(format!("{}.json", task.lab.folder));
    if let Some(kept) = store.read::<Record>(&path).filter(|kept| kept.answers(&fresh)) {
        return Ok((kept, true));
    }
    let record = match collected {
        Collected::Missing(message) => fresh.not_built(Build { status: Status::MissingFile, message }, task.lab),
        Collected::Refused(message) => fresh.not_built(Build { status: Status::Refused, message }, task.lab),
        Collected::Unreadable(message) => Record { needs_attention: true, ..fresh.not_built(Build { status: Status::Refused, message }, task.lab) },
        Collected::Sources(sources) => match ready.build(&sources, store.scratch())? {
            Outcome::Programs(programs) => fresh.checked(ready, ready.check_with_one_retry(&programs, seed)),
            Outcome::Stopped(Built::Refused(message)) => fresh.not_built(Build { status: Status::Refused, message }, task.lab),
            Outcome::Stopped(Built::Unclear(message)) => {
                Record { needs_attention: true, ..fresh.not_built(Build { status: Status::CompileError, message }, task.lab) }
            }
            Outcome::Stopped(Built::Errors(message)) => fresh.not_built(Build { status: Status::CompileError, message }, task.lab),
            Outcome::Stopped(Built::Program) => return Err(Failure::Broken("a build stopped without a reason".into())),
        },
    };
    let mut text = serde_json::to_string_pretty(&record).map_err(|error| Failure::Broken(format!("write a record: {error}")))?;
    text.push('\n');
    store.write(&path, text.as_bytes())?;
    Ok((record, false))
}
