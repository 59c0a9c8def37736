//! The messages that rejected submissions get, kept beside them and compared: a message that gets worse is seen, and one that gets better is recorded.
//!
//! Inputs are drawn from the seed and messages show them, so that the comparison is made under one seed only: [`SEED`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use harness::manifest::LabFolder;
use harness::record::CheckRecord;

use crate::prove::Outcome;
use crate::prove::report::{LabReport, Problem};
use crate::prove::subjects::{Kind, Subject};

/// The seed under which messages are recorded and compared.
pub const SEED: u64 = 1;

/// What introduces a submission's message in the file.
const HEADING: &str = "### ";

/// The file of a lab's messages.
#[must_use]
pub fn file(lab: &LabFolder) -> PathBuf {
    lab.path.join("submissions/messages.txt")
}

/// The messages of all rejected submissions that have one, by the submission's place.
#[must_use]
pub fn of<'all>(examined: impl Iterator<Item = (&'all Subject, &'all Outcome)>) -> BTreeMap<String, String> {
    examined.filter_map(|(subject, examined)| Some((place(subject), message(subject, examined)?))).collect()
}

fn place(subject: &Subject) -> String {
    subject.place.trim_start_matches("submissions/rejected/").to_owned()
}

fn message(subject: &Subject, outcome: &Outcome) -> Option<String> {
    let (Kind::Rejected { check }, Outcome::Checked(repetitions)) = (&subject.kind, outcome) else { return None };
    let records = repetitions.first()?.as_ref().ok()?;
    let record = records.iter().find(|record| record.check == *check).filter(|record| record.finding.is_some())?;
    Some(told(record))
}

/// A record's message without what every message of the check has, and without the page, which follows from the rest.
fn told(record: &CheckRecord) -> String {
    let of_the_check = |line: &&str| !["promise:", "explain:", "replay:"].iter().any(|label| line.starts_with(label));
    normal(record).lines().filter(of_the_check).map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Numbers with so many digits are ports, sequence numbers and addresses that the kernel chose.
const DIGITS_OF_THE_KERNEL: usize = 5;

/// A record's message without what the machine decides: which of several children that do the same it is that a fault meets first, which ports and sequence
/// numbers the kernel chose, and where this toolchain's library lies.
#[must_use]
pub fn normal(record: &CheckRecord) -> String {
    without_chosen_numbers(&without_library_paths(&record.message()))
}

fn without_chosen_numbers(message: &str) -> String {
    let mut normal = String::new();
    let mut rest = message;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let length = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(length);
        normal.push_str(before);
        normal.push_str(if length >= DIGITS_OF_THE_KERNEL || before.ends_with("child ") { "N" } else { digits });
        rest = after;
    }
    normal + rest
}

fn without_library_paths(message: &str) -> String {
    let mut parts = message.split("/rustc/");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| format!("{text}LIBRARY{}", part.trim_start_matches(|c: char| !c.is_whitespace())))
}

/// Writes the messages to the lab's file.
///
/// # Errors
/// The file cannot be written.
pub fn record(path: &Path, messages: &BTreeMap<String, String>) -> std::io::Result<()> {
    let text: Vec<String> = messages.iter().map(|(place, message)| format!("{HEADING}{place}\n\n{message}")).collect();
    fs::write(path, text.join("\n"))
}

/// Compares the messages with those of the lab's file; what differs is a problem.
pub fn compare(lab: &LabFolder, messages: &BTreeMap<String, String>, report: &mut LabReport) {
    let recorded = read(&fs::read_to_string(file(lab)).unwrap_or_default());
    let bless = format!("read both; if the new one serves the student better: cargo grade prove {} --bless", lab.name);
    for (place, message) in messages {
        match recorded.get(place) {
            Some(known) if known == message => {}
            Some(known) => report.problem(Problem::promise(format!("submissions/rejected/{place}"), known.trim_end(), message.trim_end(), &*bless)),
            None => report.problem(Problem::promise(
                format!("submissions/rejected/{place}"),
                "its message is recorded in submissions/messages.txt",
                message.trim_end(),
                format!("read it as a student would, and record it: cargo grade prove {} --bless", lab.name),
            )),
        }
    }
    for place in recorded.keys().filter(|place| !messages.contains_key(*place)) {
        report.problem(Problem::promise(
            format!("submissions/rejected/{place}"),
            "the message that submissions/messages.txt has",
            "no such submission has a message",
            &*bless,
        ));
    }
}

fn read(text: &str) -> BTreeMap<String, String> {
    let sections = text.split_inclusive('\n').fold(Vec::<(String, String)>::new(), |mut sections, line| {
        if let Some(place) = line.strip_prefix(HEADING) {
            sections.push((place.trim_end().to_owned(), String::new()));
        } else if let Some((_, message)) = sections.last_mut() {
            message.push_str(line);
        }
        sections
    });
    sections.into_iter().map(|(place, message)| (place, format!("{}\n", message.trim_matches('\n')))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_decides_is_left_out() {
        let said =
            "child 3 sends 100 bytes from port 41587, seq 1697510195; thread panicked at /rustc/59807616e/library/std/src/io/stdio.rs:1165:9: 5";
        let normal = without_chosen_numbers(&without_library_paths(said));
        assert_eq!(normal, "child N sends 100 bytes from port N, seq N; thread panicked at LIBRARY 5");
    }

    #[test]
    fn what_is_recorded_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.txt");
        let messages: BTreeMap<String, String> =
            [("a/one".to_owned(), "expected: x\n  | y\nnext:     z\n".to_owned()), ("b/two".to_owned(), "expected: v\n".to_owned())].into();
        record(&path, &messages).unwrap();
        assert_eq!(read(&fs::read_to_string(&path).unwrap()), messages);
    }
}
