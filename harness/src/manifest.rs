//! `lab.toml`: what a lab's author says about a lab, read and checked once for everyone who needs it.
//!
//! Theory of operation: a lab is found by its folder. [`LabFolder::load`] reads `lab.toml`, [`Labs::find`] reads those of all folders below `labs/`
//! in the order of their numbers. Every error names the file, and where there is one the line and the key.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The name of the file that makes a folder a lab.
pub const FILE_NAME: &str = "lab.toml";

/// What `lab.toml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The lab's title, as in its handout.
    pub title: String,
    /// One sentence on what the lab is about.
    pub summary: String,
    /// From 1 (first steps) to 4.
    pub level: u8,
    /// The calls that the lab teaches.
    pub calls: Vec<String>,
    /// The programs that a student writes.
    #[serde(rename = "program")]
    pub programs: Vec<Program>,
    /// The checks, in the lab's order.
    #[serde(rename = "check")]
    pub checks: Vec<CheckEntry>,
    /// What a run may use; absent keys have the harness's defaults.
    #[serde(default)]
    pub limits: Limits,
    /// What the programs may do beyond an ordinary user, in the run's own namespaces.
    #[serde(default)]
    pub capabilities: Vec<Capability>,
}

/// A capability that a lab's programs keep in the sandbox. It holds for the run's own namespaces only; capabilities(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Ports below 1024.
    NetBindService,
    /// Interfaces, addresses and routes.
    NetAdmin,
    /// Packet sockets and raw sockets.
    NetRaw,
}

impl Capability {
    /// The kernel's number for it.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::NetBindService => 10,
            Self::NetAdmin => 12,
            Self::NetRaw => 13,
        }
    }
}

/// One program of a lab.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The name of the executable.
    pub name: String,
    /// The source file, relative to the lab's folder; it is what a student hands in.
    pub source: PathBuf,
    /// The usage line.
    pub usage: String,
}

/// When a student may see a check, its verdict and its message. The words are Gradescope's, from the most open to the least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Always.
    #[default]
    Visible,
    /// When the time to hand in is over.
    AfterDueDate,
    /// When the marks are released.
    AfterPublished,
    /// Never.
    Hidden,
}

impl Visibility {
    /// Whether the student may always see it.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        *self == Self::Visible
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Visible => "visible",
            Self::AfterDueDate => "after_due_date",
            Self::AfterPublished => "after_published",
            Self::Hidden => "hidden",
        }
    }
}

/// One check as `lab.toml` describes it; the function of the same name in `checks.rs` does it, or in `checks/hidden.rs` if it is hidden.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckEntry {
    /// The name, which is also the function's.
    pub name: String,
    /// Points for a pass.
    pub points: u32,
    /// Checks that must have passed for this one to be run.
    #[serde(default)]
    pub after: Vec<String>,
    /// Three steps of help: a question, an idea, a section of the man page.
    pub hints: Vec<String>,
    /// Whether students are not given it: neither its function nor anything that is said of it here.
    #[serde(default)]
    pub hidden: bool,
    /// When a student may see what came of it, where that is said.
    #[serde(default, rename = "visibility")]
    said: Option<Visibility>,
}

impl CheckEntry {
    /// When a student may see what came of it: always, and never if it is hidden, unless it says otherwise.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        self.said.unwrap_or(if self.hidden { Visibility::Hidden } else { Visibility::Visible })
    }
}

/// Limits of one run.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// CPU seconds of one process.
    pub cpu_seconds: u64,
    /// Seconds on the wall clock for one run: the last resort, for programs that neither wait, nor spin, nor end.
    pub wall_seconds: u64,
    /// Traced calls in one run.
    pub calls: usize,
    /// Processes and threads at one time.
    pub processes: u64,
    /// MiB of memory that all processes of a run have together, of whatever kind, where the sandbox's tier is A; in every tier a process has less than that as
    /// its data, and the run as shared memory.
    pub memory_mib: u64,
    /// Bytes kept of each program's standard output and standard error.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cpu_seconds: 5, wall_seconds: 20, calls: 500_000, processes: 64, memory_mib: 1024, output_bytes: 8 << 20 }
    }
}

/// The least `memory_mib`: what a process needs for itself, several times.
const LEAST_MEMORY_MIB: u64 = 128;

impl Limits {
    /// [`Limits::memory_mib`] in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory_mib.clamp(LEAST_MEMORY_MIB, u64::MAX >> 20) << 20
    }
}

/// A lab: its folder and what its manifest says.
#[derive(Debug, Clone)]
pub struct LabFolder {
    /// The folder's path.
    pub path: PathBuf,
    /// The folder's name, for instance `02-pipe`.
    pub folder: String,
    /// The folder's name without its number, for instance `pipe`: the package's name.
    pub name: String,
    /// The manifest.
    pub manifest: Manifest,
}

/// A manifest or a folder of labs that cannot be used; the text names the file, the line and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadManifest(pub String);

impl fmt::Display for BadManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadManifest {}

