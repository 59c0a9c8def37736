//! Tables about people: the roster that a learning platform exports, and the times of submissions where the download has none.

use std::fs::File;
use std::path::Path;

use jiff::Timestamp;

use crate::failure::Failure;

/// Columns that name a person for people, and that tell a person from all others; the best first. Canvas's gradebook, Moodle's grading worksheet, and plain tables.
const NAME_COLUMNS: [&str; 3] = ["full name", "name", "student"];
const KEY_COLUMNS: [&str; 9] = ["email", "email address", "sis login id", "login", "id number", "sis user id", "sid", "id", "identifier"];

/// One row of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What tells this person from all others: the first of `ids`.
    pub key: String,
    /// The name.
    pub name: String,
    /// Every number, address and login of this person.
    pub ids: Vec<String>,
}

/// Everybody who is listed.
#[derive(Debug, Clone, Default)]
pub struct Roster(pub Vec<Listed>);

/// When somebody handed something in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// A key, a name or any other id.
    pub student: String,
    /// The lab, by any of its names; none for all of them.
    pub lab: Option<String>,
    /// The moment, in UTC.
    pub submitted: String,
}

/// A moment as RFC 3339 has it, in UTC: from RFC 3339, and from what Ruby writes (`2026-10-05 23:50:06.45 +02:00`). None if it has no offset from UTC.
#[must_use]
pub fn moment(text: &str) -> Option<String> {
    let text = text.trim().replacen(' ', "T", 1).replace(' ', "").replace("UTC", "Z");
    text.parse::<Timestamp>().ok().map(|moment| moment.to_string())
}

/// Rows with the numbers of their lines.
type Rows = Vec<(u64, csv::StringRecord)>;

/// A table's titles in lower case, and its rows.
fn rows(path: &Path) -> Result<(Vec<String>, Rows), Failure> {
    let bad = |line: u64, reason: &str| Failure::BadInput(format!("{}:{line}: {reason}", path.display()));
    let file = File::open(path).map_err(|error| Failure::input("read", path, &error))?;
    let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let csv_error = |error: csv::Error| match error.kind() {
        csv::ErrorKind::Io(error) => Failure::BadInput(format!("read {}: {error}", path.display())),
        csv::ErrorKind::Utf8 { pos, .. } => bad(pos.as_ref().map_or(1, csv::Position::line), "expected text in UTF-8"),
        _ => bad(error.position().map_or(1, csv::Position::line), &error.to_string()),
    };
    let titles = table.headers().map_err(csv_error)?.iter().map(|title| title.trim_start_matches('\u{feff}').trim().to_lowercase()).collect();
    let mut rows = Vec::new();
    for row in table.records() {
        let row = row.map_err(csv_error)?;
        rows.push((row.position().map_or(0, csv::Position::line), row));
    }
    Ok((titles, rows))
}

impl Roster {
    /// Reads a roster: Canvas's gradebook export, Moodle's grading worksheet, or any table with a column `name` or `student` and one of `id`, `email`, `login`.
    ///
    /// # Errors
    /// A file that cannot be read, is no table, has none of the columns, or lists somebody twice.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let (titles, rows) = rows(path)?;
        let column = |title: &&str| titles.iter().position(|other| other == title);
        let keys: Vec<usize> = KEY_COLUMNS.iter().filter_map(column).collect();
        let name_column = NAME_COLUMNS.iter().find_map(column);
        if keys.is_empty() {
            return Err(Failure::BadInput(format!(
                "{}:1: expected one of the columns {}; there are: {}",
                path.display(),
                KEY_COLUMNS.join(", "),
                titles.join(", ")
            )));
        }
        let mut listed: Vec<Listed> = Vec::new();
        for (line, row) in rows {
            let cell = |at: usize| row.get(at).unwrap_or_default().trim();
            // Canvas has a row of possible points, without ids, under its titles, and a student who is nobody.
            let ids: Vec<String> =
                keys.iter().map(|at| cell(*at)).filter(|id| !id.is_empty()).map(|id| id.trim_start_matches("Participant ").to_owned()).collect();
            let name = name_column.map_or("", cell);
            if ids.is_empty() || name == "Student, Test" {
                continue;
            }
            if let Some(other) = listed.iter().find(|other| other.key == ids[0]) {
                return Err(Failure::BadInput(format!("{}:{line}: `{}` is listed twice, as {} and as {name}", path.display(), ids[0], other.name)));
            }
            let name = if name.is_empty() { ids[0].clone() } else { name.to_owned() };
            listed.push(Listed { key: ids[0].clone(), name, ids });
        }
        Ok(Self(listed))
    }

    /// Who has this id, or else, if only one has it, this name.
    #[must_use]
    pub fn find(&self, id: &str, name: &str) -> Option<&Listed> {
        let by_id = |listed: &&Listed| !id.is_empty() && listed.ids.iter().any(|other| other.eq_ignore_ascii_case(id));
        let mut by_name = self.0.iter().filter(|listed| !name.is_empty() && listed.name == name);
        self.0.iter().find(by_id).or_else(|| by_name.next().filter(|_| by_name.next().is_none()))
    }
}

