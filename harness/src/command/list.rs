//! `lab list`: the labs of the workspace.

use std::fmt::Write;

use serde_json::json;

use super::layout::{BOLD, DIM};
use super::workspace::Workspace;
use super::{NoAnswer, print};
use crate::check::printable::escaped;
use crate::manifest::LabFolder;

/// Prints the table of labs, or the same as JSON.
pub fn perform(long: bool, json: bool) -> Result<(), NoAnswer> {
    let workspace = Workspace::here()?;
    let labs = &workspace.labs.0;
    if json {
        print(format!("{:#}\n", json!({ "labs": labs.iter().map(described).collect::<Vec<_>>() })), true)
    } else {
        print(table(labs, long), false)
    }
}

fn described(lab: &LabFolder) -> serde_json::Value {
    let manifest = &lab.manifest;
    json!({
        "number": number(lab),
        "name": lab.name,
        "folder": lab.folder,
        "title": manifest.title,
        "summary": manifest.summary,
        "level": manifest.level,
        "calls": manifest.calls,
        "points": manifest.points(),
        "programs": manifest.programs.iter().map(|program| json!({
            "name": program.name, "source": program.source, "usage": program.usage,
        })).collect::<Vec<_>>(),
        "checks": manifest.checks.iter().map(|check| json!({
            "name": check.name, "points": check.points, "after": check.after,
        })).collect::<Vec<_>>(),
    })
}

/// The number that the folder's name begins with, as it is written there.
fn number(lab: &LabFolder) -> &str {
    lab.folder.strip_suffix(&lab.name).map_or("", |number| number.trim_end_matches('-'))
}

fn table(labs: &[LabFolder], long: bool) -> String {
    let widest = |of: fn(&LabFolder) -> &str, heading: &str| labs.iter().map(|lab| of(lab).chars().count()).chain([heading.len()]).max().unwrap_or(0);
    let (names, titles) = (widest(|lab| &lab.name, "name"), widest(|lab| &lab.manifest.title, "title"));
    let mut out = format!("{BOLD}no  {:names$}  {:titles$}  level  checks  points{BOLD:#}\n", "name", "title");
    for lab in labs {
        let manifest = &lab.manifest;
        let title = escaped(&manifest.title);
        let row = (number(lab), &lab.name, manifest.level, manifest.checks.len(), manifest.points());
        let _ = writeln!(out, "{:2}  {:names$}  {title:titles$}  {:>5}  {:>6}  {:>6}", row.0, row.1, row.2, row.3, row.4);
        if long {
            let _ = writeln!(out, "      {}", escaped(&manifest.summary));
            for program in &manifest.programs {
                let _ = writeln!(out, "      {}  {DIM}labs/{}/{}{DIM:#}", escaped(&program.usage), lab.folder, program.source.display());
            }
        }
    }
    out
}
