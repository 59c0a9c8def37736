//! The sources of one submission: for each program of a lab, the file that was taken for it.

use std::fs;
use std::path::{Path, PathBuf};

use harness::manifest::LabFolder;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_lists_apart_that_join_to_the_same_bytes() {
        assert_ne!(digest([&b"ab"[..], b"c"]), digest([&b"a"[..], b"bc"]));
        assert_eq!(digest([]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
