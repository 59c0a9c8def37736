//! The sources of one submission: for each program of a lab, the file that was taken for it.

use std::fs;
use std::path::{Path, PathBuf};

use harness::manifest::LabFolder;
use harness::record::CheckRecord;
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// One program's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The program's name.
    pub program: String,
    /// Where the lab has it, relative to the lab's folder.
    pub path: PathBuf,
    /// What it holds.
    pub text: Vec<u8>,
}

/// The lab's own solution, in the order of the manifest.
///
/// # Errors
/// A source that cannot be read.
pub fn solution(lab: &LabFolder) -> Result<Vec<Source>, Failure> {
    let read = |program: &harness::manifest::Program| {
        let path = lab.path.join(&program.source);
        let text = fs::read(&path).map_err(|error| Failure::input("read", &path, &error))?;
        Ok(Source { program: program.name.clone(), path: program.source.clone(), text })
    };
    lab.manifest.programs.iter().map(read).collect()
}

/// A digest in lower-case hexadecimal digits of byte strings, each with its length, so that no two lists of strings run together.
#[must_use]
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lays the sources out below `folder` as they are in the lab.
///
/// # Errors
/// Files that cannot be written.
pub fn lay_out(sources: &[Source], folder: &Path) -> Result<(), Failure> {
    for source in sources {
        let path = folder.join(&source.path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| Failure::machine("make", parent, &error))?;
        fs::write(&path, &source.text).map_err(|error| Failure::machine("write", &path, &error))?;
    }
    Ok(())
}

/// Fills in the lines that findings point at. The check executable cannot read them: it knows the files by their places in the lab, where the course's own
/// solution is, and not the submission's.
pub fn quote(records: &mut [CheckRecord], sources: &[Source], lab_folder: &str) {
    let labels = records.iter_mut().filter_map(|record| record.finding.as_mut()).flat_map(|finding| &mut finding.labels);
    for label in labels.filter(|label| label.text.is_empty()) {
        let file = Path::new(&label.place.file);
        let file = file.strip_prefix("labs").and_then(|rest| rest.strip_prefix(lab_folder)).unwrap_or(file);
        let Some(source) = sources.iter().find(|source| source.path == file) else { continue };
        let text = String::from_utf8_lossy(&source.text);
        let line = usize::try_from(label.place.line).unwrap_or_default().saturating_sub(1);
        label.text = text.lines().nth(line).unwrap_or_default().chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_lists_apart_that_join_to_the_same_bytes() {
        assert_ne!(digest([&b"ab"[..], b"c"]), digest([&b"a"[..], b"bc"]));
        assert_eq!(digest([]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_finding_gets_the_lines_of_the_submission_and_of_no_other_file() {
        let label = |file: &str, line: u32| serde_json::json!({ "file": file, "line": line, "column": 1, "what": "here" });
        let finding = serde_json::json!({
            "kind": "k", "expected": "e", "observed": "o", "next": "n",
            "labels": [label("src/main.rs", 2), label("labs/01-x/src/main.rs", 1), label("/etc/passwd", 1), label("src/main.rs", 9)],
        });
        let record = serde_json::json!({
            "lab": "x", "check": "c", "verdict": "fail", "points": 0, "max_points": 1, "promise": "p", "seed": 1, "tier": "B", "replay": "r", "seconds": 0.1,
            "finding": finding,
        });
        let mut records = vec![serde_json::from_value(record).unwrap()];
        let source = Source { program: "x".into(), path: "src/main.rs".into(), text: b"one\n\x1b[2J\ttwo\n".to_vec() };
        quote(&mut records, &[source], "01-x");
        let lines: Vec<&str> = records[0].finding.as_ref().unwrap().labels.iter().map(|label| &*label.text).collect();
        assert_eq!(lines, ["\u{fffd}[2J\ttwo", "one", "", ""]);
    }
}
