//! One thing in a download or a submission, wherever it lies: in a folder, a zip or a tar file.
//!
//! Theory of operation: names come from strangers. A name is taken apart at its separators and put together again from plain components only, so that what
//! is left of it can never lead out of anything; what cannot be such a name is refused, and shown with escapes. A refused entry is never read.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use crate::escape::shown_name;
use crate::failure::Failure;

/// How much an archive or a folder may hold.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Entries, folders included.
    pub entries: usize,
    /// Bytes of all entries together, unpacked.
    pub bytes: u64,
    /// How many times larger than the archive its content may be, once it is larger than [`RATIO_FROM`].
    pub ratio: u64,
    /// Folders on the way to a file.
    pub depth: usize,
}

/// Below so many unpacked bytes nobody cares how well a file was packed: a source of blanks is packed a thousandfold.
pub const RATIO_FROM: u64 = 16 << 20;

/// What one student hands in.
pub const ONE_STUDENT: Caps = Caps { entries: 10_000, bytes: 64 << 20, ratio: 200, depth: 24 };

/// What a whole class hands in, as a learning platform packs it.
pub const WHOLE_CLASS: Caps = Caps { entries: 1_000_000, bytes: 32 << 30, ratio: 200, depth: 32 };

/// One thing.
pub struct Entry<'a> {
    /// Where it is: plain components joined by `/`. What was refused for its name has that name, with escapes.
    pub path: String,
    /// What it is.
    pub thing: Thing<'a>,
}

/// What an entry is.
pub enum Thing<'a> {
    /// A folder; what is in it is told besides.
    Folder,
    /// A regular file, to be read or not.
    File(&'a mut dyn Read),
    /// Something that is not taken.
    Refused(Refused),
}

/// Why something is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What it is, as in "src/main.rs is a symbolic link".
    pub what: String,
    /// Whether no honest tool makes such an entry, so that nothing else beside it is taken either.
    pub crafted: bool,
}

/// Why nothing more comes of a folder or an archive.
#[derive(Debug)]
pub enum Stop {
    /// It is damaged, too large, or no archive at all.
    Unusable(String),
    /// The fault is not its own.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Who is shown each entry.
pub type Visit<'v> = dyn FnMut(Entry<'_>) -> Result<(), Stop> + 'v;

impl Refused {
    /// Something that an honest student may hand in without knowing.
    #[must_use]
    pub fn plain(what: impl Into<String>) -> Self {
        Self { what: what.into(), crafted: false }
    }

    /// Something that only somebody who wants to break out makes.
    #[must_use]
    pub fn crafted(what: impl Into<String>) -> Self {
        Self { what: what.into(), crafted: true }
    }
}

/// The path that a name stands for, or why it stands for none. Backslashes separate as well: archives from Windows have them.
///
/// # Errors
/// A name that is absolute, goes up, goes deeper than `depth`, or is no text.
pub fn path(name: &[u8], depth: usize) -> Result<String, Refused> {
    let Ok(text) = std::str::from_utf8(name) else { return Err(Refused::plain("has a name that is not UTF-8")) };
    if text.chars().any(char::is_control) {
        return Err(Refused::plain("has control characters in its name"));
    }
    let drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
    if text.starts_with(['/', '\\']) || drive {
        return Err(Refused::crafted("has an absolute name"));
    }
    let components: Vec<&str> = text.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
    if components.contains(&"..") {
        return Err(Refused::crafted("leads out of its archive"));
    }
    if components.len() > depth + 1 {
        return Err(Refused::plain(format!("lies deeper than {depth} folders")));
    }
    Ok(components.join("/"))
}

/// The name of something whose path was refused.
#[must_use]
pub fn shown_path(name: &[u8]) -> String {
    let shown = shown_name(OsStr::from_bytes(name));
    let cut = crate::escape::cut(&shown, 200);
    if cut.len() < shown.len() { format!("{cut}…") } else { shown }
}

/// At most `limit` bytes; `None` if there are more.
///
/// # Errors
/// As `reader`.
pub fn read_at_most(reader: &mut dyn Read, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_plain_components_only() {
        for (name, expected) in [("a/b", "a/b"), ("./a//b/", "a/b"), ("a\\b", "a/b"), ("", ""), ("..a/b..", "..a/b..")] {
            assert_eq!(path(name.as_bytes(), 24).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn names_that_lead_out_are_crafted_and_odd_ones_are_not() {
        for name in ["../a", "a/../../b", "/etc/passwd", "\\\\host\\x", "C:\\x", "a\\..\\..\\b", "a/.."] {
            assert!(path(name.as_bytes(), 24).is_err_and(|refused| refused.crafted), "{name}");
        }
        for name in [&b"a\xff"[..], b"a\nb", b"a\0b", b"a/b/c/d"] {
            assert!(path(name, 2).is_err_and(|refused| !refused.crafted), "{name:?}");
        }
    }
}
