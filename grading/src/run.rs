//! Grades a folder of submissions: `SUBMISSIONS/<student>/<lab folder>/src/…`.
//!
//! Theory of operation: the work is a list of units ([`plan`]), done several at a time and in any order. A unit takes the files that the manifest names ([`collect`]),
//! compiles them, runs the lab's check executable, and writes a record for each student who handed them in ([`work`], [`record`]), which is whole or not there ([`store`]).
//! Nothing else is kept between units, so that a batch may be interrupted at any moment: started again, a unit is done only if there is no record of the
//! same submission, lab version and seed. The table of grades is made from the records at the end, in the order of the students ([`grades`]).
//!
//! What could not be observed is neither a pass nor silently a zero: it is done again alone; if that does not help the record has `needs_attention`, is
//! listed at the end, and is graded again next time.

pub mod again;
pub mod collect;
pub mod grades;
pub mod merge;
pub mod names;
pub mod plan;
pub mod progress;
pub mod record;
pub mod roster;
pub mod shard;
pub mod store;
pub mod timelines;
pub mod version;
pub mod work;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::compile::Compiler;
use crate::escape::shown;
use crate::failure::Failure;
use crate::intake::layout::Platform;
use crate::late::{self, Earned, Policy};
use crate::parallel;
use crate::ready::ReadyLab;
use crate::workspace;
use again::Again;
use plan::{Plan, Unit};
use progress::Progress;
use record::Record;
use shard::Shard;
use store::Store;
use work::{Desk, Done};

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
    /// The late policy, if one was given.
    pub late: Option<PathBuf>,
    /// The part of the batch that is done here, if it is one.
    pub shard: Option<Shard>,
    /// What is graded again.
    pub again: Vec<Again>,
    /// Whether nothing is graded yet: only what all shards need is done.
    pub prepare: bool,
}

/// What came out of a batch.
#[derive(Debug, Default)]
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
    /// What grading the same submissions again has changed.
    pub changes: Vec<String>,
}

/// Grades all submissions, or those of one shard.
///
/// # Errors
/// Input or an output folder that cannot be used, a full disk, a lab that does not build. Records that were written before stay.
pub fn run(root: &Path, request: &Request) -> Result<Batch, Failure> {
    if request.submissions.is_dir() {
        store::refuse_overlap(&request.submissions, &request.out)?;
    }
    let out = request.shard.map_or_else(|| request.out.clone(), |shard| shard.folder(&request.out));
    let plan = Plan::make(root, request, &out)?;
    Again::refuse_unknown(&request.again, &plan.roster, &plan.labs)?;
    let policy = policy(root, request)?;
    let store = match request.shard {
        // A scheduler may start a shard a second time while the first is still at work.
        Some(_) => Store::open_in_turn(&out)?,
        None => Store::open(&out)?,
    };
    let seed = seed(request, &store)?;
    let units: Vec<&Unit> = plan.units.iter().filter(|unit| request.shard.is_none_or(|shard| shard.has(unit))).collect();
    let progress = Progress::new(units.iter().map(|unit| unit.students.len()).sum());
    plan.roster.warnings.iter().for_each(|warning| progress.say(&format!("warning: {}", shown(warning))));
    progress.say(&format!("seed {seed}"));

    let desk = Desk { plan: &plan, store: &store, seed, again: &request.again };
    let compiler = Compiler::find(root)?;
    if let Err(reason) = &compiler.enclosure {
        progress.say(&format!("warning: the compiler cannot be enclosed, and sources with assembly are refused: {}", shown(reason)));
    }
    if let Some(reason) = harness::sandbox::no_group() {
        progress.say(&format!("note: memory is limited for each process, and not for all of a run together (sandbox tier B): {}", shown(&reason)));
    }
    let mut ready = BTreeMap::new();
    for (number, lab) in plan.labs.iter().enumerate() {
        if request.prepare || units.iter().any(|unit| unit.lab == number && desk.is_open(unit)) {
            progress.building(&lab.folder);
            ready.insert(number, ReadyLab::prepare(root, lab, &compiler)?);
        }
    }
    let mut batch = Batch { seed, warnings: plan.roster.warnings.clone(), ..Batch::default() };
    if request.prepare {
        return Ok(batch);
    }
    let earned = grade(&desk, &units, &ready, request.jobs, &progress, &mut batch)?;
    progress.end();
    if request.shard.is_none() {
        if let Some((text, _)) = &policy {
            store.write(Path::new(late::FILE_NAME), text.as_bytes())?;
        }
        let names: Vec<&str> = plan.labs.iter().map(|lab| &*lab.folder).collect();
        let late = grades::write(&store, &names, &earned, policy.as_ref().map(|(_, policy)| policy))?;
        late.iter().for_each(|warning| anstream::eprintln!("warning: {}", shown(warning)));
        batch.warnings.extend(late);
    }
    Ok(batch)
}

