//! Joins the shards of a batch: `grade merge`.
//!
//! Theory of operation: the coordinator trusts no shard to have done its part. It makes the plan of the whole batch itself and looks for the record of every
//! submission in it: of this submission, this lab version and this seed, exactly one, or several that are the same byte for byte, since a scheduler may do a shard twice.
//! Anything missing, stale or contradictory is named with its shard, and then no grades are written: an incomplete table is worse than none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::escape::shown;
use crate::failure::Failure;
use crate::late::{self, Earned};
use crate::run::plan::{Plan, record_path};
use crate::run::record::Record;
use crate::run::shard::{SHARDS, Shard};
use crate::run::store::{self, Store};
use crate::run::timelines::Timelines;
use crate::run::{Request, attention, grades, policy};

/// What came of it.
#[derive(Debug, Default)]
pub struct Merged {
    /// How many records are in place.
    pub records: usize,
    /// How many were there more than once, all the same.
    pub doubled: usize,
    /// What is missing, stale or contradictory: then no grades were written.
    pub problems: Vec<String>,
    /// What an instructor should know besides.
    pub warnings: Vec<String>,
    /// Student and lab of each record that needs a look, with the reason.
    pub attention: Vec<String>,
}

/// One record of one shard.
struct Found {
    folder: PathBuf,
    bytes: Vec<u8>,
    record: Record,
}

/// Joins the shards in `from`, or, if none is named, those below the output folder.
///
/// # Errors
/// Input that cannot be used, shards with different seeds, an output folder that cannot be written.
pub fn merge(root: &Path, request: &Request, from: &[PathBuf]) -> Result<Merged, Failure> {
    let plan = Plan::make(root, request, &request.out)?;
    let policy = policy(root, request)?;
    let folders = if from.is_empty() { shards_below(&request.out)? } else { from.to_vec() };
    let seed = common_seed(&folders, request.seed)?;
    let count = folders.iter().filter_map(|folder| Shard::named(&folder.file_name()?.to_string_lossy())).map(|shard| shard.count()).max();
    let store = Store::open(&request.out)?;
    let mut merged = Merged { warnings: plan.roster.warnings.clone(), ..Merged::default() };
    let (mut all, mut expected) = (Vec::new(), BTreeSet::new());
    for unit in &plan.units {
        for &number in &unit.students {
            let (student, lab) = (&plan.roster.students[number], plan.lab(unit));
            let path = record_path(student, lab);
            let fresh = plan.fresh(unit, student, seed);
            let (found, stale): (Vec<Found>, Vec<Found>) = find(&folders, &path).into_iter().partition(|found| found.record.is_of(&fresh));
            let shard = count.map(|count| format!(" (shard {})", Shard::of(unit, count))).unwrap_or_default();
            let who = format!("{} {}", student.name, lab.folder);
            match &found[..] {
                [] => merged.problems.push(match stale.first() {
                    Some(old) => format!("{who}{shard}: the record in {} is of another {}", old.folder.display(), old.record.differs_in(&fresh)),
                    None => format!("{who}{shard}: no record"),
                }),
                [first, rest @ ..] => {
                    if let Some(other) = rest.iter().find(|other| other.bytes != first.bytes) {
                        let (first, other) = (first.folder.display(), other.folder.display());
                        merged.problems.push(format!("{who}{shard}: two records that differ, in {first} and in {other}"));
                    }
                    merged.doubled += usize::from(!rest.is_empty());
                    all.push((number, unit.lab, first.folder.clone(), path.clone()));
                }
            }
            expected.insert(path);
        }
    }
    merged.warnings.extend(strays(&folders, &expected)?);
    if !merged.problems.is_empty() {
        return Ok(merged);
    }
    merged.records = all.len();
    all.sort();
    let mut sums = Vec::new();
    for (number, lab, folder, path) in all {
        let source = folder.join(&path);
        let bytes = fs::read(&source).map_err(|error| Failure::machine("read", &source, &error))?;
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| Failure::Broken(format!("{} has changed: {error}", source.display())))?;
        let timelines = Timelines::path(&plan.roster.students[number].record_name, &plan.labs[lab].folder);
        // They may be there or not; the record says all that counts.
        if let Some(timelines_there) = fs::read(folder.join(&timelines)).ok().filter(|bytes| !store.holds(&timelines, bytes)) {
            store.write(&timelines, &timelines_there)?;
        }
        if !store.holds(&path, &bytes) {
            store.write(&path, &bytes)?;
        }
        merged.attention.extend(attention(&record));
        sums.push(Earned::of(&plan.roster.students[number].record_name, &record));
    }
    store.seed(Some(seed))?;
    if let Some((text, _)) = &policy {
        store.write(Path::new(late::FILE_NAME), text.as_bytes())?;
    }
    let names: Vec<&str> = plan.labs.iter().map(|lab| &*lab.folder).collect();
    merged.warnings.extend(grades::write(&store, &names, &sums, policy.as_ref().map(|(_, policy)| policy))?);
    Ok(merged)
}

fn shards_below(out: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = out.join(SHARDS);
    let entries = fs::read_dir(&folder).map_err(|error| Failure::input("find the shards in", &folder, &error))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    if folders.is_empty() {
        return Err(Failure::BadInput(format!("expected the folders of shards in {}; there is none", folder.display())));
    }
    Ok(folders)
}

/// The seed that all shards have.
fn common_seed(folders: &[PathBuf], given: Option<u64>) -> Result<u64, Failure> {
    let mut common = given;
    for folder in folders {
        if !folder.is_dir() {
            return Err(Failure::BadInput(format!("expected the folder of a shard; there is no {}", folder.display())));
        }
        // A shard that was never begun keeps none: what it lacks is found below.
        match (common, store::kept_seed(folder)?) {
            (Some(common), Some(seed)) if common != seed => {
                return Err(Failure::BadInput(format!("{} was graded with seed {seed}, and others with {common}: grade it again", folder.display())));
            }
            (None, seed) => common = seed,
            _ => {}
        }
    }
    common.ok_or_else(|| Failure::BadInput("expected shards that were begun; none of them keeps a seed".into()))
}

/// The record at this path in each shard that has one.
fn find(folders: &[PathBuf], path: &Path) -> Vec<Found> {
    let read = |folder: &PathBuf| {
        let bytes = fs::read(folder.join(path)).ok()?;
        let record = serde_json::from_slice(&bytes).ok()?;
        Some(Found { folder: folder.clone(), bytes, record })
    };
    folders.iter().filter_map(read).collect()
}

/// Records that nobody asked for: of a student who has gone, or another lab.
fn strays(folders: &[PathBuf], expected: &BTreeSet<PathBuf>) -> Result<Vec<String>, Failure> {
    let mut strays = Vec::new();
    for folder in folders {
        for student in fs::read_dir(folder.join("records")).into_iter().flatten().flatten() {
            for record in fs::read_dir(student.path()).into_iter().flatten().flatten() {
                let path = Path::new("records").join(student.file_name()).join(record.file_name());
                if !expected.contains(&path) && !record.file_name().to_string_lossy().starts_with('.') {
                    strays.push(format!("{} is of no submission of this batch; it is left out", shown(&folder.join(path).display().to_string())));
                }
            }
        }
    }
    strays.sort();
    Ok(strays)
}
