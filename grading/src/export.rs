//! Records in the forms that other programs read.
//!
//! Theory of operation: a writer takes records and gives text; it looks at nothing else, so that the same records give the same bytes, and the command
//! writes every file whole or not at all. The points that a form shows are the points of the record, never a sum that the form's reader makes up
//! differently; where a form computes its own, the writer arranges it so that both agree, and its tests say so.
//!
//! A learning platform's table is not made but filled in: see [`gradebook`], and [`canvas`] and [`moodle`] for what their tables mean.
//!
//! Forms for the instructor ([`jsonl`], [`table`], [`junit`]) hold everything. Forms that a student reads hold of a check that is not visible to
//! the student at most its points, unless the form itself can keep it back, as Gradescope's can.

pub mod autograder;
pub mod autolab;
pub mod canvas;
pub mod classroom50;
pub mod github;
pub mod gradebook;
pub mod gradescope;
pub mod jsonl;
pub mod junit;
pub mod moodle;
pub mod similarity;
pub mod table;

use std::borrow::Cow;

use harness::verdict::Word;

use crate::run::record::{Check, Record, Status, Visibility};

/// What a student may be told of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<'a> {
    /// The check's name, or a number in the place of one that is kept back.
    pub name: Cow<'a, str>,
    /// The check's message, or that it is kept back.
    pub message: Cow<'a, str>,
    /// The check.
    pub check: &'a Check,
    /// Whether the student may see more of it than its points.
    pub shown: bool,
}

/// The message of a check that is kept back.
const KEPT_BACK: &str = "This check is not shown.";

/// The record's checks as a student may see them, in their order. `released` says that the marks are: what waits for that is kept back no longer.
#[must_use]
pub fn told(record: &Record, released: bool) -> Vec<Told<'_>> {
    let shown = |check: &Check| match check.visibility {
        Visibility::Visible => true,
        Visibility::AfterDueDate | Visibility::AfterPublished => released,
        Visibility::Hidden => false,
    };
    let kept_back: Vec<(&str, String)> = record
        .checks
        .iter()
        .filter(|check| !shown(check))
        .enumerate()
        .map(|(place, check)| (&*check.name, format!("hidden_{}", place + 1)))
        .collect();
    let number = |check: &Check| kept_back.iter().find(|(name, _)| *name == check.name).map(|(_, number)| number.clone());
    let told = |check| match number(check) {
        Some(number) => Told { name: Cow::Owned(number), message: Cow::Borrowed(KEPT_BACK), check, shown: false },
        // That a check was not done may be for one that is kept back: its name is not for the student either.
        None if check.verdict == Word::Skipped => {
            let message = kept_back.iter().fold(check.message.clone(), |text, (name, number)| text.replace(name, number));
            Told { name: Cow::Borrowed(&*check.name), message: Cow::Owned(message), check, shown: true }
        }
        None => Told { name: Cow::Borrowed(&*check.name), message: Cow::Borrowed(&*check.message), check, shown: true },
    };
    record.checks.iter().map(told).collect()
}

/// What a student should know of the record as a whole; empty if there is nothing but the checks.
#[must_use]
pub fn remark(record: &Record) -> String {
    let mut text = match record.outcome.status {
        Status::Built => String::new(),
        Status::CompileError => format!("The program does not compile, so that no check could be done.\n\n{}\n", record.outcome.message),
        Status::MissingFile | Status::Refused => format!("There is no program to check: {}\n", record.outcome.message),
    };
    if record.needs_attention {
        text.push_str(
            "Something could not be observed, through no fault of the program. These points are not final: an instructor will look at it.\n",
        );
    }
    text
}

/// A verdict as a line of a list has it, for people.
#[must_use]
pub fn in_words(verdict: Word) -> &'static str {
    match verdict {
        Word::Pass => "pass",
        Word::Fail => "fail",
        Word::Broken => "not observed",
        Word::Skipped => "not done",
    }
}
