//! Source lines: which line of the student's program made a call.
//!
//! Theory of operation: at a call's entry the tracer takes a [`Snapshot`], the registers and the top of the stack, and nothing else: that costs a
//! microsecond. Only when a message names the call is it unwound ([`unwind`]) through libc's wrapper, and the return addresses are looked up in the line tables
//! ([`lines`]); the innermost frame that is neither libc's nor the standard library's is the student's.

mod lines;
mod unwind;

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use lines::{LineTable, Symbols};
use unwind::Modules;

/// Most bytes of stack that a snapshot keeps.
pub const MOST_STACK: usize = 8 << 10;

/// The registers and the top of the stack of a stopped task.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The instruction pointer.
    pub instruction: u64,
    /// The stack pointer.
    pub stack_pointer: u64,
    /// The frame pointer.
    pub frame_pointer: u64,
    /// What the stack pointer points to, and what lies above it.
    pub stack: Vec<u8>,
}

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, relative to the folder that it was compiled in where that is known.
    pub file: String,
    /// The file's absolute path; empty once the line's text has been read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

/// A part of an executable file that is mapped with permission to execute; proc(5), `/proc/PID/maps`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
    file: PathBuf,
}

/// The executable mappings of a process, from the text of `/proc/PID/maps`.
#[must_use]
pub fn mappings(maps: &str) -> Vec<Mapping> {
    let parse = |line: &str| {
        let mut fields = line.split_whitespace();
        let (range, permissions, offset) = (fields.next()?, fields.next()?, fields.next()?);
        let file = fields.nth(2).filter(|file| file.starts_with('/') && permissions.contains('x'))?;
        let (start, end) = range.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        Some(Mapping { start: number(start)?, end: number(end)?, offset: number(offset)?, file: PathBuf::from(file) })
    };
    maps.lines().filter_map(parse).collect()
}

/// Finds the places that snapshots were taken at; keeps what it has read of executables.
#[derive(Default)]
pub struct Locator {
    /// The only files besides the system's that are read; `None` reads all.
    only: Option<Vec<PathBuf>>,
    modules: HashMap<Vec<Mapping>, Rc<Modules>>,
    tables: HashMap<PathBuf, Option<Rc<LineTable>>>,
    symbols: HashMap<PathBuf, Symbols>,
}

impl Locator {
    /// From now on reads these executables and the system's alone: any other file of a memory map is one that a program may have put in its place, and may be
    /// a FIFO or a giant by now.
    pub fn read_only(&mut self, executables: &[PathBuf]) {
        self.only = Some(executables.to_vec());
    }

    fn modules(&mut self, maps: &[Mapping]) -> Rc<Modules> {
        let only = self.only.as_deref();
        let readable = |mapping: &&Mapping| only.is_none_or(|only| is_of_the_system(&mapping.file) || only.contains(&mapping.file));
        let load = || Rc::new(Modules::load(&maps.iter().filter(readable).cloned().collect::<Vec<_>>()));
        Rc::clone(self.modules.entry(maps.to_vec()).or_insert_with(load))
    }

    /// Whose code the instruction at this address is.
    pub fn owner(&mut self, maps: &[Mapping], address: u64) -> Owner {
        let modules = self.modules(maps);
        let Some((file, relative)) = modules.find(address) else { return Owner::Unknown };
        if is_of_the_system(file) {
            return Owner::System;
        }
        let table = self.tables.entry(file.clone()).or_insert_with(|| LineTable::load(file).map(Rc::new)).clone();
        let mut functions = table.map_or_else(Vec::new, |table| table.functions(relative));
        let symbols = self.symbols.entry(file.clone()).or_insert_with(|| Symbols::load(file));
        functions.extend(symbols.name_at(relative));
        Owner::Program(functions)
    }

    /// The lines of the program's own source that led to this snapshot, innermost first; empty without debug information.
    pub fn places(&mut self, maps: &[Mapping], snapshot: &Snapshot) -> Vec<Place> {
        let modules = self.modules(maps);
        let mut place_at = |address: u64| {
            let (file, relative) = modules.find(address)?;
            if is_of_the_system(file) {
                return None;
            }
            let table = self.tables.entry(file.clone()).or_insert_with(|| LineTable::load(file).map(Rc::new)).clone()?;
            table.own_place(relative)
        };
        modules.addresses(snapshot).into_iter().filter_map(&mut place_at).collect()
    }
}

/// Whose code an instruction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A library of the system's, libc above all.
    System,
    /// The program's: the names of its functions there, inlined ones included, as the compiler wrote them.
    Program(Vec<String>),
    /// Nobody's that is known.
    Unknown,
}

/// Whether a file is the system's, whose lines nobody wants to see.
fn is_of_the_system(file: &std::path::Path) -> bool {
    ["/lib", "/lib64", "/usr/lib", "/usr/lib64"].iter().any(|folder| file.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_files_are_told_from_the_rest_of_the_map() {
        let maps = "5000-6000 r--p 00000000 00:1 7 /lab/0/pipe\n6000-9000 r-xp 00001000 00:1 7 /lab/0/pipe\n7f00-7f10 rw-p 00000000 00:00 0 [stack]\nff-100 r-xp 00 00:00 0 [vdso]\n";
        assert_eq!(mappings(maps), vec![Mapping { start: 0x6000, end: 0x9000, offset: 0x1000, file: "/lab/0/pipe".into() }]);
    }
}
