//! What a check says: pass, fail, broken (our fault) or skipped (unsupported here).
//!
//! A check returns [`Verdict`], a `Result`, so that `?` ends it at the first thing that is not as promised. [`Passed`] has no public constructor:
//! only a run that was observed to its end gives one, so that a check cannot pass on what it did not see.

use serde::{Deserialize, Serialize};

use crate::finding::Finding;

/// What a check returns.
pub type Verdict = Result<Passed, Unpassed>;

/// Proof that a run was observed to its end and was as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed(pub(crate) ());

/// Why a check did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unpassed {
    /// The program does not keep its promise.
    Fail(Box<Finding>),
    /// The harness could not do its work: never the student's fault.
    Broken(String),
    /// The check cannot be done on this system, with the reason.
    Skipped(String),
}

impl From<Finding> for Unpassed {
    fn from(finding: Finding) -> Self {
        Self::Fail(Box::new(finding))
    }
}

/// An error of the harness's own calls is our fault.
impl From<std::io::Error> for Unpassed {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// The verdict as a word, as it stands in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The promise is kept.
    Pass,
    /// The promise is not kept.
    Fail,
    /// The harness could not do its work.
    Broken,
    /// Not done here, with the reason.
    Skipped,
}

impl Word {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Broken => "broken",
            Self::Skipped => "skipped",
        }
    }
}
