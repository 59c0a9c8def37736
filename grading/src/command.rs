//! The command line of `grade`: what it takes, what it prints at the end, how it exits.
//!
//! Exit codes: 0 all is well, 1 a lab does not keep what it promises, 2 usage or bad input, 3 broken (the fault is not the input's).
//! `grade run` exits 0 when every submission has its record, whatever the marks.

mod export;
mod intake;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{Args, Parser, Subcommand};

use harness::student::{self, Audience};

use crate::escape::shown;
use crate::failure::Failure;
use crate::prove::messages;
use crate::prove::report::LabReport;
use crate::run::again::Again;
use crate::run::shard::Shard;
use crate::run::{Batch, merge, store};
use crate::{mutants, parallel, prove, run, workspace};

/// Proves the labs, hands them out, and grades what comes back.
#[derive(Debug, Parser)]
#[command(
    name = "grade",
    bin_name = "cargo grade",
    version,
    after_help = "Exit codes: 0 all is well; 1 a lab does not keep what it promises; 2 usage or bad input; 3 broken."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Holds labs to what they promise: starter, solution, accepted and rejected submissions
    Prove(ProveArguments),
    /// Makes single mistakes in the labs' solutions mechanically, and lists those that no check sees
    Mutants {
        /// The labs, by folder, package or number [default: all]
        labs: Vec<String>,
        /// The seed that inputs are drawn from
        #[arg(long, default_value = "1")]
        seed: u64,
        /// How many are checked at a time [default: two for each processor]
        #[arg(long, value_parser = at_least_one)]
        jobs: Option<usize>,
    },
    /// Writes the student's workspace: starters, harness and docs; no solutions, no submissions
    Handout {
        /// The folder to write; new or empty
        dir: PathBuf,
    },
    /// Takes in a download of Gradescope, Canvas or Moodle, or a folder of archives, for `grade run`
    Intake(intake::IntakeArguments),
    /// Grades `SUBMISSIONS/<student>/<lab folder>/src/…`, an intake or a download; started again, goes on where it stopped
    Run(Box<RunArguments>),
    /// Joins the shards of a batch, and verifies that there is exactly one record for each submission
    Merge(MergeArguments),
    /// Writes pages to read: one for the class, and one for each student
    Report(report::ReportArguments),
    /// Writes records in the forms that other programs read
    Export(Box<export::ExportArguments>),
}

#[derive(Debug, Args)]
struct ProveArguments {
    /// The labs, by folder, package or number [default: all]
    labs: Vec<String>,
    /// The seed that inputs are drawn from [default: drawn from the clock, and printed]
    #[arg(long)]
    seed: Option<u64>,
    /// How many submissions are checked at a time [default: two for each processor]
    #[arg(long, value_parser = at_least_one)]
    jobs: Option<usize>,
    /// Check everything so many times, and demand the same verdicts
    #[arg(long, default_value = "1", value_parser = at_least_one)]
    repeat: usize,
    /// A check that cannot be done here is a problem
    #[arg(long)]
    no_skips: bool,
    /// Compare the messages of rejected submissions, under seed 1, with those recorded
    #[arg(long, conflicts_with_all = ["seed", "bless"])]
    messages: bool,
    /// Record the messages of rejected submissions, under seed 1
    #[arg(long, conflicts_with = "seed")]
    bless: bool,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RunArguments {
    /// The folder that holds one folder or archive for each student, or a download
    submissions: PathBuf,
    /// The folder for records/ and grades.csv
    #[arg(long)]
    out: PathBuf,
    /// A lab to grade, by folder, package or number; may be repeated [default: all that somebody handed in]
    #[arg(long = "lab")]
    labs: Vec<String>,
    /// How many submissions are graded at a time [default: one for each processor]
    #[arg(long, value_parser = at_least_one)]
    jobs: Option<usize>,
    /// The seed that inputs are drawn from [default: the one kept in the output folder, else drawn from the clock]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    tables: intake::TableArguments,
    /// What late submissions cost, as TOML [default: the policy kept in the output folder, else nothing]
    #[arg(long)]
    late: Option<PathBuf>,
    /// Do only this part of the batch, for instance 3/8; its records go to OUT/shards, and `grade merge` joins them
    #[arg(long, value_parser = Shard::parse)]
    shard: Option<Shard>,
    /// Grade nothing yet: take in what is packed, draw the seed, build the checks; then start the shards
    #[arg(long, conflicts_with = "shard")]
    prepare: bool,
    /// Grade again although nothing has changed: all, student=NAME, lab=LAB or check=LAB/CHECK; may be repeated
    #[arg(long, value_parser = Again::parse)]
    again: Vec<Again>,
}

#[derive(Debug, Args)]
struct MergeArguments {
    /// What all shards were given: the folder of submissions, an intake or a download
    submissions: PathBuf,
    /// The folder for records/ and grades.csv
    #[arg(long)]
    out: PathBuf,
    /// The folder of a shard; may be repeated [default: those in OUT/shards]
    #[arg(long = "from")]
    from: Vec<PathBuf>,
    /// A lab that was graded, by folder, package or number; may be repeated [default: all that somebody handed in]
    #[arg(long = "lab")]
    labs: Vec<String>,
    #[command(flatten)]
    tables: intake::TableArguments,
    /// What late submissions cost, as TOML [default: the policy kept in the output folder, else nothing]
    #[arg(long)]
    late: Option<PathBuf>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "expected a number, at least 1".to_owned())
}

