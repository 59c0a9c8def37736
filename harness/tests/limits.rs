//! Every limit of a run from both sides: what stays just below it passes, and what goes just beyond it is stopped, with the reason.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
}

use std::os::fd::AsRawFd;
use std::process::ExitCode;

use harness::prelude::*;
use harness::sandbox::{self, group::Place};
use support::isolated::{self, tests};
use support::subject::{Subject, assert_passes, finding};

fn main() -> ExitCode {
    isolated::main(tests![
        descriptors_are_a_thousand,
        processes_are_as_many_as_the_lab_says,
        shared_memory_has_a_size,
        data_of_a_process_has_a_size,
        pending_signals_are_counted,
        queues_have_a_size_together,
        processor_time_of_a_process_is_limited,
        processor_time_of_all_together_is_limited,
        output_is_kept_up_to_a_size,
        files_in_memory_are_four_for_the_run,
        shared_mappings_have_a_size_together,
        what_counts_is_the_run_and_not_the_process,
        calls_that_are_looked_at_for_the_memory_are_no_calls_of_the_run,
        memory_of_all_together_is_limited,
        files_and_pipes_are_memory_too,
        a_group_that_is_left_over_is_removed_by_the_next_run,
    ])
}

/// What the program says of how many it got; `None` where there are no namespaces, and so other limits.
#[track_caller]
fn got(kind: &str, wanted: u64) -> Option<String> {
    let subject = Subject::new("limits").limited(|limits| limits.processes = 10);
    let mut said = String::new();
    let verdict = subject.session(|session, name| {
        session.needs_namespaces()?;
        let program = session.program(name).args([kind, &wanted.to_string()]).start()?;
        session.exit(program)?;
        session.all_end()?;
        // A supervisor is another process: what it saw comes back in words.
        Err(Finding::new("said", "", String::from_utf8_lossy(session.stdout(program)), "").into())
    });
    match verdict {
        Err(Unpassed::Skipped(reason)) => {
            println!("skipped: {reason}");
            return None;
        }
        verdict => said.push_str(finding(verdict).observed.trim_end()),
    }
    subject.assert_nothing_is_left();
    Some(said)
}

/// So many can be had, and one more cannot.
#[track_caller]
fn assert_most(kind: &str, most: u64, refusal: &str) {
    if let Some(said) = got(kind, most) {
        assert_eq!(said, format!("{most} all"));
    }
    if let Some(said) = got(kind, most + 1) {
        assert_eq!(said, format!("{most} {refusal}"));
    }
}

fn descriptors_are_a_thousand() {
    // 1,024 with the three standard streams.
    assert_most("descriptors", 1021, "Too many open files");
}

fn processes_are_as_many_as_the_lab_says() {
    // Ten with the program itself.
    assert_most("processes", 9, "Resource temporarily unavailable");
}

fn shared_memory_has_a_size() {
    assert_most("shared", 64, "No space left on device");
}

fn data_of_a_process_has_a_size() {
    let Some(below) = got("data", 980) else { return };
    assert_eq!(below, "980 all");
    let beyond = got("data", 1008).unwrap_or_default();
    assert!(beyond.ends_with(" Cannot allocate memory"), "{beyond}");
}

fn pending_signals_are_counted() {
    // 4,096 of the user's, to whom the supervisor and its own signals belong.
    let Some(below) = got("queued", 4000) else { return };
    assert_eq!(below, "4000 all");
    let beyond = got("queued", 4097).unwrap_or_default();
    assert!(beyond.ends_with(" Resource temporarily unavailable"), "{beyond}");
}

fn queues_have_a_size_together() {
    let Some(below) = got("queues", 90) else { return };
    assert_eq!(below, "90 all");
    let beyond = got("queues", 100).unwrap_or_default();
    assert!(beyond.ends_with(" Too many open files"), "{beyond}");
}

fn processor_time_of_a_process_is_limited() {
    let subject = Subject::new("limits").limited(|limits| limits.cpu_seconds = 1);
    assert_passes(subject.lab().run(&subject.name).args(["seconds", "8"]).exits(0).verdict());
    let finding = finding(subject.lab().run(&subject.name).args(["seconds", "30"]).exits(0).verdict());
    assert!(finding.observed.ends_with("used 1 seconds of CPU time"), "{finding:?}");
    subject.assert_nothing_is_left();
}

fn processor_time_of_all_together_is_limited() {
    let subject = Subject::new("limits").limited(|limits| limits.cpu_seconds = 1);
    assert_passes(subject.lab().run(&subject.name).args(["children", "4"]).exits(0).verdict());
    let finding = finding(subject.lab().run(&subject.name).args(["children", "20"]).exits(0).verdict());
    assert_eq!(finding.observed, "the processes of the run used 2 seconds of CPU time together");
    subject.assert_nothing_is_left();
}

