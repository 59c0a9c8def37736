//! What a client does, and others do to its file, while the broker is at work.

use std::fs;

use harness::prelude::*;

use crate::steps::{Broker, binary};

pub fn make_fifo(session: &mut Session, broker: &Broker, name: &str) -> Result<(), Unpassed> {
    session.make_fifo(&format!("{}/{name}", broker.folder())).map(drop)
}

/// The broker is held where it opens a regular file, which becomes something else.
pub fn exchanged(lab: &Lab, numbers: &[i32], exchange: impl FnOnce(&mut Session, &Broker) -> Result<(), Unpassed>) -> Verdict {
    let content = binary(lab, 50);
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        let path = broker.make_file(b"file", &content)?;
        let opening = session.arm(hold_at(Open).on(Kind::File).in_program("fdbroker").if_called());
        let mut client = broker.connect(session)?;
        broker.ask(session, &mut client, b"file")?;
        session.settle()?;
        fs::remove_file(path)?;
        exchange(session, &broker)?;
        session.release(opening)?;
        broker.answers_with(session, &mut client, numbers)?;
        session.pass()
    })
}

/// A client that says this much and goes.
pub fn leaves_after(session: &mut Session, broker: &Broker, said: &[u8]) -> Result<(), Unpassed> {
    let mut client = broker.connect(session)?;
    session.send_local(&mut client, said, &[])?;
    session.settle()?;
    drop(client);
    session.settle()
}

/// The broker finds the request of a client that has gone already.
pub fn leaves_without_answer(session: &mut Session, broker: &Broker, name: &[u8]) -> Result<(), Unpassed> {
    session.signal(broker.program, libc::SIGSTOP)?;
    session.settle()?;
    let mut client = broker.connect(session)?;
    broker.ask(session, &mut client, name)?;
    drop(client);
    session.signal(broker.program, libc::SIGCONT)?;
    session.settle()
}
