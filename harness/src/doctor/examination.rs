//! The whole examination: undisturbed, then with faults, then under schedules.

use std::collections::BTreeSet;
use std::io;

use super::{Circumstances, Orders, Outcome, Patient, in_words, key_of, run_once};
use crate::fault::{every_failure, every_interruption};
use crate::finding::{Finding, pages};
use crate::session::explained::page_of_fault;
use crate::trace::event::signal_name;

/// Signals that do not end a program by default: their handlers return, and what they have interrupted is to go on. Of a handler for another signal nobody can
/// tell from outside whether it means the end.
const HARMLESS: [i32; 4] = [libc::SIGCHLD, libc::SIGWINCH, libc::SIGCONT, libc::SIGURG];

/// What came of an examination.
#[derive(Debug, Default)]
pub struct Examination {
    /// What is wrong, alike ones once.
    pub findings: Vec<Finding>,
    /// What was not looked at, and why.
    pub notes: Vec<String>,
    /// How many runs were made.
    pub runs: usize,
    /// Why nothing can be said, if so.
    pub broken: Option<String>,
}

impl Examination {
    fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn find(&mut self, finding: Finding) {
        let alike = |known: &Finding| {
            known.kind == finding.kind && (known.observed == finding.observed || (known.labels == finding.labels && !known.labels.is_empty()))
        };
        if !self.findings.iter().any(alike) {
            self.findings.push(finding);
        }
    }
}

/// Examines a program.
///
/// # Errors
/// What keeps the doctor from running it.
pub fn examine(patient: &Patient, orders: &Orders) -> io::Result<Examination> {
    let mut examination = Examination::default();
    let interruptions = orders.faults.map(|most| every_interruption().by_signals(&HARMLESS).at_most(most));
    let undisturbed = run_once(patient, orders, &Circumstances { every: interruptions.as_ref(), ..Circumstances::default() })?;
    examination.runs += 1;
    if let Some(reason) = undisturbed.broken {
        examination.broken = Some(reason);
        return Ok(examination);
    }
    if let Some(note) = undisturbed.note.iter().chain(&undisturbed.remark).next() {
        examination.note(note.clone());
    }
    for finding in &undisturbed.findings {
        examination.find(finding.clone());
    }
    if let Some(most) = orders.faults {
        with_faults(patient, orders, &undisturbed, most, &mut examination)?;
    }
    under_schedules(patient, orders, &undisturbed, &mut examination)?;
    Ok(examination)
}

fn with_faults(patient: &Patient, orders: &Orders, undisturbed: &Outcome, most: usize, examination: &mut Examination) -> io::Result<()> {
    if undisturbed.note.is_some() {
        examination.note("no faults were tried: it did not come to an end by itself that others could be compared with");
        return Ok(());
    }
    let failures = every_failure().at_most(most);
    let again = run_once(patient, orders, &Circumstances { every: Some(&failures), output_to_file: true, ..Circumstances::default() })?;
    examination.runs += 1;
    if again.broken.is_some() || again.exit != undisturbed.exit || again.output != undisturbed.output {
        examination.note("no faults were tried: what it does varies by itself from run to run");
        return Ok(());
    }
    if undisturbed.exit != Some(0) {
        examination.note("no faults were tried: it does not exit with 0 without them");
        return Ok(());
    }
    let mut found: BTreeSet<String> = BTreeSet::new();
    for (passing, site) in undisturbed.sites.iter().map(|site| (true, site)).chain(again.sites.iter().map(|site| (false, site))) {
        let fault = site.fault();
        let key = key_of(&fault);
        if found.contains(&key) {
            continue;
        }
        let tried = run_once(patient, orders, &Circumstances { fault: Some(fault), output_to_file: !passing, ..Circumstances::default() })?;
        examination.runs += 1;
        if let Some(reason) = &tried.broken {
            examination.note(format!("a run with a fault could not be followed: {reason}"));
            continue;
        }
        let worse = if passing { not_taken_in_its_stride(undisturbed, &tried) } else { goes_unseen(undisturbed, &tried) };
        if let Some(mut finding) = worse {
            finding.page = page_of_fault(&site.fault().action).or_else(|| pages::of_kind(&finding.kind)).map(str::to_owned);
            found.insert(key);
            examination.find(finding.when(&format!("when {}", in_words(site))));
        }
    }
    Ok(())
}

