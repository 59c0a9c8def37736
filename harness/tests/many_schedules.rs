//! Right programs under very many schedules: none is accused, none stands still. `SCHEDULES` says how many each; a nightly run takes 10,000.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
    pub mod submissions;
}

use std::process::ExitCode;

use harness::prelude::*;
use support::isolated;
use support::subject::Subject;

fn main() -> ExitCode {
    isolated::main(isolated::tests![
        a_medley_of_everything_is_never_accused,
        locks_of_every_kind_are_never_accused,
        semaphores_in_one_order_are_never_accused,
        a_safe_wait_for_a_signal_is_never_accused,
        memory_that_the_kernel_fills_is_never_accused,
        who_is_stopped_and_continued_comes_to_its_end,
        who_is_killed_anywhere_is_gone,
        who_is_killed_while_it_makes_children_leaves_none_unseen,
        who_is_killed_with_its_threads_is_gone,
        what_the_labs_accept_is_never_accused,
    ])
}

/// How many schedules of each program.
fn schedules() -> u64 {
    std::env::var("SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// Where to begin, so that a nightly run need not see the same schedules again.
fn first() -> u64 {
    std::env::var("FIRST_SCHEDULE").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Every schedule of the program ends, exits 0, and shows no race.
fn never_accused(program: &str, arguments: &[&str]) {
    is_never_accused(&Subject::new(program), program, arguments, schedules());
}

fn is_never_accused(subject: &Subject, program: &str, arguments: &[&str], schedules: u64) {
    for schedule in first()..first() + schedules {
        let verdict = subject.session(|session, name| {
            session.schedule_by(schedule);
            let file = session.path_text("file");
            let arguments = arguments.iter().map(|argument| argument.replace("{file}", &file));
            let program = session.program(name).args(arguments).start()?;
            session.exit(program)?;
            session.all_end()?;
            without_races(session)?;
            exits(session, program, Exit::Status(0))?;
            session.pass()
        });
        assert!(verdict.is_ok(), "{program} {arguments:?} under schedule {schedule}: {verdict:?}");
    }
    subject.assert_nothing_is_left();
}

fn a_medley_of_everything_is_never_accused() {
    never_accused("medley", &["2"]);
}

fn locks_of_every_kind_are_never_accused() {
    for how in ["semop", "mutex", "semaphore", "atomic", "copy-locked"] {
        never_accused("counter", &[how, "2", "2"]);
    }
}

fn semaphores_in_one_order_are_never_accused() {
    never_accused("two_semaphores", &[]);
}

fn a_safe_wait_for_a_signal_is_never_accused() {
    never_accused("lost_wakeup", &["safe"]);
}

fn memory_that_the_kernel_fills_is_never_accused() {
    never_accused("hand_over", &[]);
}

fn who_is_stopped_and_continued_comes_to_its_end() {
    never_accused("interrupted_lives", &["stop"]);
}

fn who_is_killed_anywhere_is_gone() {
    never_accused("interrupted_lives", &["kill"]);
}

fn who_is_killed_while_it_makes_children_leaves_none_unseen() {
    never_accused("interrupted_lives", &["kill-forking"]);
}

fn who_is_killed_with_its_threads_is_gone() {
    never_accused("interrupted_lives", &["threads"]);
}

/// The solutions of the labs whose programs end by themselves, and where `SCHEDULES` asks for more than a look, each accepted submission too.
fn what_the_labs_accept_is_never_accused() {
    let more = std::env::var_os("SCHEDULES").is_some();
    let submissions = support::submissions::listed(more);
    for (number, submission) in submissions.iter().enumerate() {
        let subject = Subject::of(&submission.compiled(), &format!("submission{number}"));
        let arguments: Vec<&str> = submission.arguments.iter().map(String::as_str).collect();
        is_never_accused(&subject, &submission.name, &arguments, if more { schedules() } else { 2 });
    }
    println!("{} programs, {} schedules each", submissions.len(), if more { schedules() } else { 2 });
}
