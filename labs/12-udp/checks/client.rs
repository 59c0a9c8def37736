//! `ask` and the check as its server, and as others who send to it.

use std::net::SocketAddrV4;
use std::time::Duration;

use harness::prelude::*;

use crate::steps::{Id, answer, differs_from, expecting, nothing_came, question};

/// Arguments of `ask` for a try that lasts as long as any check. Without its whole seconds it would be over soon.
pub const PATIENT: [&str; 4] = ["-t", "900100", "-r", "2"];

/// Arguments of `ask` for tries that are over soon, and as many of them as a busy machine may need.
pub const RESTLESS: [&str; 4] = ["-t", "40", "-r", "1000"];

/// Arguments of `ask` for tries that are to end while the client cannot go on: one second each.
pub const MEASURED: [&str; 4] = ["-t", "1000", "-r", "50"];

/// More than that.
const LONGER: Duration = Duration::from_millis(1100);

/// Seconds that are no rest of such a try, but most of a new one.
const ANEW: f64 = 0.9;

/// `ask`, and the question that it has sent first.
pub struct Client {
    pub program: Program,
    pub address: SocketAddrV4,
    pub id: Id,
    pub question: Vec<u8>,
}

/// Starts `ask` with these options, for this server and with this text.
pub fn start(session: &mut Session, options: &[&str], server: SocketAddrV4, text: &[u8]) -> Result<Program, Unpassed> {
    // What it waits for in vain costs nothing.
    session.let_time_jump();
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
        Self::that_sent(session, program, &came, text)
    }

    /// The same for an `ask` that is to wait for longer than any check: once it sleeps, the question must be there.
    pub fn start_patient(session: &mut Session, server: &Mailbox, text: &[u8]) -> Result<Self, Unpassed> {
        let program = start(session, &PATIENT, server.address, text)?;
        let goal = "ask sends its question to the server, and waits for the answer";
        let next = "see which address and which port the question is sent to, in the network's byte order; ip(7), byteorder(3)";
        expecting(goal, next, session.until_asleep_for_a_while(goal))?;
        match &session.datagrams(server)?[..] {
            [] => Err(Finding::new("datagram", goal, "it waits, and nothing has come", next).with(session.waiting_lines()).into()),
            [came] => Self::that_sent(session, program, came, text),
            [came, ..] => {
                Self::that_sent(session, program, came, text)?;
                let next = "header and text go into one datagram, and it is sent again only when the time is up; sendto(2), poll(2)";
                Err(Finding::new("datagram", "ask sends one datagram, and waits", "more than one comes", next).into())
            }
        }
    }

    fn that_sent(session: &Session, program: Program, came: &Datagram, text: &[u8]) -> Result<Self, Unpassed> {
        let Some(id) = came.bytes.first_chunk::<4>().copied() else {
            let observed = format!("a datagram of {} bytes", came.bytes.len());
            let next = "header and text go into one datagram: one call sends both; sendto(2)";
            return Err(Finding::new("datagram", "the question has four bytes of id, and then its text", observed, next).into());
        };
        if came.bytes != question(id, text) {
            let finding = difference("the question's text, behind four bytes of id", text, &came.bytes[id.len()..]);
            return Err(finding.with(session.end_lines(program)).into());
        }
        Ok(Self { program, address: came.from, id, question: came.bytes.clone() })
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
        let goal = "ask prints the answer and ends";
        // A patient one that has not understood would keep everybody waiting.
        if session.until_asleep_for_a_while(goal).is_ok() && !session.has_ended(self.program) {
            return Err(Finding::new("deadlock", goal, "it goes on waiting", next).with(session.waiting_lines()).into());
        }
        expecting(goal, next, session.exit(self.program))?;
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

    /// Lets the client go on that this fault has held until the time of its try was up: it must send its question again without waiting once more. What is
    /// looked at is the time limit of the first call that waits: how long it takes would tell more of the machine than of the program.
    pub fn sends_without_waiting(&self, session: &mut Session, server: &Mailbox, held: Armed) -> Result<(), Unpassed> {
        session.datagrams(server)?;
        let so_far = session.events().len();
        session.release(held)?;
        let goal = "ask sends again when its time since the last sending is up";
        let next = "compute the end of the try once, and wait each time only for what is left of it; poll(2), clock_gettime(2)";
        let waits = session.until(goal, |session| Ok(first_step(session, so_far)));
        if expecting(goal, next, waits)? {
            let observed = "it has sent nothing, and waits for as long again";
            return Err(Finding::new("time-limit", goal, observed, next).with(session.end_lines(self.program)).into());
        }
        let came = expecting(goal, next, session.datagram(server))?;
        self.is_repetition(&came)
    }
}

/// Whether the first thing that the client does from that event on is to wait anew; false if it is to send.
fn first_step(session: &Session, from: usize) -> Option<bool> {
    session.events()[from..].iter().find_map(|event| match event.call {
        Send | Write if session.kind_of(event) == Some(Kind::Udp) => Some(false),
        Poll | Select | EpollWait => matches!(event.detail, Detail::Time(limit) if limit > ANEW).then_some(true),
        Recv | Read if session.kind_of(event) == Some(Kind::Udp) => receive_limit(session, event).filter(|limit| *limit > 0).map(|_| true),
        _ => None,
    })
}

/// The whole seconds of the time-out that was last set for receiving on the socket, if this call keeps to one.
fn receive_limit(session: &Session, receive: &Event) -> Option<i64> {
    let of_it = |event: &&Event| event.entered < receive.entered && event.object == receive.object;
    let set = |event: &&Event| event.call == Setsockopt && event.arguments[2] as i32 == libc::SO_RCVTIMEO;
    match session.events().iter().filter(of_it).rfind(set)?.detail {
        Detail::Integer(seconds) => Some(seconds),
        _ => None,
    }
}

/// How often `ask` has sent something.
pub fn times_sent(session: &Session, program: Program) -> usize {
    let sent = |event: &&Event| matches!(event.call, Send | Write) && session.kind_of(event) == Some(Kind::Udp) && event.succeeded();
    session.events_of(program).filter(sent).count()
}

/// Lets the run go on until this fault holds the client; false if it sends again first, because it waits in a call of another kind, or another of its threads
/// has waited since before the question was sent.
pub fn is_held(session: &mut Session, client: Program, fault: Armed) -> Result<bool, Unpassed> {
    let goal = "ask waits for its answer, and then sends again";
    let held = session
        .until(goal, |session| Ok(if session.fired(fault).fired > 0 { Some(true) } else { (times_sent(session, client) > 1).then_some(false) }))?;
    if held {
        session.until_held(fault)?;
    }
    Ok(held)
}

/// Ends a client that still waits.
pub fn kill(session: &mut Session, program: Program) -> Result<(), Unpassed> {
    if !session.has_ended(program) {
        session.signal(program, libc::SIGKILL)?;
    }
    session.exit(program).map(drop)
}

/// Lets the clock go on for longer than a measured try, while the client is stopped or held.
pub fn time_goes_by(session: &mut Session) -> Result<(), Unpassed> {
    session.let_time_pass(LONGER)
}
