//! A learning platform's own table of grades, filled in: every cell but those of the marks stays as it is.
//!
//! Theory of operation: platforms skip rows that they do not know and create columns that they do not know, both without a word. So no table is made here: the
//! platform's own export is taken, and only cells that are there are filled. A record and a row belong together if a cell that tells people apart holds
//! the student's name or key, and nobody else's row or record does. What found no partner is listed, on both sides; nothing is guessed. What was not
//! observed is not filled in, since a platform would take it for a mark.

use std::collections::BTreeMap;
use std::path::Path;

use crate::failure::Failure;
use crate::late::decimal;
use crate::records::{Records, StudentRecords};
use crate::run::record::Record;

/// A table as a platform exports it.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The file, for messages.
    pub file: String,
    /// The titles, without what surrounds them.
    pub titles: Vec<String>,
    rows: Vec<csv::StringRecord>,
    /// The line on which each row begins, from 1.
    lines: Vec<usize>,
    delimiter: u8,
    byte_order_mark: bool,
    crlf: bool,
}

/// What a platform's table means.
#[derive(Debug, Clone)]
pub struct Columns {
    /// The columns that tell people apart, the best first.
    pub people: Vec<usize>,
    /// The rows that are of a person, from 0 for the titles.
    pub rows: Vec<usize>,
    /// The columns to fill.
    pub marks: Vec<Marks>,
}

/// A column to fill.
#[derive(Debug, Clone)]
pub struct Marks {
    /// The lab whose points go there.
    pub lab: String,
    /// The column.
    pub column: usize,
    /// The platform's most points: of the column, or of each row where the table says it there.
    pub possible: Possible,
}

/// Where the platform's most points are said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Possible {
    /// Nowhere.
    Unsaid,
    /// For the whole column.
    Column(f64),
    /// In this column of each row.
    Row(usize),
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The table.
    pub table: Vec<u8>,
    /// Cells that were filled.
    pub filled: usize,
    /// Rows that no record belongs to.
    pub rows_without_record: Vec<String>,
    /// Records that no row belongs to: these marks are in no cell.
    pub records_without_row: Vec<String>,
    /// Records that are left out since something was not observed.
    pub not_observed: Vec<String>,
    /// Cells that held another mark before.
    pub changed: Vec<String>,
}

