//! The workspace that the command is used in.
//!
//! Theory of operation: like cargo, the command works from anywhere inside the workspace. The root is the nearest folder above that holds both a `Cargo.toml`
//! and a folder `labs`; a lab's own folder has the first but not the second.

use std::path::{Path, PathBuf};

use super::NoAnswer;
use crate::manifest::Labs;

/// A workspace of labs.
#[derive(Debug)]
pub struct Workspace {
    /// Its topmost folder.
    pub root: PathBuf,
    /// Its labs.
    pub labs: Labs,
}

impl Workspace {
    /// The workspace around the current folder.
    pub fn here() -> Result<Self, NoAnswer> {
        let here = std::env::current_dir().map_err(|error| NoAnswer::bad_input(format!("failed to tell the current folder: {error}")))?;
        let root = root_above(&here).ok_or_else(|| {
            NoAnswer::bad_input(format!(
                "expected a workspace of labs, a folder with a Cargo.toml and a folder `labs`; found none at or above {}",
                here.display()
            ))
        })?;
        let labs = Labs::find(&root)?;
        if labs.0.is_empty() {
            return Err(NoAnswer::bad_input(format!("{} holds no lab, which is a folder with a file lab.toml", root.join("labs").display())));
        }
        Ok(Self { root, labs })
    }
}

fn root_above(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join("Cargo.toml").is_file() && folder.join("labs").is_dir()).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_from_deep_inside() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/course");
        assert_eq!(root_above(&root.join("labs/01-sound")), Some(root.clone()));
        assert_eq!(root_above(&root), Some(root));
    }

    #[test]
    fn outside_there_is_none() {
        assert_eq!(root_above(Path::new("/proc/self")), None);
    }
}
