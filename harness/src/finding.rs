//! A finding: one reason why a promise is not kept, with its evidence. Terminal, JSON and grading reports all draw from it.

pub mod drawing;
pub mod pages;

use serde::{Deserialize, Serialize};

use crate::source::Place;

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

    /// Reads the text of the labelled lines, where their files can be read, so that the finding can be drawn anywhere.
    pub fn read_source(&mut self) {
        for label in &mut self.labels {
            let path = std::mem::take(&mut label.place.path);
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let line = usize::try_from(label.place.line).unwrap_or(1).saturating_sub(1);
            let text = source.lines().nth(line).unwrap_or_default();
            // Source may hold what a terminal would obey.
            label.text = text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
        }
    }

    /// Says what led to this finding, for instance which fault was injected.
    #[must_use]
    pub fn when(mut self, circumstance: &str) -> Self {
        self.observed = format!("{circumstance}: {}", self.observed);
        self
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
