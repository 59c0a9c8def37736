//! Records in the forms that other programs read.
//!
//! Theory of operation: a writer takes records and gives text; it looks at nothing else, so that the same records give the same bytes, and the command
//! writes every file whole or not at all. The points that a form shows are the points of the record, never a sum that the form's reader makes up
//! differently; where a form computes its own, the writer arranges it so that both agree, and its tests say so.
//!
//! A learning platform's table is not made but filled in: see [`gradebook`], and [`canvas`] and [`moodle`] for what their tables mean.
//!
//! Forms for the instructor ([`jsonl`], [`table`], [`junit`]) hold everything. Forms that a student reads hold of the checks that are not visible to
//! the student the sum of their points and nothing else, unless the form itself can keep them back, as Gradescope's can. Of a hidden check that is visible all the same they hold
//! nothing that its runs were given.

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

use harness::finding::Finding;
use harness::verdict::Word;

use crate::run::record::{Check, Record, Status, Visibility};

/// What a student may be told of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<'a> {
    /// Those that the student may see, in their order.
    pub shown: Vec<ToldCheck<'a>>,
    /// What the others come to, if there are any.
    pub kept_back: Option<KeptBack>,
}

/// What a student may be told of one check that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldCheck<'a> {
    /// The check.
    pub check: &'a Check,
    /// Its message, as far as it is for students.
    pub message: Cow<'a, str>,
    /// Its finding, if it is for students.
    pub finding: Option<&'a Finding>,
    /// The command that does it again; empty if the student does not have the check.
    pub replay: &'a str,
}

/// The sum of the checks that are not shown, in the place of all of them: neither their names nor their number is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBack {
    /// A name for it, which is no check's.
    pub name: String,
    /// Points earned.
    pub points: u32,
    /// Points to be earned.
    pub max_points: u32,
}

/// What stands in the place of a message.
pub const KEPT_BACK: &str = "These checks are not shown.";

/// The record's checks as a student may see them. `released` says that the marks are: what waits for that is kept back no longer.
#[must_use]
pub fn told(record: &Record, released: bool) -> Told<'_> {
    let is_shown = |check: &&Check| match check.visibility {
        Visibility::Visible => true,
        Visibility::AfterDueDate | Visibility::AfterPublished => released,
        Visibility::Hidden => false,
    };
    let (shown, kept_back): (Vec<&Check>, Vec<&Check>) = record.checks.iter().partition(is_shown);
    let mut name = String::from("not_shown");
    while record.checks.iter().any(|check| check.name == name) {
        name.push('_');
    }
    let sum = |points: fn(&Check) -> u32| kept_back.iter().map(|check| points(check)).sum();
    let total = KeptBack { name, points: sum(|check| check.points), max_points: sum(|check| check.max_points) };
    let tell = |check| ToldCheck {
        check,
        message: student_message(check, &kept_back),
        finding: check.finding.as_ref().filter(|_| !check.hidden),
        replay: if check.hidden { "" } else { &check.replay },
    };
    Told { shown: shown.into_iter().map(tell).collect(), kept_back: (!kept_back.is_empty()).then_some(total) }
}

/// The message of a check as its student may read it.
fn student_message<'a>(check: &'a Check, kept_back: &[&Check]) -> Cow<'a, str> {
    // A skipped check names the one that it comes after.
    let named = kept_back.iter().filter(|other| check.verdict == Word::Skipped && check.message.contains(&*other.name));
    let message = named.fold(Cow::Borrowed(&*check.message), |text, other| Cow::Owned(text.replace(&*other.name, "a check that is not shown")));
    if check.hidden { Cow::Owned(without_inputs(check, &message)) } else { message }
}

/// The message of a hidden check without anything that its runs were given or printed: another submission could make use of it.
#[must_use]
pub fn without_inputs(check: &Check, message: &str) -> String {
    match check.verdict {
        Word::Pass => String::new(),
        Word::Skipped => message.to_owned(),
        Word::Broken => "reason:   something could not be observed\n".to_owned(),
        Word::Fail => {
            let promise = message.lines().next().filter(|line| line.starts_with("promise:"));
            let promise = promise.map(|line| format!("{line}\n")).unwrap_or_default();
            let kind = check.finding.as_ref().map_or("other than promised", |finding| &finding.kind);
            format!("{promise}observed: {kind}; what the program was given, and what it did with it, is not shown\n")
        }
    }
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
