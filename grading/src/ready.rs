//! A lab made ready: its check executable and libraries are built, and sources can be compiled and checked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::manifest::LabFolder;
use harness::record::CheckRecord;
use harness::verdict::Word;
use tempfile::TempDir;

use crate::artifacts::{self, Artifacts};
use crate::compile::{Built, Compiler, Place};
use crate::failure::Failure;
use crate::sources::{self, Source};
use crate::supervise::{self, Limits};

/// Seconds for one check: the check executable gives up on one after 120 itself, so that this is reached only if it is stuck too.
const SECONDS_PER_CHECK: u64 = 130;

/// A lab that can compile and check.
#[derive(Debug)]
pub struct ReadyLab<'a> {
    /// The lab.
    pub lab: &'a LabFolder,
    compiler: &'a Compiler,
    artifacts: Artifacts,
}

/// The programs of one set of sources; the folder goes when this does.
#[derive(Debug)]
pub struct Programs {
    folder: TempDir,
    timelines: Option<PathBuf>,
}

/// How building a set of sources ended.
#[derive(Debug)]
pub enum Outcome {
    /// All programs are there.
    Programs(Programs),
    /// One was not built.
    Stopped(Built),
}

impl<'a> ReadyLab<'a> {
    /// Has cargo build what the lab needs. `root` is the course's folder.
    ///
    /// # Errors
    /// The lab does not build.
    pub fn prepare(root: &Path, lab: &'a LabFolder, compiler: &'a Compiler) -> Result<Self, Failure> {
        Ok(Self { lab, compiler, artifacts: artifacts::build(root, lab)? })
    }

