//! The broker and the signals that stop it.

use std::fs;

use harness::prelude::*;

use crate::steps::{Broker, expecting};

/// The signal comes while the broker waits, and its client has gone or has stayed.
pub fn ended_at_rest(lab: &Lab, signal: i32, client_stays: bool) -> Verdict {
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        let client = broker.connect(session)?;
        let _client = client_stays.then_some(client);
        session.settle()?;
        session.signal(broker.program, signal)?;
        ends_clean(session, &broker)?;
        session.pass()
    })
}

/// The signal comes before anything that follows the line.
pub fn ended_at_once(lab: &Lab) -> Verdict {
    lab.session(|session| {
        let line = session.arm(hold_at(Write).on_standard_output().in_program("fdbroker").afterwards());
        let socket = session.path_text(&format!("{}.sock", lab.word()));
        let broker = Broker::begin(session, &socket, &lab.word())?;
        session.until_held(line)?;
        session.signal(broker.program, libc::SIGTERM)?;
        session.release(line)?;
        ends_clean(session, &broker)?;
        session.pass()
    })
}

/// The signal comes between whatever the broker looks at and the call in which it then waits for its clients.
pub fn ended_before_it_waits(lab: &Lab) -> Verdict {
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        let waits_in = |one: &Sleeping| [Poll, Select, EpollWait, Accept].contains(&one.call);
        let Some(waits) = session.sleeping(broker.program).into_iter().find(waits_in) else { return session.pass() };
        let wait = session.arm(hold_before(waits.call).on_anything().in_program("fdbroker").by(Who::Parent).if_called());
        let _client = broker.connect(session)?;
        session.settle()?;
        if session.fired(wait).fired == 0 {
            // Its children wait, and it has nothing to do with clients.
            return session.pass();
        }
        session.signal(broker.program, libc::SIGTERM)?;
        session.settle()?;
        session.release(wait)?;
        ends_clean(session, &broker)?;
        session.pass()
    })
}

fn ends_clean(session: &mut Session, broker: &Broker) -> Result<(), Unpassed> {
    let next = "see where fdbroker waits, and whether its handler gets it out of there for good; signal(7), sigaction(2) SA_RESTART, ppoll(2)";
    expecting("the signal ends fdbroker", next, session.exit(broker.program))?;
    exits(session, broker.program, Exit::Status(0))?;
    if fs::symlink_metadata(&broker.socket).is_err() {
        return Ok(());
    }
    let next = "closing a socket does not take its name away: unlink it on the way out; unix(7), NOTES";
    Err(Finding::new("left-behind", "SOCK is gone when fdbroker has ended", "it is still there", next).into())
}
