//! The doctor: what is wrong with any program, in any language, without a specification.
//!
//! Theory of operation: the program runs where it stands, with its own environment and its standard input, in a process of its own that supervises it
//! ([`run_once`]). What one run shows is a finding only if it can be proven by the run alone ([`symptoms`]): somebody outside who may yet come and write is no
//! deadlock. With faults, and under schedules, the run is done again and compared with what it did undisturbed ([`examination`]); a program whose output varies by
//! itself is not judged by its output.

mod examination;
mod symptoms;

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::check::last_panic;
use crate::fault::every::Site;
use crate::fault::{Every, Fault, errno_name};
use crate::finding::Finding;
use crate::kernel::{descriptor, process};
use crate::manifest::Limits;
use crate::session::Session;
use crate::session::native::Ended;
use crate::trace::event::Exit;
use crate::verdict::Unpassed;
pub use examination::{Examination, examine};

/// Who is examined.
#[derive(Debug, Clone)]
pub struct Patient {
    /// The executable.
    pub path: PathBuf,
    /// What it is called by, and its arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// What it gets on standard input.
    pub input: Vec<u8>,
}

/// How far an examination goes.
#[derive(Debug, Clone, Copy)]
pub struct Orders {
    /// Whether every permitted fault is tried, and at most how many.
    pub faults: Option<usize>,
    /// How many schedules are tried.
    pub schedules: u64,
    /// The first schedule.
    pub seed: u64,
    /// Seconds that one run may take.
    pub seconds: u64,
    /// Most calls of one run.
    pub calls: usize,
}

/// What one run did.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Outcome {
    findings: Vec<Finding>,
    /// How the program ended: an exit status, or 128 and the signal; `None` if it did not.
    exit: Option<i32>,
    killed_by: Option<i32>,
    output: Vec<u8>,
    errors: Vec<u8>,
    sites: Vec<Site>,
    /// Why it did not end by itself.
    note: Option<String>,
    /// What else is to be known of it.
    remark: Option<String>,
    /// Why nothing can be said.
    broken: Option<String>,
}

/// What is special about one run.
#[derive(Default)]
struct Circumstances<'a> {
    fault: Option<Fault>,
    schedule: Option<u64>,
    every: Option<&'a Every>,
    output_to_file: bool,
}

/// Most bytes of output that are compared.
const MOST_OUTPUT: usize = 1 << 20;
/// Most processes of one run.
const MOST_PROCESSES: u64 = 4096;

/// One run, in a process of its own.
fn run_once(patient: &Patient, orders: &Orders, circumstances: &Circumstances<'_>) -> io::Result<Outcome> {
    let (answer, write) = descriptor::pipe()?;
    let Some(supervisor) = process::fork()? else {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| supervise(patient, orders, circumstances)));
        let outcome =
            outcome.unwrap_or_else(|_| Outcome { broken: Some(last_panic().unwrap_or_else(|| "the doctor panicked".into())), ..Outcome::default() });
        let text = serde_json::to_vec(&outcome).unwrap_or_default();
        // Whoever reads it finds it cut short.
        let _ = std::fs::File::from(write).write_all(&text);
        process::exit_now(0);
    };
    drop(write);
    let mut text = Vec::new();
    std::fs::File::from(answer).read_to_end(&mut text)?;
    while matches!(process::wait(supervisor, true)?, process::Waited::Interrupted) {}
    Ok(serde_json::from_slice(&text)
        .unwrap_or_else(|_| Outcome { broken: Some("the supervisor of the run was killed".into()), ..Outcome::default() }))
}

fn supervise(patient: &Patient, orders: &Orders, circumstances: &Circumstances<'_>) -> Outcome {
    match watched(patient, orders, circumstances) {
        Ok(outcome) => outcome,
        Err(Unpassed::Fail(finding)) => Outcome { findings: vec![*finding], ..Outcome::default() },
        Err(Unpassed::Broken(reason) | Unpassed::Skipped(reason)) => Outcome { broken: Some(reason), ..Outcome::default() },
    }
}

fn watched(patient: &Patient, orders: &Orders, circumstances: &Circumstances<'_>) -> Result<Outcome, Unpassed> {
    let limits = Limits {
        // Computing is what programs are for.
        cpu_seconds: u64::MAX / 1000,
        wall_seconds: orders.seconds,
        calls: orders.calls,
        processes: MOST_PROCESSES,
        output_bytes: MOST_OUTPUT,
        ..Limits::default()
    };
    let name = patient.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut session = Session::where_it_stands(&name, patient.path.clone(), patient.directory.clone(), limits)?;
    if let Some(seed) = circumstances.schedule {
        session.schedule_by(seed);
    }
    session.refuse_to_kill_everyone();
    if let Some(fault) = &circumstances.fault {
        session.arm(fault.clone());
    }
    let mut start = session.program(&name).called_by(&patient.command[0]).stdin(patient.input.clone()).output_to_file(circumstances.output_to_file);
    for argument in &patient.command[1..] {
        start = start.arg(argument);
    }
    let mut outcome = Outcome::default();
    let program = start.start()?;
    match session.watch() {
        Ok(Ended::All) => {}
        Ok(Ended::WaitsForOthers(lines)) => outcome.note = Some(format!("it was ended while it waits for somebody outside: {}", lines.join("; "))),
        Ok(Ended::TimeUp) => outcome.note = Some(format!("it was ended after {} seconds", orders.seconds)),
        Err(Unpassed::Fail(finding)) => outcome.findings.push(*finding),
        Err(other) => {
            session.take_down()?;
            return Err(other);
        }
    }
    let exit = session.exit_of(program);
    outcome.exit = exit.map(|exit| match exit {
        Exit::Status(status) => status,
        Exit::Signal(signal) => 128 + signal,
    });
    outcome.killed_by = exit.and_then(|exit| if let Exit::Signal(signal) = exit { Some(signal) } else { None });
    outcome.findings.extend(symptoms::of(&mut session, program));
    if circumstances.schedule.is_some() {
        outcome.findings.extend(session.races());
    }
    outcome.findings.iter_mut().for_each(|finding| session.name_page(finding));
    // The program is the user's own, and so are its sources, wherever they are.
    outcome.findings.iter_mut().for_each(|finding| finding.read_source(&[PathBuf::from("/")]));
    if session.wanted_to_trace() {
        outcome.remark = Some("it traces programs itself, which nobody can who is traced: that part of it was not seen".into());
    }
    if let Some(every) = circumstances.every {
        outcome.sites = session.sites(every);
    }
    session.take_down()?;
    outcome.output = session.stdout(program).to_vec();
    outcome.errors = session.stderr(program).to_vec();
    Ok(outcome)
}

/// A fault in words.
fn in_words(site: &Site) -> String {
    let fault = site.fault();
    format!("{} (its call number {} of this kind; {})", fault.describe(), site.number(), site.page())
}

/// The name of an errno or what else happened, for grouping alike findings.
fn key_of(fault: &Fault) -> String {
    match fault.action {
        crate::fault::Action::Fail(errno) => format!("{:?} {}", fault.calls, errno_name(errno)),
        _ => format!("{:?} short", fault.calls),
    }
}
