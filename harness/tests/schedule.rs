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
        memory_that_is_moved_is_seen_where_it_is,
        what_chance_misses_is_found_by_reversing_conflicts,
        what_chance_misses_is_found_by_doing_all_schedules,
        all_schedules_of_a_small_program_are_counted,
        a_schedule_that_failed_is_done_again_by_its_word,
        what_is_right_is_right_under_all_schedules,
        all_schedules_find_what_chance_finds,
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

fn memory_that_is_moved_is_seen_where_it_is() {
    let subject = Subject::new("moves");
    (0..30).for_each(|schedule| assert_passes(ordered_under(&subject, &["locked"], schedule, "4 4 4\n")));
    for schedule in 0..10 {
        let told = ordered_under(&subject, &["free"], schedule, "4 4 4\n");
        assert!(matches!(&told, Err(Unpassed::Fail(finding)) if finding.kind == "data-race"), "{told:?}");
    }
    subject.assert_nothing_is_left();
}

/// All schedules of the program that the bound asks for; its output is to be this.
fn explored(subject: &Subject, arguments: &[&str], bound: Bound, output: &str) -> (Verdict, Explored) {
    subject.lab().explore(bound, |session| {
        let program = session.program(&subject.name).args(arguments.iter().copied()).start()?;
        session.exit(program)?;
        session.all_end()?;
        prints(session, program, output.as_bytes())?;
        exits(session, program, Exit::Status(0))?;
        session.pass()
    })
}

fn what_chance_misses_is_found_by_reversing_conflicts() {
    let subject = Subject::new("narrow");
    assert_eq!(first_failure(&subject, &[], 200, "0\n"), None, "200 schedules by chance");
    let (verdict, explored) = explored(&subject, &[], conflicts_reversed(), "0\n");
    assert!(matches!(&verdict, Err(Unpassed::Fail(finding)) if finding.kind == "output"), "{verdict:?}");
    assert_eq!(explored.schedules, 2, "the first one shows the conflict: {explored}");
    let told = subject.lab().run(&subject.name).prints("0\n").exits(0).under_all_schedules(conflicts_reversed()).verdict();
    assert!(
        matches!(&told, Err(Unpassed::Fail(finding)) if finding.observed.starts_with("when one process runs at a time, in the order of schedule ")),
        "{told:?}"
    );
}

/// The ways to choose so many of so many.
fn ways(of: u64, many: u64) -> u64 {
    (0..many).fold(1, |ways, chosen| ways * (of - chosen) / (chosen + 1))
}

/// Child and parent share nothing, so each order of their steps is a schedule: a call has a stop before and one after it. The parent's first step is the one out of fork, and its last two
/// are those to wait and into it; the child's are its first and that to its end.
fn all_schedules_of_a_small_program_are_counted() {
    let subject = Subject::new("narrow");
    let counted = |child: u64, parent: u64, bound: Bound| {
        let (verdict, explored) = explored(&subject, &["small", &child.to_string(), &parent.to_string()], bound, "0\n");
        assert!(verdict.is_ok() && explored.complete, "{explored}: {verdict:?}");
        u64::from(explored.schedules)
    };
    for (child, parent) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let (c, p) = (2 + 2 * child, 3 + 2 * parent);
        assert_eq!(counted(child, parent, conflicts_reversed()), ways(c + p, p), "{child} {parent}");
        // The turn is taken from the parent at one of its steps, and back from the child at one of its own but the first.
        assert_eq!(counted(child, parent, preemptions(0)), 1);
        assert_eq!(counted(child, parent, preemptions(1)), 1 + p);
        assert_eq!(counted(child, parent, preemptions(2)), 1 + p + p * (c - 1));
    }
    let (_, cut_off) = explored(&subject, &["small", "3", "3"], conflicts_reversed().at_most(10), "0\n");
    assert!(!cut_off.complete && cut_off.schedules == 10, "{cut_off}");
    assert_eq!(cut_off.to_string(), "10 schedules, not complete");
    subject.assert_nothing_is_left();
}