/// Does what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Prove(arguments) => prove_labs(arguments),
        Command::Mutants { labs, seed, jobs } => judge_mutants(&labs, seed, jobs),
        Command::Handout { dir } => hand_out(&dir),
        Command::Intake(arguments) => root().and_then(|root| intake::take(&root, arguments)),
        Command::Report(arguments) => report::report(&arguments),
        Command::Run(arguments) => run_batch(*arguments),
        Command::Merge(arguments) => merge_shards(arguments),
        Command::Export(arguments) => export::export(&arguments),
    };
    let code = done.unwrap_or_else(|failure| {
        let label = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        anstream::eprintln!("{label}error{label:#}: {}", shown(&failure.to_string()));
        failure.exit_code()
    });
    ExitCode::from(code)
}

fn root() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::BadInput(format!("the current folder cannot be found: {error}")))?;
    workspace::root(&here)
}

fn prove_labs(arguments: ProveArguments) -> Result<u8, Failure> {
    let request = prove::Request {
        labs: arguments.labs,
        seed: if arguments.bless || arguments.messages { messages::SEED } else { arguments.seed.unwrap_or_else(store::drawn) },
        jobs: arguments.jobs.unwrap_or_else(parallel::jobs_that_wait),
        repeat: arguments.repeat,
        no_skips: arguments.no_skips,
        messages: match (arguments.messages, arguments.bless) {
            (true, _) => prove::Messages::Compared,
            (_, true) => prove::Messages::Recorded,
            _ => prove::Messages::Passed,
        },
    };
    let root = root()?;
    if !arguments.json {
        anstream::println!("seed {}", request.seed);
    }
    let proof = prove::prove(&root, &request, |report| {
        if !arguments.json {
            print_report(report);
        }
    })?;
    if arguments.json {
        let text = serde_json::to_string_pretty(&proof).map_err(|error| Failure::Broken(format!("write the proof: {error}")))?;
        anstream::println!("{text}");
    } else {
        let proved = proof.labs.iter().filter(|lab| lab.problems.is_empty()).count();
        anstream::println!("{proved} of {} labs proved", proof.labs.len());
    }
    Ok(proof.exit_code())
}

fn print_report(report: &LabReport) {
    let color = if report.problems.is_empty() { AnsiColor::Green } else { AnsiColor::Red };
    let style = Style::new().bold().fg_color(Some(color.into()));
    let text = report.text();
    let (heading, rest) = text.split_once('\n').unwrap_or((&text, ""));
    anstream::println!("\n{style}{heading}{style:#}\n{}", rest.trim_end());
}

