//! Forced schedules: what chance hides for years is found at once, what is right stays right, and the same seed does the same again.

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
use support::subject::{Subject, assert_passes};

fn main() -> ExitCode {
    isolated::main(isolated::tests![
        a_deadlock_of_two_semaphores_is_found_within_ten_schedules,
        two_semaphores_in_one_order_never_deadlock,
        a_sleep_does_not_pass_for_synchronisation,
        waiting_for_the_child_is_right_under_every_schedule,
        the_same_seed_gives_the_same_schedule,
    ])
}

/// One schedule of the program; its output is to be this.
fn under(subject: &Subject, arguments: &[&str], schedule: u64, output: &str) -> Verdict {
    subject.session(|session, name| {
        session.schedule_by(schedule);
        let program = session.program(name).args(arguments.iter().copied()).start()?;
        session.exit(program)?;
        session.all_end()?;
        prints(session, program, output.as_bytes())?;
        session.pass()
    })
}

/// The first schedule that fails, and the finding's kind.
fn first_failure(subject: &Subject, arguments: &[&str], schedules: u64, output: &str) -> Option<(u64, String)> {
    (0..schedules).find_map(|schedule| match under(subject, arguments, schedule, output) {
        Ok(_) => None,
        Err(Unpassed::Fail(finding)) => Some((schedule, finding.kind)),
        Err(other) => panic!("schedule {schedule}: {other:?}"),
    })
}

fn a_deadlock_of_two_semaphores_is_found_within_ten_schedules() {
    let (schedule, kind) = first_failure(&Subject::new("two_semaphores"), &["opposite"], 50, "").expect("a deadlock");
    assert_eq!(kind, "deadlock");
    assert!(schedule < 10, "found in schedule {schedule}");
}

fn two_semaphores_in_one_order_never_deadlock() {
    let subject = Subject::new("two_semaphores");
    assert_eq!(first_failure(&subject, &[], 200, ""), None);
    subject.assert_nothing_is_left();
}

fn a_sleep_does_not_pass_for_synchronisation() {
    let (schedule, kind) = first_failure(&Subject::new("file_from_child"), &["sleeps"], 200, "2 hi\n").expect("the file is not there yet");
    assert_eq!(kind, "output");
    assert!(schedule < 100, "found in schedule {schedule}");
}

fn waiting_for_the_child_is_right_under_every_schedule() {
    let subject = Subject::new("file_from_child");
    (0..200).for_each(|schedule| assert_passes(under(&subject, &[], schedule, "2 hi\n")));
    subject.assert_nothing_is_left();
}

fn the_same_seed_gives_the_same_schedule() {
    let subject = Subject::new("two_semaphores");
    let fingerprint = |schedule: u64| {
        let told = subject.session(|session, name| {
            session.schedule_by(schedule);
            let program = session.program(name).start()?;
            session.exit(program)?;
            session.all_end()?;
            Err(Unpassed::Skipped(session.fingerprint().to_string()))
        });
        match told {
            Err(Unpassed::Skipped(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    let expected: Vec<String> = (0..4).map(fingerprint).collect();
    assert_ne!(expected[0], expected[1], "different seeds give different schedules");
    for _ in 0..25 {
        assert_eq!((0..4).map(fingerprint).collect::<Vec<_>>(), expected);
    }
}
