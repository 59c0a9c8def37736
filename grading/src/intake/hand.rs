//! What one group handed in: its files, sorted into labs.
//!
//! Theory of operation: files come one by one in any order, from a folder or out of archives. Those that may be a source are put aside in a scratch folder, so that
//! memory does not grow with the class; at the end the best one for each source is chosen. Nothing is guessed: two different files that fit equally well, and
//! a link in the place of a source, are refused and named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use harness::manifest::LabFolder;

use super::container::{archive_stem, each_in_bytes, is_other_archive};
use super::entry::{Entry, ONE_STUDENT, Refused, Stop, Thing, read_at_most};
use super::placing::{Fit, Placed, place};
use crate::failure::Failure;
use crate::run::collect::LARGEST;
use crate::sources::Source;

/// The most bytes of one archive that a student hands in.
const LARGEST_ARCHIVE: u64 = 16 << 20;

/// How many names are mentioned where nothing was found.
const MENTIONED: usize = 3;

/// What is common to all groups of one intake.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// All labs of the course.
    pub labs: &'a [LabFolder],
    /// The lab that the download is for, if it is for one.
    pub only: Option<usize>,
    /// The folder for what is put aside.
    pub scratch: &'a Path,
}

/// One group's files.
#[derive(Debug, Default)]
pub struct Hand {
    number: usize,
    candidates: Vec<Candidate>,
    /// What makes everything worthless: an entry that only somebody makes who wants to break out.
    crafted: Option<String>,
    /// What could not be unpacked, and may be the reason that something is missing.
    unusable: Option<String>,
    others: Vec<String>,
}

/// A file that may be a source.
#[derive(Debug)]
struct Candidate {
    placed: Placed,
    shown: String,
    /// Where its content was put aside, or why it is not taken.
    content: Result<PathBuf, String>,
}

/// What came of one lab.
#[derive(Debug)]
pub enum Sorted {
    /// Files for some or all of its sources.
    Sources(Vec<Source>),
    /// Something is there that is not taken.
    Refused(String),
}

/// All that came of one group.
#[derive(Debug)]
pub struct Sifted {
    /// By the lab's place in the list of labs.
    pub labs: BTreeMap<usize, Sorted>,
    /// Why labs that are not there could not be taken, if there is a reason.
    pub refused: Option<String>,
    /// What else was handed in.
    pub remark: String,
}

impl Hand {
    /// Of the group of this number.
    #[must_use]
    pub fn new(number: usize) -> Self {
        Self { number, ..Self::default() }
    }

