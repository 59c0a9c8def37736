//! A folder of records, as `grade run` and `grade merge` leave it: what reports and exports are made of.
//!
//! Theory of operation: every record is read before anything is written, and one that cannot be used ends the command with its file, line and reason: a
//! table of marks that lacks a student without a word would be worse than none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use harness::manifest::did_you_mean;

use crate::failure::Failure;
use crate::late::{Earned, Mark, Policy};
use crate::run::record::{Record, SCHEMA};

/// How many bad records an error lists.
const LISTED: usize = 20;

/// All records of a folder.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// The students, sorted by name.
    pub students: Vec<StudentRecords>,
}

/// One student's records.
#[derive(Debug, Clone)]
pub struct StudentRecords {
    /// The name of the folder of records: a safe file name, and no other student's.
    pub folder: String,
    /// The name for people.
    pub name: String,
    /// One for each lab, sorted by lab.
    pub records: Vec<Record>,
    /// What counts in the end, by the lab's folder.
    pub marks: BTreeMap<String, Mark>,
}

impl Records {
    /// Reads the records in `folder`, or in its folder `records`.
    ///
    /// # Errors
    /// A folder that cannot be read or holds no record, and records that cannot be used.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let below = folder.join("records");
        let place = if below.is_dir() { below } else { folder.to_path_buf() };
        let mut students = Vec::new();
        let mut bad = Vec::new();
        for (name, path) in entries(&place)?.into_iter().filter(|(_, path)| path.is_dir()) {
            let mut records = Vec::new();
            for (file, path) in entries(&path)? {
                let Some(lab) = file.strip_suffix(".json") else { continue };
                match read_one(&path, lab) {
                    Ok(record) => records.push(record),
                    Err(reason) => bad.push(reason),
                }
            }
            if let Some(first) = records.first() {
                students.push(StudentRecords { folder: name, name: first.student.clone(), records, marks: BTreeMap::new() });
            }
        }
        if !bad.is_empty() {
            return Err(Failure::BadInput(described(&bad)));
        }
        if students.is_empty() {
            return Err(Failure::BadInput(format!(
                "expected records in {}, one folder for each student; there is none. Name the folder that `grade run` wrote with --out",
                place.display()
            )));
        }
        students.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
        let mut records = Self { students };
        records.apply(&Policy::default());
        Ok(records)
    }

    /// Marks everything by a late policy. Days of grace are spent in the order of the labs: labs are left out after this, not before.
    pub fn apply(&mut self, policy: &Policy) {
        let earned: Vec<Earned> = self.all().map(|(student, record)| Earned::of(&student.folder, record)).collect();
        let mut marks = policy.marks(&earned).into_iter();
        for student in &mut self.students {
            student.marks = student.records.iter().map(|record| record.lab.clone()).zip(&mut marks).collect();
        }
    }

    /// Keeps the records of these labs, named by folder (`02-pipe`), package (`pipe`) or number; none named are all.
    ///
    /// # Errors
    /// A lab that there is no record of.
    pub fn keep_labs(&mut self, names: &[String]) -> Result<(), Failure> {
        let known: Vec<String> = self.labs().into_iter().map(str::to_owned).collect();
        let mut wanted = BTreeSet::new();
        for name in names {
            let is = |lab: &&String| {
                let (number, rest) = lab.split_once('-').unwrap_or(("", lab));
                *lab == name || rest == name || name.parse::<u32>().is_ok_and(|wanted| number.parse() == Ok(wanted))
            };
            let known_names: Vec<&str> = known.iter().map(|lab| &**lab).collect();
            let unknown = || Failure::BadInput(format!("there is no record of a lab `{name}`{}", did_you_mean(name, &known_names)));
            wanted.insert(known.iter().find(is).ok_or_else(unknown)?);
        }
        if !names.is_empty() {
            self.students.iter_mut().for_each(|student| student.records.retain(|record| wanted.contains(&record.lab)));
            self.students.retain(|student| !student.records.is_empty());
        }
        Ok(())
    }

    /// Keeps the records of these students; none named are all.
    ///
    /// # Errors
    /// A student whom there is no record of.
    pub fn keep_students(&mut self, names: &[String]) -> Result<(), Failure> {
        let known: BTreeSet<&str> = self.students.iter().map(|student| &*student.name).collect();
        if let Some(unknown) = names.iter().find(|name| !known.contains(&***name)) {
            let nearest: Vec<&str> = known.into_iter().collect();
            // All names of a large class would hide the message.
            let near = did_you_mean(unknown, &nearest);
            let near = if near.contains("did you mean") { &*near } else { "" };
            return Err(Failure::BadInput(format!("there is no record of a student `{unknown}`{near}")));
        }
        self.students.retain(|student| names.is_empty() || names.contains(&student.name));
        Ok(())
    }

    /// Every student with each of the records.
    pub fn all(&self) -> impl Iterator<Item = (&StudentRecords, &Record)> {
        self.students.iter().flat_map(|student| student.records.iter().map(move |record| (student, record)))
    }

    /// The folders of all labs that there is a record of, sorted.
    #[must_use]
    pub fn labs(&self) -> Vec<&str> {
        self.all().map(|(_, record)| &*record.lab).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// One line for each record that somebody must look at.
    #[must_use]
    pub fn attention(&self) -> Vec<String> {
        self.all().filter_map(|(student, record)| Some(format!("{} {}: {}", student.name, record.lab, record.attention()?))).collect()
    }
}

impl StudentRecords {
    /// What counts of a record in the end, in hundredths of a point.
    #[must_use]
    pub fn hundredths(&self, record: &Record) -> u64 {
        self.marks.get(&record.lab).map_or(u64::from(record.points) * 100, |mark| mark.hundredths)
    }

    /// The record of a lab.
    #[must_use]
    pub fn of(&self, lab: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.lab == lab)
    }
}

/// The visible entries of a folder with their names, sorted. A name that is not UTF-8 is none that a record has.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let failed = |error: std::io::Error| Failure::input("read the records in", folder, &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) {
            found.push((name.to_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads one record. The errors name the file.
fn read_one(path: &Path, lab: &str) -> Result<Record, String> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let record: Record = serde_json::from_slice(&text).map_err(|error| {
        // Another form of record would be told as a missing or unknown key.
        match serde_json::from_slice::<serde_json::Value>(&text) {
            Ok(value) if value["schema"] != SCHEMA => other_form(path, &value["schema"]),
            _ => format!("{}:{}:{}: {error}", path.display(), error.line(), error.column()),
        }
    })?;
    if record.schema != SCHEMA {
        return Err(other_form(path, &record.schema));
    }
    if record.lab != lab {
        return Err(format!("{}: expected the record of {lab}; observed that of {}", path.display(), record.lab));
    }
    Ok(record)
}

fn other_form(path: &Path, observed: impl std::fmt::Debug) -> String {
    format!("{}: expected a record with schema {SCHEMA}; observed {observed:?}", path.display())
}

fn described(bad: &[String]) -> String {
    let mut text = format!("expected records that can be read; {} cannot. Remove them, and let `grade run` make them again:", bad.len());
    bad.iter().take(LISTED).for_each(|line| text.push_str(&format!("\n  {line}")));
    if bad.len() > LISTED {
        text.push_str(&format!("\n  and {} more", bad.len() - LISTED));
    }
    text
}
