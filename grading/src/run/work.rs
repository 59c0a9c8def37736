//! One unit of work: what several students handed in alike is built once, checked once, and recorded for each of them.
//!
//! Theory of operation: a unit is first done beside others. What was then not observed, or ended for a limit of time, may be the fault of what ran beside it: nothing is
//! written of it, and the unit is put off. When all others are done it is done once more, alone, and that counts. A unit that is interrupted has
//! written some of its records or none; those that are there are of the same work as those to come.

use std::path::{Path, PathBuf};

use harness::record::CheckRecord;
use harness::verdict::Word;

use crate::compile::Built;
use crate::failure::Failure;
use crate::ready::{Outcome, ReadyLab};
use crate::run::again::{Again, Extent};
use crate::run::collect::{Collected, collect};
use crate::run::plan::{Plan, Unit, record_path};
use crate::run::record::{Build, Record, Status};
use crate::run::roster::Student;
use crate::run::store::Store;
use crate::run::timelines::Timelines;
use crate::sources::{self, Source};

/// Findings that say that time ran out: their kinds.
const FOR_TIME: [&str; 2] = ["time", "time-limit"];

/// What all units are done with.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// The plan that they are of.
    pub plan: &'a Plan,
    /// Where records go.
    pub store: &'a Store,
    /// The seed that inputs are drawn from.
    pub seed: u64,
    /// What is graded again.
    pub again: &'a [Again],
}

/// A record that is there at the end.
#[derive(Debug)]
pub struct Done {
    /// Which of the roster's students.
    pub student: usize,
    /// The record.
    pub record: Record,
    /// Whether it was there before.
    pub kept: bool,
    /// What grading the same submission again has changed.
    pub change: Option<String>,
}

/// What a unit came to: the record, and the timelines of what failed.
type Made = (Record, Option<Timelines>);

/// One student's part of a unit that is still to do.
struct Open<'a> {
    number: usize,
    student: &'a Student,
    path: PathBuf,
    fresh: Record,
    before: Option<Record>,
    extent: Extent,
}

impl<'a> Desk<'a> {
    /// Whether there is anything to do, so that the lab must be ready.
    #[must_use]
    pub fn is_open(&self, unit: &Unit) -> bool {
        unit.students.iter().any(|student| self.open(unit, *student).is_err())
    }

