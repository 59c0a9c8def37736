//! What a lab was graded with, as one digest: when it changes, records are made anew.

use std::fs;
use std::path::{Path, PathBuf};

use harness::manifest::LabFolder;

use crate::failure::Failure;
use crate::sources::digest;

/// The digest of everything that decides on verdicts: the manifest, the checks with all that stands beside them, and the harness's own sources.
///
/// # Errors
/// A file that cannot be read.
pub fn of(root: &Path, lab: &LabFolder) -> Result<String, Failure> {
    let mut files = vec![lab.path.join("lab.toml"), lab.path.join("checks.rs")];
    for folder in [lab.path.join("checks"), root.join("harness/src")] {
        below(&folder, &mut files)?;
    }
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for file in files {
        parts.push(file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned().into_bytes());
        parts.push(fs::read(&file).map_err(|error| Failure::input("read", &file, &error))?);
    }
    Ok(digest(parts.iter().map(|part| &**part)))
}

/// The files below a folder, sorted; none if it is not there.
fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !folder.is_dir() {
        return Ok(());
    }
    let failed = |error: std::io::Error| Failure::input("read", folder, &error);
    let mut paths =
        fs::read_dir(folder).map_err(failed)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    for path in paths {
        if path.is_dir() { below(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
