//! The table of grades, `grades.csv`: one row a student, one column a lab, the total; and `late.csv`, how each mark follows from the late policy.

use std::path::Path;

use crate::escape::{csv_cell, shown};
use crate::failure::Failure;
use crate::late::{self, Earned, Mark, Policy};
use crate::run::store::Store;

/// Writes the tables into the output folder; what an instructor should know.
///
/// # Errors
/// The folder cannot be written.
pub fn write(store: &Store, labs: &[&str], earned: &[Earned], policy: Option<&Policy>) -> Result<Vec<String>, Failure> {
    let none = Policy::default();
    let marks = policy.unwrap_or(&none).marks(earned);
    store.write(Path::new("grades.csv"), &grades(labs, earned, &marks)?)?;
    let Some(policy) = policy else { return Ok(Vec::new()) };
    store.write(Path::new("late.csv"), &explained(earned, &marks)?)?;
    let mut warnings: Vec<String> = policy
        .strangers(earned)
        .iter()
        .map(|name| format!("the late policy has an extension for {}, who is nobody in this batch", shown(name)))
        .collect();
    for (earned, mark) in earned.iter().zip(&marks).filter(|(_, mark)| mark.note.contains("no time is known")) {
        warnings.push(format!("{} {}: {}; nothing is deducted", earned.student, earned.lab, mark.note));
    }
    Ok(warnings)
}

fn table(rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|error| Failure::Broken(format!("write a table: {error}")))?;
    }
    writer.into_inner().map_err(|error| Failure::Broken(format!("write a table: {error}")))
}

/// The table as RFC 4180 has it. `earned` holds, one student after the other, what was earned in each of `labs`, in this order.
fn grades(labs: &[&str], earned: &[Earned], marks: &[Mark]) -> Result<Vec<u8>, Failure> {
    let titles = ["student"].into_iter().chain(labs.iter().copied()).chain(["total"]).map(csv_cell).collect();
    let row = |(earned, marks): (&[Earned], &[Mark])| {
        let total = marks.iter().map(|mark| mark.hundredths).sum();
        // By position and not by name: names as they are shown need not be different.
        let name = earned.first().map(|first| csv_cell(&first.student)).unwrap_or_default();
        [name].into_iter().chain(marks.iter().map(Mark::points)).chain([late::decimal(total)]).collect()
    };
    let count = labs.len().max(1);
    table([titles].into_iter().chain(earned.chunks(count).zip(marks.chunks(count)).map(row)))
}

/// One row a student and lab: from the points to the mark.
fn explained(earned: &[Earned], marks: &[Mark]) -> Result<Vec<u8>, Failure> {
    let titles = ["student", "lab", "submitted", "due", "days_late", "grace_days", "deduction_percent", "points", "mark", "note"];
    let row = |(earned, mark): (&Earned, &Mark)| {
        let unknown = || String::from("-");
        vec![
            csv_cell(&earned.student),
            csv_cell(&earned.lab),
            earned.submitted.clone().unwrap_or_else(unknown),
            mark.due.clone().unwrap_or_else(unknown),
            mark.days_late.to_string(),
            mark.grace_days.to_string(),
            mark.percent.to_string(),
            earned.points.to_string(),
            mark.points(),
            mark.note.to_owned(),
        ]
    };
    table([titles.map(str::to_owned).to_vec()].into_iter().chain(earned.iter().zip(marks).map(row)))
}
