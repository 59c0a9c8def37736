//! Line tables: from an address in an executable to a place in its source (addr2line).

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;

use addr2line::Context;
use gimli::{Dwarf, EndianRcSlice, RunTimeEndian};
use object::{Object, ObjectSection};

use super::Place;

type Reader = EndianRcSlice<RunTimeEndian>;

/// The line table of one executable.
pub struct LineTable(Context<Reader>);

impl LineTable {
    /// Reads the debug information of an executable; `None` if there is none.
    pub fn load(file: &Path) -> Option<Self> {
        let data = std::fs::read(file).ok()?;
        let object = object::File::parse(&*data).ok()?;
        object.section_by_name(".debug_line")?;
        let endian = if object.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
        let section = |id: gimli::SectionId| -> Result<Reader, gimli::Error> {
            let bytes = object.section_by_name(id.name()).and_then(|section| section.data().ok()).unwrap_or_default();
            Ok(EndianRcSlice::new(Rc::from(bytes), endian))
        };
        Context::from_dwarf(Dwarf::load(section).ok()?).ok().map(Self)
    }

    /// The innermost place at an address that lies in the program's own source, inlined calls included.
    pub fn own_place(&self, address: u64) -> Option<Place> {
        let folder = self.folder(address);
        let mut frames = self.0.find_frames(address).skip_all_loads().ok()?;
        while let Ok(Some(frame)) = frames.next() {
            if let Some(location) = frame.location
                && let (Some(path), Some(line)) = (location.file, location.line)
                && !is_of_the_toolchain(path)
            {
                let file = folder.as_ref().and_then(|folder| path.strip_prefix(folder.as_str())).unwrap_or(path).trim_start_matches('/');
                return Some(Place { file: file.to_owned(), path: path.to_owned(), line, column: location.column.unwrap_or(1).max(1) });
            }
        }
        None
    }

    /// The folder in which the source of this address was compiled.
    fn folder(&self, address: u64) -> Option<String> {
        let unit = self.0.find_dwarf_and_unit(address).skip_all_loads()?;
        let folder = unit.comp_dir.clone()?;
        gimli::Reader::to_string_lossy(&folder).ok().map(Cow::into_owned)
    }
}

/// Whether a source file belongs to the standard library or to a crate from the registry.
fn is_of_the_toolchain(path: &str) -> bool {
    path.starts_with("/rustc/") || path.contains("/.cargo/registry/") || path.contains("/lib/rustlib/src/")
}
