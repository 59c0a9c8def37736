//! What is graded again although there is a record of it: `--again all`, `--again student=NAME`, `--again lab=LAB`, `--again check=LAB/CHECK`.
//!
//! A record whose submission or lab has changed is made anew by itself. This is for what the record does not say: a machine that was at fault, a package that was
//! missing. Of `check=LAB/CHECK` only that check and those that come after it are done, and the rest of the record stays; a record of another version of the lab
//! is made anew as a whole, so that every record is of one version.

use harness::manifest::{LabFolder, did_you_mean};

use crate::failure::Failure;
use crate::run::roster::{Roster, Student};

/// One thing to grade again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// Everything.
    All,
    /// One student, by name, record or any id.
    Student(String),
    /// One lab, by folder, package or number.
    Lab(String),
    /// One check of a lab.
    Check(String, String),
}

/// What is done again of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Nothing.
    Nothing,
    /// These checks, in the lab's order.
    Checks(Vec<String>),
    /// All of it.
    Whole,
}

impl Again {
    /// Reads what the command line says.
    ///
    /// # Errors
    /// Anything else, with what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected all, student=NAME, lab=LAB or check=LAB/CHECK".to_owned();
        if text == "all" {
            return Ok(Self::All);
        }
        match text.split_once('=').ok_or_else(expected)? {
            (_, "") => Err(expected()),
            ("student", name) => Ok(Self::Student(name.to_owned())),
            ("lab", name) => Ok(Self::Lab(name.to_owned())),
            ("check", name) => {
                let (lab, check) = name.split_once('/').ok_or_else(expected)?;
                Ok(Self::Check(lab.to_owned(), check.to_owned()))
            }
            _ => Err(expected()),
        }
    }

    fn is_lab(name: &str, lab: &LabFolder) -> bool {
        let number = lab.folder.split('-').next().and_then(|number| number.parse::<u32>().ok());
        lab.folder == name || lab.name == name || (number.is_some() && name.parse().ok() == number)
    }

    fn is_student(name: &str, student: &Student) -> bool {
        student.name == name || student.record_name == name || student.ids.iter().any(|id| id == name)
    }

    /// What this asks for of one record.
    #[must_use]
    pub fn extent(&self, student: &Student, lab: &LabFolder) -> Extent {
        match self {
            Self::All => Extent::Whole,
            Self::Student(name) if Self::is_student(name, student) => Extent::Whole,
            Self::Lab(name) if Self::is_lab(name, lab) => Extent::Whole,
            Self::Check(name, check) if Self::is_lab(name, lab) => {
                let mut checks = vec![check.clone()];
                for entry in &lab.manifest.checks {
                    if entry.after.iter().any(|after| checks.contains(after)) {
                        checks.push(entry.name.clone());
                    }
                }
                Extent::Checks(checks)
            }
            _ => Extent::Nothing,
        }
    }

    /// Refuses what names nothing in this batch.
    ///
    /// # Errors
    /// A name that nobody has.
    pub fn refuse_unknown(all: &[Self], roster: &Roster, labs: &[LabFolder]) -> Result<(), Failure> {
        let lab_names: Vec<&str> = labs.iter().map(|lab| &*lab.name).collect();
        for again in all {
            let unknown = match again {
                Self::All => None,
                Self::Student(name) => (!roster.students.iter().any(|student| Self::is_student(name, student)))
                    .then(|| format!("there is no student `{name}` in this batch; name the student as in grades.csv or as the folder of records")),
                Self::Lab(name) | Self::Check(name, _) if !labs.iter().any(|lab| Self::is_lab(name, lab)) => {
                    Some(format!("there is no lab `{name}` in this batch{}", did_you_mean(name, &lab_names)))
                }
                Self::Lab(_) => None,
                Self::Check(name, check) => labs.iter().find(|lab| Self::is_lab(name, lab)).and_then(|lab| {
                    let checks: Vec<&str> = lab.manifest.checks.iter().map(|entry| &*entry.name).collect();
                    (!checks.contains(&&**check)).then(|| format!("{} has no check `{check}`{}", lab.folder, did_you_mean(check, &checks)))
                }),
            };
            if let Some(text) = unknown {
                return Err(Failure::BadInput(format!("--again: {text}")));
            }
        }
        Ok(())
    }
}

impl Extent {
    /// Both together. Several checks are done in one go.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole, _) | (_, Self::Whole) => Self::Whole,
            (Self::Nothing, other) | (other, Self::Nothing) => other,
            (Self::Checks(mut checks), Self::Checks(more)) => {
                checks.extend(more);
                checks.sort();
                checks.dedup();
                Self::Checks(checks)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_offered_can_be_asked_for() {
        assert_eq!(Again::parse("check=pipe/usage"), Ok(Again::Check("pipe".into(), "usage".into())));
        assert_eq!(Again::parse("student=a=b"), Ok(Again::Student("a=b".into())));
        for wrong in ["", "everything", "student=", "check=pipe", "lab"] {
            assert!(Again::parse(wrong).is_err(), "{wrong}");
        }
    }
}
