//! What a shell and man(1) want to know of the command: completions and manual pages, made from its own description.
//!
//! The names of labs are completed too, where the command is used in a workspace.

use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::workspace::Workspace;
use super::{Arguments, NoAnswer, print};
use crate::finding::pages::PAGES;

/// The command as it is called without cargo.
const NAME: &str = "lab";

/// Prints the completions for a shell.
pub fn completions(shell: Shell) -> Result<(), NoAnswer> {
    let labs = Workspace::here().map(|workspace| workspace.labs.0.iter().map(|lab| lab.name.clone()).collect()).unwrap_or_default();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut with_names(labs), NAME, &mut script);
    print(String::from_utf8_lossy(&script), true)
}

/// The command with these labs, and the pages on findings, as the values that there are.
fn with_names(labs: Vec<String>) -> Command {
    let pages = PAGES.map(|page| page.name.to_owned()).to_vec();
    let with = |command: Command, name: &str, values: &[String]| {
        // One argument changed by its name would come last.
        command
            .mut_args(|argument| if argument.get_id() == name { argument.value_parser(PossibleValuesParser::new(values.to_vec())) } else { argument })
    };
    let mut command = Arguments::command().bin_name(NAME).mut_subcommand("explain", |task| with(task, "finding", &pages));
    if !labs.is_empty() {
        for task in ["check", "hint", "solution", "timeline"] {
            command = command.mut_subcommand(task, |task| with(task, "lab", &labs));
        }
    }
    command
}

/// Writes the manual pages into a folder, which is made if need be.
///
/// # Errors
/// The folder cannot be made or written in.
pub fn manual(folder: &Path) -> Result<(), NoAnswer> {
    let failed = |error: std::io::Error| NoAnswer::bad_input(format!("failed to write manual pages to {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Arguments::command(), folder).map_err(failed)?;
    print(format!("man -l {}\n", folder.join("lab.1").display()), true)
}
