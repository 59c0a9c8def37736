//! What a client does, and others do to its file, while the broker is at work.

use std::fs;

use harness::prelude::*;

use crate::steps::{Broker, binary, expecting};

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

/// A client ends its sending direction after the name, and stays for the answer: none with a file must come.
pub fn gets_nothing_without_zero(session: &mut Session, broker: &Broker, name: &[u8]) -> Result<(), Unpassed> {
    let mut client = broker.connect(session)?;
    session.send_local(&mut client, name, &[])?;
    client.end_sending()?;
    session.settle()?;
    session.received_local(&mut client)?;
    broker.goes_on(session)?;
    if client.attached.is_empty() {
        return Ok(());
    }
    let next = "a name is whole when its zero byte is there: an end of the stream before it says that the client has gone; recv(2), RETURN VALUE";
    Err(Finding::new("descriptor", "a client that ends its request without a zero byte gets no file", "a descriptor comes", next).into())
}

/// What the broker receives from its next client fails: the client is gone.
pub fn reset_before_request(session: &mut Session, broker: &Broker) -> Result<(), Unpassed> {
    session.arm(fail([Recv, Read], libc::ECONNRESET).on(Kind::Unix).in_program("fdbroker").if_called());
    let mut client = broker.connect(session)?;
    broker.ask(session, &mut client, b"nowhere")?;
    session.settle()?;
    drop(client);
    session.settle()
}

/// Each sendmsg takes two bytes at most. Whether the broker goes on with the rest or gives up, the descriptor goes with the first of them alone.
pub fn passes_once(session: &mut Session, broker: &Broker, name: &[u8]) -> Result<(), Unpassed> {
    session.arm(short(Send, 2).on(Kind::Unix).in_program("fdbroker").every().if_called());
    let mut client = broker.connect(session)?;
    broker.ask(session, &mut client, name)?;
    let next = "close the connected socket when the client is served, in every process that has it; close(2)";
    expecting("fdbroker closes the connection after its answer", next, session.receive_all_local(&mut client))?;
    if client.attached.len() < 2 {
        return Ok(());
    }
    let next = "what has been sent is sent, the descriptor too: go on with the bytes that are left, and without msg_control; sendmsg(2)";
    Err(Finding::new("descriptor", "one descriptor comes with the answer", "more than one comes", next).into())
}

/// A client that was gone before its answer could be sent has no line.
pub fn names_nobody_unanswered(session: &mut Session, broker: &Broker, name: &[u8]) -> Result<(), Unpassed> {
    let before = session.stdout(broker.program).len();
    leaves_without_answer(session, broker, name)?;
    if session.stdout(broker.program).len() == before {
        return Ok(());
    }
    let next = "print the line when sendmsg has succeeded: EPIPE says that nobody got an answer; sendmsg(2), ERRORS";
    Err(Finding::new("output", "no line for a client that was gone before its answer could be sent", "fdbroker prints one", next).into())
}
