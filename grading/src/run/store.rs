//! The output folder: records, the seed, the grades.
//!
//! Theory of operation: a reader, or a batch that goes on, meets the old file or the new one and nothing between ([`whole`]). One batch at a time works
//! in a folder: it holds a lock, which the kernel gives back however the process ends; what an earlier one left unfinished can therefore be swept away.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::failure::Failure;
use crate::whole::{self, UNFINISHED};

/// The file that keeps the seed.
pub const SEED: &str = "seed";

const AT_WORK: &str = "another `grade run`";

/// The output folder, locked for this batch.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    scratch: TempDir,
    _lock: File,
}

/// Refuses an output folder inside the submissions: the next batch would take it for a student.
///
/// # Errors
/// It is inside, or is the same folder.
pub fn refuse_overlap(submissions: &Path, out: &Path) -> Result<(), Failure> {
    let submissions = submissions.canonicalize().map_err(|error| Failure::input("find", submissions, &error))?;
    let absolute = std::path::absolute(out).map_err(|error| Failure::input("find", out, &error))?;
    // The folder need not be there yet: the nearest ancestor that is decides.
    let existing = absolute.ancestors().find_map(|ancestor| ancestor.canonicalize().ok()).unwrap_or(absolute);
    if existing.starts_with(&submissions) {
        return Err(Failure::BadInput(format!("expected --out outside of the submissions; {} lies inside. Name another folder", out.display())));
    }
    Ok(())
}

impl Store {
    /// Opens the folder, makes it if need be, and locks it.
    ///
    /// # Errors
    /// It cannot be made or written, or another batch is at work in it.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        Self::open_with(folder, FlockOperation::NonBlockingLockExclusive)
    }

    /// The same, after whoever is at work in it.
    ///
    /// # Errors
    /// It cannot be made or written.
    pub fn open_in_turn(folder: &Path) -> Result<Self, Failure> {
        match Self::open_with(folder, FlockOperation::NonBlockingLockExclusive) {
            Err(Failure::BadInput(text)) if text.starts_with(AT_WORK) => {
                anstream::eprintln!("{text}; waiting for its end");
                Self::open_with(folder, FlockOperation::LockExclusive)
            }
            result => result,
        }
    }

    fn open_with(folder: &Path, lock_how: FlockOperation) -> Result<Self, Failure> {
        let unwritable = |path: &Path, error: &std::io::Error| Failure::input("write the output in", path, error);
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        let folder = folder.canonicalize().map_err(|error| unwritable(folder, &error))?;
        let lock_path = folder.join(".lock");
        let lock = File::create(&lock_path).map_err(|error| unwritable(&lock_path, &error))?;
        flock(&lock, lock_how).map_err(|error| match error {
            rustix::io::Errno::WOULDBLOCK => {
                Failure::BadInput(format!("{AT_WORK} is at work in {}; wait for its end, or name another folder", folder.display()))
            }
            error => unwritable(&lock_path, &error.into()),
        })?;
        sweep(&folder, 2)?;
        let scratch =
            tempfile::Builder::new().prefix(&format!("{UNFINISHED}builds-")).tempdir_in(&folder).map_err(|error| unwritable(&folder, &error))?;
        // See `ReadyLab::build`: programs may be started by another user, who needs to pass through.
        let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o711);
        fs::set_permissions(scratch.path(), open).map_err(|error| unwritable(scratch.path(), &error))?;
        Ok(Self { folder, scratch, _lock: lock })
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder for builds, which goes at the end.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The seed of this folder: the one given, else the one kept here, else one drawn from the clock; kept from now on.
    ///
    /// # Errors
    /// A kept seed that is no number, or a folder that cannot be written.
    pub fn seed(&self, given: Option<u64>) -> Result<u64, Failure> {
        let seed = match given {
            Some(seed) => seed,
            None => kept_seed(&self.folder)?.unwrap_or_else(drawn),
        };
        self.write(Path::new(SEED), format!("{seed}\n").as_bytes())?;
        Ok(seed)
    }

    /// Reads a record; none if it is not there or is no record, and so is to be made.
    #[must_use]
    pub fn read<T: DeserializeOwned>(&self, path: &Path) -> Option<T> {
        serde_json::from_slice(&fs::read(self.folder.join(path)).ok()?).ok()
    }

    /// Whether a file of this folder is there and holds exactly this.
    #[must_use]
    pub fn holds(&self, path: &Path, bytes: &[u8]) -> bool {
        let path = self.folder.join(path);
        fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) && fs::read(&path).is_ok_and(|held| held == bytes)
    }

    /// Writes a file of this folder that counts for nothing until something written by [`Self::write`] names it, after [`Self::sync`].
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full.
    pub fn write_ahead(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.folder.join(path);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, bytes)).map_err(|error| Failure::input("write", &path, &error))
    }

    /// Brings everything that was written ahead to the disk, in one go: one call a file takes minutes for a class.
    ///
    /// # Errors
    /// The disk is full or at fault.
    pub fn sync(&self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::machine("bring to the disk", &self.folder, &error);
        let folder = File::open(&self.folder).map_err(failed)?;
        rustix::fs::syncfs(&folder).map_err(|error| failed(error.into()))
    }

    /// Writes a file of this folder, all of it or nothing.
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        whole::write(&self.folder.join(path), bytes)
    }
}

