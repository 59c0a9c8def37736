//! netcat at the other end of the connection: a program that knows nothing of frames.

use harness::prelude::*;

use crate::steps::{Receiver, binary, expecting, frame, lines, sender_ends, stream, under, wrong_frames};

/// netcat has several authors; this is OpenBSD's, whose options these are. `-N` ends the sending direction with the input.
const NETCAT: &str = "nc.openbsd";
const PACKAGE: &str = "netcat-openbsd";

fn start_netcat(session: &mut Session, called: &str, arguments: &[&str]) -> Result<Program, Unpassed> {
    let netcat = session.installed_program(NETCAT, PACKAGE)?.called(called).args(["-N"]).args(arguments.iter().copied()).open_stdin().start()?;
    // What it has to do first is done: it is connected, or listens.
    session.settle()?;
    Ok(netcat)
}

/// Two real senders at `recv`, which takes one.
fn bring_frames(lab: &Lab) -> Verdict {
    let of_length = |length: u64| binary(lab, length as usize);
    let messages = [of_length(lab.number(5..60)), Vec::new(), of_length(lab.number(300..2000))];
    let foreign = frame(&of_length(50));
    lab.session(|session| {
        let receiver = Receiver::start(session)?;
        let port = receiver.port.to_string();
        let first = start_netcat(session, "the first nc", &["127.0.0.1", &port])?;
        session.feed(first, &frame(&messages[0]));
        let next = "see what recv does with the bytes that have come, and whether it waits for more than a frame; recv(2)";
        receiver.until_printed(session, &messages[..1], next)?;
        let second = start_netcat(session, "the second nc", &["127.0.0.1", &port])?;
        session.feed(second, &foreign);
        session.settle()?;
        let takes_one = "recv takes one sender: do not accept another one, while the first is connected or afterwards; accept(2)";
        let untouched = receiver.goes_on(session).and_then(|()| receiver.has_printed(session, &messages[..1]));
        expecting("recv prints nothing of a second sender", takes_one, under("while a second nc is connected", untouched))?;
        session.feed(first, &stream(&messages[1..]));
        session.end_input(first);
        under("when the first of two nc ends", receiver.ends(session, &messages, 0, takes_one))?;
        let goal = "nc ends with the connection";
        expecting(goal, "see who still holds the connected socket when the stream is over; close(2)", session.exit(first))?;
        session.pass()
    })
}

/// A real receiver for `send`.
fn takes_frames(lab: &Lab) -> Verdict {
    let messages =
        [binary(lab, 70), Vec::new(), binary(lab, 1200)].map(|message| message.into_iter().filter(|byte| *byte != b'\n').collect::<Vec<_>>());
    lab.session(|session| {
        let port = session.free_port()?;
        let receiver = start_netcat(session, "nc", &["-l", "127.0.0.1", &port.to_string()])?;
        let sender = session.program("frames").args(["send".to_owned(), "127.0.0.1".to_owned(), port.to_string()]).stdin(lines(&messages)).start()?;
        sender_ends(session, sender, 0, "at the end of its input there is nothing left to wait for; read(2)")?;
        expecting("nc reads end-of-file", "see who still holds the socket; close(2)", session.exit(receiver))?;
        let (expected, came) = (stream(&messages), session.stdout(receiver).to_vec());
        if came != expected {
            return Err(wrong_frames("what nc gets from send", &expected, &came).into());
        }
        exits(session, receiver, Exit::Status(0))?;
        session.pass()
    })
}

pub fn frames_with_netcat(lab: &Lab) -> Verdict {
    under("with nc as the sender", bring_frames(lab))?;
    under("with nc as the receiver", takes_frames(lab))
}
