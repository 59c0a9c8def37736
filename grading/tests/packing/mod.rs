//! Archives for tests: honest ones, and such as no honest tool makes.

#![allow(dead_code, reason = "not every test file makes every kind")]

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A zip file that is being written.
pub struct ZipFile {
    writer: ZipWriter<Cursor<Vec<u8>>>,
    renamed: Option<(String, String)>,
}

impl ZipFile {
    pub fn new() -> Self {
        Self { writer: ZipWriter::new(Cursor::new(Vec::new())), renamed: None }
    }

    pub fn file(mut self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.writer.start_file(name, SimpleFileOptions::default()).unwrap();
        self.writer.write_all(bytes.as_ref()).unwrap();
        self
    }

    pub fn link(mut self, name: &str, target: &str) -> Self {
        self.writer.add_symlink(name, target, SimpleFileOptions::default()).unwrap();
        self
    }

    /// Changes a name afterwards, to one of the same length that the writer would not write.
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        assert_eq!(from.len(), to.len());
        self.renamed = Some((from.into(), to.into()));
        self
    }

    pub fn done(self) -> Vec<u8> {
        let mut bytes = self.writer.finish().unwrap().into_inner();
        if let Some((from, to)) = self.renamed {
            let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
            for at in places {
                bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
        }
        bytes
    }
}

/// A tar file that is being written.
pub struct TarFile {
    builder: tar::Builder<Vec<u8>>,
}

impl TarFile {
    pub fn new() -> Self {
        Self { builder: tar::Builder::new(Vec::new()) }
    }

    pub fn file(mut self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        self.builder.append_data(&mut header, name, bytes).unwrap();
        self
    }

    /// An empty file whose name the builder would not write.
    pub fn raw_name(self, name: &str) -> Self {
        self.raw_bytes(name.as_bytes())
    }

    pub fn raw_bytes(mut self, name: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_size(0);
        header.set_cksum();
        self.builder.append(&header, std::io::empty()).unwrap();
        self
    }

    /// Something other than a file, which leads to `/etc/passwd` if it leads anywhere.
    pub fn special(mut self, name: &str, kind: tar::EntryType) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_link_name("/etc/passwd").unwrap();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        self.builder.append(&header, std::io::empty()).unwrap();
        self
    }

    pub fn done(self) -> Vec<u8> {
        self.builder.into_inner().unwrap()
    }

    pub fn gzip(self) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(&self.done()).unwrap();
        packed.finish().unwrap()
    }
}
