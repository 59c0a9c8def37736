//! Who handed in: the folders below SUBMISSIONS, and the lab folders in each.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use harness::manifest::{LabFolder, did_you_mean};

use crate::escape::{shown, shown_name};
use crate::failure::Failure;
use crate::intake::ledger::{Handed, Ledger, Person};
use crate::run::names;

/// One student.
#[derive(Debug, Clone)]
pub struct Student {
    /// Where the work is.
    pub origin: Origin,
    /// The name for people: escapes where it is not UTF-8 or holds control characters.
    pub name: String,
    /// The name of the folder of records.
    pub record_name: String,
    /// The lab folders that are there.
    pub labs: Vec<String>,
    /// What a record about a missing lab should say besides: folders that may have been meant.
    pub remark: String,
    /// Every number, address and login that a platform knows the student by; none in a plain folder.
    pub ids: Vec<String>,
}

/// Where a student's work is.
#[derive(Debug, Clone)]
pub enum Origin {
    /// In the folder of this name below SUBMISSIONS.
    Folder(OsString),
    /// Where the ledger of an intake says.
    Ledger(Box<Person>),
}

impl Student {
    /// What the intake says about this lab; none in a plain folder, and for a lab that was not handed in.
    #[must_use]
    pub fn handed(&self, lab: &str) -> Option<&Handed> {
        match &self.origin {
            Origin::Folder(_) => None,
            Origin::Ledger(person) => person.labs.get(lab),
        }
    }
}

/// All students, sorted by name, and what is odd about the folder.
#[derive(Debug, Clone)]
pub struct Roster {
    /// The students.
    pub students: Vec<Student>,
    /// One line each.
    pub warnings: Vec<String>,
}

/// Reads the folder. Every entry is a student, whatever it is, except plain files and hidden entries, which get a warning: an entry that cannot be
/// used gives a record that says so, and so is not lost.
///
/// # Errors
/// A folder that is not there, is no folder, cannot be read, or holds no student.
pub fn read(submissions: &Path, labs: &[LabFolder]) -> Result<Roster, Failure> {
    if let Some(ledger) = Ledger::find(submissions)? {
        return Ok(from_ledger(ledger, labs));
    }
    let failed = |error: &std::io::Error| Failure::input("read the submissions in", submissions, error);
    let mut entries = Vec::new();
    let mut warnings = Vec::new();
    for entry in fs::read_dir(submissions).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let (name, kind) = (entry.file_name(), entry.file_type().map_err(|error| failed(&error))?);
        if kind.is_file() || name.as_encoded_bytes().starts_with(b".") {
            warnings.push(format!("{} is not a student's folder; it is left out", shown_name(&name)));
        } else {
            entries.push((name, kind.is_dir()));
        }
    }
    if entries.is_empty() {
        return Err(Failure::BadInput(format!("expected one folder for each student in {}; there is none", submissions.display())));
    }
    entries.sort();
    warnings.sort();
    let all: Vec<OsString> = entries.iter().map(|(name, _)| name.clone()).collect();
    let (record_names, alike) = names::record_names(&all);
    for group in alike {
        let shown: Vec<String> = group.iter().map(|name| format!("{} ({})", shown_name(name), names::record_name(name))).collect();
        warnings.push(format!("these students' names are alike, and are graded apart: {}", shown.join(", ")));
    }
    let mut students = Vec::new();
    for ((entry, is_folder), record_name) in entries.into_iter().zip(record_names) {
        let name = shown_name(&entry);
        let folder = submissions.join(&entry);
        let mut student = Student { origin: Origin::Folder(entry), name, record_name, labs: Vec::new(), remark: String::new(), ids: Vec::new() };
        // Two names that look the same are two rows that can be told apart.
        if student.record_name.contains('~') && !student.name.is_ascii() {
            student.name = student.record_name.clone();
        }
        if is_folder {
            look_into(&mut student, &folder, labs, &mut warnings);
        }
        students.push(student);
    }
    Ok(Roster { students, warnings })
}

/// The students of a ledger. One who handed in nothing is a student too.
fn from_ledger(ledger: Ledger, labs: &[LabFolder]) -> Roster {
    let keys: Vec<OsString> = ledger.students.keys().map(OsString::from).collect();
    let (record_names, _) = names::record_names(&keys);
    let mut warnings = Vec::new();
    let mut students = Vec::new();
    for ((key, person), record_name) in ledger.students.into_iter().zip(record_names) {
        for lab in person.labs.keys().filter(|lab| !labs.iter().any(|known| known.folder == **lab)) {
            warnings.push(format!("{key}: the intake has {lab}, which is no lab of this course"));
        }
        let known = person.labs.keys().filter(|lab| labs.iter().any(|known| known.folder == **lab)).cloned().collect();
        students.push(Student {
            name: shown(if person.name.is_empty() { &key } else { &person.name }),
            record_name,
            labs: known,
            remark: shown(&person.remark),
            ids: person.ids.clone(),
            origin: Origin::Ledger(Box::new(person)),
        });
    }
    Roster { students, warnings }
}

/// The lab folders of one student; anything else that is there is warned of.
fn look_into(student: &mut Student, folder: &Path, labs: &[LabFolder], warnings: &mut Vec<String>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return warnings.push(format!("{}: the folder cannot be read: {error}", student.name)),
    };
    let known: Vec<&str> = labs.iter().map(|lab| &*lab.folder).collect();
    let mut unknown = Vec::new();
    for name in entries.filter_map(Result::ok).map(|entry| entry.file_name()) {
        match name.to_str() {
            Some(name) if known.contains(&name) => student.labs.push(name.to_owned()),
            _ if name.as_encoded_bytes().starts_with(b".") => {}
            _ => unknown.push(shown_name(&name)),
        }
    }
    student.labs.sort();
    unknown.sort();
    for name in &unknown {
        warnings.push(format!("{}: `{name}` is no lab folder{}", student.name, did_you_mean(name, &known)));
    }
    if student.labs.is_empty() {
        warnings.push(format!("{}: no lab folder is there", student.name));
    }
    if !unknown.is_empty() {
        student.remark = format!("; there is {}", unknown.join(", "));
    }
}