impl Sheet {
    /// Reads a table: separated by commas or semicolons, with or without a byte order mark.
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8, or is no table.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| Failure::input("read", path, &error))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            Failure::BadInput(format!("{file}:{line}: expected text in UTF-8; export the table again as CSV in UTF-8"))
        })?;
        let byte_order_mark = text.starts_with('\u{feff}');
        let text = text.trim_start_matches('\u{feff}');
        let parse = |delimiter| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
            reader.records().collect::<Result<Vec<_>, _>>().map_err(|error| Failure::BadInput(format!("{file}: {error}")))
        };
        let width = |rows: &[csv::StringRecord]| rows.first().map_or(0, csv::StringRecord::len);
        let (commas, semicolons) = (parse(b',')?, parse(b';')?);
        let (rows, delimiter) = if width(&semicolons) > width(&commas) { (semicolons, b';') } else { (commas, b',') };
        let Some(first) = rows.first().filter(|first| first.len() > 1) else {
            return Err(Failure::BadInput(format!("{file}:1: expected a table with titles, separated by commas or semicolons")));
        };
        let titles = first.iter().map(|title| title.trim().to_owned()).collect();
        Ok(Self {
            titles,
            lines: lines(text, &rows),
            crlf: text.lines().next().is_some_and(|line| text[line.len()..].starts_with("\r\n")),
            rows,
            delimiter,
            byte_order_mark,
            file,
        })
    }

    /// How many rows there are, the titles included.
    #[must_use]
    pub fn height(&self) -> usize {
        self.rows.len()
    }

    /// A cell without what surrounds it; empty where the row has none.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> &str {
        self.rows.get(row).and_then(|row| row.get(column)).unwrap_or_default().trim()
    }

    /// The column of this title, however it is capitalised.
    #[must_use]
    pub fn column(&self, title: &str) -> Option<usize> {
        self.titles.iter().position(|other| other.eq_ignore_ascii_case(title.trim()))
    }

    /// The column of this title.
    ///
    /// # Errors
    /// There is none; the text names those that there are.
    pub fn expect(&self, title: &str) -> Result<usize, Failure> {
        self.column(title)
            .ok_or_else(|| Failure::BadInput(format!("{}:1: there is no column `{title}`; there are: {}", self.file, self.titles.join(", "))))
    }

    /// A row as messages name it: file, line, and who stands in it.
    fn named(&self, row: usize, people: &[usize]) -> String {
        let line = self.lines.get(row).copied().unwrap_or_default();
        let who: Vec<&str> = people.iter().map(|column| self.cell(row, *column)).filter(|cell| !cell.is_empty()).collect();
        format!("{}:{line}: {}", self.file, who.join(", "))
    }

    /// Fills in the marks of the records. With `scale` points are scaled to what the platform gives at most; without it both must be the same.
    ///
    /// # Errors
    /// The platform gives other points than the lab, and `scale` is not set.
    pub fn fill(&self, columns: &Columns, records: &Records, scale: bool) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        let partners = self.partners(columns, records);
        let mut cells: BTreeMap<(usize, usize), String> = BTreeMap::new();
        for (student, row) in records.students.iter().zip(&partners) {
            for (marks, record) in columns.marks.iter().filter_map(|marks| Some((marks, student.of(&marks.lab)?))) {
                let row = match *row {
                    Ok(row) => row,
                    Err(reason) => {
                        outcome.records_without_row.push(format!("{} {}{reason}", student.name, record.lab));
                        continue;
                    }
                };
                if let Some(reason) = record.attention() {
                    outcome.not_observed.push(format!("{} {}: {reason}", student.name, record.lab));
                    continue;
                }
                let mark = self.mark(marks, row, record, student.hundredths(record), scale)?;
                let before = self.cell(row, marks.column);
                if !before.is_empty() && before != "-" && before.parse() != mark.parse::<f64>() {
                    outcome.changed.push(format!("{}: {} from {before} to {mark}", student.name, record.lab));
                }
                outcome.filled += 1;
                cells.insert((row, marks.column), mark);
            }
        }
        let taken: Vec<usize> = partners.iter().filter_map(|row| row.as_ref().ok().copied()).collect();
        outcome.rows_without_record = columns.rows.iter().filter(|row| !taken.contains(row)).map(|row| self.named(*row, &columns.people)).collect();
        outcome.table = self.written(&cells)?;
        Ok(outcome)
    }

    /// For each student the row, or why there is none.
    fn partners(&self, columns: &Columns, records: &Records) -> Vec<Result<usize, &'static str>> {
        let names: Vec<Vec<String>> = records.students.iter().map(names).collect();
        let matches = |names: &[String], row: usize| columns.people.iter().any(|column| names.iter().any(|name| same(name, self.cell(row, *column))));
        // Few cells match: the rows are looked up once for each, and not once for each student.
        let rows_of: Vec<Vec<usize>> = names.iter().map(|names| columns.rows.iter().copied().filter(|row| matches(names, *row)).collect()).collect();
        let mut claims: BTreeMap<usize, usize> = BTreeMap::new();
        rows_of.iter().flatten().for_each(|row| *claims.entry(*row).or_default() += 1);
        rows_of
            .iter()
            .map(|rows| match rows[..] {
                [] => Err(""),
                [row] if claims[&row] == 1 => Ok(row),
                [_] => Err(": its row fits another record as well"),
                _ => Err(": several rows fit"),
            })
            .collect()
    }

    /// The mark as the platform wants it: hundredths of the lab's points, late policy included.
    fn mark(&self, marks: &Marks, row: usize, record: &Record, hundredths: u64, scale: bool) -> Result<String, Failure> {
        let possible = match marks.possible {
            Possible::Unsaid => None,
            Possible::Column(points) => Some(points),
            Possible::Row(column) => self.cell(row, column).replace(',', ".").parse().ok(),
        };
        let of = f64::from(record.max_points);
        match possible {
            Some(possible) if scale && record.max_points > 0 => {
                Ok(shortest(u32::try_from(hundredths).map_or(0.0, f64::from) / 100.0 / of * possible))
            }
            Some(possible) if (possible - of).abs() > f64::EPSILON => Err(Failure::BadInput(format!(
                "{}: expected {} points for {}, as the lab has; the platform gives {}. Change it there and export again, or give --scale",
                self.file,
                record.max_points,
                record.lab,
                shortest(possible)
            ))),
            _ => Ok(decimal(hundredths)),
        }
    }

    /// The table with these cells in the place of its own.
    fn written(&self, cells: &BTreeMap<(usize, usize), String>) -> Result<Vec<u8>, Failure> {
        let failed = |error: csv::Error| Failure::Broken(format!("write the table: {error}"));
        let end = if self.crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let bytes = if self.byte_order_mark { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
        let mut writer = csv::WriterBuilder::new().flexible(true).delimiter(self.delimiter).terminator(end).from_writer(bytes);
        for (number, row) in self.rows.iter().enumerate() {
            let width = cells.range((number, 0)..(number + 1, 0)).map(|((_, column), _)| column + 1).max().unwrap_or(0).max(row.len());
            let cell = |column| cells.get(&(number, column)).map_or_else(|| row.get(column).unwrap_or_default(), |cell| &**cell);
            writer.write_record((0..width).map(cell)).map_err(failed)?;
        }
        writer.into_inner().map_err(|error| Failure::Broken(format!("write the table: {error}")))
    }
}

/// The line on which each row begins. The reader's own count is one too few after each line that ends with CR and LF: the LF is counted with the next row.
fn lines(text: &str, rows: &[csv::StringRecord]) -> Vec<usize> {
    let (mut line, mut seen) = (1, 0);
    let begin = |row: &csv::StringRecord| {
        let byte = row.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0)).min(text.len());
        byte + text[byte..].bytes().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
    };
    let of = |row| {
        let begin = begin(row).max(seen);
        line += text[seen..begin].matches('\n').count();
        seen = begin;
        line
    };
    rows.iter().map(of).collect()
}

/// What a platform may know the student by: the name, the key that the folder of records is named after, and what an intake found out.
fn names(student: &StudentRecords) -> Vec<String> {
    let mut names = vec![student.name.clone(), crate::run::names::name_of_record(&student.folder)];
    names.extend(student.records.iter().flat_map(|record| record.ids.iter().cloned()));
    // Platforms that sort by family name write it first.
    if let Some((family, given)) = student.name.split_once(", ") {
        names.push(format!("{given} {family}"));
    } else if let Some((given, family)) = student.name.rsplit_once(' ') {
        names.push(format!("{family}, {given}"));
    }
    names.sort();
    names.dedup();
    names
}

/// Whether a cell holds a name. Moodle writes a number as `Participant N`.
fn same(name: &str, cell: &str) -> bool {
    !name.is_empty() && (name.eq_ignore_ascii_case(cell) || cell.strip_prefix("Participant ").is_some_and(|number| number == name))
}

/// A number with at most two decimals, and none that say nothing.
fn shortest(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
