//! Takes in what a class handed in: folders and archives, and what Gradescope, Canvas and Moodle give for download.
//!
//! Theory of operation: a download is looked at twice. First all names say how it is laid out ([`layout`]). Then every file is shown to its group ([`hand`]), which
//! puts aside what may be a source that a `lab.toml` names ([`placing`]), and never opens anything else. Archives are unpacked in memory, below limits on
//! bytes, entries, ratio and depth ([`entry`], [`zipped`], [`tarred`]); nothing is ever written under a name that came out of one. What is refused is named
//! in the ledger and in the student's record, and the rest of the class goes on.
//!
//! Who a group is, its platform says: Gradescope in a manifest ([`gradescope`]), Canvas and Moodle in names and a roster ([`people`]). The result is a folder with
//! a ledger ([`ledger`]), which `grade run` takes for submissions.

pub mod container;
pub mod entry;
pub mod folder;
pub mod gradescope;
pub mod hand;
pub mod layout;
pub mod ledger;
pub mod people;
pub mod placing;
pub mod tarred;
pub mod zipped;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness::manifest::LabFolder;

use crate::escape::shown;
use crate::failure::Failure;
use crate::run::collect::Collected;
use crate::run::store::Store;
use container::Download;
use entry::{Stop, Thing, WHOLE_CLASS, read_at_most};
use gradescope::Submission;
use hand::{Desk, Hand, Sifted, Sorted};
use layout::{Detector, Layout, Place, Platform};
use ledger::{FILE_NAME, Handed, Ledger, Person, SOURCES};
use people::{Listed, Roster, Time};

/// The most bytes of a manifest.
const LARGEST_MANIFEST: u64 = 256 << 20;

/// What `grade intake` was asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The download: a folder, a zip or a tar file.
    pub download: PathBuf,
    /// The folder for the ledger and the sources.
    pub out: PathBuf,
    /// The table of students.
    pub roster: Option<PathBuf>,
    /// The table of times.
    pub times: Option<PathBuf>,
    /// The platform, where it is not to be told by the names.
    pub platform: Option<Platform>,
    /// Whether this is all that is there from now on; else it is added to what was taken in before.
    pub replace: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Intake {
    /// How the download was laid out.
    pub platform: Platform,
    /// How many students have something in it.
    pub students: usize,
    /// How many of their labs were taken.
    pub taken: usize,
    /// What was refused: student, lab, reason.
    pub refused: Vec<String>,
    /// What an instructor should know besides.
    pub warnings: Vec<String>,
}

/// Whether a folder of submissions has to be taken in before it is graded: it is laid out by a platform, or there are archives in it.
///
/// # Errors
/// A folder that cannot be read.
pub fn is_packed(submissions: &Path) -> Result<bool, Failure> {
    let mut detector = Detector::default();
    let mut see = |path: String| {
        detector.see(&path);
        let name = path.rsplit('/').next().unwrap_or_default();
        (container::archive_stem(name).is_some() || container::is_other_archive(name)) && !name.starts_with('.')
    };
    let failed = |error: std::io::Error| Failure::input("read the submissions in", submissions, &error);
    let mut archives = false;
    for entry in std::fs::read_dir(submissions).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().map_err(failed)?.is_dir() {
            // A folder that cannot be read has a record of its own.
            for inner in std::fs::read_dir(entry.path()).into_iter().flatten().filter_map(Result::ok) {
                let kind = inner.file_type();
                let inner_name = format!("{name}/{}", inner.file_name().to_string_lossy());
                archives |= see(inner_name.clone()) && kind.as_ref().is_ok_and(std::fs::FileType::is_file);
                if kind.is_ok_and(|kind| kind.is_dir()) {
                    let names = std::fs::read_dir(inner.path()).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.file_name());
                    archives |= names.into_iter().any(|file| see(format!("{inner_name}/{}", file.to_string_lossy())));
                }
            }
        } else {
            archives |= see(name);
        }
    }
    Ok(archives || detector.layout().platform != Platform::Plain)
}

