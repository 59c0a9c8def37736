//! `lab hint`: one of the three steps of help that a lab's author has written for each check.

use std::fmt::Write;

use super::layout::{self, BOLD, DIM};
use super::workspace::Workspace;
use super::{NoAnswer, print};
use crate::manifest::{LabFolder, did_you_mean};

/// Prints hint number `step` for `check` of `lab`.
pub fn perform(lab: &str, check: &str, step: u8) -> Result<(), NoAnswer> {
    let workspace = Workspace::here()?;
    let lab = workspace.labs.get(lab)?;
    print(drawn(lab, check, usize::from(step), layout::width(false))?, false)
}

fn drawn(lab: &LabFolder, check: &str, step: usize, width: Option<usize>) -> Result<String, NoAnswer> {
    let hints = &known(lab, check)?.hints;
    let hint = hints.get(step - 1).ok_or_else(|| NoAnswer::bad_input(format!("there are {} hints for {check}, not {step}", hints.len())))?;
    let mut out = format!("{BOLD}{} {check}, hint {step} of {}{BOLD:#}\n", lab.name, hints.len());
    layout::hang(&mut out, "", BOLD, 2, hint, width);
    if step < hints.len() {
        let _ = writeln!(out, "{DIM}Still stuck? cargo lab hint {} {check} --step {}{DIM:#}", lab.name, step + 1);
    }
    Ok(out)
}

/// The entry of `check` in the lab's manifest.
///
/// # Errors
/// An unknown check; the text names the nearest one.
pub fn known<'lab>(lab: &'lab LabFolder, check: &str) -> Result<&'lab crate::manifest::CheckEntry, NoAnswer> {
    lab.manifest.check_named(check).ok_or_else(|| {
        let names: Vec<&str> = lab.manifest.checks.iter().map(|check| &*check.name).collect();
        NoAnswer::bad_input(format!("there is no check `{check}` in the lab {}{}", lab.name, did_you_mean(check, &names)))
    })
}