/// Does the units: first beside one another, then, alone, those for which that was not enough. What was earned, in the order of students and labs.
fn grade(
    desk: &Desk<'_>,
    units: &[&Unit],
    ready: &BTreeMap<usize, ReadyLab<'_>>,
    jobs: usize,
    progress: &Progress,
    batch: &mut Batch,
) -> Result<Vec<Earned>, Failure> {
    let mut all: BTreeMap<(usize, usize), Sum> = BTreeMap::new();
    let mut open: Vec<&Unit> = units.to_vec();
    for (jobs, alone) in [(jobs, false), (1, true)] {
        let stop = AtomicBool::new(false);
        let results = parallel::map(&open, jobs, |unit| {
            // One full disk is enough: what cannot be written need not be graded.
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let result = desk.grade(unit, ready.get(&unit.lab), alone);
            stop.fetch_or(result.is_err(), Ordering::Relaxed);
            match &result {
                Ok(Some(done)) => done.iter().for_each(|done| progress.done(&done.record, done.kept)),
                Ok(None) => progress.put_off(desk.plan, unit),
                Err(_) => {}
            }
            // Whole records are on the disk; of a class only the sums are kept.
            result.map(|done| done.map(|done| done.into_iter().map(|done| Sum::of(desk.plan, done)).collect::<Vec<_>>()))
        });
        let mut put_off = Vec::new();
        // Units that were left out may come before the failure that is the reason: it is looked for first.
        let results: Vec<_> = results.into_iter().collect::<Result<_, Failure>>()?;
        for (unit, sums) in open.into_iter().zip(results) {
            match sums {
                Some(sums) => all.extend(sums.into_iter().map(|sum| ((sum.student, unit.lab), sum))),
                None => put_off.push(unit),
            }
        }
        open = put_off;
    }
    if !open.is_empty() {
        return Err(Failure::Broken(format!("{} submissions were not graded; start again", open.len())));
    }
    for sum in all.values() {
        *if sum.kept { &mut batch.kept } else { &mut batch.graded } += 1;
        batch.attention.extend(sum.attention.clone());
        batch.changes.extend(sum.change.clone());
    }
    Ok(all.into_values().map(|sum| sum.earned).collect())
}

/// What is kept in memory of a record.
struct Sum {
    student: usize,
    earned: Earned,
    kept: bool,
    attention: Option<String>,
    change: Option<String>,
}

impl Sum {
    fn of(plan: &Plan, done: Done) -> Self {
        let attention = attention(&done.record);
        let earned = Earned::of(&plan.roster.students[done.student].record_name, &done.record);
        Self { student: done.student, earned, kept: done.kept, attention, change: done.change }
    }
}

/// The line about a record that somebody must look at.
fn attention(record: &Record) -> Option<String> {
    record.attention().map(|reason| format!("{} {}: {reason}", record.student, record.lab))
}

/// The late policy, its text and its meaning: the one given, else the one kept in the output folder, else none.
fn policy(root: &Path, request: &Request) -> Result<Option<(String, Policy)>, Failure> {
    let kept = request.out.join(late::FILE_NAME);
    let path = request.late.clone().or_else(|| kept.is_file().then_some(kept));
    let Some(path) = path else { return Ok(None) };
    let text = fs::read_to_string(&path).map_err(|error| Failure::input("read", &path, &error))?;
    let policy = Policy::parse(&text, &path, &workspace::labs(root, &[])?)?;
    Ok(Some((text, policy)))
}

/// The seed: all shards of a batch must have the same one, and none can draw it for the others.
fn seed(request: &Request, store: &Store) -> Result<u64, Failure> {
    if request.shard.is_none() {
        return store.seed(request.seed);
    }
    match (request.seed, store::kept_seed(&request.out)?) {
        (Some(seed), _) | (None, Some(seed)) => store.seed(Some(seed)),
        (None, None) => Err(Failure::BadInput(format!(
            "expected --seed: all shards draw their inputs from the same one; or a number in {}",
            request.out.join(store::SEED).display()
        ))),
    }
}
