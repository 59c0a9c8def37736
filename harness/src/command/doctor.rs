//! `lab doctor`: what is wrong with any program, without a specification.

use std::fmt::Write;
use std::io::{IsTerminal, Read};

use anstyle::Style;

use super::layout::{self, BOLD, DIM, counted, hang, style_of};
use super::report::INDENT;
use super::{DoctorArguments, NoAnswer, Status, print};
use crate::check::printable::escaped;
use crate::doctor::{Examination, Orders, Patient, examine};
use crate::finding::{Finding, drawing};
use crate::trace::native;
use crate::verdict::Word;

/// Most bytes of standard input: each run gets all of them.
const MOST_INPUT: u64 = 64 << 20;
/// Most runs with faults of one kind.
const MOST_FAULTS: usize = 100;

/// Examines a program and prints what was found.
///
/// # Errors
/// A program that is not there or cannot be executed; broken, where it cannot be followed.
pub fn perform(arguments: &DoctorArguments) -> Result<Status, NoAnswer> {
    let patient = patient(&arguments.command)?;
    let orders = Orders {
        faults: arguments.faults.then_some(MOST_FAULTS),
        schedules: arguments.schedules,
        seed: arguments.seed,
        seconds: arguments.seconds,
        calls: arguments.calls,
    };
    let examination = examine(&patient, &orders).map_err(|error| NoAnswer::broken(error.to_string()))?;
    if let Some(reason) = &examination.broken {
        // What exec itself says of the file is no fault of ours.
        let refused = reason.starts_with("the program cannot be executed");
        let text = format!("{}: {reason}", arguments.command[0]);
        return Err(if refused { NoAnswer::bad_input(text) } else { NoAnswer::broken(format!("{text}; nothing is said about this program")) });
    }
    print(drawn(&arguments.command, &examination, layout::width(false)), false)?;
    Ok(if examination.findings.is_empty() { Status::AllPassed } else { Status::Failed })
}

fn patient(command: &[String]) -> Result<Patient, NoAnswer> {
    let program = command.first().ok_or_else(|| NoAnswer::bad_input("no program is named"))?;
    let path = native::executable(program).map_err(|error| NoAnswer::bad_input(error.to_string()))?;
    let directory = std::env::current_dir().map_err(|error| NoAnswer::bad_input(format!("the working directory: {error}")))?;
    let mut input = Vec::new();
    if !std::io::stdin().is_terminal() {
        let read = std::io::stdin().lock().take(MOST_INPUT + 1).read_to_end(&mut input);
        read.map_err(|error| NoAnswer::bad_input(format!("standard input: {error}")))?;
        if input.len() as u64 > MOST_INPUT {
            return Err(NoAnswer::bad_input(format!("standard input has more than {} MiB: each run is given all of it", MOST_INPUT >> 20)));
        }
    }
    Ok(Patient { path, command: command.to_vec(), directory, input })
}

fn drawn(command: &[String], examination: &Examination, width: Option<usize>) -> String {
    let mut out = String::new();
    for finding in &examination.findings {
        explained(&mut out, finding, width);
    }
    for note in &examination.notes {
        hang(&mut out, "note", DIM, INDENT, note, width);
    }
    if !examination.notes.is_empty() {
        out.push('\n');
    }
    let runs = counted(examination.runs, "run");
    let found = if examination.findings.is_empty() { "nothing found".to_owned() } else { counted(examination.findings.len(), "finding") };
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}: {found} in {runs}", escaped(&command.join(" ")));
    out
}

fn explained(out: &mut String, finding: &Finding, width: Option<usize>) {
    let style = style_of(Word::Fail);
    let _ = writeln!(out, "{style}finding{style:#}: {BOLD}{}{BOLD:#}", finding.kind);
    let mut line = |label: &str, text: &str, style: Style| hang(out, &format!("  {label}"), style, INDENT, text, width);
    line("expected", &finding.expected, DIM);
    line("observed", &finding.observed, DIM);
    line("evidence", &finding.evidence.join("\n"), DIM);
    for text in drawing::draw(finding, true).lines() {
        let _ = writeln!(out, "  {text}");
    }
    hang(out, "  next", DIM, INDENT, &finding.next, width);
    if let Some(page) = &finding.page {
        hang(out, "  explain", DIM, INDENT, &format!("cargo lab explain {page}"), None);
    }
    out.push('\n');
}
