//! Forced interleavings: a watcher is held before each of its calls in turn, and a message or a signal comes while it is held there.
use harness::prelude::*;

use super::steps::*;

/// Most calls from one sleep to the next that are tried: far more than any watcher needs.
const MOST_CALLS: u32 = 40;

/// When the watcher is held: the calls that it makes from then on are counted until it sleeps.
#[derive(Clone, Copy)]
pub enum Phase {
    /// After it has written `watching`, with a message in the queue.
    Start,
    /// After a message has come while it slept.
    Woken,
}

/// What comes while it is held.
#[derive(Clone, Copy)]
pub enum Disturbance {
    /// A message.
    Message,
    /// SIGTERM.
    Stop,
}

/// Holds one watcher after the other, each before the next one of its calls; `first` is there by then, and `second` comes if a message is to come.
pub fn hold_before_each_call(
    session: &mut Session,
    name: &str,
    phase: Phase,
    disturbance: Disturbance,
    first: &str,
    second: &str,
) -> Result<(), Unpassed> {
    let queue = session.make_queue(name, 4, 64)?;
    for number in 1..=MOST_CALLS {
        let (watcher, hold) = begin(session, name, &queue, phase, number, first)?;
        if session.fired(hold).fired == 0 {
            break;
        }
        match disturbance {
            Disturbance::Message => message_comes(session, &queue, watcher, hold, [first, second])?,
            Disturbance::Stop => stop_comes(session, &queue, watcher, hold, first)?,
        }
    }
    Ok(())
}

/// A fresh watcher, held before the call of this number of the phase; it makes fewer calls if the hold has not fired.
fn begin(session: &mut Session, name: &str, queue: &Queue, phase: Phase, number: u32, first: &str) -> Result<(Program, Armed), Unpassed> {
    let before = hold_before(Call::ALL).on_anything().nth(number).if_called();
    match phase {
        Phase::Start => {
            queue.send(first.as_bytes(), 0)?;
            let writes = session.arm(hold_at(Write).on(Kind::Standard));
            let watcher = start(session, &[&"watch", &name])?;
            session.until_held(writes)?;
            let hold = session.arm(before);
            session.release(writes)?;
            session.settle()?;
            Ok((watcher, hold))
        }
        Phase::Woken => {
            let watcher = watch(session, name)?;
            let hold = session.arm(before);
            queue.send(first.as_bytes(), 0)?;
            session.settle()?;
            Ok((watcher, hold))
        }
    }
}

/// What the program was about to do when it was held, for messages.
fn held_before(session: &Session) -> String {
    let call = session.events().iter().rfind(|event| event.injected).map_or_else(|| "a call".into(), |event| event.call.word());
    format!("just before it calls {call}")
}

fn message_comes(session: &mut Session, queue: &Queue, watcher: Program, hold: Armed, [first, second]: [&str; 2]) -> Result<(), Unpassed> {
    let circumstance = format!("a message came {}", held_before(session));
    queue.send(second.as_bytes(), 0)?;
    go_on(session, hold)?;
    has_printed_all(session, watcher, b"", &[b"watching\n".to_vec(), line(0, first), line(0, second)], &circumstance)?;
    session.signal(watcher, libc::SIGKILL)?;
    session.exit(watcher).map(drop)
}

fn stop_comes(session: &mut Session, queue: &Queue, watcher: Program, hold: Armed, first: &str) -> Result<(), Unpassed> {
    let circumstance = format!("SIGTERM came {}", held_before(session));
    session.signal(watcher, libc::SIGTERM)?;
    go_on(session, hold)?;
    let ended = session.exit(watcher).and_then(|_| exits(session, watcher, Exit::Status(0)));
    ended.map_err(|unpassed| about(unpassed, &circumstance))?;
    let printed = session.stdout(watcher) == [b"watching\n".to_vec(), line(0, first)].concat();
    let left = queue.receive()?.is_some();
    if printed != left {
        return Ok(());
    }
    let observed = if left { "it is printed and still in the queue" } else { "it is neither printed nor in the queue" };
    let next = "finish what was taken out before leaving: take no signal between mq_receive and the output; signal(7)";
    Err(Finding::new("message", "a message is either printed or left in the queue", observed, next).when(&circumstance).into())
}

/// First what the others do meanwhile, then what the one does that is held.
fn go_on(session: &mut Session, hold: Armed) -> Result<(), Unpassed> {
    session.settle()?;
    session.release(hold)?;
    session.settle()
}

/// A message comes while the watcher is held at its first mq_notify, and at each of the next two.
pub fn comes_before_registration(lab: &Lab, name: &str, queued: &[String], words: &[String]) -> Verdict {
    let lines = |words: &[String]| words.iter().map(|text| line(0, text)).collect::<Vec<_>>();
    lab.session(|session| {
        let queue = session.make_queue(name, 10, 64)?;
        queued.iter().try_for_each(|text| queue.send(text.as_bytes(), 0))?;
        let first = session.arm(hold_at(MqNotify));
        let watcher = start(session, &[&"watch", &name])?;
        session.until_held(first)?;
        queue.send(words[0].as_bytes(), 0)?;
        session.release(first)?;
        session.settle()?;
        let expected = [vec![b"watching\n".to_vec()], lines(queued), lines(&words[..1])].concat();
        has_printed_all(session, watcher, b"", &expected, "a message came just before the first mq_notify")?;

        for (which, pair) in ["second", "third"].iter().zip(words[1..].chunks_exact(2)) {
            let before = session.stdout(watcher).to_vec();
            let again = session.arm(hold_at(MqNotify));
            queue.send(pair[0].as_bytes(), 0)?;
            session.until_held(again)?;
            queue.send(pair[1].as_bytes(), 0)?;
            session.release(again)?;
            session.settle()?;
            has_printed_all(session, watcher, &before, &lines(pair), &format!("a message came just before the {which} mq_notify"))?;
        }
        session.pass()
    })
}
