//! `cargo lab` alone: the lab that the student works on is checked whenever a file of it is saved.
//!
//! Theory of operation: one loop takes events from one channel: keys, notifications that a file may have changed ([`files`]), and what the task in the background
//! tells ([`work`]). A change gives up the task under way and begins another once nothing has happened for a moment, since an editor saves in several steps.
//! The screen ([`screen`]) is written anew when there is something to show; a plain one is only ever written on, never back. How far the student is stands in the
//! journal ([`super::journal`]).

mod files;
mod screen;
mod work;

use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use self::files::Watched;
use self::screen::{Body, Screen};
use self::work::{Task, Told, Work};
use super::journal::Journal;
use super::workspace::Workspace;
use super::{NoAnswer, explain, layout, timeline};
use crate::check::seed;
use crate::finding::pages::Page;
use crate::kernel::terminal;
use crate::manifest::LabFolder;
use crate::record::CheckRecord;
use crate::verdict::Word;

/// How long nothing must happen after a change before it is looked at: an editor saves in several steps.
const CALM: Duration = Duration::from_millis(40);
/// How often to look without being told.
const GLANCE: Duration = Duration::from_secs(1);
/// Keys that a terminal would turn into signals.
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_Z: u8 = 26;
const ESCAPE: u8 = 27;
const ERASE: [u8; 2] = [8, 127];

/// What the loop waits for.
pub enum Event {
    /// Keys, as the terminal gave them at one time.
    Keys(Vec<u8>),
    /// There are no more keys.
    NoKeys,
    /// A file may have changed.
    Stirred,
    /// The task of this number tells something.
    Told(u64, Told),
}

/// Watches until the student quits.
///
/// # Errors
/// No terminal; no workspace; a journal that cannot be read; a variable `LAB_SEED` that is no number.
pub fn perform(plain: bool) -> Result<(), NoAnswer> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    if !stdin.is_terminal() || !stdout.is_terminal() {
        return Err(NoAnswer::bad_input(
            "watching needs a terminal for its keys and its screen, and standard input or output is none; \
             `cargo lab check` checks once, `cargo lab --help` lists what else there is",
        ));
    }
    let workspace = Arc::new(Workspace::here()?);
    let journal = Journal::read(&workspace.root)?;
    let seed = seed::choose(None).map_err(NoAnswer::bad_input)?;
    // A terminal that can do nothing but print gets plain text.
    let plain = plain || std::env::var_os("TERM").is_none_or(|kind| kind == "dumb");
    let restore = terminal::one_key_at_a_time(stdin.as_fd()).map_err(|error| NoAnswer::broken(format!("failed to set up the terminal: {error}")))?;
    let (sender, events) = mpsc::channel();
    let keys = sender.clone();
    thread::spawn(move || read_keys(&keys));
    let mut watch = Watch::new(workspace, journal, seed, plain, sender);
    let ended = watch.go_on(&events, &restore);
    drop(restore);
    ended?;
    watch.screen.say(&screen::goodbye(&watch.workspace.labs.0, &watch.journal, &watch.workspace.labs.0[watch.place]))
}

fn read_keys(sender: &Sender<Event>) {
    let mut keys = [0; 64];
    loop {
        match std::io::stdin().lock().read(&mut keys) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(count @ 1..) => {
                if sender.send(Event::Keys(keys[..count].to_vec())).is_err() {
                    return;
                }
            }
            _ => return drop(sender.send(Event::NoKeys)),
        }
    }
}

/// What is known of the labs' checks in this session.
struct Watch {
    workspace: Arc<Workspace>,
    journal: Journal,
    sender: Sender<Event>,
    screen: Screen,
    /// The lab's place among the workspace's.
    place: usize,
    watched: Watched,
    seed: u64,
    /// Tasks begun so far: the last one's number.
    begun: u64,
    work: Option<Work>,
    /// The records of the lab, as far as they are there.
    records: Vec<CheckRecord>,
    /// What the compiler says, where the lab does not compile.
    diagnostics: Option<String>,
    /// The records of all labs, while they are all checked.
    everything: Option<Vec<(String, Option<CheckRecord>)>>,
    /// What was typed to choose a lab, while a list is shown.
    typed: Option<String>,
}