fn output_is_kept_up_to_a_size() {
    let subject = Subject::new("limits").limited(|limits| limits.output_bytes = 1000);
    let run = |wanted: usize| subject.lab().run(&subject.name).args(["bytes", &wanted.to_string()]).prints("x".repeat(1000)).verdict();
    assert_passes(run(1000));
    let finding = finding(run(1001));
    assert!(finding.observed.ends_with("; more came than the 1000 bytes that are kept"), "{finding:?}");
    subject.assert_nothing_is_left();
}

/// So many can be had in a run, and one more ends it.
#[track_caller]
fn assert_run_ends_beyond(kind: &str, most: u64, expected: &str) {
    let subject = Subject::new("limits");
    let run = |wanted: u64| subject.lab().run(&subject.name).args([kind, &wanted.to_string()]).prints(format!("{wanted} all\n")).exits(0).verdict();
    assert_passes(run(most));
    let finding = finding(run(most + 1));
    assert_eq!((&*finding.kind, &*finding.expected), ("limit", expected), "{kind}");
    subject.assert_nothing_is_left();
}

const FILES: &str = "a run makes at most 4 files in memory";
const SHARED: &str = "a run maps at most 960 MiB of shared memory";

fn files_in_memory_are_four_for_the_run() {
    assert_run_ends_beyond("memory_files", 4, FILES);
}

fn shared_mappings_have_a_size_together() {
    assert_run_ends_beyond("mapped_shared", 960, SHARED);
    assert_run_ends_beyond("mapped_from_a_device", 960, SHARED);
    // The kernel takes it for a stack, which RLIMIT_DATA does not count.
    assert_run_ends_beyond("mapped_downwards", 960, SHARED);
    let subject = Subject::new("limits");
    assert_passes(subject.lab().run(&subject.name).args(["mapped_privately", "4000"]).prints("4000 all\n").verdict());
}

fn what_counts_is_the_run_and_not_the_process() {
    assert_run_ends_beyond("memory_files_elsewhere", 4, FILES);
    assert_run_ends_beyond("memory_files_in_threads", 4, FILES);
    assert_run_ends_beyond("mapped_by_two", 960, SHARED);
}

fn calls_that_are_looked_at_for_the_memory_are_no_calls_of_the_run() {
    let subject = Subject::new("limits").limited(|limits| limits.calls = 200);
    let run = |kind: &str| subject.lab().run(&subject.name).args([kind, "900"]).prints("900 all\n").exits(0).verdict();
    assert_passes(run("mapped_shared"));
    // One that is followed: it ends the run.
    assert_eq!(finding(run("descriptors")).expected, "a run makes at most 200 calls of those that are followed");
}

/// With 128 MiB: so many can be had, and so many more end the run. Without a memory group they can be had, too, and the run is of a weaker tier.
#[track_caller]
fn assert_memory_ends_beyond(kind: &str, few: u64, many: u64) {
    let subject = Subject::new("limits").limited(|limits| limits.memory_mib = 128);
    let lab = subject.lab();
    let run = |wanted: u64| lab.run(&subject.name).args([kind, &wanted.to_string()]).prints(format!("{wanted} all\n")).exits(0).verdict();
    assert_passes(run(few));
    let verdict = run(many);
    if let Some(reason) = sandbox::no_group() {
        println!("skipped: {reason}");
        assert_eq!(lab.tier(), "B");
        assert_passes(verdict);
    } else {
        assert_eq!(lab.tier(), "A");
        let finding = finding(verdict);
        assert_eq!((&*finding.kind, &*finding.expected), ("limit", "all processes of a run together have at most 128 MiB of memory"), "{kind}");
    }
    subject.assert_nothing_is_left();
}

fn memory_of_all_together_is_limited() {
    // Each has 50 MiB.
    assert_memory_ends_beyond("children_with_memory", 2, 3);
}

fn files_and_pipes_are_memory_too() {
    assert_memory_ends_beyond("blocks_of_a_file", 11, 13);
    assert_memory_ends_beyond("blocks_in_shared_memory_and_a_file", 11, 13);
}

fn a_group_that_is_left_over_is_removed_by_the_next_run() {
    let place = match Place::look() {
        Ok(place) => place,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let (left_over, in_use) = (place.folder().join("lab-run-0-0"), place.folder().join("lab-run-0-1"));
    [&left_over, &in_use].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let lock = std::fs::File::open(&in_use).unwrap();
    // SAFETY: no precondition.
    assert_eq!(unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }, 0);
    let subject = Subject::new("limits");
    assert_passes(subject.lab().run(&subject.name).args(["bytes", "0"]).exits(0).verdict());
    let there = (left_over.exists(), in_use.exists());
    let removed = std::fs::remove_dir(&in_use);
    assert_eq!(there, (false, true));
    removed.unwrap();
    subject.assert_nothing_is_left();
}
