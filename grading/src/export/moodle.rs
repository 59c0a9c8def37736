//! Moodle's offline grading worksheet: one assignment, one row a student.
//!
//! Moodle wants the columns Identifier, Grade and Last modified (grade) back, by the names that they have in the site's language, separated by commas; it takes who
//! a row is of from Identifier alone, and skips a row whose grade was changed after the export.

use crate::export::gradebook::{Columns, Marks, Possible, Sheet};
use crate::failure::Failure;

/// The columns that are about the student, in English. The name is the last resort.
const PEOPLE: [&str; 5] = ["Email address", "Username", "ID number", "Identifier", "Full name"];

/// Understands the table. `grade` is the title of the column of grades where the site's language is not English, `people` the columns that tell people apart.
///
/// # Errors
/// A table that is no worksheet.
pub fn columns(sheet: &Sheet, lab: &str, grade: Option<&str>, people: &[String]) -> Result<Columns, Failure> {
    let column = match grade {
        Some(title) => sheet.expect(title)?,
        None => match ["Identifier", "Grade", "Last modified (grade)"].iter().find(|title| sheet.column(title).is_none()) {
            None => sheet.expect("Grade")?,
            Some(missing) => {
                return Err(Failure::BadInput(format!(
                    "{}:1: expected Moodle's grading worksheet with the column `{missing}`; there are: {}. \
                     Where the site's language is another, name the columns with --grade-column and --match",
                    sheet.file,
                    sheet.titles.join(", ")
                )));
            }
        },
    };
    let people: Vec<usize> = match people {
        [] => PEOPLE.iter().filter_map(|title| sheet.column(title)).collect(),
        named => named.iter().map(|title| sheet.expect(title)).collect::<Result<_, _>>()?,
    };
    if people.is_empty() {
        return Err(Failure::BadInput(format!("{}:1: no column tells people apart; name one with --match", sheet.file)));
    }
    let possible = sheet.column("Maximum Grade").map_or(Possible::Unsaid, Possible::Row);
    let rows = (1..sheet.height()).filter(|row| people.iter().any(|column| !sheet.cell(*row, *column).is_empty())).collect();
    Ok(Columns { people, rows, marks: vec![Marks { lab: lab.to_owned(), column, possible }] })
}
