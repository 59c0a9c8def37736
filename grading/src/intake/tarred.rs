//! Tar files, plain or packed with gzip.
//!
//! Theory of operation: a tar file is a stream, and all of it has to be unpacked to see what is in it. A counter between the unpacking and the reading stops
//! both as soon as there is too much, so that neither time nor memory depends on what the archive claims.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::entry::{Caps, Entry, RATIO_FROM, Refused, Stop, Thing, Visit, path, shown_path};

/// How the archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// With gzip, in one or several members.
    Gzip,
}

/// Shows everything in the archive, in its order.
///
/// # Errors
/// An archive that is damaged or holds more than `caps`, and what `visit` says.
pub fn each(archive: impl Read, packing: Packing, caps: &Caps, visit: &mut Visit<'_>) -> Result<(), Stop> {
    let (packed, unpacked, too_much) = (Cell::new(0), Cell::new(0), Cell::new(None));
    let packed_counter = Counted { inner: archive, count: &packed, check: |_| None, said: &too_much };
    let inner: Box<dyn Read> = match packing {
        Packing::None => Box::new(packed_counter),
        Packing::Gzip => Box::new(MultiGzDecoder::new(packed_counter)),
    };
    let check = |bytes: u64| {
        if bytes > caps.bytes {
            Some(TooMuch::Bytes)
        } else if bytes > RATIO_FROM && bytes / caps.ratio > packed.get() {
            Some(TooMuch::Ratio)
        } else {
            None
        }
    };
    let mut archive = tar::Archive::new(Counted { inner, count: &unpacked, check, said: &too_much });
    let stopped = |error: &io::Error| match too_much.get() {
        Some(TooMuch::Bytes) => Stop::Unusable(format!("unpacks to more than {} MiB", caps.bytes >> 20)),
        Some(TooMuch::Ratio) => Stop::Unusable(format!("unpacks to more than {} times its size", caps.ratio)),
        None => Stop::Unusable(format!("is no tar file that can be read ({error})")),
    };
    let mut seen = HashSet::new();
    for (number, entry) in archive.entries().map_err(|error| stopped(&error))?.enumerate() {
        let mut entry = entry.map_err(|error| stopped(&error))?;
        if number >= caps.entries {
            return Err(Stop::Unusable(format!("has more than {} entries", caps.entries)));
        }
        let raw = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        // What `git archive` says about the whole.
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let name = match path(&raw, caps.depth) {
            Ok(name) => name,
            Err(refused) => {
                visit(Entry { path: shown_path(&raw), thing: Thing::Refused(refused) })?;
                continue;
            }
        };
        if name.is_empty() {
            continue;
        }
        if kind == EntryType::Directory {
            visit(Entry { path: name, thing: Thing::Folder })?;
            continue;
        }
        let thing = if !seen.insert(name.clone()) {
            Thing::Refused(Refused::crafted("is there twice"))
        } else {
            match kind {
                EntryType::Regular | EntryType::Continuous => Thing::File(&mut entry),
                other => Thing::Refused(Refused::plain(format!("is {}", described(other)))),
            }
        };
        visit(Entry { path: name, thing })?;
    }
    // What comes after the end of the archive is not looked at; but one that ends before its end is damaged, and the iterator has said so.
    Ok(())
}

fn described(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Fifo => "a FIFO",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::GNUSparse => "a sparse file",
        _ => "something other than a file",
    }
}

#[derive(Debug, Clone, Copy)]
enum TooMuch {
    Bytes,
    Ratio,
}

/// Counts what goes through, and stops when `check` says so.
struct Counted<'a, R, C> {
    inner: R,
    count: &'a Cell<u64>,
    check: C,
    said: &'a Cell<Option<TooMuch>>,
}

impl<R: Read, C: Fn(u64) -> Option<TooMuch>> Read for Counted<'_, R, C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.count.set(self.count.get() + got as u64);
        if let Some(too_much) = (self.check)(self.count.get()) {
            self.said.set(Some(too_much));
            return Err(io::Error::other("too much"));
        }
        Ok(got)
    }
}