    /// The record that is there and stays, or what is to do.
    fn open(&self, unit: &Unit, number: usize) -> Result<(Record, PathBuf, bool), Box<Open<'a>>> {
        let (lab, student) = (self.plan.lab(unit), &self.plan.roster.students[number]);
        let mut fresh = self.plan.fresh(unit, student, self.seed);
        let path = record_path(student, lab);
        let before = self.store.read::<Record>(&path);
        // Nobody may know any more when it was handed in; the record does.
        if let Some(before) = before.as_ref().filter(|before| before.submission == fresh.submission && fresh.submitted.is_none()) {
            fresh.submitted.clone_from(&before.submitted);
        }
        let answers = before.as_ref().is_some_and(|before| before.answers(&fresh));
        let extent = self.again.iter().map(|again| again.extent(student, lab)).fold(Extent::Nothing, Extent::and);
        match before {
            Some(mut kept) if answers && extent == Extent::Nothing => {
                let told = (fresh.ids, fresh.submitted, fresh.marked_late);
                let same = (&kept.ids, &kept.submitted, &kept.marked_late) == (&told.0, &told.1, &told.2);
                (kept.ids, kept.submitted, kept.marked_late) = told;
                Ok((kept, path, same))
            }
            before => {
                let extent = if answers { extent } else { Extent::Whole };
                Err(Box::new(Open { number, student, path, fresh, before, extent }))
            }
        }
    }

    /// Does a unit; `None` if it has to be done again alone. `ready` is not needed where nothing is open.
    ///
    /// # Errors
    /// The machine does not do its part, or the disk is full.
    pub fn grade(&self, unit: &Unit, ready: Option<&ReadyLab<'_>>, alone: bool) -> Result<Option<Vec<Done>>, Failure> {
        let (mut done, mut open, mut model): (_, _, Option<Made>) = (Vec::new(), Vec::new(), None);
        for &student in &unit.students {
            match self.open(unit, student) {
                Ok((record, path, same)) => {
                    if !same {
                        self.write(&path, &record)?;
                    }
                    model.get_or_insert_with(|| (record.clone(), self.kept_timelines(self.name(student), &record)));
                    done.push(Done { student, record, kept: true, change: None });
                }
                Err(task) => open.push(*task),
            }
        }
        // What another student has a record of needs no work; unless it is to be graded again for what no record says.
        let forced = open.iter().any(|task| task.before.as_ref().is_some_and(|before| before.answers(&task.fresh)));
        if model.is_none() || forced {
            let Some(first) = open.first() else { return Ok(Some(done)) };
            let Some(ready) = ready else { return Err(Failure::Broken(format!("{} was not made ready", self.plan.lab(unit).folder))) };
            let Some(record) = self.make(unit, first, ready, alone)? else { return Ok(None) };
            model = Some(record);
        }
        let Some((model, timelines)) = model else { return Ok(Some(done)) };
        for task in open {
            let Record { student, ids, submitted, marked_late, .. } = task.fresh;
            let record = Record { student, ids, submitted, marked_late, ..model.clone() };
            self.write_timelines(task.number, &record, timelines.as_ref())?;
            self.write(&task.path, &record)?;
            let change = task.before.as_ref().and_then(|before| change(before, &record));
            done.push(Done { student: task.number, record, kept: false, change });
        }
        Ok(Some(done))
    }

    fn write(&self, path: &Path, record: &Record) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(record).map_err(|error| Failure::Broken(format!("write a record: {error}")))?;
        text.push('\n');
        self.store.write(path, text.as_bytes())
    }

    /// The name of a student's folder of records.
    fn name(&self, student: usize) -> &str {
        &self.plan.roster.students[student].record_name
    }

    fn kept_timelines(&self, student: &str, record: &Record) -> Option<Timelines> {
        Timelines::read(self.store.folder(), student, record)
    }

    /// Before the record, so that one that is there has its timelines.
    fn write_timelines(&self, student: usize, record: &Record, timelines: Option<&Timelines>) -> Result<(), Failure> {
        let Some(timelines) = timelines.filter(|timelines| !timelines.is_empty()) else { return Ok(()) };
        let mut text = serde_json::to_string(timelines).map_err(|error| Failure::Broken(format!("write the timelines: {error}")))?;
        text.push('\n');
        self.store.write(&Timelines::path(self.name(student), &record.lab), text.as_bytes())
    }

    /// The record of one student's work; `None` if it has to be done again alone.
    fn make(&self, unit: &Unit, task: &Open<'_>, ready: &ReadyLab<'_>, alone: bool) -> Result<Option<Made>, Failure> {
        let (lab, fresh) = (self.plan.lab(unit), task.fresh.clone());
        let unclear = |message: String, status| Record { needs_attention: true, ..fresh.clone().not_built(Build { status, message }, lab) };
        let collected = collect(&self.plan.submissions, task.student, lab);
        if collected.digest() != unit.digest {
            return Ok(Some((unclear("the submission changed while it was graded; start again".into(), Status::Refused), None)));
        }
        let record = match collected {
            Collected::Missing(message) => fresh.not_built(Build { status: Status::MissingFile, message }, lab),
            Collected::Refused(message) => fresh.not_built(Build { status: Status::Refused, message }, lab),
            Collected::Unreadable(message) => unclear(message, Status::Refused),
            Collected::Sources(sources) => return self.check(task, &sources, ready, alone),
        };
        Ok(Some((record, None)))
    }

    fn check(&self, task: &Open<'_>, sources: &[Source], ready: &ReadyLab<'_>, alone: bool) -> Result<Option<Made>, Failure> {
        let (lab, fresh) = (ready.lab, task.fresh.clone());
        let programs = match ready.build(sources, self.store.scratch())? {
            Outcome::Programs(programs) => programs.with_timelines()?,
            Outcome::Stopped(Built::Refused(message)) => return Ok(Some((fresh.not_built(Build { status: Status::Refused, message }, lab), None))),
            Outcome::Stopped(Built::Errors(message)) => {
                return Ok(Some((fresh.not_built(Build { status: Status::CompileError, message }, lab), None)));
            }
            Outcome::Stopped(Built::Unclear(_)) if !alone => return Ok(None),
            Outcome::Stopped(Built::Unclear(message)) => {
                return Ok(Some((Record { needs_attention: true, ..fresh.not_built(Build { status: Status::CompileError, message }, lab) }, None)));
            }
            Outcome::Stopped(Built::Program) => return Err(Failure::Broken("a build stopped without a reason".into())),
        };
        let names: Vec<&str> = match &task.extent {
            Extent::Checks(names) => names.iter().map(|name| &**name).collect(),
            _ => Vec::new(),
        };
        let verdicts = if alone { ready.check_with_one_retry(&programs, self.seed, &names) } else { ready.check(&programs, self.seed, &names) };
        if !alone && verdicts.as_ref().map_or(true, |records| records.iter().any(may_be_the_machine)) {
            return Ok(None);
        }
        let verdicts = verdicts.map(|mut records| {
            sources::quote(&mut records, sources, &lab.folder);
            records
        });
        let record = fresh.checked(ready, verdicts);
        let timelines = programs.timelines().map(|folder| Timelines::collect(folder, &record));
        Ok(Some(match (&task.extent, &task.before) {
            (Extent::Checks(_), Some(before)) => {
                let kept = self.kept_timelines(self.name(task.number), before);
                (before.clone().with_checks_of(record), timelines.map(|timelines| timelines.and(kept)))
            }
            _ => (record, timelines),
        }))
    }
}

/// Whether what ran beside it may be the reason.
fn may_be_the_machine(record: &CheckRecord) -> bool {
    record.verdict == Word::Broken || record.finding.as_ref().is_some_and(|finding| FOR_TIME.contains(&&*finding.kind))
}

/// What is different, if the submission is the same.
fn change(before: &Record, now: &Record) -> Option<String> {
    if before.submission != now.submission || before.needs_attention {
        return None;
    }
    let mut different: Vec<String> = Vec::new();
    for check in &now.checks {
        let earlier = before.checks.iter().find(|other| other.name == check.name).map_or("new", |other| other.verdict.as_str());
        if earlier != check.verdict.as_str() {
            different.push(format!("{} {earlier} → {}", check.name, check.verdict.as_str()));
        }
    }
    if different.is_empty() && before.points == now.points {
        return None;
    }
    Some(format!("{} {}: {} → {} points ({})", now.student, now.lab, before.points, now.points, different.join(", ")))
}
