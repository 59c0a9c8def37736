//! Damage that is done while a command is at work: it has looked at the capacity already.

use harness::prelude::*;

use crate::steps::*;

/// Another process writes a capacity that is too large for the object, and an index that would be right with it.
fn damage(name: &str, index: u64, capacity: u64) -> Looked {
    poke(name, CAPACITY, 2 * capacity as u32)?;
    poke(name, index, capacity as u32)
}

fn done_meanwhile(unpassed: Unpassed, what: &str) -> Unpassed {
    let next =
        "what another process may write is compared with what cannot change: the capacity that was read and compared once, or the object's length";
    match unpassed {
        Unpassed::Fail(finding) => Finding { next: next.to_owned(), ..*finding }.when(what).into(),
        other => other,
    }
}

/// `put` has put a line, and waits for input.
pub fn while_put_works(lab: &Lab) -> Verdict {
    let (name, capacity, lines) = (name(lab), lab.number(4..8), lines(lab, 2));
    let verdict = lab.session(|session| {
        create(session, &name, capacity)?;
        let put = session.program("ring").args(["put", &name]).called("`ring put`").open_stdin().start()?;
        session.feed(put, &text(&lines[..1]));
        session.settle()?;
        damage(&name, TAIL, capacity)?;
        session.feed(put, &text(&lines[1..]));
        session.end_input(put);
        session.exit(put)?;
        has_failed(session, put, "ring: ")?;
        session.pass()
    });
    verdict.map_err(|unpassed| {
        done_meanwhile(unpassed, "another process sets the capacity to twice CAP, and tail to CAP, while `ring put` waits for input")
    })
}

/// `get` waits for a line, and a `put` that was there before the damage puts one.
pub fn while_get_waits(lab: &Lab) -> Verdict {
    let (name, capacity, lines) = (name(lab), lab.number(4..8), lines(lab, 2));
    let verdict = lab.session(|session| {
        create(session, &name, capacity)?;
        let put = session.program("ring").args(["put", &name]).called("`ring put`").open_stdin().start()?;
        session.feed(put, &text(&lines[..1]));
        session.settle()?;
        let get = start(session, &["get", "-n", "2", &name], b"")?;
        session.settle()?;
        damage(&name, HEAD, capacity)?;
        session.feed(put, &text(&lines[1..]));
        session.end_input(put);
        session.exit(put)?;
        session.settle()?;
        // A put that has noticed the new capacity puts nothing, and leaves get waiting.
        if session.exit_of(put) == Some(Exit::Status(0)) {
            session.exit(get)?;
            has_failed(session, get, "ring: ")?;
            prints(session, get, &text(&lines[..1]))?;
        } else {
            has_failed(session, put, "ring: ")?;
        }
        session.pass()
    });
    verdict.map_err(|unpassed| {
        done_meanwhile(unpassed, "another process sets the capacity to twice CAP, and head to CAP, while `ring get` waits for a line")
    })
}