/// After an interruption, or a transfer that came short, a program goes on as if nothing had happened.
fn not_taken_in_its_stride(undisturbed: &Outcome, tried: &Outcome) -> Option<Finding> {
    let expected = "what a call leaves over, or what was interrupted, is done by another call: the output and the exit status stay the same";
    let next = "make a call that fails with EINTR again, and go on where a transfer came short; signal(7), read(2), write(2)";
    let finding = |observed: String| Some(Finding::new("interruption", expected, observed, next).with(labels_of(tried)));
    if let Some(stuck) = tried.findings.iter().find(|finding| finding.kind == "deadlock" || finding.kind == "busy-waiting") {
        return Some(stuck.clone());
    }
    if tried.note.is_some() {
        return finding("it does not come to its end any more".into());
    }
    if tried.exit != undisturbed.exit {
        return finding(format!("it ends with {}", ending(tried)));
    }
    if tried.output != undisturbed.output {
        return finding(crate::run::difference("standard output", &undisturbed.output, &tried.output).observed);
    }
    None
}

/// A failure is told: by an exit status that is not 0, or by words on standard error. And it is not a reason to crash or to hang.
fn goes_unseen(undisturbed: &Outcome, tried: &Outcome) -> Option<Finding> {
    let expected = "a failed call is seen, and the failure is told: by the exit status, or on standard error";
    let next = "test the result of each call where it is made, report it, and exit with another status than 0; errno(3)";
    if let Some(found) =
        tried.findings.iter().find(|finding| matches!(&*finding.kind, "deadlock" | "busy-waiting" | "failure-unseen" | "kills-everyone"))
    {
        return Some(found.clone());
    }
    if let Some(signal @ (libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL)) = tried.killed_by {
        return Some(Finding::new("failure-unseen", expected, format!("{} kills it", signal_name(signal)), next));
    }
    if tried.exit == Some(0) && tried.output != undisturbed.output && tried.errors == undisturbed.errors {
        let observed = crate::run::difference("standard output", &undisturbed.output, &tried.output).observed;
        return Some(Finding::new(
            "failure-unseen",
            expected,
            format!("it exits with 0 and says nothing, although its output is another: {observed}"),
            next,
        ));
    }
    None
}

fn labels_of(tried: &Outcome) -> Vec<String> {
    let text = String::from_utf8_lossy(&tried.errors).into_owned();
    text.lines().rev().take(3).map(|line| format!("its standard error: {line}")).collect()
}

fn ending(outcome: &Outcome) -> String {
    match (outcome.killed_by, outcome.exit) {
        (Some(signal), _) => format!("death by {}", signal_name(signal)),
        (None, Some(status)) => format!("exit status {status}"),
        (None, None) => "no end".into(),
    }
}

fn under_schedules(patient: &Patient, orders: &Orders, undisturbed: &Outcome, examination: &mut Examination) -> io::Result<()> {
    for schedule in orders.seed..orders.seed + orders.schedules {
        let tried = run_once(patient, orders, &Circumstances { schedule: Some(schedule), ..Circumstances::default() })?;
        examination.runs += 1;
        if let Some(reason) = &tried.broken {
            examination.note(format!("no schedules were tried: {reason}"));
            return Ok(());
        }
        let replay = |finding: &Finding| finding.clone().with([format!("under schedule {schedule}: --schedules 1 --seed {schedule} does it again")]);
        for finding in tried.findings.iter().filter(|finding| matches!(&*finding.kind, "deadlock" | "data-race" | "busy-waiting")) {
            examination.find(replay(finding).when("when one process runs at a time, in an order that is forced"));
        }
        if undisturbed.exit == Some(0) && tried.exit.is_some_and(|exit| exit != 0) && tried.note.is_none() {
            let finding = Finding::new(
                "order",
                "the program comes to the same end in whatever order its processes run, and however long a sleep takes",
                format!("it ends with {}", ending(&tried)),
                "see which process relies on another one having come to some point: let it wait for that, by a pipe, a semaphore or wait(2)",
            );
            examination.find(replay(&finding.with(labels_of(&tried))).when("when one process runs at a time, in an order that is forced"));
        }
    }
    Ok(())
}
