//! Canvas's gradebook export: which columns are assignments, and which rows are students.
//!
//! The first columns tell who a row is of; an assignment's column is titled `Title (id)`, and a title without a known id would create an assignment. Below the
//! titles there may be a row about posting, and there is a row `Points Possible`, which says `(read only)` where nothing can be imported.

use harness::manifest::did_you_mean;

use crate::export::gradebook::{Columns, Marks, Possible, Sheet};
use crate::failure::Failure;

/// The columns that are about the student. The name is the last resort.
const PEOPLE: [&str; 5] = ["SIS Login ID", "SIS User ID", "Integration ID", "ID", "Student"];

/// A lab and the names by which its column may be found: folder, package, title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The lab's folder.
    pub lab: String,
    /// The column's title, with or without its id.
    pub titles: Vec<String>,
}

/// Understands the table. `people` names the columns that tell people apart; none are Canvas's own.
///
/// # Errors
/// A table that is no gradebook, and labs that no column or more than one is for.
pub fn columns(sheet: &Sheet, wanted: &[Wanted], people: &[String]) -> Result<Columns, Failure> {
    let bad = |reason: String| Failure::BadInput(format!("{}:1: {reason}", sheet.file));
    if sheet.column("ID").is_none() || sheet.column("Section").is_none() {
        return Err(bad("expected Canvas's gradebook export, with the columns Student, ID and Section".into()));
    }
    let people = match people {
        [] => PEOPLE.iter().filter_map(|title| sheet.column(title)).collect(),
        named => named.iter().map(|title| sheet.expect(title)).collect::<Result<_, _>>()?,
    };
    let points_row = (1..sheet.height()).find(|row| sheet.cell(*row, 0).contains("Points Possible"));
    let section = sheet.column("Section").unwrap_or_default();
    let mut marks = Vec::new();
    for lab in wanted {
        let assignments: Vec<usize> = (section + 1..sheet.titles.len()).filter(|column| id(&sheet.titles[*column]).is_some()).collect();
        let fits = |column: &&usize| {
            let title = &sheet.titles[**column];
            lab.titles.iter().any(|wanted| wanted.eq_ignore_ascii_case(title) || wanted.eq_ignore_ascii_case(without_id(title)))
        };
        let found: Vec<usize> = assignments.iter().filter(fits).copied().collect();
        let [column] = found[..] else {
            let titles: Vec<&str> = assignments.iter().map(|column| &*sheet.titles[*column]).collect();
            let state = match &found[..] {
                [] => format!("there is no column for {}{}", lab.lab, did_you_mean(lab.titles.last().map_or("", |title| title), &titles)),
                several => format!("{} columns could be that of {}", several.len(), lab.lab),
            };
            return Err(bad(format!("{state}. Name it: --column {}='TITLE (ID)'", lab.lab)));
        };
        let possible = points_row.map_or("", |row| sheet.cell(row, column));
        if possible.contains("read only") {
            return Err(bad(format!("`{}` is read only; Canvas would ignore the marks", sheet.titles[column])));
        }
        let possible = possible.replace(',', ".").parse().map_or(Possible::Unsaid, Possible::Column);
        marks.push(Marks { lab: lab.lab.clone(), column, possible });
    }
    let id_column = sheet.column("ID").unwrap_or_default();
    // Rows about assignments have no id, and the student whom Canvas makes up for tests is nobody.
    let rows = (1..sheet.height()).filter(|row| !sheet.cell(*row, id_column).is_empty() && sheet.cell(*row, 0) != "Student, Test").collect();
    Ok(Columns { people, rows, marks })
}

/// The number in brackets that ends an assignment's title.
fn id(title: &str) -> Option<&str> {
    let (_, id) = title.strip_suffix(')')?.rsplit_once('(')?;
    Some(id).filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

fn without_id(title: &str) -> &str {
    id(title).and_then(|id| title.strip_suffix(&format!("({id})"))).unwrap_or(title).trim()
}
