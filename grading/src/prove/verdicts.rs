//! The verdicts on one subject, judged by what the subject is.

use std::fmt::Write;

use harness::record::CheckRecord;
use harness::verdict::Word;

use crate::compile::Built;
use crate::prove::messages;
use crate::prove::report::{LabReport, Problem};
use crate::prove::subjects::{Kind, Subject};
use crate::prove::{Messages, Outcome, Request, row};
use crate::ready::ReadyLab;

/// The records of one repetition, or why there are none.
pub type Verdicts = Result<Vec<CheckRecord>, String>;

/// Judges one subject, counts it in its row, and adds its problems.
pub fn judge(ready: &ReadyLab<'_>, subject: &Subject, outcome: &Outcome, request: &Request, report: &mut LabReport) {
    let before = report.problems.len();
    match outcome {
        Outcome::NotBuilt(built) => not_built(subject, built, report),
        Outcome::Checked(repetitions) => checked(ready, subject, repetitions, request, report),
    }
    report.count(row(&subject.kind), report.problems.len() == before);
}

fn not_built(subject: &Subject, built: &Built, report: &mut LabReport) {
    match built {
        Built::Program => {}
        Built::Errors(text) | Built::Refused(text) => {
            report.problem(Problem::promise(
                &*subject.place,
                "it builds without errors",
                text,
                "mend the error; a submission fails by what it does, not by its syntax",
            ));
        }
        Built::Unclear(text) => report.problem(Problem::broken(&*subject.place, "the compiler says whether it builds", text)),
    }
}

fn checked(ready: &ReadyLab<'_>, subject: &Subject, repetitions: &[Verdicts], request: &Request, report: &mut LabReport) {
    let mut all = Vec::new();
    for verdicts in repetitions {
        match verdicts {
            Ok(records) => all.push(records),
            Err(reason) => return report.problem(Problem::broken(&*subject.place, "the check executable runs every check", reason)),
        }
    }
    let Some(first) = all.first() else { return };
    compare_repetitions(subject, &all, request, report);
    for record in first.iter().filter(|record| record.verdict == Word::Broken) {
        let reason = record.reason.clone().unwrap_or_default();
        report.problem(Problem::broken(format!("{}, {}", subject.place, record.check), "a verdict", format!("broken: {reason}")));
    }
    for record in first.iter().filter(|record| record.verdict == Word::Skipped && !ready.skip_is_explained(record, true)) {
        let reason = format!("{}: {}", record.check, record.reason.as_deref().unwrap_or("no reason given"));
        if request.no_skips {
            let next = "run it where the harness can observe everything; `cargo lab` says what is missing here";
            report.problem(Problem::promise(format!("{}, {}", subject.place, record.check), "no check is skipped", &*reason, next));
        }
        *report.skipped.entry(reason).or_default() += 1;
    }
    match &subject.kind {
        Kind::Starter => {
            if !first.iter().any(|record| record.verdict == Word::Fail) {
                let next = "check that the markers take the solution out, and that a check demands what it holds";
                report.problem(Problem::promise(&*subject.place, "it fails at least one check", "it fails none", next));
            }
        }
        Kind::Solution | Kind::Accepted => {
            for record in first.iter().filter(|record| record.verdict == Word::Fail) {
                let next = "a right answer fails: the check demands more than its promise, or the answer is not right";
                report.problem(Problem::promise(format!("{}, {}", subject.place, record.check), "pass", told(record), next));
            }
        }
        Kind::Rejected { check } => rejected(subject, check, first, report),
    }
}

fn rejected(subject: &Subject, check: &str, records: &[CheckRecord], report: &mut LabReport) {
    // A broken check before it has its own problem already.
    let earlier: Vec<&CheckRecord> =
        records.iter().take_while(|record| record.check != check).filter(|record| record.verdict == Word::Fail).collect();
    for record in &earlier {
        let expected = format!("it fails {check}, and no check before it");
        let next = format!("move it to submissions/rejected/{}, change the order of the checks, or leave one mistake in it", record.check);
        report.problem(Problem::promise(&*subject.place, expected, format!("it fails {} first\n{}", record.check, told(record)), next));
    }
    let named = records.iter().find(|record| record.check == check);
    let observed = match named.map(|record| record.verdict) {
        Some(Word::Fail | Word::Broken) => return,
        // Its prerequisite failed, which has been said; or it cannot be observed here, which is in the list of skipped checks.
        Some(Word::Skipped) => return,
        Some(Word::Pass) => "it passes",
        None => "there is no verdict on it",
    };
    let next = format!("make {check} see the mistake, whatever the schedule; replay: {}", named.map_or("", |record| &*record.replay));
    report.problem(Problem::promise(&*subject.place, format!("it fails {check}"), observed, next));
}

fn compare_repetitions(subject: &Subject, all: &[&Vec<CheckRecord>], request: &Request, report: &mut LabReport) {
    let Some((first, rest)) = all.split_first() else { return };
    let compared = request.messages == Messages::Compared;
    for (check, expected) in first.iter().enumerate() {
        let mut differing = (2..)
            .zip(rest.iter())
            .filter_map(|(number, records)| Some((number, records.get(check)?)))
            .filter(|(_, record)| record.verdict != expected.verdict || (compared && messages::normal(record) != messages::normal(expected)));
        let Some((number, other)) = differing.next() else { continue };
        let times = 1 + differing.count();
        report.problem(Problem::promise(
            format!("{}, {}", subject.place, expected.check),
            format!("the same verdict and message in each of {} repetitions with seed {}\n{}", all.len(), request.seed, told(expected)),
            format!("{} at first, {} in repetition {number}; {times} differ\n{}", expected.verdict.as_str(), other.verdict.as_str(), told(other)),
            "find what the check leaves to luck: time, scheduling, or a resource that runs share",
        ));
    }
}

/// A record in few lines.
fn told(record: &CheckRecord) -> String {
    let mut text = record.verdict.as_str().to_owned();
    for line in record.message().lines() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{line}");
    }
    text
}