/// The seed that a folder keeps, if it does.
///
/// # Errors
/// It is no number, or cannot be read.
pub fn kept_seed(folder: &Path) -> Result<Option<u64>, Failure> {
    let path = folder.join(SEED);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| {
            let held = text.trim().escape_debug().to_string();
            Failure::BadInput(format!("{}: expected a number; it holds `{held}`. Remove the file, or give --seed", path.display()))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::input("read", &path, &error)),
    }
}

/// A seed from the clock, short enough to type.
#[must_use]
pub fn drawn() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
    u64::try_from(now / 1000 % 1_000_000_000).unwrap_or(0)
}

/// Removes what a batch that was killed had not finished, `depth` folders deep. A compiler of that batch may outlive it for a moment and still write: a
/// folder is renamed first, so that nothing more comes in by its name, and what cannot be removed now is removed the next time.
fn sweep(folder: &Path, depth: u32) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::input("tidy", folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, is_folder) = (entry.path(), entry.file_type().map_err(failed)?.is_dir());
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            if is_folder {
                let gone = folder.join(format!("{UNFINISHED}gone-{}-{}", std::process::id(), drawn()));
                fs::rename(&path, &gone).map_err(failed)?;
                if fs::remove_dir_all(&gone).is_err() {
                    // Left for the next time.
                    let _ = fs::remove_dir_all(&gone);
                }
            } else {
                fs::remove_file(&path).map_err(failed)?;
            }
        } else if is_folder && depth > 0 {
            sweep(&path, depth - 1)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_batch_in_the_same_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = Store::open(folder.path()).unwrap();
        assert!(matches!(Store::open(folder.path()), Err(Failure::BadInput(text)) if text.contains("another `grade run`")));
        drop(first);
        assert!(Store::open(folder.path()).is_ok());
    }

    #[test]
    fn what_a_killed_batch_left_is_swept_away_and_records_stay() {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().join("records/ann");
        fs::create_dir_all(&records).unwrap();
        fs::create_dir_all(folder.path().join(".unfinished-builds-x/y")).unwrap();
        fs::write(records.join(".unfinished-1"), "{").unwrap();
        fs::write(records.join("01-x.json"), "{}").unwrap();
        drop(Store::open(folder.path()).unwrap());
        assert!(!records.join(".unfinished-1").exists() && !folder.path().join(".unfinished-builds-x").exists());
        assert!(records.join("01-x.json").exists());
    }

    #[test]
    fn the_seed_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let seed = store.seed(None).unwrap();
        assert_eq!(store.seed(None), Ok(seed));
        assert_eq!(store.seed(Some(7)), Ok(7));
        assert_eq!(store.seed(None), Ok(7));
        fs::write(folder.path().join("seed"), "x").unwrap();
        assert!(matches!(store.seed(None), Err(Failure::BadInput(_))));
    }

    #[test]
    fn an_output_folder_inside_the_submissions_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refuse_overlap(folder.path(), &folder.path().join("new/out")).is_err());
        assert!(refuse_overlap(&folder.path().join("."), folder.path()).is_err());
        let submissions = folder.path().join("submissions");
        fs::create_dir(&submissions).unwrap();
        assert!(refuse_overlap(&submissions, &folder.path().join("submissions-out")).is_ok());
    }
}
