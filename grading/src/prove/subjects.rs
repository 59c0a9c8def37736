//! What is proved in a lab: the starter, the solution, and the submissions that its author keeps.

use std::fs;
use std::path::{Path, PathBuf};

use harness::manifest::LabFolder;

use crate::prove::report::{LabReport, Problem};
use crate::sources::{self, Source};
use crate::starter::starter;

/// How many accepted submissions a lab has at least.
const ACCEPTED: usize = 3;
/// How many rejected submissions a lab has at least.
const REJECTED: usize = 6;

/// What a subject is, and so what is demanded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Fails at least one check.
    Starter,
    /// Passes every check.
    Solution,
    /// Passes every check.
    Accepted,
    /// Fails this check, and none before it.
    Rejected {
        /// The check that it is named for.
        check: String,
    },
}

/// One set of sources to be proved.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What it is.
    pub kind: Kind,
    /// Where it is, relative to the lab's folder.
    pub place: String,
    /// Its sources.
    pub sources: Vec<Source>,
}

/// All subjects of a lab; what is missing or misnamed becomes a problem.
pub fn find(lab: &LabFolder, report: &mut LabReport) -> Vec<Subject> {
    let solution = match sources::solution(lab) {
        Ok(solution) => solution,
        Err(failure) => {
            report.problem(Problem::promise(
                "lab.toml",
                "the source of every [[program]]",
                failure.to_string(),
                "write the source, or mend its path",
            ));
            return Vec::new();
        }
    };
    let mut subjects = Vec::new();
    match starter_sources(lab, &solution) {
        Ok(sources) => subjects.push(Subject { kind: Kind::Starter, place: "the starter".into(), sources }),
        Err(reason) => report.problem(Problem::promise("markers", "markers that are balanced", reason, "mend the marker in that line")),
    }
    subjects.push(Subject { kind: Kind::Solution, place: "the solution".into(), sources: solution.clone() });

    let accepted = entries(&lab.path.join("submissions/accepted"));
    let mut rejected = 0;
    for path in &accepted {
        subjects.extend(submission(lab, Kind::Accepted, path, &solution, report));
    }
    for folder in entries(&lab.path.join("submissions/rejected")) {
        let check = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if lab.manifest.check_named(&check).is_none() {
            let names: Vec<&str> = lab.manifest.checks.iter().map(|check| &*check.name).collect();
            let observed = format!("`{check}` is no check of this lab{}", harness::manifest::did_you_mean(&check, &names));
            report.problem(Problem::promise(within(lab, &folder), "a folder named after a check", observed, "rename the folder, or take it out"));
            continue;
        }
        for path in entries(&folder) {
            rejected += 1;
            subjects.extend(submission(lab, Kind::Rejected { check: check.clone() }, &path, &solution, report));
        }
    }
    demand(report, "submissions/accepted", ACCEPTED, accepted.len());
    demand(report, "submissions/rejected", REJECTED, rejected);
    for check in &lab.manifest.checks {
        if entries(&lab.path.join("submissions/rejected").join(&check.name)).is_empty() {
            let place = format!("submissions/rejected/{}", check.name);
            let next = "write the classic mistake that this check catches";
            report.problem(Problem::promise(place, "at least one rejected submission for every check", "none", next));
        }
    }
    subjects
}

fn demand(report: &mut LabReport, place: &str, at_least: usize, found: usize) {
    if found < at_least {
        let (expected, observed) = (format!("at least {at_least} submissions"), found.to_string());
        report.problem(Problem::promise(place, expected, observed, format!("write {} more", at_least - found)));
    }
}

fn starter_sources(lab: &LabFolder, solution: &[Source]) -> Result<Vec<Source>, String> {
    let made = |source: &Source| {
        let path = Path::new("labs").join(&lab.folder).join(&source.path);
        let text = std::str::from_utf8(&source.text).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = starter(text, &path).map_err(|bad| bad.to_string())?.into_bytes();
        Ok(Source { text, ..source.clone() })
    };
    solution.iter().map(made).collect()
}

/// A submission: the solution with one or several programs replaced.
fn submission(lab: &LabFolder, kind: Kind, path: &Path, solution: &[Source], report: &mut LabReport) -> Option<Subject> {
    let place = within(lab, path);
    let mut sources = solution.to_vec();
    let files = if path.is_dir() { entries(path) } else { vec![path.to_path_buf()] };
    let mut wrong = |expected: &str, observed: String, next: &str| {
        report.problem(Problem::promise(&*place, expected, observed, next));
        None
    };
    if files.is_empty() {
        return wrong(
            "a file PROGRAM.rs for each program that differs from the solution",
            "an empty folder".into(),
            "write one, or take the folder out",
        );
    }
    for file in files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let named = if path.is_dir() { sources.iter_mut().find(|source| source.program == stem) } else { sources.first_mut() };
        let is_c = file.extension().is_some_and(|extension| extension == "c");
        let is_source = is_c || file.extension().is_some_and(|extension| extension == "rs");
        let Some(source) = named.filter(|_| is_source && (path.is_dir() || solution.len() == 1)) else {
            let programs: Vec<String> = solution.iter().map(|source| format!("{0}.rs or {0}.c", source.program)).collect();
            let expected = if solution.len() == 1 {
                "a file NAME.rs or NAME.c, or a folder with the program's file".to_owned()
            } else {
                format!("a folder with files from: {}", programs.join(", "))
            };
            return wrong(&expected, within(lab, &file), "rename it, or take it out");
        };
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) => return wrong("a file that can be read", error.to_string(), "mend it"),
        };
        let comment = if is_c { "/*" } else { "//!" };
        if !text.starts_with(comment.as_bytes()) {
            let observed = format!("{} begins with something else", within(lab, &file));
            // The submission is proved all the same: a missing comment changes no verdict.
            wrong(&format!("a `{comment}` comment at the top that says what is different"), observed, "write it");
        }
        let name = if is_c { source.path.with_extension("c") } else { source.path.clone() };
        *source = Source { text, path: name, ..source.clone() };
    }
    Some(Subject { kind, place, sources })
}

/// The entries of a folder, sorted, hidden ones left out; none if there is no such folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect()).unwrap_or_default();
    paths.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    paths.sort();
    paths
}

fn within(lab: &LabFolder, path: &Path) -> String {
    path.strip_prefix(&lab.path).unwrap_or(path).display().to_string()
}
