//! `askd` and the check as its clients.

use std::net::{Ipv4Addr, SocketAddrV4};

use harness::prelude::*;

use crate::steps::{Id, answer, compare_answers, expecting, nothing_came, number_of, question};

/// `askd`, and the port that it has printed.
#[derive(Clone, Copy)]
pub struct Server {
    pub program: Program,
    pub port: u16,
}

impl Server {
    /// Starts `askd` at a port that the kernel chooses. It is at rest when this returns.
    pub fn start(session: &mut Session) -> Result<Self, Unpassed> {
        Self::start_at(session, 0)
    }

    /// Starts `askd` at this port, or for 0 at one that the kernel chooses.
    pub fn start_at(session: &mut Session, port: u16) -> Result<Self, Unpassed> {
        let program = session.program("askd").arg(port.to_string()).start()?;
        let line = session.line(program)?;
        let announced = line.strip_prefix("listening ").and_then(|number| number.parse().ok());
        let expected =
            if port == 0 { "`listening PORT` with the port that the kernel has chosen" } else { "`listening PORT` with the port asked for" };
        let next = "print the port that the socket is bound to, in the program's byte order; getsockname(2), byteorder(3)";
        let finding = |observed: &str| Unpassed::from(Finding::new("output", format!("the line {expected}"), observed, next));
        match announced {
            None => Err(finding(&format!("the line {}", excerpt(line.as_bytes(), 0)))),
            Some(0) => Err(finding("the line `listening 0`: no client can find that port")),
            Some(other) if port != 0 && other != port => Err(finding("the line has another port")),
            Some(port) => {
                session.settle()?;
                Ok(Self { program, port })
            }
        }
    }

    /// Where it takes questions, on loopback.
    pub fn address(self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port)
    }

    /// The client sends this question, and must get its answer with this number.
    pub fn answers(self, session: &mut Session, client: &Mailbox, id: Id, text: &[u8], number: u32) -> Result<(), Unpassed> {
        self.goes_on(session)?;
        client.send(self.address(), &question(id, text))?;
        self.has_answered(session, client, id, text, number)
    }

    /// The client must get the answer to a question that it has sent.
    pub fn has_answered(self, session: &mut Session, client: &Mailbox, id: Id, text: &[u8], number: u32) -> Result<(), Unpassed> {
        self.has_answered_with_one_of(session, client, id, text, &mut vec![number])
    }

    /// The same where several questions waited at once: a server with several threads may count them in any order. The number is taken out of those that are
    /// left.
    pub fn has_answered_with_one_of(self, session: &mut Session, client: &Mailbox, id: Id, text: &[u8], left: &mut Vec<u32>) -> Result<(), Unpassed> {
        let next = "see where askd waits, what it does with the datagram, and to which address it sends; recvfrom(2), sendto(2)";
        let came = expecting("askd answers the question", next, session.datagram(client))?;
        if came.from.port() != self.port {
            let expected = "the answer comes from the port that the question went to";
            let next = "send with the socket that the question came to: a client takes no answers from elsewhere; sendto(2)";
            return Err(Finding::new("datagram", expected, "it comes from another port", next).into());
        }
        let reversed: Vec<u8> = text.iter().rev().copied().collect();
        let place = number_of(&came.bytes).and_then(|number| left.iter().position(|one| *one == number)).unwrap_or(0);
        compare_answers(&answer(id, left.remove(place), &reversed), &came.bytes)
    }

    /// Once `askd` is at rest, no datagram must have come to this client.
    pub fn is_silent(self, session: &mut Session, client: &Mailbox, expected: &str, next: &str) -> Result<(), Unpassed> {
        session.settle()?;
        self.goes_on(session)?;
        nothing_came(session, client, expected, next)
    }

    /// Fails if the server has ended.
    pub fn goes_on(self, session: &Session) -> Result<(), Unpassed> {
        if !session.has_ended(self.program) {
            return Ok(());
        }
        let next = "see what ends it: only SIGTERM, SIGINT and failures of the server's own may";
        Err(Finding::new("exit", "askd goes on and takes the next question", "it has ended", next).with(session.end_lines(self.program)).into())
    }

    /// The client sends this question, and the server is held when it is about to send the answer: what comes meanwhile is there at once when it goes on.
    pub fn is_held_answering(self, session: &mut Session, client: &Mailbox, question: &[u8]) -> Result<Armed, Unpassed> {
        let answering = session.arm(hold_at([Send, Write]).on(Kind::Udp));
        client.send(self.address(), question)?;
        expecting("askd answers the question", "see where it waits, and what it does with the datagram; sendto(2)", session.until_held(answering))?;
        Ok(answering)
    }
}

/// How many UDP sockets the server holds must be one.
pub fn holds_one_socket(session: &mut Session, server: Server) -> Result<(), Unpassed> {
    session.settle()?;
    server.goes_on(session)?;
    let held = session.descriptors(server.program)?.iter().filter(|(_, kind, _)| *kind == Kind::Udp).count();
    if held == 1 {
        return Ok(());
    }
    let next = "one socket receives from all clients and sends to all of them; recvfrom(2), sendto(2)";
    Err(Finding::new("descriptor", "askd holds one UDP socket, however many clients there are", format!("it holds {held}"), next).into())
}

/// When the server is held: the calls that it makes from then on are counted until it sleeps.
#[derive(Clone, Copy)]
pub enum Phase {
    /// After it has written its line.
    Start,
    /// After a question has come.
    Asked,
}

/// Most calls from one sleep to the next that are tried: far more than any server needs.
const MOST_CALLS: u32 = 40;

/// SIGTERM comes to one server after the other, each held before the next one of its calls.
pub fn stops_before_each_call(session: &mut Session, phase: Phase) -> Result<(), Unpassed> {
    for number in 1..=MOST_CALLS {
        let before = hold_before(Call::ALL).on_anything().nth(number).if_called();
        let (program, hold) = match phase {
            Phase::Start => {
                let writes = session.arm(hold_at(Write).on_standard_output());
                let program = session.program("askd").arg("0").start()?;
                session.until_held(writes)?;
                let hold = session.arm(before);
                session.release(writes)?;
                (program, hold)
            }
            Phase::Asked => {
                let server = Server::start(session)?;
                let client = session.mailbox()?;
                let hold = session.arm(before);
                client.send(server.address(), &question([0; 4], b""))?;
                (server.program, hold)
            }
        };
        session.settle()?;
        if session.fired(hold).fired == 0 {
            // No later program is to be held.
            session.release(hold)?;
            session.signal(program, libc::SIGKILL)?;
            session.exit(program)?;
            return Ok(());
        }
        let call = session.events().iter().rfind(|event| event.injected).map_or_else(|| "a call".into(), |event| event.call.word());
        session.signal(program, libc::SIGTERM)?;
        session.settle()?;
        session.release(hold)?;
        let next = "a flag that was looked at before the signal came is not looked at again while the call waits; ppoll(2), signalfd(2), signal(7)";
        let ended = expecting("SIGTERM ends askd", next, session.exit(program)).and_then(|_| exits(session, program, Exit::Status(0)));
        ended.map_err(|unpassed| when(unpassed, &format!("SIGTERM comes just before askd calls {call}")))?;
    }
    Ok(())
}