/// Takes in a download.
///
/// # Errors
/// A download, a roster or a folder that cannot be used. What is wrong with one student's files is no error.
pub fn take(labs: &[LabFolder], only: Option<usize>, request: &Request) -> Result<Intake, Failure> {
    let download = Download::at(&request.download)?;
    crate::run::store::refuse_overlap(&request.download, &request.out)?;
    let roster = request.roster.as_deref().map_or_else(|| Ok(Roster::default()), Roster::read)?;
    let times = request.times.as_deref().map_or_else(|| Ok(Vec::new()), people::times)?;
    let mut detector = Detector::default();
    download.each(&WHOLE_CLASS, &mut |entry| {
        detector.see(&entry.path);
        Ok(())
    })?;
    let detected = detector.layout();
    let layout = match request.platform {
        Some(platform) if platform != detected.platform => Layout { platform, wrapper: String::new() },
        _ => detected,
    };
    let store = Store::open(&request.out)?;
    let desk = Desk { labs, only, scratch: store.scratch() };
    let mut warnings = Vec::new();
    let (groups, manifest) = groups(&download, &layout, &desk, &mut warnings)?;
    if groups.is_empty() {
        return Err(Failure::BadInput(format!("expected submissions in {}; there is none", request.download.display())));
    }
    let mut books = Books { store: &store, desk, roster, manifest, platform: layout.platform, ledger: Ledger::default(), warnings, taken: 0 };
    for (_, (place, hand)) in groups {
        books.enter(&place, hand)?;
    }
    books.note_times(&times);
    books.list_everybody();
    books.close(&request.out, request.replace)
}

/// Sorts every file of the download to its group; and Gradescope's manifest.
type Groups = BTreeMap<String, (Place<'static>, Hand)>;

fn groups(
    download: &Download,
    layout: &Layout,
    desk: &Desk<'_>,
    warnings: &mut Vec<String>,
) -> Result<(Groups, BTreeMap<String, Submission>), Failure> {
    let (mut groups, mut manifest): (Groups, _) = (BTreeMap::new(), BTreeMap::new());
    let manifest_path = format!("{}{}", layout.wrapper, layout::GRADESCOPE_MANIFEST);
    let mut visit = |entry: entry::Entry<'_>| -> Result<(), Stop> {
        let path = entry.path;
        if layout.platform == Platform::Gradescope && path == manifest_path {
            let Thing::File(reader) = entry.thing else { return Ok(()) };
            let bytes =
                read_at_most(reader, LARGEST_MANIFEST).map_err(|error| Stop::Unusable(format!("has a manifest that cannot be read: {error}")))?;
            let bytes = bytes.ok_or_else(|| Stop::Unusable(format!("has a manifest larger than {} MiB", LARGEST_MANIFEST >> 20)))?;
            let text = String::from_utf8(bytes).map_err(|_| Stop::Unusable(format!("has a {path} that is not UTF-8")))?;
            manifest = gradescope::read(&text).map_err(|reason| Stop::Unusable(format!("has a {path} that is no YAML: {reason}")))?;
            return Ok(());
        }
        // What systems leave behind is nobody's; what was refused is told, whatever it is called.
        let refused = match &entry.thing {
            Thing::Refused(refused) => Some(refused.what.clone()),
            _ => None,
        };
        if refused.is_none() && path.split('/').any(|part| part.starts_with('.') || part == "__MACOSX") {
            return Ok(());
        }
        let is_file = matches!(entry.thing, Thing::File(_));
        let whose = |place: &Place<'_>| !place.group.starts_with('.') && (!place.inner.is_empty() || !is_file);
        let Some(place) = layout.place(&path).filter(whose) else {
            match refused {
                Some(what) => warnings.push(format!("{path} {what}, and belongs to no student; it is left out")),
                None if is_file => warnings.push(format!("{path} belongs to no student; it is left out")),
                None => {}
            }
            return Ok(());
        };
        let number = groups.len();
        let inner = place.inner.to_owned();
        let (_, hand) = groups.entry(place.group.clone()).or_insert_with(|| (place.owned(), Hand::new(number)));
        Ok(hand.take(desk, &inner, entry.thing)?)
    };
    download.each(&WHOLE_CLASS, &mut visit)?;
    Ok((groups, manifest))
}

