//! `intake.json`: who handed in what, and when. The sources lie beside it.
//!
//! Theory of operation: sources are kept below `sources/<digest>/<lab folder>/`, once for all who handed in the same, and never change; the ledger says whose they
//! are. It is written last, under another name, when all sources are on the disk, and then renamed: whoever reads the folder meets an earlier intake or this
//! one and nothing between. Another intake adds to the ledger, so that a course collects its labs one download at a time.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The ledger's file name.
pub const FILE_NAME: &str = "intake.json";

/// The folder of sources.
pub const SOURCES: &str = "sources";

/// The name of this form of ledger.
pub const SCHEMA: &str = "ipc-labs/intake/1";

/// Everybody and everything that was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// [`SCHEMA`].
    pub schema: String,
    /// The students by their keys.
    pub students: BTreeMap<String, Person>,
}

/// One student.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name for people.
    pub name: String,
    /// Every number, address and login that a platform knows the student by.
    pub ids: Vec<String>,
    /// What was handed in, by the lab's folder.
    pub labs: BTreeMap<String, Handed>,
    /// Why labs that are not there could not be taken, if that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What else was there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remark: String,
}

/// One student's work on one lab.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handed {
    /// The digest of the sources; none if they were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<String>,
    /// Why they were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// When it was handed in, as RFC 3339 has it, in UTC; none if nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<String>,
    /// Whether the platform marked it as late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marked_late: bool,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), students: BTreeMap::new() }
    }
}

impl Ledger {
    /// The ledger in a folder; none if there is none.
    ///
    /// # Errors
    /// A ledger that cannot be read, or that says something it must not.
    pub fn find(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(FILE_NAME);
        match fs::read(&path) {
            Ok(bytes) => Self::parse(&bytes).map(Some).map_err(|reason| Failure::BadInput(format!("{}: {reason}", path.display()))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(Failure::input("read", &path, &error)),
        }
    }

    /// Reads a ledger. Digests become parts of paths: anything that is none is refused.
    ///
    /// # Errors
    /// The reason, for a message that names the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let ledger: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if ledger.schema != SCHEMA {
            return Err(format!("expected the schema {SCHEMA}; observed {}", ledger.schema.escape_debug()));
        }
        for (student, person) in &ledger.students {
            for (lab, handed) in &person.labs {
                let is_digest = |digest: &String| digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                if handed.sources.as_ref().is_some_and(|digest| !is_digest(digest)) {
                    return Err(format!("{} {}: expected a digest", student.escape_debug(), lab.escape_debug()));
                }
            }
        }
        Ok(ledger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_would_lead_out_of_its_folder_is_refused() {
        let ledger = |digest: &str| {
            format!(r#"{{"schema":"{SCHEMA}","students":{{"ann":{{"name":"Ann","ids":[],"labs":{{"01-a":{{"sources":"{digest}"}}}}}}}}}}"#)
        };
        assert!(Ledger::parse(ledger(&"a".repeat(64)).as_bytes()).is_ok());
        assert!(Ledger::parse(ledger("../../etc").as_bytes()).is_err_and(|reason| reason.contains("expected a digest")));
        assert!(Ledger::parse(b"{}").is_err());
    }
}
