//! A lab as its checks see it: inputs drawn from the seed, and runs of its programs.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::check::{Programs, last_panic};
use crate::kernel::{descriptor, process};
use crate::manifest::Manifest;
use crate::random::Random;
use crate::run::Run;
use crate::sandbox::group::{Group, Place};
use crate::sandbox::{self, NotEntered, Tier};
use crate::session::Session;
use crate::timeline::Timeline;
use crate::verdict::{Passed, Unpassed, Verdict};

/// Seconds of real time after which a supervisor is given up: far beyond every limit that it keeps itself.
const GIVEN_UP: u64 = 100;
/// Most bytes of a report on its way from the supervisor: what a pipe holds.
const MOST_REPORT: usize = 60 << 10;

/// What a check function gets.
pub struct Lab {
    manifest: Manifest,
    programs: Programs,
    seed: u64,
    random: RefCell<Random>,
    tier: RefCell<String>,
    /// Why the system does not give namespaces, once it is known that it does not.
    refused: RefCell<Option<String>>,
    /// Where memory groups are made, or why none can be, once it is known.
    groups: RefCell<Option<Result<Place, String>>>,
    /// Where runs write their timelines, if they are to.
    timelines: Option<Timelines>,
    /// The folders whose files messages may show lines of.
    sources: Vec<PathBuf>,
}

impl Lab {
    /// The lab for one check; its inputs depend on the seed and on the check's name.
    #[must_use]
    pub fn new(manifest: Manifest, programs: Programs, seed: u64, check: &str) -> Self {
        let random = RefCell::new(Random::new(seed, check));
        Self {
            manifest,
            programs,
            seed,
            random,
            tier: RefCell::new("none".into()),
            refused: RefCell::new(sandbox::asked_for_none()),
            groups: RefCell::new(sandbox::asked_for_no_group().map(Err)),
            timelines: None,
            sources: Vec::new(),
        }
    }

    /// The same lab, whose runs write their timelines.
    #[must_use]
    pub fn with_timelines(mut self, timelines: Option<Timelines>) -> Self {
        self.timelines = timelines;
        self
    }

    /// The same lab, whose messages show lines of the files below these folders. Without it they name lines and show none: a program's debug information may name
    /// any file of the machine.
    #[must_use]
    pub fn with_sources(mut self, folders: Vec<PathBuf>) -> Self {
        self.sources = folders;
        self
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The weakest sandbox among the runs so far.
    #[must_use]
    pub fn tier(&self) -> String {
        self.tier.borrow().clone()
    }

    /// A number from the range.
    #[must_use]
    pub fn number(&self, range: Range<u64>) -> u64 {
        self.random.borrow_mut().below(range.end - range.start) + range.start
    }

    /// A word of lower-case letters.
    #[must_use]
    pub fn word(&self) -> String {
        let length = self.number(3..10);
        (0..length).map(|_| char::from(b'a' + self.number(0..26) as u8)).collect()
    }

    /// Words, as many as the range allows.
    #[must_use]
    pub fn words(&self, count: Range<u64>) -> Vec<String> {
        (0..self.number(count)).map(|_| self.word()).collect()
    }

    /// Bytes of every value.
    #[must_use]
    pub fn bytes(&self, length: usize) -> Vec<u8> {
        let mut random = self.random.borrow_mut();
        (0..length).map(|_| random.next() as u8).collect()
    }

    /// A seed for a schedule, drawn from the check's own.
    #[must_use]
    pub fn schedule_seed(&self) -> u64 {
        self.random.borrow_mut().next()
    }

    /// One run of one program, described and then judged.
    #[must_use]
    pub fn run(&self, program: &str) -> Run<'_> {
        Run::new(self, program)
    }

    /// A run that the check drives itself, step by step, in a process and a sandbox of its own.
    ///
    /// # Errors
    /// What `drive` returns; broken, if the supervisor dies, panics or gives no verdict; skipped, if the lab's programs need capabilities and the system
    /// gives no namespaces.
    pub fn session(&self, drive: impl FnOnce(&mut Session) -> Verdict) -> Verdict {
        let programs: Vec<_> = self
            .manifest
            .programs
            .iter()
            .map(|program| self.programs.executable(&program.name).map(|path| (program.name.clone(), path)))
            .collect::<Result<_, _>>()
            .map_err(Unpassed::Broken)?;
        loop {
            let refused = self.refused.borrow().clone();
            let group = self.group();
            let tier = match (&refused, &group) {
                (None, Some(_)) => Tier::Bounded,
                (None, None) => Tier::Namespaces,
                (Some(_), _) => Tier::Confined,
            };
            self.tier.replace(tier.to_string());
            if let Some(refused) = refused.as_ref().filter(|_| !self.manifest.capabilities.is_empty()) {
                return Err(Unpassed::Skipped(format!("its programs need capabilities, in namespaces of their own; {refused}")));
            }
            let (answer, write) = descriptor::pipe()?;
            let Some(supervisor) = process::fork()? else {
                let report = supervise(&programs, &self.manifest, refused, group, self.timelines.as_ref(), drive);
                let _ = descriptor::write(write.as_fd(), &in_bytes(report));
                process::exit_now(0);
            };
            drop(write);
            let given_up = wait_for_supervisor(supervisor);
            if tier == Tier::Confined {
                let _ = std::fs::remove_dir_all(sandbox::private_folder(supervisor));
            }
            let given_up = given_up?;
            let mut text = String::new();
            io::Read::read_to_string(&mut File::from(answer), &mut text)?;
            match serde_json::from_str(&text) {
                Ok(Report::Verdict(Err(Unpassed::Fail(mut finding)))) => {
                    finding.read_source(&self.sources);
                    return Err(Unpassed::Fail(finding));
                }
                Ok(Report::Verdict(verdict)) => return verdict.map(Passed),
                Ok(Report::Refused(reason)) => drop(self.refused.replace(Some(reason))),
                Ok(Report::Unbounded(reason)) => drop(self.groups.replace(Some(Err(reason)))),
                Err(_) if given_up => {
                    return Err(Unpassed::Broken(format!(
                        "the run was not over after {GIVEN_UP} seconds, and was given up: the machine has too much else to do"
                    )));
                }
                Err(_) => return Err(Unpassed::Broken("the supervisor of the run ended without a verdict".into())),
            };
        }
    }

