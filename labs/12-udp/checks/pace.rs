//! How long `ask` waits at each of its tries. The run's clocks stand still but for what is waited for, so that a busy machine adds nothing to it, and the waiting
//! takes no time.

use std::time::SystemTime;

use harness::prelude::*;

use crate::client::start;
use crate::steps::expecting;

/// An MS that is none of the numbers in the handout. Not too long for a program that waits on a clock of the kernel's, which does not jump.
fn some_time(lab: &Lab) -> u64 {
    lab.number(12..18) * 100
}

/// A try without `-t`, in milliseconds.
const WITHOUT_OPTION: u64 = 250;

const NEXT: &str = "MS is in milliseconds, and each try has all of it: compute its end when the question is sent; poll(2), clock_gettime(2)";

/// Fails if `ask` sends again, or ends, well before MS milliseconds are over. Whether it does so afterwards is no matter here.
pub fn waits_most_of_a_try(lab: &Lab, text: &[u8]) -> Verdict {
    let (seed, limit) = (lab.schedule_seed(), some_time(lab));
    let verdict = lab.session(|session| {
        session.schedule_by(seed);
        let server = session.mailbox()?;
        let program = start(session, &["-t", &limit.to_string(), "-r", "3"], server.address, text)?;
        let goal = "ask sends again or ends";
        let over = |session: &mut Session| Ok((session.has_ended(program) || sendings(session, program).len() > 1).then_some(()));
        match session.until(goal, over) {
            // It waits for ever.
            Err(Unpassed::Fail(finding)) if finding.kind == "deadlock" => return session.pass(),
            over => over?,
        }
        let sent = sendings(session, program);
        let end = sent.get(1).copied().or_else(|| session.events_of(program).last().map(|event| event.entered_at));
        let (Some(sent), Some(end)) = (sent.first(), end) else { return Err(unseen()) };
        let wait = milliseconds(*sent, end);
        if wait < limit * 3 / 4 {
            let expected = format!("ask waits {limit} ms for the answer, and sends nothing meanwhile");
            return Err(Finding::new("time-limit", expected, format!("it waits about {} ms", rounded(wait)), NEXT).into());
        }
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, &format!("nobody answers, with -t {limit} -r 3")))
}

fn unseen() -> Unpassed {
    Unpassed::Broken("ask has ended, and not all that it did was seen".into())
}

/// What a program needs for its looks at the clock is no part of a message.
fn rounded(wait: u64) -> u64 {
    (wait + 5) / 10 * 10
}

/// Whether it waits on a clock of the kernel's: a busy machine then makes a wait longer, and only too short a one is a finding.
fn has_timer(session: &Session, program: Program) -> bool {
    let timers = [libc::SYS_timerfd_settime as u64, libc::SYS_timer_settime as u64];
    session.events_of(program).any(|event| timers.contains(&event.number))
}

/// Fails unless MS milliseconds lie between the sendings, within a quarter of it.
pub fn keeps_pace(lab: &Lab, text: &[u8]) -> Verdict {
    let limit = some_time(lab);
    sends_every(lab, &format!("-t {limit} -r 4"), limit, text)?;
    sends_every(lab, "-r 3", WITHOUT_OPTION, text)
}

fn sends_every(lab: &Lab, options: &str, limit: u64, text: &[u8]) -> Verdict {
    in_vain(lab, options, text, |session, program| {
        let sent = sendings(session, program);
        let waits = sent.windows(2).map(|pair| milliseconds(pair[0], pair[1]));
        let mut tries = ["first", "second", "third"].into_iter().zip(waits);
        tries.try_for_each(|(which, wait)| {
            is_a_try(&format!("between its {which} sending and the next one"), limit, wait, has_timer(session, program))
        })
    })
}

/// Fails unless `ask` ends MS milliseconds after it has sent for the last time, within a quarter of it.
pub fn waits_for_the_end(lab: &Lab, text: &[u8]) -> Verdict {
    let limit = some_time(lab);
    in_vain(lab, &format!("-t {limit} -r 3"), text, |session, program| {
        let last = session.events_of(program).last().map(|event| event.entered_at);
        match (sendings(session, program).last(), last) {
            (Some(sent), Some(end)) => {
                is_a_try("after its last sending, before it gives up", limit, milliseconds(*sent, end), has_timer(session, program))
            }
            _ => Err(unseen()),
        }
    })
}

/// A run of `ask` that nobody answers, to its end.
fn in_vain(lab: &Lab, options: &str, text: &[u8], look: impl Fn(&Session, Program) -> Result<(), Unpassed>) -> Verdict {
    let seed = lab.schedule_seed();
    let verdict = lab.session(|session| {
        session.schedule_by(seed);
        let server = session.mailbox()?;
        let options: Vec<&str> = options.split_whitespace().collect();
        let program = start(session, &options, server.address, text)?;
        let next = "count the tries; after the last one there is nothing left to wait for but its answer; poll(2)";
        expecting("ask gives up after its last try", next, session.exit(program))?;
        look(session, program)?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, &format!("nobody answers, with {options}")))
}

/// When `ask` has sent something, on the run's clock.
fn sendings(session: &Session, program: Program) -> Vec<SystemTime> {
    let sent = |event: &&Event| matches!(event.call, Send | Write) && session.kind_of(event) == Some(Kind::Udp) && event.succeeded();
    session.events_of(program).filter(sent).map(|event| event.entered_at).collect()
}

fn milliseconds(from: SystemTime, to: SystemTime) -> u64 {
    to.duration_since(from).unwrap_or_default().as_millis() as u64
}

fn is_a_try(place: &str, limit: u64, wait: u64, has_timer: bool) -> Result<(), Unpassed> {
    let (least, most) = (limit * 3 / 4, if has_timer { u64::MAX } else { limit * 5 / 4 });
    if (least..=most).contains(&wait) {
        return Ok(());
    }
    let observed = format!("it waits about {} ms there", rounded(wait));
    Err(Finding::new("time-limit", format!("ask waits {limit} ms {place}"), observed, NEXT).into())
}
