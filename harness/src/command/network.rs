//! `lab network`: a network of several hosts, drawn, or built to walk around in.

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use super::layout::counted;
use super::{NetworkTask, NoAnswer, print};
use crate::manifest::did_you_mean;
use crate::network::walk::{self, NoWalk};
use crate::network::{BadTopology, Plan, Role, Topology, picture, text};

impl From<BadTopology> for NoAnswer {
    fn from(error: BadTopology) -> Self {
        Self::bad_input(error.to_string())
    }
}

/// Does what is asked for.
///
/// # Errors
/// A description that cannot be used, an unknown host, a system that refuses, a command that cannot be started.
pub fn perform(task: &NetworkTask) -> Result<ExitCode, NoAnswer> {
    match task {
        NetworkTask::Show { file, output } => show(file, output.as_deref()),
        NetworkTask::Up { file, host, command } => up(file, host.as_deref(), command),
        NetworkTask::On { host, command } => on(host, command),
    }
}

fn show(file: &Path, output: Option<&Path>) -> Result<ExitCode, NoAnswer> {
    let plan = Plan::new(&Topology::load(file)?);
    match output {
        None => print(text::draw(&plan), false)?,
        Some(path) => {
            let text = match path.extension().and_then(|extension| extension.to_str()) {
                Some("svg") => picture::svg(&plan),
                Some("html") => picture::html(&plan),
                _ => return Err(NoAnswer::bad_input(format!("{}: expected a name that ends in .svg or .html", path.display()))),
            };
            std::fs::write(path, text).map_err(|error| NoAnswer::bad_input(format!("{}: {error}", path.display())))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn up(file: &Path, host: Option<&str>, command: &[String]) -> Result<ExitCode, NoAnswer> {
    let topology = Topology::load(file)?;
    let names: Vec<&str> = topology.nodes.iter().map(|node| &*node.name).collect();
    // Hosts come first, and a description has one node at least.
    let host = host.unwrap_or(names[0]).to_owned();
    if topology.node(&host).is_none() {
        return Err(NoAnswer::bad_input(format!("there is no host or router `{host}`{}", did_you_mean(&host, &names))));
    }
    let hosts = topology.nodes.iter().filter(|node| node.role == Role::Host).count();
    let all = format!("{} and {}", counted(hosts, "host"), counted(topology.nodes.len() - hosts, "router"));
    let other = topology.nodes.iter().rev().find(|node| node.name != host && node.role == Role::Host).map_or(&*host, |node| &node.name).to_owned();
    let shell = command.is_empty();
    let own_shell = || vec![std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into())];
    let command = if shell { own_shell() } else { command.to_vec() };
    let greeting = format!("{all} are up. This shell is on {host}; `on {other} COMMAND` runs a command there; `exit` takes all down.");
    let greet = || {
        if shell && std::io::stdin().is_terminal() {
            eprintln!("{greeting}");
        }
    };
    match walk::walk(topology, &host, &command, greet) {
        Ok(status) => Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))),
        Err(NoWalk::Failed(error)) => Err(NoAnswer::broken(NoWalk::Failed(error).to_string())),
        Err(no_walk) => Err(NoAnswer::bad_input(no_walk.to_string())),
    }
}

fn on(host: &str, command: &[String]) -> Result<ExitCode, NoAnswer> {
    walk::enter(host).map_err(NoAnswer::bad_input)?;
    let error = Command::new(&command[0]).args(&command[1..]).exec();
    Err(NoAnswer::bad_input(format!("failed to start {}: {error}", command[0])))
}
