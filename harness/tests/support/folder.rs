//! Folders for what tests make: one for each test executable below cargo's folder for that, and in it one for each test.

use std::fs;
use std::path::{Path, PathBuf};

/// The variable that names another folder, for tests that run as another user.
pub const VARIABLE: &str = "HARNESS_TEST_FOLDER";

/// The folder of this test executable.
pub fn of_executable() -> PathBuf {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return PathBuf::from(folder);
    }
    let name = std::env::current_exe().ok().and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).unwrap_or_default();
    // Without cargo's hash, so that builds do not leave one folder each.
    let name = name.rsplit_once('-').map_or(name.as_str(), |(name, _)| name).to_owned();
    made(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
}

/// An empty folder of this name.
pub fn empty(name: &str) -> PathBuf {
    let folder = of_executable().join(name);
    // It is not there on the first run.
    let _ = fs::remove_dir_all(&folder);
    made(&folder)
}

fn made(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder.to_path_buf()
}
