//! `lab init`: a workspace for somebody who learns alone; `lab solution`: the course's solution of a lab that passes.

use std::fmt::Write;
use std::path::Path;

use super::interrupt::Interrupt;
use super::layout::{BOLD, DIM, counted};
use super::progress::Progress;
use super::workspace::Workspace;
use super::{NoAnswer, Status, build, print, run};
use crate::check::seed;
use crate::student::{self, Audience, solutions};
use crate::verdict::Word;

/// Writes the workspace.
///
/// # Errors
/// A workspace that has no solutions to keep, or what [`student::write`] says.
pub fn init(folder: &Path) -> Result<(), NoAnswer> {
    let workspace = Workspace::here()?;
    let labs = &workspace.labs.0;
    if !workspace.root.join("grading").is_dir() {
        return Err(NoAnswer::bad_input(format!(
            "expected the course itself, a clone of its repository; {} is a student's workspace already. `cargo lab` goes on with it",
            workspace.root.display()
        )));
    }
    let repository = student::write(&workspace.root, labs, folder, Audience::Learner)?;
    if let Some(warning) = repository.warning() {
        eprintln!("warning: {}", crate::check::printable::escaped(&warning));
    }
    print(format!("{} in {}. Next: cd {} && cargo lab\n", counted(labs.len(), "lab"), folder.display(), folder.display()), true)
}

/// Prints the solution of a lab that passes.
///
/// # Errors
/// An unknown lab; a workspace without solutions; a lab that does not pass (status 1, with what is missing).
pub fn solution(name: &str) -> Result<Status, NoAnswer> {
    let workspace = Workspace::here()?;
    let lab = workspace.labs.get(name)?;
    let Some(sources) = solutions::read(&workspace.root, lab)? else {
        return Err(NoAnswer::bad_input(if workspace.root.join("grading").is_dir() {
            format!("this is the course itself: labs/{}/src is the solution", lab.folder)
        } else {
            "this workspace was handed out without solutions; ask your instructor".into()
        }));
    };
    let seed = seed::choose(None).map_err(NoAnswer::bad_input)?;
    let built = build::build(&workspace, &[lab], Progress::spinner("building", true))?;
    let executables = built.get(&lab.name).ok_or_else(|| not_yet(&lab.name, "it does not compile"))?;
    let names: Vec<&str> = lab.manifest.checks.iter().map(|check| &*check.name).collect();
    let progress = Progress::bar(names.len(), "checking", true);
    let records = run::run(lab, &names, executables, seed, None, &mut |_| progress.step(), &Interrupt::never());
    drop(progress);
    if let Some(record) = records.iter().find(|record| matches!(record.verdict, Word::Fail | Word::Broken)) {
        let ending = if record.verdict == Word::Fail { "fails" } else { "was broken" };
        return Err(not_yet(&lab.name, &format!("{} {ending}", record.check)));
    }
    let mut out = String::new();
    for (path, text) in sources {
        let _ = writeln!(out, "{BOLD}labs/{}/{}{BOLD:#}\n\n{}", lab.folder, path.display(), text.trim_end());
        out.push('\n');
    }
    let _ = writeln!(out, "{DIM}This is one right answer; yours passes the same checks.{DIM:#}");
    print(out, false)?;
    Ok(Status::AllPassed)
}

fn not_yet(lab: &str, reason: &str) -> NoAnswer {
    NoAnswer {
        status: Status::Failed,
        text: format!("the solution is shown once {lab} passes all its checks; {reason}. `cargo lab check {lab}` says more"),
    }
}