    /// Compiles every program. `below` is a folder for temporary ones.
    ///
    /// # Errors
    /// The machine does not do its part; errors in the sources are in the outcome.
    pub fn build(&self, sources: &[Source], below: &Path) -> Result<Outcome, Failure> {
        let folder =
            tempfile::Builder::new().prefix("programs-").tempdir_in(below).map_err(|error| Failure::machine("make a folder in", below, &error))?;
        let at = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).map_err(|error| Failure::machine("make", &path, &error))?;
            Ok(path)
        };
        // In the sandbox the programs may be started as another user: the folder can be passed through, by those who know its name, but not listed.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).map_err(|error| Failure::machine("open", folder.path(), &error))?;
        let (source_folder, programs, scratch) = (at("sources")?, at("bin")?, at("scratch")?);
        sources::lay_out(sources, &source_folder)?;
        let place = Place { lab_folder: &self.lab.folder, sources: &source_folder, programs: &programs, scratch: &scratch };
        for source in sources {
            match self.compiler.build(source, &self.artifacts.libraries, &place)? {
                Built::Program => {}
                stopped => return Ok(Outcome::Stopped(stopped)),
            }
        }
        Ok(Outcome::Programs(Programs { folder, timelines: None }))
    }

    /// Runs the named checks (none: all of them) on the programs; the records, in the lab's order.
    ///
    /// # Errors
    /// The check executable did not do its work; the text says how.
    pub fn check(&self, programs: &Programs, seed: u64, names: &[&str]) -> Result<Vec<CheckRecord>, String> {
        let expected: Vec<&str> =
            self.lab.manifest.checks.iter().map(|check| &*check.name).filter(|name| names.is_empty() || names.contains(name)).collect();
        let mut command = self.check_executable();
        command.arg("--lab-run").args(names).args(["--seed", &seed.to_string(), "--jobs", "1", "--programs"]).arg(programs.path());
        if let Some(folder) = programs.timelines() {
            command.arg("--timelines").arg(folder);
        }
        let limits = Limits {
            wall: Duration::from_secs(SECONDS_PER_CHECK * (self.lab.manifest.checks.len() as u64 + 1)),
            cpu_seconds: None,
            memory_bytes: None,
            core_bytes: Some(0),
            file_bytes: None,
        };
        let ended =
            supervise::run(&mut command, &limits, programs.folder.path()).map_err(|error| format!("the check executable cannot be run: {error}"))?;
        if ended.over_time || !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            return Err(format!("the check executable ended with {}: {}", ended.status, said.trim_end()));
        }
        let text = String::from_utf8_lossy(&ended.stdout);
        let records: Vec<CheckRecord> = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("the check executable printed something other than records: {error}"))?;
        let got: Vec<&str> = records.iter().map(|record| &*record.check).collect();
        if got != expected {
            return Err(format!("expected records of {}; the check executable printed those of {}", expected.join(", "), got.join(", ")));
        }
        Ok(records)
    }

    /// Runs the named checks (none: all of them), and those that were broken a second time, with those that were skipped because of them.
    ///
    /// # Errors
    /// As [`Self::check`], if it happens twice.
    pub fn check_with_one_retry(&self, programs: &Programs, seed: u64, names: &[&str]) -> Result<Vec<CheckRecord>, String> {
        let mut records = match self.check(programs, seed, names) {
            Ok(records) => records,
            Err(_) => return self.check(programs, seed, names),
        };
        // A check may have been skipped because of a broken one at some remove (`… was skipped`): all but those after a failure are done again.
        let may_change = |record: &&CheckRecord| match record.verdict {
            Word::Pass | Word::Fail => false,
            Word::Broken => true,
            Word::Skipped => !self.skip_is_explained(record, false),
        };
        let again: Vec<String> = records.iter().filter(may_change).map(|record| record.check.clone()).collect();
        if records.iter().any(|record| record.verdict == Word::Broken) {
            for second in self.check(programs, seed, &again.iter().map(|name| &**name).collect::<Vec<_>>())? {
                if let Some(first) = records.iter_mut().find(|record| record.check == second.check) {
                    *first = second;
                }
            }
        }
        Ok(records)
    }

    /// Whether a skipped check was skipped for the submission's own failure: a prerequisite failed. With `or_skipped`, also if one was skipped itself.
    #[must_use]
    pub fn skip_is_explained(&self, record: &CheckRecord, or_skipped: bool) -> bool {
        let reason = record.reason.as_deref().unwrap_or_default();
        let after = self.lab.manifest.check_named(&record.check).map(|check| &*check.after).unwrap_or_default();
        after.iter().any(|name| reason == format!("{name} failed") || (or_skipped && reason == format!("{name} was skipped")))
    }

    /// The names that the check executable lists, in its order.
    ///
    /// # Errors
    /// The check executable did not do its work; the text says how.
    pub fn listed_checks(&self, scratch: &Path) -> Result<Vec<String>, String> {
        let limits = Limits { wall: Duration::from_secs(60), cpu_seconds: None, memory_bytes: None, core_bytes: Some(0), file_bytes: None };
        let ended =
            supervise::run(self.check_executable().args(["--list", "--format", "terse"]), &limits, scratch).map_err(|error| error.to_string())?;
        if !ended.status.success() {
            return Err(format!("`--list` ended with {}: {}", ended.status, String::from_utf8_lossy(&ended.stderr).trim_end()));
        }
        let text = String::from_utf8_lossy(&ended.stdout);
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }

    fn check_executable(&self) -> Command {
        let mut command = Command::new(&self.artifacts.checks);
        // The seed and the programs are given on the command line, and nothing may come in from elsewhere.
        command
            .env_remove("LAB_SEED")
            .env_remove("LAB_SCHEDULE")
            .env_remove("LAB_PROGRAMS")
            .env(harness::check::SOURCES_VARIABLE, "/nonexistent")
            .current_dir(&self.lab.path);
        command
    }
}

impl Programs {
    /// The same programs; checks that they fail leave the timeline of that run in a folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn with_timelines(mut self) -> Result<Self, Failure> {
        let path = self.folder.path().join("timelines");
        // What one run did is not for the next one to read.
        let made = fs::create_dir(&path).and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o700)));
        made.map_err(|error| Failure::machine("make", &path, &error))?;
        self.timelines = Some(path);
        Ok(self)
    }

    /// The folder of timelines, if they are wanted: a file for each failed check, by its name.
    #[must_use]
    pub fn timelines(&self) -> Option<&Path> {
        self.timelines.as_deref()
    }

    /// The folder that holds the executables by their programs' names.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("bin")
    }
}
