//! Zip files.
//!
//! Theory of operation: only the central directory counts, and it is walked entry by entry, so that a name that is there twice is seen twice and memory does not
//! depend on how many entries there are. Declared sizes are added up before anything is unpacked; whoever unpacks an entry reads no more than they need,
//! whatever size it declares.

use std::collections::HashSet;
use std::io::{Read, Seek};

use rustix::fs::FileType;
use zip::read::Config;
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use super::entry::{Caps, Entry, RATIO_FROM, Refused, Stop, Thing, Visit, path, shown_path};

/// Shows everything in the archive, in its order.
///
/// # Errors
/// An archive that is damaged or holds more than `caps`, and what `visit` says.
pub fn each<R: Read + Seek>(mut archive: R, caps: &Caps, visit: &mut Visit<'_>) -> Result<(), Stop> {
    let packed = archive.seek(std::io::SeekFrom::End(0)).map_err(|error| Stop::Unusable(format!("cannot be read: {error}")))?;
    let damaged = |error: &ZipError| Stop::Unusable(format!("is no zip file that can be read ({error})"));
    let mut archive = ZipIterable::try_new(archive, Config::default()).map_err(|error| damaged(&error))?;
    if archive.len() > caps.entries {
        return Err(Stop::Unusable(format!("has {} entries; at most {} are taken", archive.len(), caps.entries)));
    }
    let (mut seen, mut unpacked) = (HashSet::new(), 0_u64);
    let files = archive.files().map_err(|error| damaged(&error))?;
    while let Some(entry) = files.next() {
        let entry = entry.map_err(|error| damaged(&error))?;
        unpacked = unpacked.saturating_add(entry.size());
        if unpacked > caps.bytes {
            return Err(Stop::Unusable(format!("unpacks to more than {} MiB", caps.bytes >> 20)));
        }
        if unpacked > RATIO_FROM && unpacked / caps.ratio > packed {
            return Err(Stop::Unusable(format!("unpacks to more than {} times its size", caps.ratio)));
        }
        let name = match path(entry.name_raw(), caps.depth) {
            Ok(name) => name,
            Err(refused) => {
                visit(Entry { path: shown_path(entry.name_raw()), thing: Thing::Refused(refused) })?;
                continue;
            }
        };
        let kind = FileType::from_raw_mode(entry.unix_mode().unwrap_or_default());
        if name.is_empty() {
            continue;
        }
        if entry.is_dir() || kind == FileType::Directory {
            visit(Entry { path: name, thing: Thing::Folder })?;
            continue;
        }
        let refused = if !seen.insert(name.clone()) {
            Some(Refused::crafted("is there twice"))
        } else if kind != FileType::RegularFile && entry.unix_mode().is_some_and(|mode| mode & 0o170_000 != 0) {
            Some(Refused::plain(format!("is {}", crate::run::collect::described(kind))))
        } else if entry.encrypted() {
            Some(Refused::plain("is encrypted"))
        } else {
            None
        };
        if let Some(refused) = refused {
            visit(Entry { path: name, thing: Thing::Refused(refused) })?;
            continue;
        }
        match entry.with_reader(files.reader_mut(), zip::ZipReadOptions::new()) {
            Ok(mut file) => visit(Entry { path: name, thing: Thing::File(&mut file) })?,
            Err(error) => visit(Entry { path: name, thing: Thing::Refused(Refused::plain(format!("cannot be unpacked ({error})"))) })?,
        }
    }
    Ok(())
}
