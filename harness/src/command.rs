//! The student's command, `cargo lab`.
//!
//! Theory of operation: the command knows labs only as folders ([`workspace`], [`crate::manifest`]) and checks only as what a lab's check executable prints.
//! `lab check` lets cargo build those executables ([`build`]), runs them ([`run`]), and draws their records ([`report`]) or prints them as JSON
//! ([`json`]). Standard output has the answer and nothing else; progress ([`progress`]) and cargo's messages go to standard error. Without a subcommand the
//! same is done again whenever a file is saved ([`watch`]), and what the student has reached is kept ([`journal`]).
//!
//! A subcommand is one variant of [`Task`] and one module.

mod build;
mod check;
mod doctor;
mod explain;
mod given;
mod hint;
mod init;
mod interrupt;
mod journal;
mod json;
mod layout;
mod list;
mod network;
mod progress;
mod report;
mod run;
mod shell;
mod tier;
mod timeline;
mod trace;
mod watch;
mod workspace;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use clap::{Parser, Subcommand};

use crate::check::printable::escaped;
use crate::failure::Failure;
use crate::manifest::BadManifest;

/// Runs and explains the labs of this workspace. Alone it watches them: whenever a file is saved, the lab is checked again.
#[derive(Debug, Parser)]
#[command(name = "lab", bin_name = "cargo lab", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    /// Watch without colours, and without clearing or redrawing anything
    #[arg(long)]
    plain: bool,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// List the labs
    List {
        /// Show each program's usage and each lab's summary
        #[arg(long)]
        long: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Build labs, run their checks and explain what is wrong
    ///
    /// Exit status: 0 all passed, 1 a check failed or a lab does not compile, 2 wrong usage or bad input, 3 broken: no verdict, and not the program's fault.
    Check(CheckArguments),
    /// Give a hint for a check, one step at a time
    Hint {
        /// The lab: its name, number or folder
        lab: String,
        /// The check
        check: String,
        /// Which of the three steps: a question, an idea, a section of the man page
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
        step: u8,
    },
    /// Explain a kind of finding: what happened, why the kernel does that, an example and its mend
    ///
    /// A finding that is of a known kind names its page. Without a name the pages are listed.
    Explain {
        /// The page, as the finding names it
        finding: Option<String>,
    },
    /// Draw a run of a check: a lane for each process, its calls in order, and what led to what
    ///
    /// A check that fails ends with the run that shows it; that one is drawn unless another is asked for.
    Timeline(TimelineArguments),
    /// Write a workspace for somebody who learns alone: starters, the harness, and the solutions for later
    Init {
        /// The folder to write; new or empty
        dir: PathBuf,
    },
    /// Show the course's solution of a lab, once the lab passes
    ///
    /// Exit status 1: the lab does not pass yet.
    Solution {
        /// The lab: its name, number or folder
        lab: String,
    },
    /// Print completions for a shell
    ///
    /// They are for the command `lab`: after alias lab='cargo lab', bash takes them with source <(cargo lab completions bash).
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages of this command and its subcommands
    Man {
        /// The folder for them
        dir: PathBuf,
    },
    /// Examine any program, in any language: deadlocks, dead children, leaked descriptors, objects left behind, failures that go unseen
    ///
    /// It runs where it stands, with its standard input, and with --faults and --schedules many times. Exit status: 0 nothing found, 1 findings, 2 wrong usage or
    /// bad input, 3 it could not be followed.
    Doctor(DoctorArguments),
    /// Show the system calls of any program, one line each, as the harness sees them
    ///
    /// The exit status is the program's, 128 + S if signal S killed it.
    Trace(TraceArguments),
    /// Draw a network of several hosts, or build it and walk around in it
    #[command(subcommand)]
    Network(NetworkTask),
}

/// What `lab network` is asked for. FILE describes a network: see docs/src/network.md.
#[derive(Debug, Subcommand)]
enum NetworkTask {
    /// Draw the network
    Show {
        /// The description
        file: PathBuf,
        /// Write a picture to this file instead, by its ending: .svg or .html
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Build the network, run a shell or a command on one of its hosts, and take it down
    ///
    /// Hosts are known by their names. `on HOST COMMAND` runs a command on another one. The exit status is the command's, 128 + S if signal S killed it.
    Up {
        /// The description
        file: PathBuf,
        /// The host or router to be on; the first host if left out
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
        /// The command and its arguments; a shell if left out
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Run a command on another host: inside `lab network up` only, where it is also called `on`
    On {
        /// The host or router
        host: String,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
}

/// What `lab doctor` is asked for.
#[derive(Debug, clap::Args)]
struct DoctorArguments {
    /// Try every permitted fault at every call, one at a time: interruptions, short transfers, failures
    #[arg(long)]
    faults: bool,
    /// Try so many forced schedules: data races, deadlocks, sleeps that order things
    #[arg(long, value_name = "N", default_value_t = 0)]
    schedules: u64,
    /// The first schedule
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Seconds for one run, after which it is ended
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Calls of one run that are looked at
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    calls: usize,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "PROGRAM")]
    command: Vec<String>,
}

/// What `lab trace` is asked for.
#[derive(Debug, clap::Args)]
struct TraceArguments {
    /// Show every call; without this, those that checks look at
    #[arg(long)]
    all: bool,
    /// Show these calls, by the kernel's names
    #[arg(long, value_name = "CALL,…", value_delimiter = ',', conflicts_with = "all")]
    calls: Vec<String>,
    /// Write the calls to this file instead of standard error
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "PROGRAM")]
    command: Vec<String>,
}