    /// Takes one file of the group, an archive included.
    ///
    /// # Errors
    /// The machine does not do its part.
    pub fn take(&mut self, desk: &Desk<'_>, path: &str, thing: Thing<'_>) -> Result<(), Failure> {
        let archive = archive_stem(path).is_some();
        match thing {
            Thing::Folder => Ok(()),
            Thing::File(reader) if archive => match read_at_most(reader, LARGEST_ARCHIVE) {
                Ok(Some(bytes)) => {
                    let before = self.candidates.len();
                    // An archive stands for a folder of its name (`02-pipe.zip` may hold `src/main.rs` alone), or for what is in it.
                    let folder = archive_stem(path).unwrap_or_default();
                    let around = path.rsplit_once('/').map_or("", |(around, _)| around);
                    let mut visit = |entry: Entry<'_>| {
                        let (inner, shown) = (format!("{folder}/{}", entry.path), format!("{path}: {}", entry.path));
                        let unpacked = format!("{around}/{}", entry.path);
                        let fits = place(&unpacked, desk.labs, desk.only).is_some_and(|placed| placed.fit == Fit::InLabFolder);
                        let inner = if fits { unpacked } else { inner };
                        self.take_one(desk, &inner, &shown, entry.thing).map_err(Stop::from)
                    };
                    match each_in_bytes(&bytes, &ONE_STUDENT, &mut visit) {
                        Ok(()) => {}
                        Err(Stop::Unusable(what)) => {
                            // What came before the damage is not taken either: the order of an archive's entries decides nothing.
                            self.candidates.truncate(before);
                            self.unusable = Some(format!("{path} {what}"));
                        }
                        Err(Stop::Failed(failure)) => return Err(failure),
                    }
                    Ok(())
                }
                Ok(None) => {
                    self.unusable = Some(format!("{path} is larger than {} MiB; expected an archive of a few sources", LARGEST_ARCHIVE >> 20));
                    Ok(())
                }
                Err(error) => {
                    self.unusable = Some(format!("{path} cannot be read ({error})"));
                    Ok(())
                }
            },
            Thing::Refused(refused) if archive || path.is_empty() => {
                let who = if path.is_empty() { "the student's folder" } else { path };
                self.unusable = Some(format!("{who} {}", refused.what));
                Ok(())
            }
            thing => self.take_one(desk, path, path, thing),
        }
    }

    /// Takes one file; an archive in an archive is not unpacked.
    fn take_one(&mut self, desk: &Desk<'_>, path: &str, shown: &str, thing: Thing<'_>) -> Result<(), Failure> {
        let placed = place(path, desk.labs, desk.only);
        let content = match (thing, placed) {
            (Thing::Folder, _) => return Ok(()),
            (Thing::Refused(Refused { what, crafted: true }), _) => {
                self.crafted.get_or_insert_with(|| format!("{shown} {what}; expected an archive of a few sources"));
                return Ok(());
            }
            // A link in the place of a folder may be the reason that a source is missing.
            (Thing::Refused(refused), None) => {
                self.unusable.get_or_insert_with(|| format!("{shown} {}; expected files and folders", refused.what));
                return Ok(());
            }
            (Thing::File(_), None) => {
                if is_other_archive(path) || archive_stem(path).is_some() {
                    self.unusable = Some(format!("{shown} is not unpacked; expected the sources themselves, or one zip or tar.gz file"));
                } else if self.others.len() < MENTIONED && !path.split('/').any(|part| part.starts_with('.')) {
                    self.others.push(shown.to_owned());
                }
                return Ok(());
            }
            (Thing::Refused(refused), Some(_)) => Err(format!("{shown} {}; expected a regular file", refused.what)),
            (Thing::File(reader), Some(_)) => match read_at_most(reader, LARGEST) {
                Ok(Some(bytes)) => Ok(self.put_aside(desk, &bytes)?),
                Ok(None) => Err(format!("{shown} is larger than {LARGEST} bytes; expected a source that a student wrote")),
                Err(error) => Err(format!("{shown} cannot be read ({error})")),
            },
        };
        self.candidates.extend(placed.map(|placed| Candidate { placed, shown: shown.to_owned(), content }));
        Ok(())
    }

    fn put_aside(&self, desk: &Desk<'_>, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let path = desk.scratch.join(format!("{}-{}", self.number, self.candidates.len()));
        fs::write(&path, bytes).map_err(|error| Failure::machine("write", &path, &error))?;
        Ok(path)
    }

    /// What there is for each lab, and what there is to say where a lab is not there.
    ///
    /// # Errors
    /// What was put aside cannot be read.
    pub fn sort(mut self, desk: &Desk<'_>) -> Result<Sifted, Failure> {
        let mut labs = BTreeMap::new();
        if self.crafted.is_some() {
            return Ok(Sifted { labs, refused: self.crafted, remark: String::new() });
        }
        // Where nothing else is taken the fit decides, so that one source comes from one place.
        self.candidates.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.shown.cmp(&b.shown)));
        let mut rest = self.candidates.iter().peekable();
        while let Some(first) = rest.next() {
            let same = |other: &Candidate| (other.placed.lab, other.placed.program) == (first.placed.lab, first.placed.program);
            let mut chosen = read(first)?;
            while let Some(other) = rest.next_if(|other| same(other)) {
                if key(other) == key(first) && read(other)? != chosen {
                    let source = desk.labs[first.placed.lab].manifest.programs[first.placed.program].source.display();
                    chosen = Err(format!("two files may be {source}: {} and {}; expected one", first.shown, other.shown));
                }
            }
            let program = &desk.labs[first.placed.lab].manifest.programs[first.placed.program];
            let sorted = labs.entry(first.placed.lab).or_insert_with(|| Sorted::Sources(Vec::new()));
            match (chosen, &mut *sorted) {
                (Ok(text), Sorted::Sources(sources)) => {
                    sources.push(Source { program: program.name.clone(), path: program.source.clone(), text });
                }
                (Err(what), Sorted::Sources(_)) => *sorted = Sorted::Refused(what),
                (_, Sorted::Refused(_)) => {}
            }
        }
        self.others.sort();
        let remark = if self.others.is_empty() { String::new() } else { format!("; there is {}", self.others.join(", ")) };
        Ok(Sifted { labs, refused: self.unusable, remark })
    }
}

/// Lab, program, and how well it fits.
fn key(candidate: &Candidate) -> (usize, usize, Fit, usize) {
    (candidate.placed.lab, candidate.placed.program, candidate.placed.fit, candidate.placed.depth)
}

fn read(candidate: &Candidate) -> Result<Result<Vec<u8>, String>, Failure> {
    match &candidate.content {
        Ok(path) => fs::read(path).map(Ok).map_err(|error| Failure::machine("read", path, &error)),
        Err(what) => Ok(Err(what.clone())),
    }
}
