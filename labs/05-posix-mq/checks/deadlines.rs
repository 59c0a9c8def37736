//! Deadlines: what mq_timedreceive was told, beside the wall clock at the moments of the start and of the call.
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::prelude::*;

use super::steps::*;

/// The deadline lies MS after the start, and then `recv` gives up.
pub fn ends_in_time(session: &mut Session, name: &str, limit: u64) -> Result<(), Unpassed> {
    let recv: Arguments = &[&"recv", &"-t", &limit.to_string(), &name];
    let started = SystemTime::now();
    let program = start(session, recv)?;
    // Asleep by now: a deadline that is far too late need not be waited for.
    session.settle()?;
    let judged = lies_after(session, program, started, limit)
        .and_then(|()| ends_with_report(session, program, &["mq_timedreceive"]))
        .and_then(|()| prints(session, program, b""))
        .and_then(|()| lies_after(session, program, started, limit));
    judged.map_err(|unpassed| in_command(unpassed, recv))?;
    if deadlines(session, program).is_empty() {
        return Err(in_command(deadline_finding("it is never called with a deadline"), recv));
    }
    Ok(())
}

/// The last deadline so far is not before the moment of the start plus MS, and not after the moment of the call plus MS.
fn lies_after(session: &Session, program: Program, started: SystemTime, limit: u64) -> Result<(), Unpassed> {
    // Coarse clocks run up to a clock tick behind, and a program may round to milliseconds.
    const BEHIND: f64 = 0.010;
    const ROUNDED: f64 = 0.001;
    let limit = limit as f64 / 1000.0;
    match deadlines(session, program).last() {
        Some((deadline, _)) if *deadline < seconds(started) + limit - BEHIND => Err(deadline_finding("its deadline is earlier")),
        Some((deadline, called)) if *deadline > called + limit + ROUNDED => Err(deadline_finding("its deadline is later")),
        _ => Ok(()),
    }
}

fn deadline_finding(observed: &str) -> Unpassed {
    let next = "the deadline is now plus MS milliseconds; clock_gettime(2), CLOCK_REALTIME";
    Finding::new("deadline", "mq_timedreceive waits until MS milliseconds after the start", observed, next).into()
}

/// 999 ms from now lie in the next second, and nanoseconds must be carried: unless the clock stands in the first millisecond of a second. Then try again.
pub fn carries_seconds(session: &mut Session, queue: &Queue, recv: Arguments, text: &str) -> Result<(), Unpassed> {
    loop {
        queue.send(text.as_bytes(), 0)?;
        let program = start(session, recv)?;
        ends_well(session, program, recv, &line(0, text))?;
        if deadlines(session, program).iter().all(|(deadline, _)| deadline.fract() < 0.998) {
            return Ok(());
        }
    }
}

/// A call that was interrupted is made again with the deadline of the first.
pub fn deadline_stays(lab: &Lab, name: &str, recv: Arguments) -> Verdict {
    lab.session(|session| {
        let _queue = session.make_queue(name, 4, 64)?;
        // Both at the first call: it is held, and once it goes on it fails.
        session.arm(fail(MqReceive, libc::EINTR));
        let held = session.arm(hold_at(MqReceive));
        let program = start(session, recv)?;
        session.until_held(held)?;
        wall_clock_goes_on();
        session.release(held)?;
        ends_with_report(session, program, &["mq_timedreceive"]).map_err(|unpassed| in_command(unpassed, recv))?;
        let deadlines = deadlines(session, program);
        // Whoever goes by another clock in between arrives at the same moment, if not at the same nanosecond.
        let most = CLOCK_GOES_ON.as_secs_f64() / 4.0;
        if let [(interrupted, _), (again, _), ..] = deadlines[..]
            && (again - interrupted).abs() > most
        {
            let expected = "a call that was interrupted is made again with the same deadline";
            let next = "compute the deadline once, before the first call; mq_receive(3), EINTR";
            return Err(in_command(Finding::new("deadline", expected, "the second call has another deadline than the first", next).into(), recv));
        }
        session.pass()
    })
}

/// More than any clock's step, so that a deadline that is computed anew is another one.
const CLOCK_GOES_ON: Duration = Duration::from_millis(40);

/// Lets the clock go on while the program is held: nobody is waited for.
fn wall_clock_goes_on() {
    let from = Instant::now();
    while from.elapsed() < CLOCK_GOES_ON {
        std::hint::spin_loop();
    }
}

/// The points in time that the program's receive calls were given, with the moments of those calls; in seconds since 1970.
fn deadlines(session: &Session, program: Program) -> Vec<(f64, f64)> {
    let receives = session.events_of(program).filter(|event| event.call == MqReceive);
    let deadline = |event: &Event| match event.detail {
        Detail::Time(deadline) => Some((deadline, seconds(event.entered_at))),
        _ => None,
    };
    receives.filter_map(deadline).collect()
}

/// A moment of the wall clock in seconds since 1970, good to a microsecond.
fn seconds(moment: SystemTime) -> f64 {
    moment.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
