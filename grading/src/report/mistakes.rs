//! The mistakes that most students made.
//!
//! Theory of operation: two students made the same mistake if the same check of the same lab found the same kind of thing, and what was observed differs only in
//! numbers and in quoted text. A program that does not compile counts by the compiler's first line.

use std::collections::BTreeMap;

use harness::verdict::Word;

use crate::records::{Records, StudentRecords};
use crate::run::record::{Check, Record, Status};

/// A mistake, and the first student who made it.
#[derive(Debug, Clone)]
pub struct Mistake<'a> {
    /// How many students made it.
    pub students: usize,
    /// The lab's folder.
    pub lab: &'a str,
    /// The check that found it; none if the program does not compile.
    pub check: Option<&'a Check>,
    /// What was observed of the first student.
    pub observed: &'a str,
    /// The first student.
    pub first: &'a StudentRecords,
}

/// The mistakes that at least `least` students made, at most `most` of them, the most common first.
#[must_use]
pub fn most_common(records: &Records, least: usize, most: usize) -> Vec<Mistake<'_>> {
    let mut found: BTreeMap<(&str, &str, &str, String), Mistake<'_>> = BTreeMap::new();
    for (student, record) in records.all() {
        for (check, kind, observed) in of(record) {
            let key = (&*record.lab, check.map_or("", |check| &check.name), kind, shape(observed));
            found.entry(key).or_insert(Mistake { students: 0, lab: &record.lab, check, observed, first: student }).students += 1;
        }
    }
    let mut common: Vec<Mistake<'_>> = found.into_values().filter(|mistake| mistake.students >= least).collect();
    // The map's order stays among equals.
    common.sort_by_key(|mistake| std::cmp::Reverse(mistake.students));
    common.truncate(most);
    common
}

/// The mistakes of a record: check, kind, what was observed.
fn of(record: &Record) -> Vec<(Option<&Check>, &str, &str)> {
    if record.outcome.status == Status::CompileError && !record.needs_attention {
        return vec![(None, "compile_error", first_line(&record.outcome.message))];
    }
    let failed = record.checks.iter().filter(|check| check.verdict == Word::Fail);
    failed
        .map(|check| match &check.finding {
            Some(finding) => (Some(check), &*finding.kind, &*finding.observed),
            None => (Some(check), "", first_line(&check.message)),
        })
        .collect()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The text without what differs between two who made the same mistake: numbers, and what stands in quotation marks.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut quoted = false;
    let mut escaped = false;
    for c in text.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c == '"' {
            quoted = true;
            shape.push('"');
        } else if !c.is_ascii_digit() {
            shape.push(c);
        } else if !shape.ends_with('#') {
            shape.push('#');
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_quotations_do_not_tell_mistakes_apart() {
        assert_eq!(shape("exit status 12, printed \"a\\\"b\" on 3"), shape("exit status 1, printed \"\" on 44"));
        assert_ne!(shape("exit status 1"), shape("killed by signal 1"));
    }
}
