//! Pages to read: one for the class, and one for each student.
//!
//! Theory of operation: every page is one file that loads nothing. Its content security policy allows its own style and its own script, each by its
//! digest, and nothing else, so that even text that slipped through the escaping could not run; and nothing slips through, since all text goes
//! through maud, which escapes it, after [`crate::escape::shown`], which shows what a terminal or a direction of writing would obey. A page holds no time, so that
//! the same records give the same bytes. Titles, promises and hints come from the course, where there is one; the records alone are enough.

pub mod class;
pub mod distribution;
pub mod finding;
pub mod heat;
pub mod mistakes;
pub mod page;
pub mod student;
pub mod timeline;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use harness::handout;
use harness::manifest::LabFolder;
use harness::student::hidden;

use crate::failure::Failure;
use crate::records::Records;
use crate::run::record::Record;
use crate::run::timelines::Timelines;
use crate::whole::Draft;

/// What the course says about its labs, by the labs' folder names.
#[derive(Debug, Clone, Default)]
pub struct Course {
    labs: BTreeMap<String, LabText>,
}

/// What the course says about a lab.
#[derive(Debug, Clone)]
pub struct LabText {
    /// The lab's title.
    pub title: String,
    checks: BTreeMap<String, CheckText>,
}

/// What the course says about a check.
#[derive(Debug, Clone, Default)]
pub struct CheckText {
    /// The handout's promise; empty if the handout has none.
    pub promise: String,
    /// Three steps of help.
    pub hints: Vec<String>,
}

impl Course {
    /// Reads the texts of these labs. A handout that cannot be read only leaves its promises out: reports are about records.
    #[must_use]
    pub fn of(labs: &[LabFolder]) -> Self {
        let text = |lab: &LabFolder| {
            let readme = fs::read_to_string(lab.path.join("README.md")).unwrap_or_default();
            let hidden = fs::read_to_string(lab.path.join(hidden::FILE)).unwrap_or_default();
            let promises = handout::promises(&readme).unwrap_or_default().into_iter().chain(handout::documented_checks(&hidden));
            let promises: BTreeMap<String, String> = promises.map(|promise| (promise.check, promise.text)).collect();
            let check = |entry: &harness::manifest::CheckEntry| {
                let promise = promises.get(&entry.name).cloned().unwrap_or_default();
                (entry.name.clone(), CheckText { promise, hints: entry.hints.clone() })
            };
            LabText { title: lab.manifest.title.clone(), checks: lab.manifest.checks.iter().map(check).collect() }
        };
        Self { labs: labs.iter().map(|lab| (lab.folder.clone(), text(lab))).collect() }
    }

    /// The lab's title; empty for a lab that the course does not have.
    #[must_use]
    pub fn title(&self, lab: &str) -> &str {
        self.labs.get(lab).map_or("", |text| &text.title)
    }

    /// What the course says about a check.
    #[must_use]
    pub fn check(&self, lab: &str, check: &str) -> Option<&CheckText> {
        self.labs.get(lab)?.checks.get(check)
    }
}

/// Writes `class.html` and `students/<student>.html` in a folder. `from` is where the records were read: timelines are beside them. `released` says that the marks are, so that checks that wait for that are shown to students.
///
/// # Errors
/// A folder that holds something else, or that cannot be written.
pub fn write(records: &Records, from: &Path, course: &Course, released: bool, folder: &Path) -> Result<(), Failure> {
    let draft = Draft::new(folder)?;
    draft.write(Path::new("class.html"), class::page(records, course).as_bytes())?;
    // The records may have been named themselves, and not the folder that they are in.
    let out = if from.join("records").is_dir() { from } else { from.parent().unwrap_or(from) };
    for student in &records.students {
        let timelines = |record: &Record| Timelines::read(out, &student.folder, record);
        let page = student::page(student, &timelines, course, released);
        draft.write(&Path::new("students").join(format!("{}.html", student.folder)), page.as_bytes())?;
    }
    draft.put_in_place()
}
