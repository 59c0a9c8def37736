//! GitHub classroom's reporter (`autograding-grading-reporter`), one file of environment variables for each record.
//!
//! The reporter reads, for each of its `runners`, a variable `<RUNNER>_RESULTS`. It prints a runner's share of passed tests times its `max_score`, and reports the
//! sum of the tests' own scores: two numbers that differ as soon as checks have different points. With a runner for each check they are the same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::verdict::Word;
use serde::Serialize;

use crate::export::{KEPT_BACK, KeptBack, ToldCheck, in_words, remark, told};
use crate::failure::Failure;
use crate::run::record::{Record, Status};

/// What one runner tells.
#[derive(Debug, Serialize)]
struct Results<'a> {
    version: u8,
    status: &'static str,
    max_score: u32,
    tests: Vec<Test<'a>>,
}

#[derive(Debug, Serialize)]
struct Test<'a> {
    name: &'a str,
    status: &'static str,
    score: u32,
    message: String,
    test_code: &'a str,
    filename: &'a str,
    line_no: u32,
    duration: u32,
}

/// Lines `NAME=value` for `$GITHUB_ENV`: one for each check, and `RUNNERS`, the reporter's `runners`.
///
/// # Errors
/// A record that cannot be written as JSON.
pub fn variables(record: &Record) -> Result<String, Failure> {
    let mut text = String::new();
    let mut runners = Vec::new();
    let told = told(record, false);
    let checks = told.shown.iter().map(|told| (&*told.check.name, results(record, told)));
    for (name, results) in checks.chain(told.kept_back.iter().map(|kept_back| (&*kept_back.name, total(kept_back)))) {
        let json = serde_json::to_string(&results).map_err(|error| Failure::Broken(format!("write the results: {error}")))?;
        text.push_str(&format!("{}_RESULTS={}\n", name.to_uppercase(), STANDARD.encode(json)));
        runners.push(name);
    }
    text.push_str(&format!("RUNNERS={}\n", runners.join(",")));
    Ok(text)
}

/// What is not shown: a test for each point, so that the share of passed tests is the share of points whatever they are made of.
fn total(kept_back: &KeptBack) -> Results<'_> {
    let status = |passed: bool| if passed { "pass" } else { "fail" };
    let test = |number| Test {
        name: &kept_back.name,
        status: status(number < kept_back.points),
        score: u32::from(number < kept_back.points),
        message: KEPT_BACK.to_owned(),
        test_code: "",
        filename: "",
        line_no: 0,
        duration: 0,
    };
    let tests = (0..kept_back.max_points).map(test).collect();
    Results { version: 1, status: status(kept_back.points == kept_back.max_points), max_score: kept_back.max_points, tests }
}

fn results<'a>(record: &Record, told: &'a ToldCheck<'_>) -> Results<'a> {
    let check = told.check;
    let status = match check.verdict {
        Word::Pass => "pass",
        Word::Broken => "error",
        // Nothing was built, or what comes before failed: the reporter has no word for it, and it is no fault of the machine.
        Word::Fail | Word::Skipped if !record.needs_attention || check.verdict == Word::Fail => "fail",
        Word::Fail | Word::Skipped => "error",
    };
    let place = told.finding.and_then(|finding| finding.labels.first());
    let message = match check.verdict {
        Word::Pass => String::new(),
        Word::Fail => told.message.to_string(),
        other if record.outcome.status == Status::Built => format!("{}: {}", in_words(other), told.message),
        _ => remark(record),
    };
    Results {
        version: 1,
        status,
        max_score: check.max_points,
        tests: vec![Test {
            name: &check.name,
            status,
            score: check.points,
            message,
            test_code: told.replay,
            filename: place.map_or("", |label| &label.place.file),
            line_no: place.map_or(0, |label| label.place.line),
            duration: 0,
        }],
    }
}
