//! Every permitted fault at every call, one at a time: a right program keeps what it promises, and each classic mistake is found.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
}

use std::process::ExitCode;

use harness::prelude::*;
use support::isolated;
use support::subject::{Subject, assert_passes, finding};

fn main() -> ExitCode {
    isolated::main(isolated::tests![
        a_right_program_goes_on_after_every_interruption,
        an_interrupted_read_that_is_taken_for_the_end_is_found,
        a_write_that_is_not_continued_is_found,
        a_wait_that_is_not_made_again_is_found,
        a_right_program_reports_every_failure,
        a_failure_that_goes_unseen_is_found,
        without_a_handler_nothing_is_interrupted,
        the_same_fault_fails_the_same_way_every_time,
        a_signal_is_delivered_at_the_call,
        a_program_without_such_calls_is_not_passed,
    ])
}

/// More than a pipe takes in one piece.
fn input() -> Vec<u8> {
    (0..30_000_u32).map(|number| b'a' + (number % 26) as u8).collect()
}

fn interrupted(how: &str) -> Verdict {
    let subject = Subject::new("copies");
    let verdict = subject.lab().run(&subject.name).arg(how).stdin(input()).prints(input()).exits(0).under_every(every_interruption()).verdict();
    subject.assert_nothing_is_left();
    verdict
}

fn a_right_program_goes_on_after_every_interruption() {
    assert_passes(interrupted("well"));
}

#[track_caller]
fn assert_found(how: &str, kinds: &[&str], words: &str) {
    let finding = finding(interrupted(how));
    assert!(kinds.contains(&&*finding.kind) && finding.observed.contains(words), "{finding:?}");
}

fn an_interrupted_read_that_is_taken_for_the_end_is_found() {
    assert_found("read-once", &["output"], "when read fails with EINTR");
}

fn a_write_that_is_not_continued_is_found() {
    assert_found("write-once", &["output"], "when write moves only 1 byte");
}

fn a_wait_that_is_not_made_again_is_found() {
    assert_found("wait-once", &["exit"], "when wait fails with EINTR");
}

fn failing(how: &str) -> Verdict {
    let subject = Subject::new("copies");
    let failures = every_failure().of([Pipe, Fork]);
    subject.lab().run(&subject.name).arg(how).stdin("x").exits(1).complains(&["pipe: ", "fork: "]).in_case_of_every(failures).verdict()
}

fn a_right_program_reports_every_failure() {
    assert_passes(failing("well"));
}

fn a_failure_that_goes_unseen_is_found() {
    let finding = finding(failing("unchecked"));
    assert!(finding.observed.contains("when pipe fails with EMFILE"), "{finding:?}");
}

/// `transfers` sets no handler: its reads may come short, and nothing of it may fail with EINTR.
fn without_a_handler_nothing_is_interrupted() {
    let subject = Subject::new("two_writers");
    let run = || subject.lab().run(&subject.name).exits(0).under_every(every_interruption().of([Write, Wait])).verdict();
    let told = finding(run());
    assert_eq!(told.kind, "call", "no site for a fault: {told:?}");
    assert_passes({
        let interruptions = every_interruption().of(Wait).even_without_a_handler();
        let subject = Subject::new("copies");
        subject.lab().run(&subject.name).arg("well").stdin("x").exits(0).under_every(interruptions).verdict()
    });
}

fn the_same_fault_fails_the_same_way_every_time() {
    let first = format!("{:?}", finding(interrupted("read-once")));
    let number = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "#");
    for _ in 0..5 {
        assert_eq!(number(&format!("{:?}", finding(interrupted("read-once")))), number(&first));
    }
}

/// The handler runs, and the call that waits is interrupted.
fn a_signal_is_delivered_at_the_call() {
    let subject = Subject::new("copies");
    let run = |how: &str| {
        let signal = signal_at(Wait, libc::SIGUSR1);
        subject.lab().run(&subject.name).arg(how).stdin("x").inject(signal).prints("x").exits(0).verdict()
    };
    assert_passes(run("well"));
    let finding = finding(subject.lab().run(&subject.name).arg("wait-once").inject(signal_at(Wait, libc::SIGUSR1)).exits(0).verdict());
    assert!(finding.observed.contains("when SIGUSR1 comes at wait"), "{finding:?}");
}

fn a_program_without_such_calls_is_not_passed() {
    let subject = Subject::new("copies");
    let verdict = subject.lab().run(&subject.name).arg("well").exits(0).under_every(every_interruption().of(Msgrcv)).verdict();
    assert_eq!(finding(verdict).kind, "call");
}