impl Watch {
    fn new(workspace: Arc<Workspace>, journal: Journal, seed: u64, plain: bool, sender: Sender<Event>) -> Self {
        let labs = &workspace.labs.0;
        let left = journal.lab.as_ref().and_then(|name| labs.iter().position(|lab| lab.name == *name));
        let place = left.or_else(|| labs.iter().position(|lab| !journal.is_done(lab))).unwrap_or(0);
        let watched = watched(&labs[place], &sender);
        Self {
            screen: Screen::new(plain),
            workspace,
            journal,
            sender,
            place,
            watched,
            seed,
            begun: 0,
            work: None,
            records: Vec::new(),
            diagnostics: None,
            everything: None,
            typed: None,
        }
    }

    fn lab(&self) -> &LabFolder {
        &self.workspace.labs.0[self.place]
    }

    fn go_on(&mut self, events: &Receiver<Event>, restore: &terminal::Restore) -> Result<(), NoAnswer> {
        self.check()?;
        let mut look_at = Instant::now() + GLANCE;
        loop {
            match events.recv_timeout(look_at.saturating_duration_since(Instant::now())) {
                Ok(Event::Stirred) => look_at = Instant::now() + CALM,
                Err(RecvTimeoutError::Timeout) => {
                    look_at = Instant::now() + GLANCE;
                    if self.watched.changed() {
                        self.check()?;
                    }
                }
                Ok(Event::Told(number, told)) => {
                    if self.work.as_ref().is_some_and(|work| work.is(number)) {
                        self.hear(told)?;
                    }
                }
                // An arrow or a function key is a sequence, of which no part is a key.
                Ok(Event::Keys(keys)) if keys[0] == ESCAPE && keys.len() > 1 => {}
                Ok(Event::Keys(keys)) => {
                    for key in keys {
                        match key {
                            CTRL_C | CTRL_D | b'q' | b'Q' => return Ok(()),
                            CTRL_Z => {
                                restore.suspend().map_err(|error| NoAnswer::broken(format!("failed to stop: {error}")))?;
                                self.show()?;
                            }
                            key => self.press(key)?,
                        }
                    }
                }
                Ok(Event::NoKeys) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Begins a task; the one under way is given up.
    fn begin(&mut self, task: Task) {
        self.begun += 1;
        self.work = None;
        self.work = Some(Work::begin(self.begun, task, &self.workspace, self.screen.coloured(), &self.sender));
    }

    /// Builds and checks the lab.
    fn check(&mut self) -> Result<(), NoAnswer> {
        (self.everything, self.typed) = (None, None);
        self.begin(Task::Check(vec![self.place], self.seed));
        self.records.clear();
        self.diagnostics = None;
        self.screen.under_way(&self.workspace.labs.0[self.place], &self.journal)
    }

    /// Takes in what the task under way tells.
    fn hear(&mut self, told: Told) -> Result<(), NoAnswer> {
        match told {
            Told::Built => Ok(()),
            Told::DoesNotCompile(name, diagnostics) => match &mut self.everything {
                Some(all) => {
                    all.push((name, None));
                    Ok(())
                }
                None => {
                    self.diagnostics = Some(diagnostics);
                    Ok(())
                }
            },
            Told::Record(record) => match &mut self.everything {
                Some(all) => {
                    self.screen.step(all.len() + 1)?;
                    all.push((record.lab.clone(), Some(*record)));
                    Ok(())
                }
                None => self.one_is_done(*record),
            },
            Told::Timeline(text) => {
                self.work = None;
                self.screen.page(&text)
            }
            Told::NoAnswer(no_answer) => {
                self.work = None;
                self.everything = None;
                self.screen.show(&self.workspace.labs.0[self.place], &self.journal, &Body::NoAnswer(&no_answer.text), false)
            }
            Told::Done => {
                self.work = None;
                self.all_is_done()
            }
        }
    }

    fn one_is_done(&mut self, record: CheckRecord) -> Result<(), NoAnswer> {
        let was_clear = first_wrong(&self.records).is_none();
        let wrong = matches!(record.verdict, Word::Fail | Word::Broken);
        self.records.push(record);
        // The first that is wrong is shown at once; the others come with the end.
        if was_clear && wrong { self.show() } else { self.screen.step(self.records.len()) }
    }

    /// Writes down how far the labs are that were checked, and shows what came out.
    fn all_is_done(&mut self) -> Result<(), NoAnswer> {
        let all = self.everything.take();
        let records: Vec<&CheckRecord> = match &all {
            Some(all) => all.iter().filter_map(|(_, record)| record.as_ref()).collect(),
            None => self.records.iter().collect(),
        };
        let current = self.lab().name.clone();
        let names: Vec<String> = all.as_ref().map_or_else(|| vec![current.clone()], |all| all.iter().map(|(name, _)| name.clone()).collect());
        self.journal = Journal::change(&self.workspace.root, |journal| {
            journal.lab = Some(current);
            for name in names {
                let of = |word: Word| records.iter().filter(move |record| record.verdict == word);
                let checks = |word: Word| of(word).filter(|record| record.lab == name).map(|record| record.check.clone()).collect();
                let entry = journal.labs.entry(name.clone()).or_default();
                entry.passed = checks(Word::Pass);
                let wrong = records.iter().any(|record| record.lab == name && matches!(record.verdict, Word::Fail | Word::Broken));
                // Where nothing is wrong, what was skipped cannot be done on this system.
                entry.unsupported = if wrong { Default::default() } else { checks(Word::Skipped) };
            }
        })?;
        if let Some(all) = all {
            return self.screen.page(&screen::everything(&self.workspace.labs.0, &all, self.seed));
        }
        let shown = self.show();
        if self.journal.is_done(self.lab()) {
            // Other inputs the next time; while something is wrong they stay.
            self.seed = seed::choose(None).map_err(NoAnswer::bad_input)?;
        }
        shown
    }

    /// Shows where the lab stands.
    fn show(&mut self) -> Result<(), NoAnswer> {
        let labs = &self.workspace.labs.0;
        let lab = &labs[self.place];
        let under_way = self.work.is_some();
        let body = match (&self.diagnostics, first_wrong(&self.records)) {
            (Some(diagnostics), _) => Body::DoesNotCompile(diagnostics),
            (None, Some(record)) => {
                let hints = lab.manifest.check_named(&record.check).map_or(&[][..], |check| &check.hints);
                Body::Wrong(record, &hints[..self.journal.hints(&lab.name, &record.check).min(hints.len())])
            }
            (None, None) if under_way || self.records.is_empty() => Body::Nothing,
            (None, None) => Body::AllPass(&self.records, next_place(labs, &self.journal, self.place).map(|place| &labs[place])),
        };
        self.screen.show(lab, &self.journal, &body, under_way)
    }

    fn press(&mut self, key: u8) -> Result<(), NoAnswer> {
        if self.typed.is_some() {
            return self.type_number(key);
        }
        match key.to_ascii_lowercase() {
            b'h' => self.hint(),
            b'e' => {
                let page = first_wrong(&self.records).and_then(|record| record.finding.as_ref()?.page.as_deref());
                match page.and_then(|name| Page::named(name).ok()) {
                    Some(page) => self.screen.page(&explain::drawn(page, layout::width(self.screen.is_plain()))),
                    None => self.screen.note("there is no page on this; `cargo lab explain` lists those that there are"),
                }
            }
            b't' => self.timeline(),
            b'n' => match next_place(&self.workspace.labs.0, &self.journal, self.place) {
                Some(place) => self.go_to(place),
                None => self.screen.note("there is no other lab with something left to do"),
            },
            b'l' => {
                self.typed = Some(String::new());
                self.screen.choose(&self.workspace.labs.0, &self.journal, self.place)
            }
            b'c' => self.screen.page(&screen::checks(self.lab(), &self.records)),
            b'a' => {
                let all: Vec<usize> = (0..self.workspace.labs.0.len()).collect();
                let checks = self.workspace.labs.0.iter().map(|lab| lab.manifest.checks.len()).sum();
                self.begin(Task::Check(all, self.seed));
                self.everything = Some(Vec::new());
                self.screen.all_under_way(self.workspace.labs.0.len(), checks)
            }
            b'r' => self.check(),
            b'?' | b'\n' | b'\r' | b' ' | ESCAPE => self.show(),
            _ => self.screen.note("no such key; ? shows the keys"),
        }
    }

    /// The next step of the hints for what is wrong.
    fn hint(&mut self) -> Result<(), NoAnswer> {
        let Some(record) = first_wrong(&self.records) else { return self.screen.note("no check has failed, so that there is no hint to give") };
        let (lab, check) = (self.lab().name.clone(), record.check.clone());
        let steps = self.lab().manifest.check_named(&check).map_or(0, |check| check.hints.len());
        if self.journal.hints(&lab, &check) >= steps {
            return self.screen.note("that was the last hint");
        }
        self.journal = Journal::change(&self.workspace.root, |journal| {
            *journal.labs.entry(lab.clone()).or_default().hints.entry(check.clone()).or_default() += 1;
        })?;
        if self.screen.is_plain() {
            let step = self.journal.hints(&lab, &check);
            let hint = self.lab().manifest.check_named(&check).and_then(|entry| entry.hints.get(step - 1)).cloned().unwrap_or_default();
            return self.screen.hint(step, &hint);
        }
        self.show()
    }

    fn timeline(&mut self) -> Result<(), NoAnswer> {
        if self.work.is_some() {
            return self.screen.note("wait until the checks are done");
        }
        let first = || self.lab().manifest.checks.first().map(|check| check.name.clone());
        let Some(check) = first_wrong(&self.records).map(|record| record.check.clone()).or_else(first) else {
            return self.screen.note("this lab has no check");
        };
        let seed = self.records.first().map_or(self.seed, |record| record.seed);
        self.begin(Task::Timeline(self.place, check, seed, layout::width(false).unwrap_or(timeline::WIDTH)));
        self.screen.note("drawing a timeline")
    }

    /// A key while the list is shown.
    fn type_number(&mut self, key: u8) -> Result<(), NoAnswer> {
        let typed = self.typed.get_or_insert_default();
        match key {
            b'0'..=b'9' => typed.push(char::from(key)),
            key if ERASE.contains(&key) => drop(typed.pop()),
            b'\n' | b'\r' if !typed.is_empty() => {
                let name = std::mem::take(typed);
                let found = self.workspace.labs.get(&name).map(|lab| lab.folder.clone());
                return match found.map(|folder| self.workspace.labs.0.iter().position(|lab| lab.folder == folder)) {
                    Ok(Some(place)) => self.go_to(place),
                    _ => self.screen.note(&format!("there is no lab {name}")),
                };
            }
            _ => {
                self.typed = None;
                return self.show();
            }
        }
        let typed = typed.clone();
        self.screen.prompt(&typed)
    }

    fn go_to(&mut self, place: usize) -> Result<(), NoAnswer> {
        self.place = place;
        self.watched = watched(self.lab(), &self.sender);
        let name = self.lab().name.clone();
        self.journal = Journal::change(&self.workspace.root, |journal| journal.lab = Some(name))?;
        self.check()
    }
}

fn watched(lab: &LabFolder, sender: &Sender<Event>) -> Watched {
    let sender = sender.clone();
    Watched::new(&lab.path, move || drop(sender.send(Event::Stirred)))
}

/// The first check that failed or was broken.
fn first_wrong(records: &[CheckRecord]) -> Option<&CheckRecord> {
    records.iter().find(|record| matches!(record.verdict, Word::Fail | Word::Broken))
}

/// The next lab after `place` that is not done, from the beginning again where there is none further on.
fn next_place(labs: &[LabFolder], journal: &Journal, place: usize) -> Option<usize> {
    (place + 1..labs.len()).chain(0..place).find(|place| !journal.is_done(&labs[*place]))
}

/// Writes bytes that a terminal acts on.
fn control(sequence: &str) -> Result<(), NoAnswer> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(sequence.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| NoAnswer::broken(format!("failed to write to the terminal: {error}")))
}
