//! Gradescope's `results.json`, one for each record.
//!
//! `score` is written at the top, so that what Gradescope records is the record's own number and no sum; the tests' scores add up to the same. Who may see
//! a test is Gradescope's to enforce: it reads `visibility` and shows the instructor everything. Note that a student sees no total as long as one test is hidden.

use serde::Serialize;

use crate::export::{in_words, remark, without_inputs};
use crate::failure::Failure;
use crate::run::record::{Check, Record, Visibility};
use harness::verdict::Word;

/// The file.
#[derive(Debug, Serialize)]
struct Results<'a> {
    score: u32,
    output: String,
    output_format: &'static str,
    test_output_format: &'static str,
    test_name_format: &'static str,
    visibility: &'static str,
    /// What the autograder prints is for the instructor: it may name hidden checks.
    stdout_visibility: &'static str,
    tests: Vec<Test<'a>>,
    extra_data: Extra<'a>,
}

/// One check.
#[derive(Debug, Serialize)]
struct Test<'a> {
    name: &'a str,
    number: String,
    score: u32,
    max_score: u32,
    status: &'static str,
    output: String,
    visibility: Visibility,
    tags: [&'static str; 1],
    extra_data: TestExtra<'a>,
}

/// What regrading wants to know; Gradescope keeps it and shows it to nobody.
#[derive(Debug, Serialize)]
struct Extra<'a> {
    lab: &'a str,
    lab_version: &'a str,
    submission: &'a str,
    seed: u64,
    tier: Option<&'a str>,
    needs_attention: bool,
}

#[derive(Debug, Serialize)]
struct TestExtra<'a> {
    verdict: Word,
    replay: &'a str,
}

/// The message, whole for whoever may see it: a student who gets to see a hidden check does not see what it was given.
fn message(check: &Check) -> String {
    if check.hidden && check.visibility != Visibility::Hidden { without_inputs(check, &check.message) } else { check.message.clone() }
}

/// The file of one record.
///
/// # Errors
/// A record that cannot be written as JSON.
pub fn results(record: &Record) -> Result<String, Failure> {
    let tests = record.checks.iter().enumerate().map(|(place, check)| Test {
        name: &check.name,
        number: (place + 1).to_string(),
        score: check.points,
        max_score: check.max_points,
        // Without a status Gradescope derives one from the scores, and calls a check worth 0 points passed.
        status: if check.verdict == Word::Pass { "passed" } else { "failed" },
        output: match check.verdict {
            Word::Pass => String::new(),
            Word::Fail => message(check),
            other => format!("{}\n{}", in_words(other), message(check)),
        },
        visibility: check.visibility,
        tags: [check.verdict.as_str()],
        extra_data: TestExtra { verdict: check.verdict, replay: &check.replay },
    });
    let results = Results {
        score: record.points,
        output: remark(record),
        output_format: "text",
        test_output_format: "text",
        test_name_format: "text",
        visibility: "visible",
        stdout_visibility: "hidden",
        tests: tests.collect(),
        extra_data: Extra {
            lab: &record.lab,
            lab_version: &record.lab_version,
            submission: &record.submission,
            seed: record.seed,
            tier: record.tier.as_deref(),
            needs_attention: record.needs_attention,
        },
    };
    let text = serde_json::to_string_pretty(&results).map_err(|error| Failure::Broken(format!("write results.json: {error}")))?;
    Ok(text + "\n")
}