/// The ledger while it is written.
struct Books<'a> {
    store: &'a Store,
    desk: Desk<'a>,
    roster: Roster,
    manifest: BTreeMap<String, Submission>,
    platform: Platform,
    ledger: Ledger,
    warnings: Vec<String>,
    taken: usize,
}

impl Books<'_> {
    /// Enters one group: its sources, and whose they are.
    fn enter(&mut self, place: &Place<'_>, hand: Hand) -> Result<(), Failure> {
        let Sifted { labs: sorted, refused, remark } = hand.sort(&self.desk)?;
        let (people, submitted) = self.who(place);
        let mut labs = BTreeMap::new();
        for (lab, sorted) in sorted {
            let lab = &self.desk.labs[lab];
            let mut handed = Handed { submitted: submitted.clone(), marked_late: place.late, ..Handed::default() };
            match sorted {
                Sorted::Sources(sources) => handed.sources = Some(self.keep(lab, sources)?),
                Sorted::Refused(reason) => handed.refused = Some(reason),
            }
            labs.insert(lab.folder.clone(), handed);
        }
        // The reason why there is nothing belongs to the lab that the download is for, or else to every lab that is not there.
        let mut refused = refused.map(|reason| shown(&reason));
        if let (Some(only), Some(reason)) = (self.desk.only, &refused) {
            let handed = || Handed { refused: Some(reason.clone()), submitted: submitted.clone(), marked_late: place.late, sources: None };
            labs.entry(self.desk.labs[only].folder.clone()).or_insert_with(handed);
            refused = None;
        }
        for listed in people {
            let person = self.ledger.students.entry(listed.key.clone()).or_default();
            if let Some(lab) = labs.keys().find(|lab| person.labs.contains_key(*lab)) {
                self.warnings
                    .push(format!("{} handed in {lab} more than once; the latest counts, and {} where no time is known", listed.key, place.group));
            }
            person.name = listed.name;
            person.ids = listed.ids;
            person.refused = refused.clone().or(person.refused.take());
            person.remark.clone_from(&remark);
            for (lab, handed) in &labs {
                let earlier = person.labs.get(lab).is_some_and(|other| handed.submitted < other.submitted);
                if !earlier {
                    person.labs.insert(lab.clone(), handed.clone());
                }
            }
        }
        Ok(())
    }

    /// Who a group is, and when they handed in.
    fn who(&mut self, place: &Place<'_>) -> (Vec<Listed>, Option<String>) {
        if self.platform == Platform::Gradescope {
            let Some(submission) = self.manifest.get(&place.group).filter(|submission| !submission.submitters.is_empty()) else {
                self.warnings.push(format!("{} is not in {}; it is graded under that name", place.group, layout::GRADESCOPE_MANIFEST));
                return (vec![Listed { key: place.group.clone(), name: place.group.clone(), ids: Vec::new() }], None);
            };
            let people = submission.submitters.iter().map(|submitter| {
                let ids: Vec<String> = [&submitter.email, &submitter.sid].into_iter().filter(|id| !id.is_empty()).cloned().collect();
                let key = ids.first().unwrap_or(&submitter.name).clone();
                let name = if submitter.name.is_empty() { key.clone() } else { submitter.name.clone() };
                self.roster.find(&key, "").cloned().unwrap_or(Listed { key, name, ids })
            });
            return (people.collect(), submission.created_at.clone());
        }
        if let Some(listed) = self.roster.find(&place.id, &place.name).or_else(|| self.roster.find(&place.name, "")) {
            return (vec![listed.clone()], None);
        }
        if !self.roster.0.is_empty() {
            self.warnings.push(format!("{} is not on the roster; graded under that name", place.group));
        }
        let ids = if place.id.is_empty() { Vec::new() } else { vec![place.id.clone()] };
        (vec![Listed { key: place.group.clone(), name: place.name.clone(), ids }], None)
    }

    /// Keeps the sources below their digest.
    fn keep(&mut self, lab: &LabFolder, sources: Vec<crate::sources::Source>) -> Result<String, Failure> {
        let sources = Collected::Sources(sources);
        let digest = sources.digest();
        let Collected::Sources(sources) = sources else { unreachable!("it is made of sources above") };
        for source in sources {
            let path = Path::new(SOURCES).join(&digest).join(&lab.folder).join(&source.path);
            if !self.store.holds(&path, &source.text) {
                self.store.write_ahead(&path, &source.text)?;
            }
        }
        self.taken += 1;
        Ok(digest)
    }

    /// Enters the times of the table, which count more than those of the download.
    fn note_times(&mut self, times: &[Time]) {
        for time in times {
            let lab = time.lab.as_ref().map(|name| self.desk.labs.iter().find(|lab| &lab.folder == name || &lab.name == name));
            if matches!(lab, Some(None)) {
                self.warnings.push(format!("the table of times names {}, which is no lab", time.lab.as_deref().unwrap_or_default()));
                continue;
            }
            let folder = lab.flatten().map(|lab| &lab.folder);
            let mut met = false;
            for (key, person) in &mut self.ledger.students {
                if *key == time.student || person.name == time.student || person.ids.contains(&time.student) {
                    for (_, handed) in person.labs.iter_mut().filter(|(lab, _)| folder.is_none_or(|folder| folder == *lab)) {
                        handed.submitted = Some(time.submitted.clone());
                        met = true;
                    }
                }
            }
            if !met {
                self.warnings.push(format!("the table of times names {}, who handed in nothing that it could be", time.student));
            }
        }
    }

    /// Enters those who are on the roster and handed in nothing.
    fn list_everybody(&mut self) {
        for listed in &self.roster.0 {
            let absent = || Person { name: listed.name.clone(), ids: listed.ids.clone(), ..Person::default() };
            self.ledger.students.entry(listed.key.clone()).or_insert_with(absent);
        }
    }

    /// Adds what was there before, and writes the ledger.
    fn close(mut self, out: &Path, replace: bool) -> Result<Intake, Failure> {
        let mut refused = Vec::new();
        for (student, person) in &self.ledger.students {
            refused.extend(person.refused.iter().map(|reason| format!("{student}: {reason}")));
            refused.extend(person.labs.iter().filter_map(|(lab, handed)| Some(format!("{student} {lab}: {}", handed.refused.as_ref()?))));
        }
        let students = self.ledger.students.values().filter(|person| !person.labs.is_empty() || person.refused.is_some()).count();
        if let Some(before) = Ledger::find(out)?.filter(|_| !replace) {
            for (key, mut person) in before.students {
                match self.ledger.students.get_mut(&key) {
                    Some(now) => {
                        person.labs.retain(|lab, _| !now.labs.contains_key(lab));
                        now.labs.extend(person.labs);
                    }
                    None => drop(self.ledger.students.insert(key, person)),
                }
            }
        }
        let mut text = serde_json::to_string_pretty(&self.ledger).map_err(|error| Failure::Broken(format!("write the ledger: {error}")))?;
        text.push('\n');
        // The ledger names only what is on the disk.
        self.store.sync()?;
        self.store.write(Path::new(FILE_NAME), text.as_bytes())?;
        self.warnings.sort();
        self.warnings.dedup();
        Ok(Intake { platform: self.platform, students, taken: self.taken, refused, warnings: self.warnings })
    }
}
