//! The files of one submission, taken with care.
//!
//! Theory of operation: a submission may hold links that lead out of it, FIFOs that would block a reader, and devices that act when they are opened. The path is
//! therefore walked one component at a time, each opened below the last without following a link; a file is looked at before it is
//! opened, opened without waiting, and looked at again through its descriptor; no more is read than the limit. Files that the manifest does not name are
//! never touched.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use harness::manifest::LabFolder;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, open, openat, statat};
use rustix::io::Errno;

use crate::intake::ledger::{Person, SOURCES};
use crate::run::roster::{Origin, Student};
use crate::sources::{Source, digest};

/// The most bytes that one source may have.
pub const LARGEST: u64 = 1 << 20;

/// What was found of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collected {
    /// Every file.
    Sources(Vec<Source>),
    /// A file, or the whole folder, is not there.
    Missing(String),
    /// Something is there that is not taken.
    Refused(String),
    /// The machine could not read it.
    Unreadable(String),
}

impl Collected {
    /// A digest of the submission: the same if, and only if, the same would be graded.
    #[must_use]
    pub fn digest(&self) -> String {
        match self {
            Self::Sources(sources) => digest(
                [&b"sources"[..]]
                    .into_iter()
                    .chain(sources.iter().flat_map(|source| [source.program.as_bytes(), source.path.as_os_str().as_bytes(), &source.text])),
            ),
            Self::Missing(text) => digest([&b"missing"[..], text.as_bytes()]),
            Self::Refused(text) => digest([&b"refused"[..], text.as_bytes()]),
            Self::Unreadable(text) => digest([&b"unreadable"[..], text.as_bytes()]),
        }
    }
}

/// Takes the files that the manifest names out of the student's folder.
#[must_use]
pub fn collect(submissions: &Path, student: &Student, lab: &LabFolder) -> Collected {
    let found = match &student.origin {
        Origin::Folder(entry) => lab_folder(submissions, Path::new(entry), student, lab),
        Origin::Ledger(person) => taken_in(submissions, person, student, lab),
    };
    let folder = match found {
        Ok(folder) => folder,
        Err(problem) => return problem,
    };
    let mut sources = Vec::new();
    let mut missing = Vec::new();
    for program in &lab.manifest.programs {
        match take(&folder, &program.source) {
            Ok(text) => sources.push(Source { program: program.name.clone(), path: program.source.clone(), text }),
            Err(Collected::Missing(file)) => missing.push(file),
            Err(problem) => return problem,
        }
    }
    if missing.is_empty() {
        Collected::Sources(sources)
    } else {
        Collected::Missing(format!("expected {}/{}; it is not there", lab.folder, missing.join(&format!(" and {}/", lab.folder))))
    }
}

/// The folder of a lab that an intake has taken in.
fn taken_in(submissions: &Path, person: &Person, student: &Student, lab: &LabFolder) -> Result<OwnedFd, Collected> {
    let missing = || Collected::Missing(format!("expected the sources of {}; nothing like them was handed in{}", lab.folder, student.remark));
    let refused = |reason: &String| Collected::Refused(reason.clone());
    let Some(handed) = person.labs.get(&lab.folder) else { return Err(person.refused.as_ref().map_or_else(missing, refused)) };
    let Some(digest) = &handed.sources else { return Err(handed.refused.as_ref().map_or_else(missing, refused)) };
    lab_folder(&submissions.join(SOURCES), Path::new(digest), student, lab).map_err(|problem| match problem {
        // The intake put it there: that it is gone is not the student's doing.
        Collected::Missing(what) => Collected::Unreadable(format!("what was taken in is not there any more: {what}; do the intake again")),
        other => other,
    })
}

fn lab_folder(submissions: &Path, entry: &Path, student: &Student, lab: &LabFolder) -> Result<OwnedFd, Collected> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let root =
        open(submissions, flags, Mode::empty()).map_err(|error| Collected::Unreadable(format!("the submissions cannot be opened: {error}")))?;
    let own = descend(&root, entry, "the student's folder")?;
    match descend(&own, Path::new(&lab.folder), &lab.folder) {
        Err(Collected::Missing(_)) => Err(Collected::Missing(format!("expected a folder {}; it is not there{}", lab.folder, student.remark))),
        result => result,
    }
}

/// Opens one folder below another; never through a link.
fn descend(folder: &OwnedFd, name: &Path, shown: &str) -> Result<OwnedFd, Collected> {
    let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| unopened(shown, error))?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => {}
        other => return Err(Collected::Refused(format!("{shown} is {}; expected a folder", described(other)))),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty()).map_err(|error| unopened(shown, error))
}

/// Reads one file below the lab's folder.
fn take(lab: &OwnedFd, path: &Path) -> Result<Vec<u8>, Collected> {
    let shown = path.display().to_string();
    let mut components: Vec<_> = path.components().collect();
    let name = components.pop();
    let mut folder = lab.try_clone().map_err(|error| Collected::Unreadable(format!("{shown}: {error}")))?;
    for component in components {
        let Component::Normal(component) = component else { return Err(Collected::Refused(format!("{shown} is no path inside the lab"))) };
        folder = match descend(&folder, Path::new(component), &format!("{} (on the way to {shown})", component.display())) {
            Err(Collected::Missing(_)) => return Err(Collected::Missing(shown)),
            result => result?,
        };
    }
    let Some(Component::Normal(name)) = name else { return Err(Collected::Refused(format!("{shown} is no path inside the lab"))) };
    let before = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| unopened(&shown, error))?;
    refuse_unless_regular(&shown, before.st_mode, before.st_size)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(&folder, name, flags, Mode::empty()).map_err(|error| unopened(&shown, error))?;
    let opened = fstat(&file).map_err(|error| unopened(&shown, error))?;
    refuse_unless_regular(&shown, opened.st_mode, opened.st_size)?;
    let mut text = Vec::new();
    // One byte more than is allowed: a file that grows meanwhile is seen.
    File::from(file).take(LARGEST + 1).read_to_end(&mut text).map_err(|error| Collected::Unreadable(format!("{shown} cannot be read: {error}")))?;
    refuse_unless_regular(&shown, opened.st_mode, i64::try_from(text.len()).unwrap_or(i64::MAX))?;
    Ok(text)
}

fn refuse_unless_regular(shown: &str, mode: u32, size: i64) -> Result<(), Collected> {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile if u64::try_from(size).is_ok_and(|size| size <= LARGEST) => Ok(()),
        FileType::RegularFile => Err(Collected::Refused(format!("{shown} is larger than {LARGEST} bytes; expected a source that a student wrote"))),
        other => Err(Collected::Refused(format!("{shown} is {}; expected a regular file", described(other)))),
    }
}

fn unopened(shown: &str, error: Errno) -> Collected {
    match error {
        Errno::NOENT => Collected::Missing(shown.to_owned()),
        Errno::LOOP | Errno::NOTDIR | Errno::NXIO => {
            Collected::Refused(format!("{shown} changed while it was looked at; expected a file that stays"))
        }
        Errno::ACCESS | Errno::PERM => Collected::Refused(format!("{shown} may not be read; expected a file that its reader may open")),
        other => Collected::Unreadable(format!("{shown} cannot be opened: {other}")),
    }
}

/// What an entry is, for a message.
#[must_use]
pub fn described(kind: FileType) -> &'static str {
    match kind {
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Directory => "a folder",
        FileType::RegularFile => "a file",
        FileType::Unknown => "something unknown",
    }
}
