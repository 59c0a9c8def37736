//! The report of `lab check` for people.
//!
//! Theory of operation: first the table, lab by lab with a line for each check; then an explanation of each check that failed or was broken; last a line on the whole.
//! The same words and numbers are there with and without colours.

use std::fmt::Write;

use anstyle::Style;

use super::check::LabResult;
use super::layout::{BOLD, DIM, counted, hang, style_of};
use super::tier;
use crate::check::printable::escaped;
use crate::finding::drawing;
use crate::record::CheckRecord;
use crate::verdict::Word;

/// Where the text of an explanation begins: under its labels.
pub const INDENT: usize = 12;

/// The whole report.
pub fn drawn(results: &[LabResult<'_>], seed: u64, width: Option<usize>) -> String {
    let mut out = format!("seed {seed}\n");
    let names = results.iter().flat_map(|result| &result.records).map(|record| record.check.chars().count()).max().unwrap_or(0);
    for result in results {
        out.push('\n');
        table(&mut out, result, names);
    }
    for record in results.iter().flat_map(|result| &result.records) {
        explanation(&mut out, record, width);
    }
    out.push('\n');
    summary(&mut out, results, width);
    out
}

/// The heading of a lab and a line for each of its checks.
fn table(out: &mut String, result: &LabResult<'_>, names: usize) {
    let lab = &result.lab;
    if !result.compiles {
        let fail = style_of(Word::Fail);
        let _ = writeln!(
            out,
            "{BOLD}{}{BOLD:#}  {fail}does not compile{fail:#}, 0/{} points; see the compiler's message above",
            lab.name,
            lab.manifest.points()
        );
        return;
    }
    let (points, max_points, passed) = totals(&result.records);
    let checks = counted(result.records.len(), "check");
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}  {points}/{max_points} points, {passed} of {checks}", lab.name);
    for record in &result.records {
        let style = style_of(record.verdict);
        let points = format!("{}/{}", record.points, record.max_points);
        let _ = write!(out, "  {style}{:<7}{style:#}  {:names$}  {points:>5}", record.verdict.as_str(), escaped(&record.check));
        if let (Word::Skipped, Some(reason)) = (record.verdict, &record.reason) {
            let _ = write!(out, "  {DIM}{}{DIM:#}", escaped(reason).replace('\n', " "));
        }
        out.push('\n');
    }
}

/// What is wrong, for a check that failed or was broken.
pub fn explanation(out: &mut String, record: &CheckRecord, width: Option<usize>) {
    if !matches!(record.verdict, Word::Fail | Word::Broken) {
        return;
    }
    let style = style_of(record.verdict);
    let _ = writeln!(out, "\n{style}{}{style:#}: {BOLD}{} {}{BOLD:#}", record.verdict.as_str(), escaped(&record.lab), escaped(&record.check));
    let mut line = |label: &str, text: &str| {
        // Commands stay whole, to be copied.
        let width = width.filter(|_| !matches!(label, "hint" | "replay"));
        hang(out, &format!("  {label}"), DIM, INDENT, text, width);
    };
    if let Some(finding) = &record.finding {
        line("promise", &record.promise);
        line("expected", &finding.expected);
        line("observed", &finding.observed);
        line("evidence", &finding.evidence.join("\n"));
        out.push_str(&indented(&drawing::draw(finding, true)));
        let mut line = |label: &str, text: &str| hang(out, &format!("  {label}"), DIM, INDENT, text, width.filter(|_| label == "next"));
        line("next", &finding.next);
        if let Some(page) = &finding.page {
            line("explain", &format!("cargo lab explain {page}"));
        }
        line("hint", &format!("cargo lab hint {} {}", record.lab, record.check));
    } else {
        line("reason", record.reason.as_deref().unwrap_or("none was given"));
        line("next", "the fault is not your program's: run it again, and if it stays, show this message to your instructor");
    }
    hang(out, "  replay", DIM, INDENT, &record.replay, None);
}

/// A drawing, a little to the right.
fn indented(drawing: &str) -> String {
    drawing.lines().map(|line| format!("  {line}\n")).collect()
}

fn totals(records: &[CheckRecord]) -> (u32, u32, usize) {
    let passed = records.iter().filter(|record| record.verdict == Word::Pass).count();
    (records.iter().map(|record| record.points).sum(), records.iter().map(|record| record.max_points).sum(), passed)
}

/// The line on the whole, and the one on the sandbox.
fn summary(out: &mut String, results: &[LabResult<'_>], width: Option<usize>) {
    let records = || results.iter().flat_map(|result| &result.records);
    let count = |word: Word| records().filter(|record| record.verdict == word).count();
    let uncompiled = results.iter().filter(|result| !result.compiles).count();
    let lost: u32 = results.iter().filter(|result| !result.compiles).map(|result| result.lab.manifest.points()).sum();
    let all: Vec<CheckRecord> = records().cloned().collect();
    let (points, max_points, passed) = totals(&all);
    let mut parts = vec![format!("{passed} passed")];
    for word in [Word::Fail, Word::Broken, Word::Skipped] {
        if count(word) > 0 {
            let ending = if word == Word::Fail { "ed" } else { "" };
            parts.push(format!("{} {}{ending}", count(word), word.as_str()));
        }
    }
    if uncompiled > 0 {
        parts.push(format!("{} not compiled", counted(uncompiled, "lab")));
    }
    let _ = writeln!(out, "{BOLD}{points}/{} points{BOLD:#}: {}", max_points + lost, parts.join(", "));
    if let Some(line) = tier::line(records().map(|record| &*record.tier)) {
        hang(out, "", Style::new(), 0, &line, width);
    }
}
