//! Files and folders that are whole or not there.
//!
//! Theory of operation: what is written gets another name in the folder where it belongs, is brought to the disk, and is renamed. A reader meets the old
//! one or the new one and nothing between, also after an interrupt, a crash or a full disk.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::failure::Failure;

/// What unfinished files and folders begin with.
pub const UNFINISHED: &str = ".unfinished-";

/// The file that marks a folder as one that may be written anew: nobody else's work is in it.
const MARK: &str = ".written-by-grade";

/// Writes a file, all of it or nothing; makes the folders on the way to it.
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        // The new name is in the folder, and that has to reach the disk as well.
        File::open(folder)?.sync_all()
    };
    attempt().map_err(|error| Failure::input("write", path, &error))
}

/// A folder that is being written beside its place. Without [`Draft::put_in_place`] nothing of it stays.
#[derive(Debug)]
pub struct Draft {
    place: PathBuf,
    scratch: TempDir,
}

impl Draft {
    /// Begins a folder that will stand at `place`: a new one, an empty one, or one that this module wrote before.
    ///
    /// # Errors
    /// There are files in it that somebody else put there, or nothing can be written there.
    pub fn new(place: &Path) -> Result<Self, Failure> {
        let absolute = std::path::absolute(place).map_err(|error| Failure::input("find", place, &error))?;
        if !is_free(&absolute)? {
            return Err(Failure::BadInput(format!(
                "expected a new or empty folder, or one that this command wrote; {} holds something else. Name another",
                place.display()
            )));
        }
        let parent = absolute.parent().ok_or_else(|| Failure::BadInput(format!("{} is no place for a folder", place.display())))?;
        fs::create_dir_all(parent).map_err(|error| Failure::input("make", parent, &error))?;
        let scratch = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(parent).map_err(|error| Failure::input("write in", parent, &error))?;
        let draft = Self { place: absolute, scratch };
        draft.write(Path::new(MARK), b"`cargo grade` wrote this folder, and replaces it when it writes it again.\n")?;
        Ok(draft)
    }

    /// Where the folder is until it is put in place. It stands one level inside: a temporary folder is closed to everyone else, and this one is not.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.scratch.path().join("new")
    }

    /// Writes a file of the folder; makes the folders on the way to it.
    ///
    /// # Errors
    /// The disk is full, or a name that the file system does not take.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let (path, shown) = (self.path().join(path), self.place.join(path));
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, bytes)).map_err(|error| Failure::input("write", &shown, &error))
    }

    /// The folder takes its place; what was there before, which [`Draft::new`] looked at, goes.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn put_in_place(self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::input("write", &self.place, &error);
        // Somebody may have put a file there meanwhile.
        if !is_free(&self.place)? {
            return Err(Failure::BadInput(format!("{} changed while it was written; look at it, and try again", self.place.display())));
        }
        if self.place.exists() {
            fs::rename(&self.place, self.scratch.path().join("old")).map_err(failed)?;
        }
        fs::rename(self.path(), &self.place).map_err(failed)
    }
}

/// Whether nothing would be lost if the folder were written anew.
fn is_free(place: &Path) -> Result<bool, Failure> {
    match fs::read_dir(place) {
        Ok(mut entries) => Ok(place.join(MARK).exists() || entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Failure::input("read", place, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_replaced_only_if_it_was_written_here() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/b");
        for text in ["1", "2"] {
            let draft = Draft::new(&place).unwrap();
            draft.write(Path::new(&format!("deep/{text}")), text.as_bytes()).unwrap();
            draft.put_in_place().unwrap();
        }
        assert!(!place.join("deep/1").exists() && place.join("deep/2").exists());
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
        fs::remove_file(place.join(MARK)).unwrap();
        assert!(matches!(Draft::new(&place), Err(Failure::BadInput(text)) if text.contains("holds something else")));
    }

    #[test]
    fn a_draft_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let draft = Draft::new(&folder.path().join("new")).unwrap();
        draft.write(Path::new("x"), b"x").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
