//! What ends a command before it has done its work: input that cannot be used, or a fault that is ours.

use std::fmt;
use std::io;
use std::path::Path;

/// Why a command could not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The user can mend it: a wrong name, a folder that cannot be written, a full disk. Exit code 2.
    BadInput(String),
    /// The machine or the course itself is at fault. Exit code 3.
    Broken(String),
}

impl Failure {
    /// An I/O error that is the user's to mend, with the path and what was tried.
    #[must_use]
    pub fn input(action: &str, path: &Path, error: &io::Error) -> Self {
        Self::BadInput(format!("{action} {}: {error}", path.display()))
    }

    /// An I/O error that is nobody's mistake, with the path and what was tried. A full disk is the user's to mend all the same.
    #[must_use]
    pub fn machine(action: &str, path: &Path, error: &io::Error) -> Self {
        let text = format!("{action} {}: {error}", path.display());
        if is_full_disk(error) { Self::BadInput(text) } else { Self::Broken(text) }
    }

    /// The exit code that goes with it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::BadInput(_) => 2,
            Self::Broken(_) => 3,
        }
    }
}

/// Whether the error says that there is no room left to write: disk, quota or file size limit.
#[must_use]
pub fn is_full_disk(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadInput(text) | Self::Broken(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}
