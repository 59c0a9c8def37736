//! Line tables and symbols: from an address in an executable to a place in its source (addr2line), and to a function.

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;

use addr2line::Context;
use gimli::{Dwarf, EndianRcSlice, RunTimeEndian};
use object::{Object, ObjectSection, ObjectSymbol};

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

    /// The names of the functions at an address, inlined ones included.
    pub fn functions(&self, address: u64) -> Vec<String> {
        let mut names = Vec::new();
        if let Ok(mut frames) = self.0.find_frames(address).skip_all_loads() {
            while let Ok(Some(frame)) = frames.next() {
                names.extend(frame.function.and_then(|function| function.raw_name().ok().map(Cow::into_owned)));
            }
        }
        names
    }

    /// The folder in which the source of this address was compiled.
    fn folder(&self, address: u64) -> Option<String> {
        let unit = self.0.find_dwarf_and_unit(address).skip_all_loads()?;
        let folder = unit.comp_dir.clone()?;
        gimli::Reader::to_string_lossy(&folder).ok().map(Cow::into_owned)
    }
}

/// The functions of one executable by its symbol table, in the order of their addresses.
pub struct Symbols(Vec<(u64, u64, String)>);

impl Symbols {
    /// Reads the symbol table of an executable; none is an empty one.
    pub fn load(file: &Path) -> Self {
        let data = std::fs::read(file).unwrap_or_default();
        let Ok(object) = object::File::parse(&*data) else { return Self(Vec::new()) };
        let function = |symbol: object::Symbol<'_, '_>| Some((symbol.address(), symbol.size(), symbol.name().ok()?.to_owned()));
        let mut symbols: Vec<_> = object.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text).filter_map(function).collect();
        symbols.sort();
        Self(symbols)
    }

    /// The function that an address lies in.
    pub fn name_at(&self, address: u64) -> Option<String> {
        let place = self.0.partition_point(|(start, ..)| *start <= address).checked_sub(1)?;
        let (start, size, name) = &self.0[place];
        (address - start < *size).then(|| name.clone())
    }
}

/// Whether a source file belongs to the standard library or to a crate from the registry.
fn is_of_the_toolchain(path: &str) -> bool {
    path.starts_with("/rustc/") || path.contains("/.cargo/registry/") || path.contains("/lib/rustlib/src/")
}