impl Manifest {
    /// Reads and checks a manifest. `origin` is the path that errors name.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown or missing key, a wrong type, and entries that contradict each other.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, BadManifest> {
        let manifest: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            BadManifest(format!("{}:{line}: {}", origin.display(), error.message()))
        })?;
        manifest.check(text, origin)?;
        Ok(manifest)
    }

    fn check(&self, text: &str, origin: &Path) -> Result<(), BadManifest> {
        let at = |needle: &str, reason: String| {
            let line = text.lines().position(|line| line.contains(needle)).map_or(1, |line| line + 1);
            Err(BadManifest(format!("{}:{line}: {reason}", origin.display())))
        };
        if self.programs.is_empty() {
            return at("", "a lab needs at least one [[program]]".into());
        }
        if self.limits.memory_mib < LEAST_MEMORY_MIB {
            return at("memory_mib", format!("memory_mib = {} is too little: at least {LEAST_MEMORY_MIB}", self.limits.memory_mib));
        }
        for program in &self.programs {
            let path = &program.source;
            if path.is_absolute() || path.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
                return at(&path.to_string_lossy(), format!("source `{}` must be a path inside the lab's folder", path.display()));
            }
        }
        let mut earlier: HashMap<&str, &CheckEntry> = HashMap::new();
        for check in &self.checks {
            if !check.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') || check.name.is_empty() {
                return at(&check.name, format!("check name `{}` must be of the form [a-z0-9_]+", check.name));
            }
            for prerequisite in &check.after {
                let Some(before) = earlier.get(prerequisite.as_str()) else {
                    return at(prerequisite, format!("check `{}` comes after `{prerequisite}`, which is not an earlier check", check.name));
                };
                // Else its absence, or the reason why it was skipped, would tell of the other.
                if before.hidden && !check.hidden {
                    return at(&check.name, format!("check `{}` is handed out and comes after `{prerequisite}`, which is hidden", check.name));
                }
                if before.visibility() > check.visibility() {
                    let (sooner, later) = (check.visibility().as_str(), before.visibility().as_str());
                    return at(
                        &check.name,
                        format!("check `{}` ({sooner}) is shown sooner than `{prerequisite}` ({later}), which it comes after", check.name),
                    );
                }
            }
            if check.hints.len() != 3 {
                return at(&check.name, format!("check `{}` has {} hints; three are expected", check.name, check.hints.len()));
            }
            if earlier.insert(check.name.as_str(), check).is_some() {
                return at(&check.name, format!("check `{}` is there twice", check.name));
            }
        }
        Ok(())
    }

    /// The sum of all checks' points.
    #[must_use]
    pub fn points(&self) -> u32 {
        self.checks.iter().map(|check| check.points).sum()
    }

    /// The checks that students are given.
    pub fn handed_out(&self) -> impl Iterator<Item = &CheckEntry> {
        self.checks.iter().filter(|check| !check.hidden)
    }

    /// The entry of the check of this name.
    #[must_use]
    pub fn check_named(&self, name: &str) -> Option<&CheckEntry> {
        self.checks.iter().find(|check| check.name == name)
    }
}

impl LabFolder {
    /// Reads the lab in `path`.
    ///
    /// # Errors
    /// A folder without a readable, correct `lab.toml`.
    pub fn load(path: &Path) -> Result<Self, BadManifest> {
        let file = path.join(FILE_NAME);
        let text = fs::read_to_string(&file).map_err(|error| BadManifest(format!("{}: {error}", file.display())))?;
        let folder = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = folder.split_once('-').filter(|(number, _)| number.bytes().all(|b| b.is_ascii_digit())).map_or(&*folder, |(_, name)| name);
        Ok(Self { path: path.to_path_buf(), name: name.to_owned(), manifest: Manifest::parse(&text, &file)?, folder })
    }
}

/// All labs of a workspace, in the order of their folders' names.
#[derive(Debug, Clone)]
pub struct Labs(pub Vec<LabFolder>);

impl Labs {
    /// Reads every lab below `root/labs`.
    ///
    /// # Errors
    /// No folder `labs`, or a lab whose manifest cannot be used.
    pub fn find(root: &Path) -> Result<Self, BadManifest> {
        let folder = root.join("labs");
        let bad = |error: std::io::Error| BadManifest(format!("{}: {error}", folder.display()));
        let mut paths = Vec::new();
        for entry in fs::read_dir(&folder).map_err(bad)? {
            let path = entry.map_err(bad)?.path();
            if path.join(FILE_NAME).exists() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(Self(paths.iter().map(|path| LabFolder::load(path)).collect::<Result<_, _>>()?))
    }

    /// The lab called `name`: its folder (`02-pipe`), its package (`pipe`) or its number (`2`, `02`).
    ///
    /// # Errors
    /// An unknown lab; the text names the nearest one.
    pub fn get(&self, name: &str) -> Result<&LabFolder, BadManifest> {
        let name = name.trim_end_matches('/').trim_start_matches("labs/");
        let number = name.parse::<u32>().ok();
        let is = |lab: &&LabFolder| {
            lab.folder == name || lab.name == name || (number.is_some() && lab.folder.split('-').next().and_then(|n| n.parse().ok()) == number)
        };
        self.0.iter().find(is).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|lab| &*lab.name).collect();
            BadManifest(format!("there is no lab `{name}`{}", did_you_mean(name, &names)))
        })
    }
}

/// The end of a message about an unknown name: the nearest of `names`, or all of them.
#[must_use]
pub fn did_you_mean(wrong: &str, names: &[&str]) -> String {
    let nearest = names.iter().map(|name| (distance(wrong, name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= name.len().max(wrong.len()) / 2 => format!("; did you mean `{name}`?"),
        _ => format!("; there are: {}", names.join(", ")),
    }
}

/// The Levenshtein distance of two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
