//! Deadlines: until when sem_timedwait sleeps, beside the wall clock at the moments of the start and of the call.

use std::time::{SystemTime, UNIX_EPOCH};

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
