//! The course's workspace: where it is, and which labs it has.

use std::fs;
use std::path::{Path, PathBuf};

use harness::manifest::{BadManifest, FILE_NAME, LabFolder, Labs};

use crate::failure::Failure;

/// The nearest folder from `start` upwards that holds a `Cargo.toml` and a folder `labs`.
///
/// # Errors
/// There is none.
pub fn root(start: &Path) -> Result<PathBuf, Failure> {
    start.ancestors().find(|folder| folder.join("Cargo.toml").is_file() && folder.join("labs").is_dir()).map(Path::to_path_buf).ok_or_else(|| {
        Failure::BadInput(format!(
            "expected a course above {}: a folder with Cargo.toml and labs/; there is none. Go to the course's folder and try again",
            start.display()
        ))
    })
}

/// The labs with these names (folder, package or number) in the course's order, or all of them.
///
/// # Errors
/// An unknown name, and any lab whose manifest cannot be used.
pub fn labs(root: &Path, names: &[String]) -> Result<Vec<LabFolder>, Failure> {
    let bad = |error: BadManifest| Failure::BadInput(error.to_string());
    let all = Labs::find(root).map_err(bad)?;
    let chosen = names.iter().map(|name| all.get(name).map(|lab| lab.folder.clone()).map_err(bad)).collect::<Result<Vec<_>, _>>()?;
    Ok(all.0.into_iter().filter(|lab| chosen.is_empty() || chosen.contains(&lab.folder)).collect())
}

/// The folders below `labs/` that are labs, or would be with a manifest: those with a `lab.toml` or a `Cargo.toml`, sorted.
///
/// # Errors
/// The folder `labs` cannot be read.
pub fn lab_folders(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let labs = root.join("labs");
    let mut folders = Vec::new();
    for entry in fs::read_dir(&labs).map_err(|error| Failure::input("read", &labs, &error))? {
        let path = entry.map_err(|error| Failure::input("read", &labs, &error))?.path();
        if path.join(FILE_NAME).exists() || path.join("Cargo.toml").exists() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}
