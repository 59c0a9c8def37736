//! Autolab: what a student reads, and on the last line the scores.
//!
//! Autolab takes the last line of an autograder's standard output that is not blank for JSON. A problem's name may hold no colon; a check's never does.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::export::{KEPT_BACK, in_words, remark, told};
use crate::failure::Failure;
use crate::run::record::Record;

#[derive(Serialize)]
struct Scores<'a> {
    scores: BTreeMap<&'a str, u32>,
}

/// The text of one record.
///
/// # Errors
/// Scores that cannot be written as JSON.
pub fn feedback(record: &Record) -> Result<String, Failure> {
    let checks = told(record, false);
    let mut text = format!("{}: {} of {} points\n{}", record.lab, record.points, record.max_points, remark(record));
    for told in &checks.shown {
        let check = told.check;
        text.push_str(&format!("\n{}: {} ({} of {} points)\n", check.name, in_words(check.verdict), check.points, check.max_points));
        if record.outcome.status == crate::run::record::Status::Built {
            told.message.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    }
    let mut scores: BTreeMap<&str, u32> = checks.shown.iter().map(|told| (&*told.check.name, told.check.points)).collect();
    if let Some(kept_back) = &checks.kept_back {
        text.push_str(&format!("\n{}: {} of {} points\n  {KEPT_BACK}\n", kept_back.name, kept_back.points, kept_back.max_points));
        scores.insert(&kept_back.name, kept_back.points);
    }
    let scores = Scores { scores };
    let line = serde_json::to_string(&scores).map_err(|error| Failure::Broken(format!("write the scores: {error}")))?;
    Ok(format!("{text}\n{line}\n"))
}
