//! Names of students as names of records.
//!
//! Theory of operation: a record's name must be a safe file name wherever it is copied to, and no two students may share one. Letters, digits and a few
//! signs of ASCII stand for themselves; every other byte, the percent sign included, is written `%XX`. Different names therefore have different record names,
//! on file systems that tell case apart. For those that do not, and for a reader who cannot see how a letter was composed, names that
//! differ in nothing else get the beginning of their digest appended, all of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use unicode_normalization::UnicodeNormalization;

use crate::sources::digest;

/// The longest record name: file names have at most 255 bytes, and a digest may follow.
const LONGEST: usize = 180;

/// The record name that belongs to a student's name alone.
#[must_use]
pub fn record_name(name: &OsStr) -> String {
    let mut safe = String::new();
    for (i, byte) in name.as_bytes().iter().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"_@+,=".contains(byte) || (i > 0 && b"-.".contains(byte));
        if plain {
            safe.push(char::from(*byte));
        } else {
            safe.push_str(&format!("%{byte:02X}"));
        }
    }
    if safe.len() > LONGEST { format!("{}{}", &safe[..LONGEST], mark(name)) } else { safe }
}

/// The name that a record name was made of, as far as it can be had: a name that was cut stays cut, and bytes that are not UTF-8 are replaced.
#[must_use]
pub fn name_of_record(record_name: &str) -> String {
    let plain = record_name.split('~').next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(plain.len());
    let mut rest = plain.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The beginning of the name's digest, after a sign that no record name has otherwise.
fn mark(name: &OsStr) -> String {
    format!("~{}", &digest([name.as_bytes()])[..12])
}

/// For each of `names` its record name, and the groups of names that could be taken for one another.
#[must_use]
pub fn record_names(names: &[OsString]) -> (Vec<String>, Vec<Vec<OsString>>) {
    let mut alike: BTreeMap<String, Vec<OsString>> = BTreeMap::new();
    for name in names {
        alike.entry(folded(name)).or_default().push(name.clone());
    }
    let of = |name: &OsString| {
        let alone = alike[&folded(name)].len() == 1;
        let plain = record_name(name);
        if alone || plain.contains('~') { plain } else { format!("{plain}{}", mark(name)) }
    };
    (names.iter().map(of).collect(), alike.values().filter(|group| group.len() > 1).cloned().collect())
}

/// The name without what a reader or a file system may not tell apart: case, and how letters are composed.
fn folded(name: &OsStr) -> String {
    match name.to_str() {
        // Lower case can be decomposed again, and the other way round: both are brought to rest.
        Some(text) => text.nfkc().collect::<String>().to_lowercase().nfkc().collect(),
        None => record_name(name).to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_name_is_a_plain_file_name() {
        for (name, expected) in
            [("ann", "ann"), ("a b/", "a%20b%2F"), ("..", "%2E."), ("-rf", "%2Drf"), ("100%", "100%25"), ("Jos\u{e9}", "Jos%C3%A9")]
        {
            assert_eq!(record_name(OsStr::new(name)), expected);
        }
        assert_eq!(record_name(OsStr::from_bytes(b"\xff\n")), "%FF%0A");
    }

    #[test]
    fn a_record_name_can_be_read_back() {
        for name in ["ann", "a b/", "..", "100%", "Jos\u{e9}", "ann@example.org"] {
            assert_eq!(name_of_record(&record_name(OsStr::new(name))), name);
        }
        assert_eq!(name_of_record("Ann~0123456789ab"), "Ann");
    }

    #[test]
    fn long_names_stay_apart_and_short_enough() {
        let (a, b) = ("\u{fc}".repeat(120) + "a", "\u{fc}".repeat(120) + "b");
        let (a, b) = (record_name(OsStr::new(&a)), record_name(OsStr::new(&b)));
        assert!(a != b && a.len() < 220);
    }

    #[test]
    fn names_that_differ_only_in_case_or_composition_are_kept_apart() {
        let names: Vec<OsString> = ["Ann", "ann", "Jos\u{e9}", "Jose\u{301}", "bob"].iter().map(OsString::from).collect();
        let (records, alike) = record_names(&names);
        let mut folded: Vec<String> = records.iter().map(|name| name.to_lowercase()).collect();
        folded.sort();
        folded.dedup();
        assert_eq!(folded.len(), 5);
        assert_eq!(records[4], "bob");
        assert_eq!(alike.len(), 2);
    }
}
