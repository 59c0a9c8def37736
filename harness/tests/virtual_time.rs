//! Virtual time: where everyone waits, the next time limit is over at once, in the order of the limits, and the clocks say so.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
}

use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::prelude::*;
use support::isolated;
use support::subject::Subject;

fn main() -> ExitCode {
    isolated::main(isolated::tests![
        every_call_with_a_time_limit_is_over_at_once,
        the_same_holds_under_a_schedule,
        limits_are_over_in_their_order,
        a_deadline_that_is_kept_by_the_clock_is_kept,
        an_alarm_rings_as_often_as_it_is_to,
        a_timer_that_the_kernel_keeps_is_waited_for,
        without_it_the_real_time_passes,
        time_passes_where_the_check_says_so,
        who_waits_without_a_limit_is_deadlocked_all_the_same,
    ])
}

/// What the program prints, on clocks of its own or, with a seed, under a schedule.
fn printed(way: &str, schedule: Option<u64>) -> String {
    let subject = Subject::new("time_limits");
    let begun = Instant::now();
    let told = subject.session(|session, name| {
        session.let_time_jump();
        if let Some(seed) = schedule {
            session.schedule_by(seed);
        }
        let program = session.program(name).arg(way).start()?;
        session.exit(program)?;
        session.all_end()?;
        exits(session, program, Exit::Status(0))?;
        Err(Unpassed::Skipped(String::from_utf8_lossy(session.stdout(program)).into_owned()))
    });
    assert!(begun.elapsed() < Duration::from_secs(15), "{way}: {:?}", begun.elapsed());
    match told {
        Err(Unpassed::Skipped(text)) => text,
        other => panic!("{way}: {other:?}"),
    }
}

const WAYS: [(&str, &str); 16] = [
    ("poll", "0"),
    ("ppoll", "0"),
    ("select", "0"),
    ("pselect", "0"),
    ("epoll", "0"),
    ("recv", "EAGAIN"),
    ("semop", "EAGAIN"),
    ("queue", "ETIMEDOUT"),
    ("semaphore", "ETIMEDOUT"),
    ("condition", "ETIMEDOUT"),
    ("sigwait", "EAGAIN"),
    ("nanosleep", "0"),
    ("until", "0"),
    ("alarm", "an alarm"),
    ("itimer", "an alarm"),
    ("deadline", "few rounds"),
];

fn every_call_with_a_time_limit_is_over_at_once() {
    for (way, result) in WAYS {
        assert_eq!(printed(way, None), format!("{result}  after 100s\n"), "{way}");
    }
}

fn the_same_holds_under_a_schedule() {
    for (way, result) in WAYS {
        assert_eq!(printed(way, Some(1)), format!("{result}  after 100s\n"), "{way}");
    }
}

fn limits_are_over_in_their_order() {
    assert_eq!(printed("race", None), "100 200 300  after 300s\n");
    for seed in 0..5 {
        assert_eq!(printed("race", Some(seed)), "100 200 300  after 300s\n");
    }
}

fn a_deadline_that_is_kept_by_the_clock_is_kept() {
    assert_eq!(printed("deadline", None), "few rounds  after 100s\n");
}

fn an_alarm_rings_as_often_as_it_is_to() {
    assert_eq!(printed("storm", None), " after 100s\n");
    assert_eq!(printed("storm", Some(3)), " after 100s\n");
}

fn a_timer_that_the_kernel_keeps_is_waited_for() {
    assert_eq!(printed("timerfd", None), "1  after 0s\n");
    assert_eq!(printed("timerfd", Some(3)), "1  after 0s\n");
}

fn without_it_the_real_time_passes() {
    let subject = Subject::new("time_limits").limited(|limits| limits.wall_seconds = 2);
    let verdict = subject.lab().run(&subject.name).arg("poll").exits(0).verdict();
    assert!(matches!(&verdict, Err(Unpassed::Fail(finding)) if finding.kind == "time"), "{verdict:?}");
}

fn time_passes_where_the_check_says_so() {
    let subject = Subject::new("time_limits");
    let verdict = subject.session(|session, name| {
        session.let_time_jump();
        let held = session.arm(hold_at(Poll).afterwards().if_called());
        let program = session.program(name).arg("poll").start()?;
        session.until_asleep_for_a_while("poll waits")?;
        session.let_time_pass(Duration::from_secs(50))?;
        assert_eq!(session.fired(held).fired, 0, "poll is not done yet");
        assert!(session.stdout(program).is_empty(), "it waits for the rest of its time");
        session.let_time_pass(Duration::from_secs(60))?;
        session.until_held(held)?;
        session.release(held)?;
        session.exit(program)?;
        // 110 seconds have passed in all, and it was held when the 100 were over.
        prints(session, program, b"0  after 110s\n")?;
        session.pass()
    });
    assert!(verdict.is_ok(), "{verdict:?}");
}

fn who_waits_without_a_limit_is_deadlocked_all_the_same() {
    let subject = Subject::new("waits");
    let verdict = subject.session(|session, name| {
        session.let_time_jump();
        let program = session.program(name).arg("itself").start()?;
        session.exit(program)?;
        session.pass()
    });
    assert!(matches!(&verdict, Err(Unpassed::Fail(finding)) if finding.kind == "deadlock"), "{verdict:?}");
}
