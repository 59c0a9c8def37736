//! Deadlines: until when sem_timedwait sleeps, beside the wall clock at the moments of the start and of the call.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::prelude::*;

use super::steps::*;

/// A `get -t` on an empty ring, with the first lines that it prints all the same. It sleeps until MS after it began to wait, and then gives up.
pub fn gives_up_in_time(session: &mut Session, arguments: &[&str], output: &[u8], limit: u64) -> Looked {
    let started = SystemTime::now();
    let program = start(session, arguments, b"")?;
    // Asleep by now: a deadline that is far too late need not be waited for.
    session.settle()?;
    let judged = lies_after(session, program, started, limit).and_then(|()| session.exit(program).map(drop));
    let judged = judged.and_then(|()| has_failed(session, program, "ring: sem_timedwait:")).and_then(|()| prints(session, program, output));
    let judged = judged.and_then(|()| lies_after(session, program, started, limit)).and_then(|()| match deadlines(session, program)[..] {
        [] => Err(deadline_finding("it never sleeps with a deadline")),
        _ => Ok(()),
    });
    judged.map_err(|unpassed| in_command(unpassed, arguments))
}

/// No deadline so far is before the moment of the start plus MS, nor after the moment of the call plus MS.
fn lies_after(session: &Session, program: Program, started: SystemTime, limit: u64) -> Looked {
    // Coarse clocks run up to a clock tick behind, and a program may round to milliseconds.
    const BEHIND: f64 = 0.010;
    const ROUNDED: f64 = 0.001;
    let limit = limit as f64 / 1000.0;
    for (deadline, called) in deadlines(session, program) {
        if deadline < seconds(started) + limit - BEHIND {
            return Err(deadline_finding("its deadline is earlier"));
        }
        if deadline > called + limit + ROUNDED {
            return Err(deadline_finding("its deadline is later"));
        }
    }
    Ok(())
}

fn deadline_finding(observed: &str) -> Unpassed {
    let next = "the deadline is a point in time, now plus MS milliseconds by CLOCK_REALTIME, with less than a billion nanoseconds; sem_timedwait(3)";
    Finding::new("deadline", "sem_timedwait sleeps until MS milliseconds after the wait for the line began", observed, next).into()
}

/// The points in time until which the program slept, with the moments at which it began to; in seconds since 1970.
pub fn deadlines(session: &Session, program: Program) -> Vec<(f64, f64)> {
    let sleeps = session.events_of(program).filter(|event| event.call == FUTEX);
    let deadline = |event: &Event| match event.detail {
        Detail::Time(deadline) => Some((deadline, seconds(event.entered_at))),
        _ => None,
    };
    sleeps.filter_map(deadline).collect()
}

/// A moment of the wall clock in seconds since 1970, good to a microsecond.
fn seconds(moment: SystemTime) -> f64 {
    moment.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The limit is that of one line, and counts anew for the next: much of it is over when the first line comes.
pub fn count_anew(lab: &Lab) -> Verdict {
    const WAITED: Duration = Duration::from_secs(40);
    let (name, capacity, lines) = (name(lab), lab.number(3..6), lines(lab, 2));
    let arguments = ["get", "-n", "2", "-t", "60000", &name];
    let verdict = lab.session(|session| {
        session.trace_too(FUTEX);
        session.let_time_jump();
        create(session, &name, capacity)?;
        let get = start(session, &arguments, b"")?;
        for line in &lines {
            let goal = "get waits for each line until 60 seconds after the line before it";
            session.until_asleep_for_a_while(goal).map_err(|unpassed| expecting(unpassed, goal))?;
            session.let_time_pass(WAITED)?;
            if session.has_ended(get) {
                let next = "take the time anew for each line: `-t` is a limit for one wait, not for all of them; sem_timedwait(3)";
                let finding = Finding::new("deadline", goal, format!("it gives up {} seconds after that line", WAITED.as_secs()), next);
                return Err(finding.with(session.end_lines(get)).into());
            }
            put(session, &name, std::slice::from_ref(line))?;
        }
        session.exit(get)?;
        has_ended_well(session, get, &text(&lines))?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "each line comes 40 seconds after `ring get -n 2 -t 60000` began to wait for it"))
}

fn expecting(unpassed: Unpassed, goal: &str) -> Unpassed {
    match unpassed {
        Unpassed::Fail(finding) => Finding { expected: goal.to_owned(), ..*finding }.into(),
        other => other,
    }
}
