//! What there is to do: who, which labs, and which submissions are the same.
//!
//! Theory of operation: a plan is made from the course and the submissions alone, so that a batch, each of its shards and whoever merges them make the same one.
//! Students who handed in the same sources for a lab form one unit of work: it is built once and checked once, and each of them gets a record of it. Sources are
//! read for their digest and forgotten, so that a plan is small whatever the class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness::manifest::LabFolder;

use crate::escape::shown;
use crate::failure::Failure;
use crate::intake::{self, ledger};
use crate::run::record::Record;
use crate::run::roster::{Roster, Student};
use crate::run::{Request, collect, roster, version};
use crate::workspace;

/// A plan.
#[derive(Debug)]
pub struct Plan {
    /// The labs that are graded, in the course's order.
    pub labs: Vec<LabFolder>,
    /// For each lab what it is graded with.
    pub versions: Vec<String>,
    /// Everybody, and what is odd about the submissions.
    pub roster: Roster,
    /// Where the submissions can be read.
    pub submissions: PathBuf,
    /// The work.
    pub units: Vec<Unit>,
}

/// What is built and checked once.
#[derive(Debug)]
pub struct Unit {
    /// Which of the plan's labs.
    pub lab: usize,
    /// The digest of what was handed in.
    pub digest: String,
    /// Which of the roster's students.
    pub students: Vec<usize>,
}

impl Plan {
    /// Makes the plan. What is packed is taken in below `out`.
    ///
    /// # Errors
    /// Input that cannot be used.
    pub fn make(root: &Path, request: &Request, out: &Path) -> Result<Self, Failure> {
        let known = workspace::labs(root, &[])?;
        let wanted = workspace::labs(root, &request.labs)?;
        let (submissions, notes) = unpacked(request, out, &known, &wanted)?;
        let mut roster = roster::read(&submissions, &known)?;
        roster.warnings.splice(0..0, notes);
        let labs: Vec<LabFolder> =
            wanted.into_iter().filter(|lab| !request.labs.is_empty() || roster.students.iter().any(|s| s.labs.contains(&lab.folder))).collect();
        if labs.is_empty() {
            let mut text = format!("expected {}/<student>/<lab folder>/src/…; no student has a lab folder", request.submissions.display());
            roster.warnings.iter().for_each(|warning| text.push_str(&format!("\n  {}", shown(warning))));
            return Err(Failure::BadInput(text));
        }
        let versions = labs.iter().map(|lab| version::of(root, lab)).collect::<Result<_, Failure>>()?;
        let units = units(&submissions, &roster, &labs);
        Ok(Self { labs, versions, roster, submissions, units })
    }

    /// How many records there will be.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.units.iter().map(|unit| unit.students.len()).sum()
    }

    /// A unit's lab.
    #[must_use]
    pub fn lab(&self, unit: &Unit) -> &LabFolder {
        &self.labs[unit.lab]
    }

    /// The record that a student is to get, before anything was done.
    #[must_use]
    pub fn fresh(&self, unit: &Unit, student: &Student, seed: u64) -> Record {
        Record::new(student, self.lab(unit), &self.versions[unit.lab], seed, unit.digest.clone())
    }
}

/// Where the record of a student's work on a lab is, below the output folder.
#[must_use]
pub fn record_path(student: &Student, lab: &LabFolder) -> PathBuf {
    Path::new("records").join(&student.record_name).join(format!("{}.json", lab.folder))
}

/// Every student and every lab, those with the same submission together, in the order in which they are first met.
fn units(submissions: &Path, roster: &Roster, labs: &[LabFolder]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut places: BTreeMap<(usize, String), usize> = BTreeMap::new();
    for (number, student) in roster.students.iter().enumerate() {
        for (lab, folder) in labs.iter().enumerate() {
            let digest = collect::collect(submissions, student, folder).digest();
            let place = *places.entry((lab, digest.clone())).or_insert(units.len());
            match units.get_mut(place) {
                Some(unit) => unit.students.push(number),
                None => units.push(Unit { lab, digest, students: vec![number] }),
            }
        }
    }
    units
}

/// Where the submissions can be read: where they are, or, if they are packed, taken in below the output folder; and what there is to say of that.
fn unpacked(request: &Request, out: &Path, labs: &[LabFolder], wanted: &[LabFolder]) -> Result<(PathBuf, Vec<String>), Failure> {
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
    let out = out.join("intake");
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