/// Reads a table of times, with the columns `student`, `submitted` and, if need be, `lab`.
///
/// # Errors
/// A file that cannot be read or is no such table, and a time without an offset from UTC.
pub fn times(path: &Path) -> Result<Vec<Time>, Failure> {
    let (titles, rows) = rows(path)?;
    let bad = |line: u64, reason: String| Failure::BadInput(format!("{}:{line}: {reason}", path.display()));
    let column = |title: &str| titles.iter().position(|other| other == title);
    let (Some(student), Some(submitted)) = (column("student"), column("submitted")) else {
        return Err(bad(1, format!("expected the columns student, submitted and perhaps lab; there are: {}", titles.join(", "))));
    };
    let lab = column("lab");
    let mut times = Vec::new();
    for (line, row) in rows {
        let cell = |at: usize| row.get(at).unwrap_or_default().trim();
        let submitted = moment(cell(submitted))
            .ok_or_else(|| bad(line, format!("expected a time such as 2026-10-05T23:59:00+02:00; observed `{}`", cell(submitted).escape_debug())))?;
        let lab = lab.map(cell).filter(|lab| !lab.is_empty()).map(str::to_owned);
        times.push(Time { student: cell(student).to_owned(), lab, submitted });
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn canvas_and_moodle_rosters_are_read_as_they_are_exported() {
        let canvas = table(
            "Student,ID,SIS User ID,SIS Login ID,Section,Pipe (9)\n    Points Possible,,,,,22\n\"Example, Ann\",12,S1,ann1,A,\n\"Student, Test\",99,,,A,\n",
        );
        let roster = Roster::read(canvas.path()).unwrap();
        assert_eq!(roster.0, [Listed { key: "ann1".into(), name: "Example, Ann".into(), ids: vec!["ann1".into(), "S1".into(), "12".into()] }]);
        assert!(roster.find("12", "").is_some() && roster.find("13", "").is_none());
        let moodle = table("\u{feff}Identifier,\"Full name\",\"Email address\",Grade\n\"Participant 77\",\"Ann Example\",ann@example.edu,-\n");
        let roster = Roster::read(moodle.path()).unwrap();
        assert_eq!(roster.find("77", "").map(|listed| &*listed.key), Some("ann@example.edu"));
        assert_eq!(roster.find("", "Ann Example").map(|listed| &*listed.key), Some("ann@example.edu"));
    }

    #[test]
    fn tables_that_cannot_be_used_are_named_with_their_line() {
        for (text, expected) in [("a,b\n1,2\n", ":1: expected one of the columns"), ("id\nx\nx\n", ":3: `x` is listed twice")] {
            assert!(Roster::read(table(text).path()).is_err_and(|failure| failure.to_string().contains(expected)), "{text}");
        }
        let times = times(table("student,submitted\nann,yesterday\n").path());
        assert!(times.is_err_and(|failure| failure.to_string().contains(":2: expected a time such as")));
    }

    #[test]
    fn a_moment_is_one_only_with_its_offset() {
        assert_eq!(moment("2026-10-05 23:50:06.45 +02:00").as_deref(), Some("2026-10-05T21:50:06.45Z"));
        assert_eq!(moment("2026-10-05 21:50:06 UTC").as_deref(), Some("2026-10-05T21:50:06Z"));
        assert_eq!(moment("2026-10-05T23:50:06"), None);
    }
}
