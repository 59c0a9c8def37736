//! How far the student has come, kept in the workspace.
//!
//! Theory of operation: one JSON file at the workspace's root. Each change reads the file anew, changes what it is about, and renames a new file over the old
//! one, so that neither a kill nor a second watcher loses anything. Keys that this version does not know are kept as they are, and so is a version number that is
//! greater than this one's: a student may go back and forth between versions of the course. A file that is no JSON is an error and stays untouched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::NoAnswer;
use crate::manifest::LabFolder;
pub use crate::student::PROGRESS_FILE as FILE_NAME;

/// The version that this one writes into a new file.
const VERSION: u64 = 1;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// The version of the course's commands that made the file.
    #[serde(default = "version")]
    version: u64,
    /// The lab that the student works on, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lab: Option<String>,
    /// What is known of each lab, by its name.
    #[serde(default)]
    pub labs: BTreeMap<String, Entry>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// How far one lab is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The checks that passed when the lab was last checked.
    #[serde(default)]
    pub passed: BTreeSet<String>,
    /// Those that this system cannot do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unsupported: BTreeSet<String>,
    /// How many steps of a check's hints were asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hints: BTreeMap<String, usize>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

fn version() -> u64 {
    VERSION
}

impl Default for Journal {
    fn default() -> Self {
        Self { version: VERSION, lab: None, labs: BTreeMap::new(), unknown: Map::new() }
    }
}

impl Journal {
    /// The journal of the workspace at `root`; an empty one where there is none yet.
    ///
    /// # Errors
    /// A file that cannot be read, or is no journal; the text names file and line.
    pub fn read(root: &Path) -> Result<Self, NoAnswer> {
        let path = root.join(FILE_NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(NoAnswer::bad_input(format!("failed to read {}: {error}", path.display()))),
        };
        serde_json::from_str(&text).map_err(|error| {
            NoAnswer::bad_input(format!(
                "{}:{}: expected the progress that `cargo lab` has kept: {error}; mend the file, or move it away to begin anew",
                path.display(),
                error.line()
            ))
        })
    }

    /// Reads the journal, changes it and writes it.
    ///
    /// # Errors
    /// As for reading; a file that cannot be written.
    pub fn change(root: &Path, change: impl FnOnce(&mut Self)) -> Result<Self, NoAnswer> {
        let before = Self::read(root)?;
        let mut journal = before.clone();
        change(&mut journal);
        if journal != before {
            let path = root.join(FILE_NAME);
            journal.write(&path).map_err(|error| NoAnswer::bad_input(format!("failed to write {}: {error}", path.display())))?;
        }
        Ok(journal)
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        let draft = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
        fs::write(&draft, format!("{text}\n")).and_then(|()| fs::rename(&draft, path)).inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })
    }

    /// How many of the lab's checks passed when it was last checked.
    #[must_use]
    pub fn passed(&self, lab: &LabFolder) -> usize {
        let Some(entry) = self.labs.get(&lab.name) else { return 0 };
        lab.manifest.checks.iter().filter(|check| entry.passed.contains(&check.name)).count()
    }

    /// Whether all of the lab's checks passed when it was last checked, save those that this system cannot do.
    #[must_use]
    pub fn is_done(&self, lab: &LabFolder) -> bool {
        let Some(entry) = self.labs.get(&lab.name) else { return false };
        lab.manifest.checks.iter().all(|check| entry.passed.contains(&check.name) || entry.unsupported.contains(&check.name))
    }

    /// How many steps of the hints for a check were asked for.
    #[must_use]
    pub fn hints(&self, lab: &str, check: &str) -> usize {
        self.labs.get(lab).and_then(|entry| entry.hints.get(check)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("journal-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_changed_is_read_again() {
        let folder = Folder::new("again");
        assert_eq!(Journal::read(&folder.0).unwrap(), Journal::default());
        Journal::change(&folder.0, |journal| {
            journal.lab = Some("pipe".into());
            journal.labs.entry("pipe".into()).or_default().passed.insert("usage".into());
        })
        .unwrap();
        let journal = Journal::read(&folder.0).unwrap();
        assert_eq!((journal.lab.as_deref(), journal.labs["pipe"].passed.len(), journal.version), (Some("pipe"), 1, 1));
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn what_a_later_version_wrote_is_kept() {
        let folder = Folder::new("later");
        let text = r#"{"version":9,"theme":"dark","labs":{"pipe":{"passed":["a"],"stars":3}}}"#;
        fs::write(folder.0.join(FILE_NAME), text).unwrap();
        Journal::change(&folder.0, |journal| journal.lab = Some("fifo".into())).unwrap();
        let value: Value = serde_json::from_str(&fs::read_to_string(folder.0.join(FILE_NAME)).unwrap()).unwrap();
        assert_eq!((&value["version"], &value["theme"], &value["labs"]["pipe"]["stars"]), (&9.into(), &"dark".into(), &3.into()));
        assert_eq!(value["lab"], "fifo");
    }

    #[test]
    fn a_file_that_is_no_journal_is_an_error_with_its_line_and_stays() {
        let folder = Folder::new("bad");
        let path = folder.0.join(FILE_NAME);
        fs::write(&path, "{\n  \"labs\": 3\n}\n").unwrap();
        let error = Journal::change(&folder.0, |journal| journal.lab = None).unwrap_err();
        assert!(error.text.contains(".lab-progress.json:2: "), "{}", error.text);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\n  \"labs\": 3\n}\n");
    }
}
