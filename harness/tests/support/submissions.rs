//! The programs that `scheduled.txt` names: a lab's solution and its accepted submissions, compiled as grading does, by rustc against the libraries that a lab may use.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::{deadline, folder};

/// One program, and how it is called.
pub struct Submission {
    /// The lab's folder and the source's name.
    pub name: String,
    /// Its source: in Rust, or in C.
    source: PathBuf,
    pub arguments: Vec<String>,
}

/// All of them; without `accepted` the solutions alone.
pub fn listed(accepted: bool) -> Vec<Submission> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for line in include_str!("../scheduled.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split("; ").map(str::to_owned);
        let lab = words.next().unwrap_or_default();
        let arguments: Vec<String> = words.collect();
        let folder = root.join("../labs").join(&lab);
        let mut sources = vec![folder.join("src/main.rs")];
        if accepted {
            let entries = std::fs::read_dir(folder.join("submissions/accepted")).unwrap_or_else(|error| panic!("{lab}: {error}"));
            let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            files.sort();
            sources.extend(files);
        }
        found.extend(sources.into_iter().map(|source| {
            let name = format!("{lab}/{}", source.file_name().unwrap_or_default().to_string_lossy());
            Submission { name, source, arguments: arguments.clone() }
        }));
    }
    found
}

impl Submission {
    /// Its executable, made anew only where the source is newer.
    pub fn compiled(&self) -> PathBuf {
        let programs = folder::of_executable().join("submissions");
        std::fs::create_dir_all(&programs).unwrap_or_else(|error| panic!("{}: {error}", programs.display()));
        let executable = programs.join(self.name.replace(['/', '.'], "_"));
        let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
        if changed(&executable).is_some_and(|made| changed(&self.source).is_some_and(|written| made > written)) {
            return executable;
        }
        let mut command = if self.source.extension().is_some_and(|extension| extension == "c") {
            let mut command = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
            command.args(["-std=gnu17", "-g", "-O1", "-pthread"]);
            command
        } else {
            let mut command = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()));
            command.args(["--edition", "2024", "-C", "debuginfo=line-tables-only", "--crate-name", "submission"]);
            for library in ["libc", "memoffset"] {
                let file = library_of(library).unwrap_or_else(|| panic!("{library} was compiled with the tests"));
                command.arg("--extern").arg(format!("{library}={}", file.display()));
            }
            command.arg("-L").arg(format!("dependency={}", dependencies().display()));
            command
        };
        let output = deadline::output_within(60, command.arg("-o").arg(&executable).arg(&self.source));
        assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        executable
    }
}

/// Where cargo puts what the tests are linked with.
fn dependencies() -> PathBuf {
    let executable = std::env::current_exe().unwrap_or_else(|error| panic!("the test's executable: {error}"));
    executable.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The library of this name that was compiled last.
fn library_of(name: &str) -> Option<PathBuf> {
    let begins = format!("lib{name}-");
    let files = std::fs::read_dir(dependencies()).into_iter().flatten().flatten().map(|entry| entry.path());
    let of_name = |path: &PathBuf| {
        path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&begins) && file.to_string_lossy().ends_with(".rlib"))
    };
    files.filter(of_name).max_by_key(|path| path.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH))
}