fn judge_mutants(labs: &[String], seed: u64, jobs: Option<usize>) -> Result<u8, Failure> {
    let tell = |report: &mutants::LabReport| anstream::println!("\n{}", report.text().trim_end());
    let reports = mutants::judge(&root()?, labs, seed, jobs.unwrap_or_else(parallel::jobs_that_wait), tell)?;
    let (all, failed, unexplained) = reports
        .iter()
        .map(mutants::LabReport::figures)
        .fold((0, 0, 0), |sum, (all, failed, unexplained)| (sum.0 + all, sum.1 + failed, sum.2 + unexplained.len()));
    anstream::println!("{failed} of {all} mistakes fail a check; {unexplained} survive unexplained");
    Ok(u8::from(unexplained > 0))
}

fn hand_out(dir: &std::path::Path) -> Result<u8, Failure> {
    let root = root()?;
    let labs = workspace::labs(&root, &[])?;
    let repository = student::write(&root, &labs, dir, Audience::Class)?;
    if let Some(warning) = repository.warning() {
        let label = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
        anstream::eprintln!("{label}warning{label:#}: {}", shown(&warning));
    }
    anstream::println!("{} labs handed out in {}; try there: cargo lab", labs.len(), dir.display());
    Ok(0)
}

fn run_batch(arguments: RunArguments) -> Result<u8, Failure> {
    let request = run::Request {
        submissions: arguments.submissions,
        out: arguments.out,
        labs: arguments.labs,
        seed: arguments.seed,
        jobs: arguments.jobs.unwrap_or_else(parallel::default_jobs),
        roster: arguments.tables.roster,
        times: arguments.tables.times,
        layout: arguments.tables.layout,
        late: arguments.late,
        shard: arguments.shard,
        again: arguments.again,
        prepare: arguments.prepare,
    };
    let Batch { seed, graded, kept, warnings, attention, changes } = run::run(&root()?, &request)?;
    let result = request.shard.map_or_else(|| request.out.join("grades.csv"), |shard| shard.folder(&request.out));
    anstream::println!("{graded} graded, {kept} kept from before, seed {seed}: {}", result.display());
    if !warnings.is_empty() {
        anstream::println!("{} warnings, see above", warnings.len());
    }
    if !changes.is_empty() {
        anstream::println!("Grading the same submissions again has changed:");
        changes.iter().for_each(|line| anstream::println!("  {}", shown(line)));
    }
    Ok(tell_attention(&attention, "Start again to grade them again"))
}

fn tell_attention(attention: &[String], next: &str) -> u8 {
    if attention.is_empty() {
        return 0;
    }
    anstream::println!("These need attention: what could not be observed is counted as 0 points. {next}:");
    attention.iter().for_each(|line| anstream::println!("  {}", shown(line)));
    3
}

fn merge_shards(arguments: MergeArguments) -> Result<u8, Failure> {
    let request = run::Request {
        submissions: arguments.submissions,
        out: arguments.out,
        labs: arguments.labs,
        seed: None,
        jobs: 1,
        roster: arguments.tables.roster,
        times: arguments.tables.times,
        layout: arguments.tables.layout,
        late: arguments.late,
        shard: None,
        again: Vec::new(),
        prepare: false,
    };
    let merged = merge::merge(&root()?, &request, &arguments.from)?;
    merged.warnings.iter().for_each(|warning| anstream::eprintln!("warning: {}", shown(warning)));
    if !merged.problems.is_empty() {
        anstream::println!("No grades were written. Expected one record for each submission; these are not there:");
        merged.problems.iter().for_each(|line| anstream::println!("  {}", shown(line)));
        anstream::println!("Start those shards again, then merge");
        return Ok(3);
    }
    anstream::println!(
        "{} records, {} of them delivered more than once: {}",
        merged.records,
        merged.doubled,
        request.out.join("grades.csv").display()
    );
    Ok(tell_attention(&merged.attention, "Start their shards again, then merge"))
}
