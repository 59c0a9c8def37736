//! What an instructor sees while a batch is graded: a bar on a terminal, one line a submission elsewhere. All of it goes to standard error.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::escape::shown;
use crate::run::plan::{Plan, Unit};
use crate::run::record::{Record, Status};

/// The progress of a batch.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    all: usize,
    done: AtomicUsize,
}

impl Progress {
    /// Of a batch of so many submissions.
    #[must_use]
    pub fn new(all: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} left  {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(all as u64).with_style(style)
        });
        Self { bar, all, done: AtomicUsize::new(0) }
    }

    /// Says a line.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| anstream::eprintln!("{line}")),
            None => anstream::eprintln!("{line}"),
        }
    }

    /// The checks of a lab are being built.
    pub fn building(&self, lab: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("building the checks of {lab}")),
            None => anstream::eprintln!("building the checks of {lab}"),
        }
    }

    /// A submission has its record; `kept` if it had it before.
    pub fn done(&self, record: &Record, kept: bool) {
        let number = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} {}", record.student, record.lab));
            bar.inc(1);
            return;
        }
        let how = match record.outcome.status {
            _ if kept => "kept",
            _ if record.needs_attention => "needs attention",
            Status::Built => "graded",
            Status::CompileError => "does not compile",
            Status::MissingFile => "not handed in",
            Status::Refused => "refused",
        };
        anstream::eprintln!("[{number}/{}] {} {}  {}/{} points  {how}", self.all, record.student, record.lab, record.points, record.max_points);
    }

    /// A unit was not observed clearly beside others, and is done again alone.
    pub fn put_off(&self, plan: &Plan, unit: &Unit) {
        let student = unit.students.first().map_or("", |student| &plan.roster.students[*student].name);
        self.say(&format!("{} {}: not observed clearly; again alone, after the others", shown(student), plan.lab(unit).folder));
    }

    /// The batch is done.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
