//! `ask` and the check as its server, and as others who send to it.

use std::net::SocketAddrV4;
use std::thread::sleep;
use std::time::Duration;

use harness::prelude::*;

use crate::steps::{Id, answer, differs_from, expecting, nothing_came, question};

/// Arguments of `ask` for a try that lasts as long as any check.
pub const PATIENT: [&str; 4] = ["-t", "60000", "-r", "2"];

/// Arguments of `ask` for tries that are over soon, and as many of them as a busy machine may need.
pub const RESTLESS: [&str; 4] = ["-t", "40", "-r", "200"];

/// Milliseconds of a try that is to end while the client cannot go on.
const TRY: u64 = 600;
/// More than that.
const LONGER: Duration = Duration::from_millis(TRY + 100);

/// The same as arguments of `ask`.
pub const MEASURED: [&str; 4] = ["-t", "600", "-r", "50"];

/// `ask`, and the question that it has sent first.
pub struct Client {
    pub program: Program,
    pub address: SocketAddrV4,
    pub id: Id,
    pub question: Vec<u8>,
}

/// Starts `ask` with these options, for this server and with this text.
pub fn start(session: &mut Session, options: &[&str], server: SocketAddrV4, text: &[u8]) -> Result<Program, Unpassed> {
    let ask = session.program("ask").args(options.iter().copied()).args([server.ip().to_string(), server.port().to_string()]);
    ask.arg_bytes(text).start()
}

impl Client {
    /// Starts `ask` and takes its first question, which must be right.
    pub fn start(session: &mut Session, options: &[&str], server: &Mailbox, text: &[u8]) -> Result<Self, Unpassed> {
        let program = start(session, options, server.address, text)?;
        Self::of(session, program, server, text)
    }

    /// The same; `ask` is held when it has sent the question, so that what is sent to it is there before it waits.
    pub fn start_held(session: &mut Session, options: &[&str], server: &Mailbox, text: &[u8]) -> Result<(Self, Armed), Unpassed> {
        let sent = session.arm(hold_at([Send, Write]).on(Kind::Udp).afterwards());
        let client = Self::start(session, options, server, text)?;
        session.until_held(sent)?;
        Ok((client, sent))
    }

    /// Takes the first question of an `ask` that runs.
    pub fn of(session: &mut Session, program: Program, server: &Mailbox, text: &[u8]) -> Result<Self, Unpassed> {
        let next = "see which address and which port the question is sent to, in the network's byte order; ip(7), byteorder(3)";
        let came = expecting("ask sends its question to the server", next, session.datagram(server))?;
        let Some(id) = came.bytes.first_chunk::<4>().copied() else {
            let observed = format!("a datagram of {} bytes", came.bytes.len());
            let next = "header and text go into one datagram: one call sends both; sendto(2)";
            return Err(Finding::new("datagram", "the question has four bytes of id, and then its text", observed, next).into());
        };
        if came.bytes != question(id, text) {
            let finding = difference("the question's text, behind four bytes of id", text, &came.bytes[id.len()..]);
            return Err(finding.with(session.end_lines(program)).into());
        }
        Ok(Self { program, address: came.from, id, question: came.bytes })
    }

    /// `ask` sleeps until its time is up: it has not ended, printed or sent anything.
    pub fn waits(&self, session: &mut Session, others: &[&Mailbox], circumstance: &str) -> Result<(), Unpassed> {
        self.has_kept_waiting(session, others).map_err(|unpassed| when(unpassed, circumstance))
    }

    fn has_kept_waiting(&self, session: &mut Session, others: &[&Mailbox]) -> Result<(), Unpassed> {
        let goal = "ask goes on waiting for its answer";
        let next = "see what it does with a datagram that is not its answer, and where it waits afterwards; poll(2), recvfrom(2)";
        expecting(goal, next, session.until_asleep_for_a_while(goal))?;
        if !session.stdout(self.program).is_empty() {
            return Err(difference("standard output, while there is no answer", b"", session.stdout(self.program)).into());
        }
        let next = "send again only when the time is up; poll(2)";
        others.iter().try_for_each(|mailbox| nothing_came(session, mailbox, "ask sends nothing before its time is up", next))
    }

    /// The server answers, and `ask` must print it and exit with 0.
    pub fn is_answered(&self, session: &mut Session, server: &Mailbox, number: u32, text: &[u8]) -> Result<(), Unpassed> {
        server.send(self.address, &answer(self.id, number, text))?;
        self.ends_well(session, number, text)
    }

    /// An answer has been sent that `ask` must print.
    pub fn ends_well(&self, session: &mut Session, number: u32, text: &[u8]) -> Result<(), Unpassed> {
        let next = "see where it waits, and what it compares before it takes an answer for its own; poll(2), recvfrom(2)";
        expecting("ask prints the answer and ends", next, session.exit(self.program))?;
        prints(session, self.program, &[format!("{number} ").as_bytes(), text, b"\n"].concat())?;
        exits(session, self.program, Exit::Status(0))
    }

    /// The next question: the same once more.
    pub fn asks_again(&self, session: &mut Session, server: &Mailbox) -> Result<(), Unpassed> {
        let next = "when the time is up and no answer has come, send the question again; poll(2), RETURN VALUE";
        let came = expecting("ask sends its question again", next, session.datagram(server))?;
        self.is_repetition(&came)
    }

    /// The datagram must be the first question, sent once more.
    pub fn is_repetition(&self, came: &Datagram) -> Result<(), Unpassed> {
        let next = "make the question once, and send it as it is at each try: with another id its answers are another's";
        if !came.bytes.starts_with(&self.id) {
            let expected = "the question that is sent again has the same id";
            return Err(Finding::new("datagram", expected, "it has another id", next).into());
        }
        if came.bytes != self.question {
            let text = self.id.len();
            return Err(differs_from("the text of the question that is sent again", &self.question[text..], &came.bytes[text..], next));
        }
        if came.from != self.address {
            let next = "make one socket and keep it: the answer to the first try comes to its port; socket(2)";
            return Err(Finding::new("datagram", "each try comes from the same port", "this one comes from another", next).into());
        }
        Ok(())
    }

    /// Nobody is interested in its end.
    pub fn kill(&self, session: &mut Session) -> Result<(), Unpassed> {
        kill(session, self.program)
    }

    /// The time of the try is up, and the client can go on now: it must send its question again without waiting once more.
    pub fn sends_without_waiting(&self, session: &mut Session, server: &Mailbox) -> Result<(), Unpassed> {
        session.settle()?;
        let came = session.datagrams(server)?;
        let Some(first) = came.first() else {
            let goal = "ask sends again when its time since the last sending is up";
            let next = "compute the end of the try once, and wait each time only for what is left of it; poll(2), clock_gettime(2)";
            let finding = Finding::new("time-limit", goal, "it has sent nothing and waits anew", next);
            return Err(finding.with(session.waiting_lines()).with(session.end_lines(self.program)).into());
        };
        self.is_repetition(first)
    }
}

/// Ends a client that still waits.
pub fn kill(session: &mut Session, program: Program) -> Result<(), Unpassed> {
    if !session.has_ended(program) {
        session.signal(program, libc::SIGKILL)?;
    }
    session.exit(program).map(drop)
}

/// Lets the clock go on for longer than a measured try, while the client is stopped or held: nobody is waited for.
pub fn time_goes_by() {
    sleep(LONGER);
}
