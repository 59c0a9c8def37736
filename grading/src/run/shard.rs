//! `--shard i/n`: which part of a batch one machine does.
//!
//! Theory of operation: a unit of work belongs to the shard that its digest says, whatever else is in the batch. Nobody has to talk to anybody: a shard that is
//! started twice, or on another machine, does the same work, and a submission that comes in between moves no other. The same sources are in the same shard, and
//! so are built once on the whole.

use std::path::{Path, PathBuf};

use crate::run::plan::Unit;

/// One of several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    index: u64,
    /// How many there are.
    count: u64,
}

impl Shard {
    /// Reads `i/n`.
    ///
    /// # Errors
    /// Anything else, with what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if index >= 1 && index <= count => Ok(Self { index, count }),
            _ => Err("expected I/N, for instance 3/8: the third of eight parts".to_owned()),
        }
    }

    /// Whether the unit belongs to this shard.
    #[must_use]
    pub fn has(&self, unit: &Unit) -> bool {
        Self::of(unit, self.count) == *self
    }

    /// The shard that a unit belongs to, of so many.
    #[must_use]
    pub fn of(unit: &Unit, count: u64) -> Self {
        let number = unit.digest.get(..15).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
        Self { index: (number ^ unit.lab as u64) % count + 1, count }
    }

    /// The folder of a shard's records, below the output folder.
    #[must_use]
    pub fn folder(&self, out: &Path) -> PathBuf {
        out.join(SHARDS).join(format!("{}-of-{}", self.index, self.count))
    }

    /// The shard whose folder has this name.
    #[must_use]
    pub fn named(folder: &str) -> Option<Self> {
        Self::parse(&folder.replacen("-of-", "/", 1)).ok()
    }

    /// How many shards there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// The folder of the shards, below the output folder.
pub const SHARDS: &str = "shards";

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::digest;

    #[test]
    fn every_unit_is_in_exactly_one_shard_and_they_are_about_equal() {
        let units: Vec<Unit> =
            (0..3000_u32).map(|n| Unit { lab: n as usize % 14, digest: digest([&n.to_le_bytes()[..]]), students: Vec::new() }).collect();
        for count in [1, 2, 7, 30] {
            let shards: Vec<Shard> = (1..=count).map(|index| Shard { index, count }).collect();
            assert!(units.iter().all(|unit| shards.iter().filter(|shard| shard.has(unit)).count() == 1));
            let sizes: Vec<usize> = shards.iter().map(|shard| units.iter().filter(|unit| shard.has(unit)).count()).collect();
            let fair = 3000 / usize::try_from(count).unwrap();
            assert!(sizes.iter().all(|size| size * 2 > fair && *size < fair * 2), "{count}: {sizes:?}");
        }
    }

    #[test]
    fn a_shard_is_written_i_of_n() {
        assert_eq!(Shard::parse("3/8"), Ok(Shard { index: 3, count: 8 }));
        assert_eq!(Shard::named("3-of-8"), Some(Shard { index: 3, count: 8 }));
        for wrong in ["0/8", "9/8", "8", "a/b", "", "-1/2", "1/0"] {
            assert!(Shard::parse(wrong).is_err(), "{wrong}");
        }
    }
}
