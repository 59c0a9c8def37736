//! Runs a lab's check executable and reads its records.
//!
//! Theory of operation: the executable prints a record as soon as there is one. Every check that was asked for gets a record: where the executable ends without one,
//! this module writes that the check is broken, and why.

use std::io::{BufRead, BufReader, Read};
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::thread;

use super::build::Executables;
use super::interrupt::Interrupt;
use crate::manifest::LabFolder;
use crate::record::CheckRecord;
use crate::verdict::Word;

/// The records of the checks `names` of `lab`, in their order. `tell` gets each as soon as it and all before it are there.
pub fn run(
    lab: &LabFolder,
    names: &[&str],
    executables: &Executables,
    seed: u64,
    jobs: Option<NonZeroUsize>,
    tell: &mut dyn FnMut(&CheckRecord),
    interrupt: &Interrupt,
) -> Vec<CheckRecord> {
    let mut command = Command::new(&executables.checks);
    command.arg("--lab-run").args(names).args(["--seed", &seed.to_string()]);
    if let Some(jobs) = jobs {
        command.args(["--jobs", &jobs.to_string()]);
    }
    command.args(executables.options()).current_dir(&lab.path);
    let (mut records, trouble) = collect(command, tell, interrupt);
    names
        .iter()
        .map(|name| match records.iter().position(|record| record.check == *name && record.lab == lab.name) {
            Some(place) => records.swap_remove(place),
            None => broken(lab, name, seed, &trouble),
        })
        .collect()
}

/// The records that `command` prints, and what to say of those it does not print.
fn collect(mut command: Command, tell: &mut dyn FnMut(&CheckRecord), interrupt: &Interrupt) -> (Vec<CheckRecord>, String) {
    let mut child = match interrupt.spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())) {
        Ok(child) => child,
        Err(error) => return (Vec::new(), format!("failed to start {}: {error}", command.get_program().display())),
    };
    let (stdout, mut stderr) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let (mut records, mut nonsense) = (Vec::new(), None);
    let said = thread::scope(|scope| {
        let said = scope.spawn(move || {
            let mut said = Vec::new();
            let _ = stderr.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        for line in BufReader::new(stdout).lines() {
            match line
                .map_err(|error| error.to_string())
                .and_then(|line| serde_json::from_str::<CheckRecord>(&line).map_err(|error| error.to_string()))
            {
                Ok(record) => {
                    tell(&record);
                    records.push(record);
                }
                Err(error) => nonsense = Some(error),
            }
        }
        said.join().expect("reading does not panic")
    });
    let said = said.trim_end();
    let status = interrupt.wait(&mut child);
    let trouble = match (status, nonsense) {
        (Err(error), _) => format!("failed to wait for the check executable: {error}"),
        (Ok(_), Some(error)) => format!("the check executable printed something that is not a record: {error}"),
        (Ok(status), None) => format!(
            "the check executable ended without a record of this check ({status}){}",
            if said.is_empty() { String::new() } else { format!(": {said}") }
        ),
    };
    (records, trouble)
}

fn broken(lab: &LabFolder, check: &str, seed: u64, reason: &str) -> CheckRecord {
    CheckRecord {
        lab: lab.name.clone(),
        check: check.to_owned(),
        verdict: Word::Broken,
        points: 0,
        max_points: lab.manifest.check_named(check).map_or(0, |entry| entry.points),
        promise: String::new(),
        finding: None,
        reason: Some(reason.to_owned()),
        seed,
        tier: String::new(),
        replay: format!("cargo lab check {} {check} --seed {seed}", lab.name),
        seconds: 0.0,
    }
}
