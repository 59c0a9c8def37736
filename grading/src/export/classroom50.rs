//! Classroom 50's `result.json` (`classroom50/result/v1`), one for each record.
//!
//! Who handed in what and when is not in a record: Classroom 50's runner knows it and gives it to an autograder in its environment. The moment is that of
//! the submission, and stays the same when it is graded again, so that nobody is late for having been graded twice.

use serde::Serialize;

use crate::export::{KEPT_BACK, remark, told};
use crate::failure::Failure;
use crate::run::record::Record;

/// What the runner knows of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, clap::Args)]
pub struct Submission {
    /// The classroom's short name
    #[arg(long, env = "CLASSROOM")]
    pub classroom: String,
    /// The assignment's short name
    #[arg(long, env = "ASSIGNMENT")]
    pub assignment: String,
    /// Who works on it
    #[arg(long, env = "ASSIGNMENT_TYPE", default_value = "individual", value_parser = ["individual", "group", "team"])]
    pub assignment_type: String,
    /// Whose repository it is
    #[arg(long, env = "OWNER")]
    pub owner: String,
    /// The tag that hands it in, `submit/…`
    #[arg(long, env = "SUBMISSION_TAG", value_parser = submit_tag)]
    pub submission: String,
    /// Link to the commit
    #[arg(long, env = "COMMIT_URL")]
    pub commit: String,
    /// Link to the release
    #[arg(long, env = "RELEASE_URL")]
    pub release: String,
    /// Link to all changes [default: the commit]
    #[arg(long, env = "REVIEW_URL")]
    #[serde(skip)]
    pub review: Option<String>,
    /// When it was handed in, for instance 2026-06-01T14:32:05Z; `TZ=UTC git log -1 --date=format-local:%FT%TZ --format=%cd` prints it
    #[arg(long, value_parser = moment)]
    pub datetime: String,
}

#[derive(Serialize)]
struct Results<'a> {
    schema: &'static str,
    #[serde(flatten)]
    submission: &'a Submission,
    review: &'a str,
    score: u32,
    #[serde(rename = "max-score")]
    max_score: u32,
    tests: Vec<Test<'a>>,
}

#[derive(Serialize)]
struct Test<'a> {
    #[serde(rename = "test-name")]
    name: String,
    passed: bool,
    score: u32,
    #[serde(rename = "max-score")]
    max_score: u32,
    /// Classroom 50 keeps what else a test holds.
    output: &'a str,
}

/// The file of one record.
///
/// # Errors
/// A record that cannot be written as JSON.
pub fn result(record: &Record, submission: &Submission) -> Result<String, Failure> {
    let remark = remark(record);
    let told = told(record, false);
    let tests = told.shown.iter().map(|told| Test {
        name: told.check.name.clone(),
        passed: told.check.verdict == harness::verdict::Word::Pass,
        score: told.check.points,
        max_score: told.check.max_points,
        output: if remark.is_empty() { &told.message } else { &remark },
    });
    let kept_back = told.kept_back.iter().map(|kept_back| Test {
        name: kept_back.name.clone(),
        passed: kept_back.points == kept_back.max_points,
        score: kept_back.points,
        max_score: kept_back.max_points,
        output: KEPT_BACK,
    });
    let tests = tests.chain(kept_back).collect();
    let review = submission.review.as_deref().unwrap_or(&submission.commit);
    let results = Results { schema: "classroom50/result/v1", submission, review, score: record.points, max_score: record.max_points, tests };
    let text = serde_json::to_string_pretty(&results).map_err(|error| Failure::Broken(format!("write result.json: {error}")))?;
    Ok(text + "\n")
}

fn submit_tag(text: &str) -> Result<String, String> {
    if text.starts_with("submit/") { Ok(text.to_owned()) } else { Err("expected a tag that begins with submit/".into()) }
}

/// A moment as Classroom 50 has it, to the second and in UTC.
fn moment(text: &str) -> Result<String, String> {
    let form = b"dddd-dd-ddTdd:dd:ddZ";
    let fits =
        text.len() == form.len() && text.bytes().zip(form).all(|(byte, form)| if *form == b'd' { byte.is_ascii_digit() } else { byte == *form });
    let within = |at: usize, least: u32, most: u32| text[at..at + 2].parse().is_ok_and(|number: u32| (least..=most).contains(&number));
    if fits && within(5, 1, 12) && within(8, 1, 31) && within(11, 0, 23) && within(14, 0, 59) && within(17, 0, 59) {
        Ok(text.to_owned())
    } else {
        Err("expected a moment in UTC such as 2026-06-01T14:32:05Z".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_moment_in_utc_is_taken() {
        assert!(moment("2026-06-01T14:32:05Z").is_ok());
        for wrong in [
            "2026-06-01T14:32:05+02:00",
            "2026-13-01T14:32:05Z",
            "2026-06-00T14:32:05Z",
            "2026-06-01 14:32:05Z",
            "2026-06-01T24:00:00Z",
            "",
            "\u{e9}026-06-01T14:32:05",
        ] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
