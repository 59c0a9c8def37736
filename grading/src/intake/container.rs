//! What a download or a submission comes in: a folder, a zip file, a tar file.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::entry::{Caps, Stop, Visit};
use super::tarred::Packing;
use super::{folder, tarred, zipped};
use crate::failure::Failure;

/// Endings of names that promise an archive, longest first.
const ARCHIVES: [&str; 4] = [".tar.gz", ".tgz", ".tar", ".zip"];

/// Endings of names that promise an archive of a kind that is not unpacked.
const OTHERS: [&str; 6] = [".rar", ".7z", ".tar.xz", ".tar.bz2", ".tar.zst", ".gz"];

/// The name without its ending, if it promises an archive that can be unpacked.
#[must_use]
pub fn archive_stem(name: &str) -> Option<&str> {
    without_ending(name, &ARCHIVES)
}

/// Whether the name promises an archive of a kind that is not unpacked.
#[must_use]
pub fn is_other_archive(name: &str) -> bool {
    other_stem(name).is_some()
}

/// The name without its ending, if it promises an archive of a kind that is not unpacked.
#[must_use]
pub fn other_stem(name: &str) -> Option<&str> {
    without_ending(name, &OTHERS).filter(|_| archive_stem(name).is_none())
}

fn without_ending<'a>(name: &'a str, endings: &[&str]) -> Option<&'a str> {
    endings.iter().find_map(|ending| {
        let at = name.len().checked_sub(ending.len())?;
        (name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(ending)).then(|| &name[..at]).filter(|stem| !stem.is_empty())
    })
}

/// What an archive is by its first bytes, whatever its name promises.
enum Kind {
    Zip,
    Tar(Packing),
}

fn kind(start: &[u8]) -> Result<Kind, Stop> {
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        Ok(Kind::Zip)
    } else if start.starts_with(&[0x1f, 0x8b]) {
        Ok(Kind::Tar(Packing::Gzip))
    } else if start.get(257..262) == Some(b"ustar") {
        Ok(Kind::Tar(Packing::None))
    } else {
        Err(Stop::Unusable("is neither a zip nor a tar file, whatever its name says".into()))
    }
}

/// Shows every file in an archive that is in memory.
///
/// # Errors
/// An archive that is damaged or holds more than `caps`, and what `visit` says.
pub fn each_in_bytes(bytes: &[u8], caps: &Caps, visit: &mut Visit<'_>) -> Result<(), Stop> {
    match kind(bytes)? {
        Kind::Zip => zipped::each(Cursor::new(bytes), caps, visit),
        Kind::Tar(packing) => tarred::each(bytes, packing, caps, visit),
    }
}

/// A whole download.
#[derive(Debug, Clone)]
pub enum Download {
    /// Unpacked already.
    Folder(PathBuf),
    /// An archive.
    Archive(PathBuf),
}

impl Download {
    /// What is at this path.
    ///
    /// # Errors
    /// Nothing is there, or something that is neither a folder nor a file.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let found = std::fs::metadata(path).map_err(|error| Failure::input("read the submissions in", path, &error))?;
        if found.is_dir() {
            Ok(Self::Folder(path.to_path_buf()))
        } else if found.is_file() {
            Ok(Self::Archive(path.to_path_buf()))
        } else {
            Err(Failure::BadInput(format!("expected a folder, a zip or a tar file; {} is none of them", path.display())))
        }
    }

    /// Shows every file in it.
    ///
    /// # Errors
    /// A download that is damaged or holds more than `caps`, and what `visit` says.
    pub fn each(&self, caps: &Caps, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let (path, done) = match self {
            Self::Folder(path) => (path, folder::each(path, caps, visit)),
            Self::Archive(path) => (path, Self::unpack(path, caps, visit)),
        };
        done.map_err(|stop| match stop {
            Stop::Unusable(what) => Failure::BadInput(format!("{} {what}", path.display())),
            Stop::Failed(failure) => failure,
        })
    }

    fn unpack(path: &Path, caps: &Caps, visit: &mut Visit<'_>) -> Result<(), Stop> {
        let failed = |error: std::io::Error| Stop::Failed(Failure::input("read", path, &error));
        let mut file = File::open(path).map_err(failed)?;
        let mut start = Vec::new();
        (&mut file).take(512).read_to_end(&mut start).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        match kind(&start)? {
            Kind::Zip => zipped::each(BufReader::new(file), caps, visit),
            Kind::Tar(packing) => tarred::each(BufReader::new(file), packing, caps, visit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_by_the_ends_of_their_names() {
        assert_eq!(archive_stem("ann.tar.gz"), Some("ann"));
        assert_eq!(archive_stem("Ann.ZIP"), Some("Ann"));
        assert_eq!(archive_stem(".zip"), None);
        assert_eq!(archive_stem("main.rs"), None);
        assert_eq!(other_stem("ann.RAR"), Some("ann"));
        assert!(is_other_archive("ann.rar") && is_other_archive("main.rs.gz") && !is_other_archive("ann.tar.gz"));
    }
}
