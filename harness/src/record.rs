//! The record of one check: what the check executables print, one JSON object a line, for `cargo lab` and `cargo grade`.

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, drawing};
use crate::verdict::Word;

/// What came out of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// The lab's name, for instance `pipe`.
    pub lab: String,
    /// The check's name.
    pub check: String,
    /// The verdict.
    pub verdict: Word,
    /// Points earned.
    pub points: u32,
    /// Points for a pass.
    pub max_points: u32,
    /// The handout's promise.
    pub promise: String,
    /// What is wrong, where the verdict is `fail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// Why there is no verdict on the program, where it is `broken` or `skipped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The seed that inputs were drawn from.
    pub seed: u64,
    /// How strong the sandbox was: see [`crate::sandbox::Tier`].
    pub tier: String,
    /// The command that does this check again with the same inputs.
    pub replay: String,
    /// Seconds on the wall clock.
    pub seconds: f64,
}

impl CheckRecord {
    /// The message in plain text, without colour, for records and for `cargo test`; empty for a pass.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| text.push_str(&format!("{label:<9} {value}\n"));
        if let Some(finding) = &self.finding {
            line("promise:", &self.promise);
            line("expected:", &finding.expected);
            line("observed:", &finding.observed);
            for evidence in &finding.evidence {
                line("", evidence);
            }
            text.push_str(&drawing::draw(finding, false));
            let mut line = |label: &str, value: &str| text.push_str(&format!("{label:<9} {value}\n"));
            line("next:", &finding.next);
            if let Some(page) = &finding.page {
                line("explain:", &format!("cargo lab explain {page}"));
            }
            line("replay:", &self.replay);
        } else if let Some(reason) = &self.reason {
            line("reason:", reason);
            if self.verdict == Word::Broken {
                line("next:", "this is a fault of the harness or of the machine, not of the program; run it again, then report it");
                line("replay:", &self.replay);
            }
        }
        text
    }
}
