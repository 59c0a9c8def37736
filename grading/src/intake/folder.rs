//! Folders, walked without following a link and without opening anything but folders and the files that somebody wants.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, open, openat, statat};

use super::entry::{Caps, Entry, Refused, Stop, Thing, Visit, path, shown_path};
use crate::failure::Failure;
use crate::run::collect::described;

/// Folders that hold nothing that anybody wrote.
const IGNORED: [&str; 4] = ["target", ".git", "__MACOSX", "node_modules"];

/// Shows every file below the folder, sorted by name.
///
/// # Errors
/// A folder that cannot be read or holds more than `caps`, and what `visit` says.
pub fn each(folder: &Path, caps: &Caps, visit: &mut Visit<'_>) -> Result<(), Stop> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let root = open(folder, flags, Mode::empty()).map_err(|error| Failure::input("read the submissions in", folder, &error.into()))?;
    let mut walk = Walk { caps, visit, entries: 0 };
    walk.below(&root, "", 0)
}

struct Walk<'a, 'v> {
    caps: &'a Caps,
    visit: &'a mut Visit<'v>,
    entries: usize,
}

impl Walk<'_, '_> {
    fn below(&mut self, folder: &OwnedFd, prefix: &str, depth: usize) -> Result<(), Stop> {
        let mut names = match listed(folder) {
            Ok(names) => names,
            Err(error) if prefix.is_empty() => return Err(Stop::Unusable(format!("cannot be listed: {error}"))),
            Err(error) => {
                let what = format!("cannot be listed ({error})");
                return (self.visit)(Entry { path: prefix.to_owned(), thing: Thing::Refused(Refused::plain(what)) });
            }
        };
        self.entries += names.len();
        if self.entries > self.caps.entries {
            return Err(Stop::Unusable(format!("there are more than {} files and folders", self.caps.entries)));
        }
        names.sort();
        for name in names {
            // A backslash is a letter here, and would be a separator in what comes after: such a name is refused by what it would lead to.
            let shown = || if prefix.is_empty() { shown_path(&name) } else { format!("{prefix}/{}", shown_path(&name)) };
            let plain = match path(&name, self.caps.depth) {
                Ok(plain) if !plain.contains('/') && !plain.is_empty() => plain,
                Ok(_) => {
                    (self.visit)(Entry { path: shown(), thing: Thing::Refused(Refused::plain("has a backslash in its name")) })?;
                    continue;
                }
                Err(refused) => {
                    (self.visit)(Entry { path: shown(), thing: Thing::Refused(Refused { crafted: false, ..refused }) })?;
                    continue;
                }
            };
            let below = if prefix.is_empty() { plain.clone() } else { format!("{prefix}/{plain}") };
            let kind = match statat(folder, &*name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => FileType::from_raw_mode(found.st_mode),
                Err(error) => {
                    (self.visit)(Entry { path: below, thing: Thing::Refused(Refused::plain(format!("cannot be looked at ({error})"))) })?;
                    continue;
                }
            };
            match kind {
                FileType::Directory if IGNORED.contains(&&*plain) => {}
                FileType::Directory if depth >= self.caps.depth => {
                    let what = format!("lies deeper than {} folders", self.caps.depth);
                    (self.visit)(Entry { path: below, thing: Thing::Refused(Refused::plain(what)) })?;
                }
                FileType::Directory => {
                    (self.visit)(Entry { path: below.clone(), thing: Thing::Folder })?;
                    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
                    match openat(folder, &*name, flags, Mode::empty()) {
                        Ok(inner) => self.below(&inner, &below, depth + 1)?,
                        Err(error) => {
                            (self.visit)(Entry { path: below, thing: Thing::Refused(Refused::plain(format!("cannot be read ({error})"))) })?
                        }
                    }
                }
                FileType::RegularFile => {
                    (self.visit)(Entry { path: below, thing: Thing::File(&mut Lazy { folder, name: &name, file: None }) })?;
                }
                other => (self.visit)(Entry { path: below, thing: Thing::Refused(Refused::plain(format!("is {}", described(other)))) })?,
            }
        }
        Ok(())
    }
}

fn listed(folder: &OwnedFd) -> Result<Vec<Vec<u8>>, rustix::io::Errno> {
    let names = Dir::read_from(folder)?.map(|entry| entry.map(|entry| entry.file_name().to_bytes().to_vec()));
    names.filter(|name| !name.as_ref().is_ok_and(|name| name == b"." || name == b"..")).collect()
}

/// A file that is opened when it is first read.
struct Lazy<'a> {
    folder: &'a OwnedFd,
    name: &'a [u8],
    file: Option<File>,
}

impl Read for Lazy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.file.is_none() {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let opened = openat(self.folder, self.name, flags, Mode::empty())?;
            if FileType::from_raw_mode(fstat(&opened)?.st_mode) != FileType::RegularFile {
                return Err(io::Error::other("it changed while it was looked at"));
            }
            self.file = Some(File::from(opened));
        }
        match &mut self.file {
            Some(file) => file.read(buffer),
            None => Ok(0),
        }
    }
}