fn a_schedule_that_failed_is_done_again_by_its_word() {
    let subject = Subject::new("narrow");
    let told = |verdict: Verdict| match verdict {
        Err(Unpassed::Fail(finding)) => finding,
        other => panic!("{other:?}"),
    };
    let (verdict, _) = explored(&subject, &[], conflicts_reversed(), "0\n");
    let first = told(verdict);
    let word = first.evidence.iter().find_map(|line| line.strip_prefix("LAB_SCHEDULE=")?.split(' ').next()).expect("the word").to_owned();
    assert!(first.observed.contains(&format!("in the order of schedule {word}")), "{first:?}");
    for _ in 0..5 {
        // SAFETY: nothing else in this process looks at the environment meanwhile.
        unsafe { std::env::set_var("LAB_SCHEDULE", &word) };
        let (verdict, explored) = explored(&subject, &[], preemptions(2), "0\n");
        assert_eq!(explored.schedules, 1);
        assert_eq!(format!("{:?}", told(verdict)), format!("{first:?}"), "the same, to the byte");
        // SAFETY: as above.
        unsafe { std::env::set_var("LAB_SCHEDULE", "first") };
        assert!(self::explored(&subject, &[], preemptions(2), "0\n").0.is_ok());
    }
    // SAFETY: as above.
    unsafe { std::env::set_var("LAB_SCHEDULE", "7") };
    assert!(matches!(explored(&subject, &[], preemptions(2), "0\n").0, Err(Unpassed::Broken(reason)) if reason.contains("17.1-40.2")));
}

/// The first 40 schedules of each, those first that reverse conflicts: none is accused, and none stands still.
fn what_is_right_is_right_under_all_schedules() {
    for (program, arguments, output) in [
        ("two_semaphores", &[][..], ""),
        ("file_from_child", &[], "2 hi\n"),
        ("lost_wakeup", &["safe"], "came\n"),
        ("counter", &["mutex", "2", "1"], "2\n"),
        ("counter", &["semop", "2", "1"], "2\n"),
        ("counter", &["atomic", "2", "1"], "2\n"),
        ("hand_over", &[], "one two three\n"),
        ("medley", &["1"], ""),
    ] {
        let subject = Subject::new(program);
        let (verdict, explored) = subject.lab().explore(conflicts_reversed().at_most(40), |session| {
            let program = session.program(&subject.name).args(arguments.iter().copied()).start()?;
            session.exit(program)?;
            session.all_end()?;
            without_races(session)?;
            if !output.is_empty() {
                prints(session, program, output.as_bytes())?;
            }
            exits(session, program, Exit::Status(0))?;
            session.pass()
        });
        assert!(verdict.is_ok(), "{program} {arguments:?}: {explored}: {verdict:?}");
        subject.assert_nothing_is_left();
    }
}

fn all_schedules_find_what_chance_finds() {
    for (program, arguments, output, kind) in [
        ("two_semaphores", &["opposite"][..], "", "deadlock"),
        ("file_from_child", &["sleeps"], "2 hi\n", "output"),
        ("lost_wakeup", &[], "came\n", "deadlock"),
        ("counter", &["none", "2", "1"], "2\n", "output"),
    ] {
        let subject = Subject::new(program);
        for bound in [preemptions(2), conflicts_reversed()] {
            let (verdict, explored) = explored(&subject, arguments, bound, output);
            assert!(matches!(&verdict, Err(Unpassed::Fail(finding)) if finding.kind == kind), "{program}: {explored}: {verdict:?}");
            println!("{program}: {kind} in {explored}");
        }
    }
}

fn what_chance_misses_is_found_by_doing_all_schedules() {
    let subject = Subject::new("narrow");
    let (verdict, explored) = explored(&subject, &[], preemptions(1), "0\n");
    assert!(matches!(&verdict, Err(Unpassed::Fail(finding)) if finding.kind == "output"), "{explored}: {verdict:?}");
    let (verdict, explored) = self::explored(&subject, &["locked"], preemptions(1), "0\n");
    assert!(verdict.is_ok() && explored.complete, "{explored}: {verdict:?}");
}