/// What `lab timeline` is asked for.
#[derive(Debug, clap::Args)]
struct TimelineArguments {
    /// The lab: its name, number or folder
    lab: String,
    /// The check; the lab's first if left out
    check: Option<String>,
    /// Draw inputs from this seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Which run of the check, from 1; the last if left out
    #[arg(long, value_name = "N")]
    run: Option<NonZeroUsize>,
    /// Write a picture to this file instead, by its ending: .svg or .html
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show every step, also those that repeat
    #[arg(long)]
    all: bool,
}

/// What `lab check` is asked for.
#[derive(Debug, clap::Args)]
struct CheckArguments {
    /// The lab: its name, number or folder; all labs if left out
    lab: Option<String>,
    /// The check; all of the lab's checks if left out
    check: Option<String>,
    /// Draw inputs from this seed, so that a run can be done again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Run so many checks of a lab at a time
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Check this executable instead of the lab's own program, in whatever language it is written; NAME= may be left out where the lab has one program
    #[arg(long, value_name = "[NAME=]FILE", requires = "lab")]
    program: Vec<std::ffi::OsString>,
    /// No colours, no progress, no line breaking
    #[arg(long)]
    plain: bool,
}

/// How the command ends; the discriminant is the exit code. The greatest of several is the one of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    AllPassed = 0,
    Failed = 1,
    BadInput = 2,
    Broken = 3,
}

/// Why the command has no answer.
#[derive(Debug, PartialEq, Eq)]
struct NoAnswer {
    status: Status,
    text: String,
}

impl NoAnswer {
    fn bad_input(text: impl Into<String>) -> Self {
        Self { status: Status::BadInput, text: text.into() }
    }

    fn broken(text: impl Into<String>) -> Self {
        Self { status: Status::Broken, text: text.into() }
    }
}

impl From<BadManifest> for NoAnswer {
    fn from(error: BadManifest) -> Self {
        Self::bad_input(error.to_string())
    }
}

impl From<Failure> for NoAnswer {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::BadInput(text) => Self::bad_input(text),
            Failure::Broken(text) => Self::broken(text),
        }
    }
}

/// The `main` of the command `lab`.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Task::Trace(arguments)) = &arguments.task {
        return trace::perform(arguments).unwrap_or_else(|error| {
            eprintln!("error: {}", escaped(&error));
            ExitCode::from(Status::BadInput as u8)
        });
    }
    let told = |no_answer: NoAnswer| {
        eprintln!("error: {}", escaped(&no_answer.text));
        no_answer.status
    };
    if let Some(Task::Network(task)) = &arguments.task {
        return network::perform(task).unwrap_or_else(|no_answer| ExitCode::from(told(no_answer) as u8));
    }
    ExitCode::from(perform(arguments).unwrap_or_else(told) as u8)
}

fn perform(arguments: Arguments) -> Result<Status, NoAnswer> {
    match arguments.task {
        None => watch::perform(arguments.plain)?,
        Some(Task::List { long, json }) => list::perform(long, json)?,
        Some(Task::Explain { finding }) => explain::perform(finding.as_deref())?,
        Some(Task::Hint { lab, check, step }) => hint::perform(&lab, &check, step)?,
        Some(Task::Timeline(arguments)) => timeline::perform(&arguments)?,
        Some(Task::Init { dir }) => init::init(&dir)?,
        Some(Task::Solution { lab }) => return init::solution(&lab),
        Some(Task::Completions { shell }) => shell::completions(shell)?,
        Some(Task::Man { dir }) => shell::manual(&dir)?,
        Some(Task::Check(arguments)) => return check::perform(&arguments),
        Some(Task::Doctor(arguments)) => return doctor::perform(&arguments),
        Some(Task::Trace(_) | Task::Network(_)) => {} // They have another program's exit code, and `main` has done them.
    }
    Ok(Status::AllPassed)
}

/// Prints `text` on standard output; its styles are left out where they are not wanted. A reader that has gone away, as `head` does, is no error.
fn print(text: impl fmt::Display, plain: bool) -> Result<(), NoAnswer> {
    use std::io::Write;
    let choice = if plain { ColorChoice::Never } else { AutoStream::choice(&std::io::stdout()) };
    let mut stdout = AutoStream::new(std::io::stdout().lock(), choice);
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(NoAnswer::broken(format!("failed to write to standard output: {error}"))),
        _ => Ok(()),
    }
}
