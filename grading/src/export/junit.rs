//! JUnit XML, as nextest writes it and with the same crate: a suite for each record, a case for each check.
//!
//! A check that failed is a `failure`; one that is broken is an `error`, since the fault is not the program's. A reader of JUnit takes a suite of skipped cases
//! for a good one, so that every suite begins with a case `build`, which fails where there was no program to check.

use harness::verdict::Word;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::export::table;
use crate::failure::Failure;
use crate::records::Records;
use crate::run::record::{Check, Record, Status};

/// The report of all records.
///
/// # Errors
/// A report that cannot be written as XML.
pub fn report(records: &Records) -> Result<String, Failure> {
    let mut report = Report::new("grade");
    for (student, record) in records.all() {
        report.add_test_suite(suite(&student.name, record));
    }
    report.to_string().map_err(|error| Failure::Broken(format!("write the JUnit report: {error}")))
}

fn suite(student: &str, record: &Record) -> TestSuite {
    let mut suite = TestSuite::new(format!("{student} {}", record.lab));
    let mut property = |name: &str, value: &str| {
        suite.add_property(Property::new(name, value));
    };
    property("student", student);
    property("lab", &record.lab);
    property("points", &record.points.to_string());
    property("max_points", &record.max_points.to_string());
    property("seed", &record.seed.to_string());
    property("tier", record.tier.as_deref().unwrap_or("none"));
    property("submission", &record.submission);
    property("lab_version", &record.lab_version);
    let status = match record.outcome.status {
        Status::Built => TestCaseStatus::success(),
        // A build about which nothing is certain is not the program's fault.
        other => unsuccessful(
            if record.needs_attention { NonSuccessKind::Error } else { NonSuccessKind::Failure },
            table::status(other),
            first_line(&record.outcome.message),
            &record.outcome.message,
        ),
    };
    suite.add_test_case(case(&record.lab, "build", status));
    for check in &record.checks {
        let mut case = case(&record.lab, &check.name, check_status(check));
        case.add_property(Property::new("points", check.points.to_string()));
        case.add_property(Property::new("max_points", check.max_points.to_string()));
        suite.add_test_case(case);
    }
    suite
}

fn case(lab: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(lab);
    case
}

fn check_status(check: &Check) -> TestCaseStatus {
    let kind = check.finding.as_ref().map_or("fail", |finding| &finding.kind);
    let observed = check.finding.as_ref().map_or_else(|| first_line(&check.message), |finding| &finding.observed);
    match check.verdict {
        Word::Pass => TestCaseStatus::success(),
        Word::Fail => unsuccessful(NonSuccessKind::Failure, kind, observed, &check.message),
        Word::Broken => unsuccessful(NonSuccessKind::Error, "broken", first_line(&check.message), &check.message),
        Word::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(first_line(&check.message));
            status
        }
    }
}

fn unsuccessful(kind: NonSuccessKind, word: &str, message: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(word).set_message(message).set_description(description);
    status
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
