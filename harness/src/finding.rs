//! A finding: one reason why a promise is not kept, with its evidence. Terminal, JSON and grading reports all draw from it.

pub mod drawing;
pub mod pages;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::source::Place;

/// Most bytes of a source file that lines are shown of.
const LARGEST_SOURCE: u64 = 4 << 20;

/// One thing that is wrong with a program.
///
/// Texts hold no process numbers, ports, addresses or times, so that the same submission gives the same finding every time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind, a stable word such as `deadlock` or `output`.
    pub kind: String,
    /// What the promise leads one to expect.
    pub expected: String,
    /// What was observed instead.
    pub observed: String,
    /// Evidence, one line each: who waits for what, who holds which descriptor, the last calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Places in the program's source that matter, the first one being where it shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// What to look at next, with the man page.
    pub next: String,
    /// The name of the page that explains findings of this kind ([`pages`]), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

impl Finding {
    /// A finding of this kind.
    #[must_use]
    pub fn new(kind: &str, expected: impl Into<String>, observed: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            expected: expected.into(),
            observed: observed.into(),
            evidence: Vec::new(),
            labels: Vec::new(),
            next: next.into(),
            page: None,
        }
    }

    /// Names the page that explains it.
    #[must_use]
    pub fn explained_by(mut self, page: &str) -> Self {
        self.page = Some(page.to_owned());
        self
    }

    /// Adds lines of evidence.
    #[must_use]
    pub fn with(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Adds places in the source.
    #[must_use]
    pub fn at(mut self, labels: impl IntoIterator<Item = Label>) -> Self {
        for label in labels {
            // One call in a loop is one place.
            if !self.labels.iter().any(|known| known.place == label.place && known.what == label.what) {
                self.labels.push(label);
            }
        }
        self
    }

    /// Reads the text of the labelled lines, where their files lie below one of these folders, so that the finding can be drawn anywhere.
    pub fn read_source(&mut self, folders: &[PathBuf]) {
        let folders: Vec<PathBuf> = folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        for label in &mut self.labels {
            let path = std::mem::take(&mut label.place.path);
            let source = read_below(&folders, Path::new(&path)).unwrap_or_default();
            let line = usize::try_from(label.place.line).unwrap_or(1).saturating_sub(1);
            let text = source.lines().nth(line).unwrap_or_default();
            // Source may hold what a terminal would obey.
            label.text = text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
        }
    }

    /// Cuts everything to a length that can be sent and read.
    pub(crate) fn shorten(&mut self) {
        [&mut self.expected, &mut self.observed, &mut self.next].into_iter().for_each(|text| cut(text, 2000));
        self.evidence.truncate(20);
        self.evidence.iter_mut().for_each(|line| cut(line, 500));
        self.labels.truncate(8);
        for label in &mut self.labels {
            [&mut label.place.file, &mut label.place.path, &mut label.what].into_iter().for_each(|text| cut(text, 500));
        }
    }

    /// Says what led to this finding, for instance which fault was injected.
    #[must_use]
    pub fn when(mut self, circumstance: &str) -> Self {
        self.observed = format!("{circumstance}: {}", self.observed);
        self
    }
}

/// The text of a regular file below one of these folders. The path was the program's to choose: it may lead elsewhere by links, and to what never ends.
fn read_below(folders: &[PathBuf], path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let metadata = path.metadata().ok()?;
    let readable = folders.iter().any(|folder| path.starts_with(folder)) && metadata.is_file() && metadata.len() <= LARGEST_SOURCE;
    if readable { std::fs::read_to_string(path).ok() } else { None }
}

/// The text, and where it is longer than so many bytes, its beginning.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

/// A place in the program's source, and what happens there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What happens there.
    pub what: String,
    /// The line's text; empty where the source cannot be read.
    #[serde(default)]
    pub text: String,
}
