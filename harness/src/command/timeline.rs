//! `lab timeline`: one run of a check, drawn.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};

use super::build::{self, Executables};
use super::hint::known;
use super::progress::Progress;
use super::workspace::Workspace;
use super::{NoAnswer, TimelineArguments, layout, print};
use crate::check::seed;
use crate::manifest::LabFolder;
use crate::record::CheckRecord;
use crate::timeline::{Timeline, picture, text};

/// The width of a drawing that does not go to a terminal, in characters.
pub const WIDTH: usize = 110;

/// Does what `arguments` ask for.
///
/// # Errors
/// An unknown lab or check, a lab that does not compile, a run that the check does not have, a file that cannot be written.
pub fn perform(arguments: &TimelineArguments) -> Result<(), NoAnswer> {
    let workspace = Workspace::here()?;
    let lab = workspace.labs.get(&arguments.lab)?;
    let check = match &arguments.check {
        Some(check) => &*known(lab, check)?.name,
        None => {
            lab.manifest.checks.first().map(|check| &*check.name).ok_or_else(|| NoAnswer::bad_input(format!("the lab {} has no check", lab.name)))?
        }
    };
    let seed = seed::choose(arguments.seed).map_err(NoAnswer::bad_input)?;
    let built = build::build(&workspace, &[lab], Progress::spinner("building", true))?;
    let executables = built.get(&lab.name).ok_or_else(|| NoAnswer::bad_input(format!("the lab {} does not compile", lab.name)))?;
    let (title, timeline) = one_run(lab, check, executables, seed, arguments.run.map(NonZeroUsize::get), arguments.all)?;
    match &arguments.output {
        Some(path) => write_picture(path, &timeline, &title),
        None => print(format!("{title}\n\n{}", text::draw(&timeline, layout::width(false).unwrap_or(WIDTH))), false),
    }
}

/// The last run of a check, drawn in so many columns.
///
/// # Errors
/// The check came to no run, or its executable cannot do its work.
pub fn last_run(lab: &LabFolder, check: &str, executables: &Executables, seed: u64, width: usize) -> Result<String, NoAnswer> {
    let (title, timeline) = one_run(lab, check, executables, seed, None, false)?;
    Ok(format!("{title}\n\n{}", text::draw(&timeline, width)))
}

/// A run of a check by its number, from 1, or its last, with a title.
fn one_run(
    lab: &LabFolder,
    check: &str,
    executables: &Executables,
    seed: u64,
    number: Option<usize>,
    all: bool,
) -> Result<(String, Timeline), NoAnswer> {
    let (record, timelines) = recorded(lab, check, executables, seed)?;
    let number = number.unwrap_or(timelines.len());
    let timeline = number.checked_sub(1).and_then(|place| timelines.get(place)).ok_or_else(|| match timelines.len() {
        0 => NoAnswer::bad_input(format!("{check} came to no run: {}", record.reason.clone().unwrap_or_default())),
        runs => NoAnswer::bad_input(format!("{check} has {runs} run{}; there is no run {number}", if runs == 1 { "" } else { "s" })),
    })?;
    let title = format!("{} {check}: {} (run {number} of {}, seed {seed})", lab.name, record.verdict.as_str(), timelines.len());
    Ok((title, if all { timeline.clone() } else { timeline.folded() }))
}

fn write_picture(path: &Path, timeline: &Timeline, title: &str) -> Result<(), NoAnswer> {
    let text = match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => picture::svg(timeline, title),
        Some("html") => picture::html(timeline, title),
        _ => return Err(NoAnswer::bad_input(format!("{}: expected a name that ends in .svg or .html", path.display()))),
    };
    std::fs::write(path, text).map_err(|error| NoAnswer::bad_input(format!("{}: {error}", path.display())))
}

/// Does the check, whatever it comes after, and returns its record and the timelines of its runs.
fn recorded(lab: &LabFolder, check: &str, executables: &Executables, seed: u64) -> Result<(CheckRecord, Vec<Timeline>), NoAnswer> {
    let file = executables.checks.with_extension(format!("timelines-{}", std::process::id()));
    let mut command = Command::new(&executables.checks);
    command.args(["--lab-check", check, "--seed", &seed.to_string(), "--timelines"]).arg(&file);
    let output = command.args(executables.options()).current_dir(&lab.path).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let lines = std::fs::read_to_string(&file);
    let _ = std::fs::remove_file(&file);
    let broken = |what: &str, error: &dyn std::fmt::Display| NoAnswer::broken(format!("{what}: {error}"));
    let output = output.map_err(|error| broken("failed to start the check executable", &error))?;
    let record = serde_json::from_slice(&output.stdout).map_err(|error| broken("the check executable printed no record", &error))?;
    let lines = lines.map_err(|error| broken("the check executable wrote no timelines", &error))?;
    let timelines: Result<Vec<Timeline>, _> = lines.lines().map(serde_json::from_str).collect();
    Ok((record, timelines.map_err(|error| broken("the check executable wrote something that is not a timeline", &error))?))
}
