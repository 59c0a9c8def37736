//! Plain CSV as RFC 4180 has it, with a header: a row for each record, or for each check.

use crate::escape::csv_cell;
use crate::failure::Failure;
use crate::late::decimal;
use crate::records::Records;
use crate::run::record::Status;

/// What a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Rows {
    /// A student's work on a lab.
    Lab,
    /// A check of it.
    Check,
}

/// The table, in the order of students, labs and checks.
///
/// # Errors
/// A table that the csv crate cannot write.
pub fn csv(records: &Records, rows: Rows) -> Result<Vec<u8>, Failure> {
    let failed = |error: csv::Error| Failure::Broken(format!("write the table: {error}"));
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut row = |cells: &[&str]| writer.write_record(cells.iter().map(|cell| csv_cell(cell))).map_err(failed);
    match rows {
        Rows::Lab => row(&[
            "student",
            "lab",
            "points",
            "max_points",
            "submitted",
            "days_late",
            "deduction_percent",
            "mark",
            "status",
            "message",
            "needs_attention",
            "tier",
            "seed",
            "submission",
        ])?,
        Rows::Check => row(&["student", "lab", "check", "verdict", "points", "max_points", "visibility", "message", "replay"])?,
    }
    for (student, record) in records.all() {
        match rows {
            Rows::Lab => row(&[
                &student.name,
                &record.lab,
                &record.points.to_string(),
                &record.max_points.to_string(),
                record.submitted.as_deref().unwrap_or_default(),
                &student.marks.get(&record.lab).map_or(0, |mark| mark.days_late).to_string(),
                &student.marks.get(&record.lab).map_or(0, |mark| mark.percent).to_string(),
                &decimal(student.hundredths(record)),
                status(record.outcome.status),
                &record.outcome.message,
                if record.needs_attention { "yes" } else { "no" },
                record.tier.as_deref().unwrap_or_default(),
                &record.seed.to_string(),
                &record.submission,
            ])?,
            Rows::Check => {
                for check in &record.checks {
                    row(&[
                        &student.name,
                        &record.lab,
                        &check.name,
                        check.verdict.as_str(),
                        &check.points.to_string(),
                        &check.max_points.to_string(),
                        check.visibility.as_str(),
                        &check.message,
                        &check.replay,
                    ])?;
                }
            }
        }
    }
    writer.into_inner().map_err(|error| Failure::Broken(format!("write the table: {error}")))
}

/// The word for how a build ended, as in records.
#[must_use]
pub fn status(status: Status) -> &'static str {
    match status {
        Status::Built => "built",
        Status::CompileError => "compile_error",
        Status::MissingFile => "missing_file",
        Status::Refused => "refused",
    }
}
