//! A lab made for a test: one program of `tests/programs`, under a name that no other process on the machine has, and a look at what is left of its runs.
#![allow(dead_code, reason = "each test executable needs a part of it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use harness::check::Programs;
use harness::check::programs::Places;
use harness::finding::Finding;
use harness::lab::Lab;
use harness::manifest::{Capability, Limits, Manifest};
use harness::sandbox::group::Place;
use harness::session::Session;
use harness::verdict::{Unpassed, Verdict};

use super::{compiled, folder};

/// The lab, with the only program that it has.
pub struct Subject {
    /// The program's name, also in messages.
    pub name: String,
    folder: PathBuf,
    limits: Limits,
    capabilities: Vec<Capability>,
    before: Surroundings,
}

impl Subject {
    /// The program compiled from `tests/programs/PROGRAM.c`.
    pub fn new(program: &str) -> Self {
        Self::of(&compiled::c_program(program), program)
    }

    /// A program that was compiled already.
    pub fn of(executable: &Path, program: &str) -> Self {
        let name = format!("{program}{}", std::process::id());
        let folder = folder::empty(&format!("labs/{name}"));
        fs::copy(executable, folder.join(&name)).unwrap_or_else(|error| panic!("{}: {error}", executable.display()));
        Self { before: Surroundings::of(&name), name, folder, limits: Limits::default(), capabilities: Vec::new() }
    }

    /// With other limits.
    pub fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// With capabilities.
    pub fn capable(mut self, capabilities: &[Capability]) -> Self {
        self.capabilities = capabilities.to_vec();
        self
    }

    /// A lab with this program.
    pub fn lab(&self) -> Lab {
        let text = format!(
            "title = \"t\"\nsummary = \"s\"\nlevel = 1\ncalls = []\ncheck = []\n[[program]]\nname = \"{0}\"\nsource = \"{0}.c\"\nusage = \"u\"\n",
            self.name
        );
        let mut manifest = Manifest::parse(&text, Path::new("lab.toml")).unwrap_or_else(|error| panic!("{error}"));
        manifest.limits = self.limits;
        manifest.capabilities.clone_from(&self.capabilities);
        Lab::new(manifest, Programs::new(Places::folder(&self.folder), "test"), 1, "test")
            .with_sources(vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")])
    }

    /// The program's file.
    pub fn executable(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Does a session.
    pub fn session(&self, drive: impl FnOnce(&mut Session, &str) -> Verdict) -> Verdict {
        self.lab().session(|session| drive(session, &self.name))
    }

    /// Fails unless everything outside is as it was before this subject: no process, child, mount, IPC object or folder of a run is left.
    pub fn assert_nothing_is_left(&self) {
        assert_eq!(Surroundings::of(&self.name), self.before);
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // What is left there costs space in cargo's folder, and nothing else.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a run could leave behind on the machine.
#[derive(Debug, PartialEq, Eq)]
struct Surroundings {
    /// Processes of the program, and those that came from this one: their command lines are told by names that are only theirs.
    processes: Vec<String>,
    mounts: String,
    /// Shared memory and queues with this subject's name.
    objects: BTreeSet<String>,
    /// Folders of runs without namespaces, and memory groups.
    folders: BTreeSet<PathBuf>,
}

impl Surroundings {
    fn of(name: &str) -> Self {
        let this = fs::read("/proc/self/cmdline").unwrap_or_default();
        let mut processes = Vec::new();
        for entry in entries(Path::new("/proc")) {
            let Some(pid) = entry.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()) else { continue };
            let line = fs::read(entry.join("cmdline")).unwrap_or_default();
            let text = String::from_utf8_lossy(&line).replace('\0', " ");
            let is_fork_of_this = line == this && pid != std::process::id();
            if is_fork_of_this || text.contains(name) {
                processes.push(text);
            }
        }
        let objects = ["/dev/shm", "/dev/mqueue"].iter().flat_map(|folder| entries(Path::new(folder)));
        let objects = objects
            .map(|path| path.to_string_lossy().into_owned())
            .filter(|path| path.contains(name))
            .chain(system_v(name))
            .chain(posix_queue(name))
            .collect();
        let is_of_run = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lab-run-"));
        let is_our_group = |path: &PathBuf| path.to_string_lossy().contains(&format!("/lab-run-{}-", std::process::id()));
        let groups = Place::look().map(|place| entries(place.folder())).unwrap_or_default();
        let folders = entries(&std::env::temp_dir()).into_iter().filter(is_of_run).chain(groups.into_iter().filter(is_our_group)).collect();
        Self { processes, mounts: fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(), objects, folders }
    }
}

/// The System V objects with this subject's key.
fn system_v(name: &str) -> Vec<String> {
    let key = key(name).to_string();
    let rows = ["shm", "sem", "msg"].into_iter().flat_map(|table| {
        let text = fs::read_to_string(Path::new("/proc/sysvipc").join(table)).unwrap_or_default();
        text.lines().map(|line| format!("{table} {line}")).collect::<Vec<_>>()
    });
    rows.filter(|row| row.split_whitespace().nth(1) == Some(&key)).collect()
}

/// The POSIX queue with this subject's name: not every system lists them.
fn posix_queue(name: &str) -> Option<String> {
    let path = std::ffi::CString::new(format!("/{name}")).ok()?;
    // SAFETY: the name ends with a NUL byte.
    let queue = unsafe { libc::mq_open(path.as_ptr(), libc::O_RDONLY) };
    if queue == -1 {
        return None;
    }
    // SAFETY: the call before made the descriptor, and nothing else uses it.
    unsafe { libc::mq_close(queue) };
    Some(format!("queue /{name}"))
}

/// A System V key that only this subject uses.
pub fn key(name: &str) -> u32 {
    name.bytes().fold(0x1ab, |key: u32, byte| key.wrapping_mul(31).wrapping_add(u32::from(byte))) & 0x7fff_ffff
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The finding of a verdict that has to be `fail`.
#[track_caller]
pub fn finding(verdict: Verdict) -> Finding {
    match verdict {
        Err(Unpassed::Fail(finding)) => *finding,
        other => panic!("expected fail, observed {other:?}"),
    }
}

/// Fails unless the verdict is `pass`.
#[track_caller]
pub fn assert_passes(verdict: Verdict) {
    assert!(verdict.is_ok(), "expected pass, observed {verdict:?}");
}