    /// A memory group for a run; `None` where none can be made.
    fn group(&self) -> Option<Rc<Group>> {
        let mut groups = self.groups.borrow_mut();
        let place = groups.get_or_insert_with(|| Place::find().map_err(|reason| reason.to_string())).as_ref().ok()?;
        match Group::make(place, self.manifest.limits.memory_bytes()) {
            Ok(group) => Some(Rc::new(group)),
            Err(error) => {
                *groups = Some(Err(error.to_string()));
                None
            }
        }
    }
}

/// What a supervisor has to say.
#[derive(Serialize, Deserialize)]
enum Report {
    /// The check was done.
    Verdict(Result<(), Unpassed>),
    /// The system refuses namespaces: do it again without.
    Refused(String),
    /// The run's memory group cannot be used: do it again without.
    Unbounded(String),
}

/// A report as it goes through the pipe. One that is too long for that is cut.
fn in_bytes(mut report: Report) -> Vec<u8> {
    let bytes = |report: &Report| serde_json::to_vec(report).unwrap_or_default();
    let text = bytes(&report);
    if text.len() <= MOST_REPORT {
        return text;
    }
    if let Report::Verdict(Err(Unpassed::Fail(finding))) = &mut report {
        finding.shorten();
    }
    let text = bytes(&report);
    if text.len() <= MOST_REPORT { text } else { Vec::new() }
}

/// Where the timelines of a check's runs go, as JSON. The files are open before a run begins: its supervisor sees no others.
#[derive(Debug)]
pub enum Timelines {
    /// Those of all runs, each on a line.
    All(File),
    /// That of the last run that failed, at a length that can be looked at.
    OfFailure(File),
}

/// Lanes and steps of the timeline of a failed run.
const LOOKED_AT: (usize, usize) = (8, 120);

impl Timelines {
    fn write(&self, session: &Session, verdict: &Verdict) -> io::Result<()> {
        let line = |timeline: &Timeline| Ok::<_, io::Error>(serde_json::to_string(timeline)? + "\n");
        match self {
            Self::All(file) => io::Write::write_all(&mut &*file, line(&session.timeline())?.as_bytes()),
            Self::OfFailure(file) if matches!(verdict, Err(Unpassed::Fail(_))) => {
                let text = line(&session.timeline().folded().cut(LOOKED_AT.0, LOOKED_AT.1))?;
                file.set_len(0)?;
                FileExt::write_all_at(file, text.as_bytes(), 0)
            }
            Self::OfFailure(_) => Ok(()),
        }
    }
}

/// The supervisor's whole life: into the sandbox, the check, and everything taken down again.
fn supervise(
    programs: &[(String, PathBuf)],
    manifest: &Manifest,
    refused: Option<String>,
    group: Option<Rc<Group>>,
    timelines: Option<&Timelines>,
    drive: impl FnOnce(&mut Session) -> Verdict,
) -> Report {
    let mut session = match Session::enter(programs, manifest, refused, group) {
        Ok(session) => session,
        Err(NotEntered::Refused(refused)) => return Report::Refused(refused.to_string()),
        Err(NotEntered::Failed(error)) => return Report::Verdict(Err(error.into())),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| drive(&mut session)));
    let verdict = outcome.unwrap_or_else(|_| Err(Unpassed::Broken(last_panic().unwrap_or_else(|| "the check panicked".into()))));
    let verdict = verdict.map_err(|unpassed| match unpassed {
        Unpassed::Fail(mut finding) => {
            session.add_faults(&mut finding);
            session.name_page(&mut finding);
            Unpassed::Fail(finding)
        }
        other => other,
    });
    if let Some(reason) = session.unbounded.take() {
        return session.take_down().map_or_else(|error| Report::Verdict(Err(error.into())), |()| Report::Unbounded(reason));
    }
    if let Some(timelines) = timelines {
        // Whoever reads it finds a line missing.
        let _ = timelines.write(&session, &verdict);
    }
    let taken_down = session.take_down().map_err(Unpassed::from);
    Report::Verdict(taken_down.and(verdict.map(|Passed(())| ())))
}

/// Waits until the supervisor has ended; whether it had to be killed for that.
fn wait_for_supervisor(supervisor: process::Pid) -> io::Result<bool> {
    process::tick_every(1000)?;
    let until = process::ticks() + GIVEN_UP;
    let mut given_up = false;
    let result = loop {
        match process::wait(supervisor, true) {
            Ok(process::Waited::Change(..) | process::Waited::NoChild) => break Ok(given_up),
            Ok(_) if process::ticks() > until => {
                given_up = true;
                process::kill(supervisor, libc::SIGKILL)?;
            }
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    process::tick_every(0)?;
    result
}
