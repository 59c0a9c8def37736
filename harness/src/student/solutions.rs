//! The course's solutions in a workspace of somebody who learns alone.
//!
//! Each lab's sources are one JSON file below [`FOLDER`], which no search and no editor shows by accident. It is no lock: who looks there wants to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::manifest::LabFolder;
use crate::starter::unmarked;

/// The folder of the solutions, in the workspace.
pub const FOLDER: &str = ".lab/solutions";

/// The sources of a solution by their paths in the lab's folder.
pub type Sources = BTreeMap<PathBuf, String>;

fn file(root: &Path, lab: &LabFolder) -> PathBuf {
    root.join(FOLDER).join(format!("{}.json", lab.name))
}

/// Puts the solution of one of the course's labs into a workspace.
///
/// # Errors
/// A source that cannot be read, a file that cannot be written.
pub fn keep(lab: &LabFolder, workspace: &Path) -> Result<(), Failure> {
    let mut sources = Sources::new();
    let mut folders = vec![lab.path.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| Failure::input("read", &folder, &error))? {
            let path = entry.map_err(|error| Failure::input("read", &folder, &error))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).map_err(|error| Failure::input("read", &path, &error))?;
                sources.insert(path.strip_prefix(&lab.path).unwrap_or(&path).to_path_buf(), unmarked(&text));
            }
        }
    }
    let path = file(workspace, lab);
    let folder = workspace.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| Failure::machine("make", &folder, &error))?;
    let text = serde_json::to_string(&sources).map_err(|error| Failure::Broken(format!("write {}: {error}", path.display())))?;
    fs::write(&path, text).map_err(|error| Failure::machine("write", &path, &error))
}

/// The solution of a lab; `None` in a workspace that has none.
///
/// # Errors
/// A file that is there and cannot be used.
pub fn read(root: &Path, lab: &LabFolder) -> Result<Option<Sources>, Failure> {
    let path = file(root, lab);
    match fs::read_to_string(&path) {
        Ok(text) => match serde_json::from_str(&text) {
            Ok(sources) => Ok(Some(sources)),
            Err(error) => {
                Err(Failure::BadInput(format!("{}:{}: expected a solution as `cargo lab init` wrote it: {error}", path.display(), error.line())))
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::input("read", &path, &error)),
    }
}
