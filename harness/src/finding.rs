//! A finding: one reason why a promise is not kept, with its evidence. Terminal, JSON and grading reports all draw from it.

use serde::{Deserialize, Serialize};

/// One thing that is wrong with a program.
///
/// Texts hold no process numbers, ports, addresses or times, so that the same submission gives the same finding every time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What to look at next, with the man page.
    pub next: String,
}

impl Finding {
    /// A finding of this kind.
    #[must_use]
    pub fn new(kind: &str, expected: impl Into<String>, observed: impl Into<String>, next: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), expected: expected.into(), observed: observed.into(), evidence: Vec::new(), next: next.into() }
    }

    /// Adds lines of evidence.
    #[must_use]
    pub fn with(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Says what led to this finding, for instance which fault was injected.
    #[must_use]
    pub fn when(mut self, circumstance: &str) -> Self {
        self.observed = format!("{circumstance}: {}", self.observed);
        self
    }
}
