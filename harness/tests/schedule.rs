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
        a_race_of_one_increment_each_is_seen_in_the_first_schedule,
        a_race_through_memcpy_is_seen,
        what_is_ordered_is_never_accused,
        the_kernel_finds_shared_memory_open,
        a_lost_wake_up_is_found,
        a_safe_wait_for_a_signal_is_never_accused,
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

/// One schedule in which accesses to shared memory must be ordered, and the output be this.
fn ordered_under(subject: &Subject, arguments: &[&str], schedule: u64, output: &str) -> Verdict {
    subject.session(|session, name| {
        session.schedule_by(schedule);
        let program = session.program(name).args(arguments.iter().copied()).start()?;
        session.exit(program)?;
        session.all_end()?;
        without_races(session)?;
        prints(session, program, output.as_bytes())?;
        exits(session, program, Exit::Status(0))?;
        session.pass()
    })
}

fn a_race_of_one_increment_each_is_seen_in_the_first_schedule() {
    let subject = Subject::new("counter");
    for schedule in 0..20 {
        let Err(Unpassed::Fail(finding)) = ordered_under(&subject, &["none", "2", "1"], schedule, "2\n") else {
            panic!("schedule {schedule} passes")
        };
        assert_eq!(finding.kind, "data-race");
        assert!(finding.labels.iter().any(|label| label.text.contains("shared->count++")), "{finding:?}");
    }
    let lost = first_failure(&subject, &["none", "2", "5"], 20, "10\n").map(|(_, kind)| kind);
    assert_eq!(lost.as_deref(), Some("output"), "the count itself comes out wrong");
}

fn a_race_through_memcpy_is_seen() {
    let told = ordered_under(&Subject::new("counter"), &["copy", "2", "1"], 0, "2\n");
    assert!(matches!(&told, Err(Unpassed::Fail(finding)) if finding.kind == "data-race"), "{told:?}");
}

fn what_is_ordered_is_never_accused() {
    let subject = Subject::new("counter");
    for how in ["semop", "mutex", "semaphore", "atomic", "copy-locked"] {
        for schedule in 0..20 {
            assert_passes(ordered_under(&subject, &[how, "3", "2"], schedule, "6\n"));
        }
    }
    subject.assert_nothing_is_left();
}

fn the_kernel_finds_shared_memory_open() {
    let subject = Subject::new("hand_over");
    (0..30).for_each(|schedule| assert_passes(ordered_under(&subject, &[], schedule, "one two three\n")));
    subject.assert_nothing_is_left();
}

fn a_lost_wake_up_is_found() {
    let (schedule, kind) = first_failure(&Subject::new("lost_wakeup"), &[], 200, "came\n").expect("the parent pauses for ever");
    assert_eq!(kind, "deadlock");
    assert!(schedule < 50, "found in schedule {schedule}");
}

fn a_safe_wait_for_a_signal_is_never_accused() {
    let subject = Subject::new("lost_wakeup");
    (0..100).for_each(|schedule| assert_passes(under(&subject, &["safe"], schedule, "came\n")));
}

fn the_same_seed_gives_the_same_schedule() {
    the_same_for("two_semaphores", &[]);
    the_same_for("counter", &["none", "3", "3"]);
    the_same_for("counter", &["mutex", "3", "3"]);
}

fn the_same_for(program: &str, arguments: &[&str]) {
    let subject = Subject::new(program);
    let fingerprint = |schedule: u64| {
        let told = subject.session(|session, name| {
            session.schedule_by(schedule);
            let program = session.program(name).args(arguments.iter().copied()).start()?;
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
