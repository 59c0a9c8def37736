//! `watch` on loopback, with the check at the same wire.

use harness::prelude::*;

use crate::rules::lines_for;
use crate::segments::{Segment, Talk};

/// `handshake watch lo`, and a packet socket of the check's own.
pub struct Watch {
    pub program: Program,
    pub wire: Wire,
    /// All that it has to print so far.
    expected: String,
    /// Another connection, whose SYN shows that everything before it was read.
    marker: Talk,
}

const COMPARE: &str = "compare the line with the table in the handout, word by word, and see which bytes of the headers each number comes from";

/// What to look at when the program is gone although something was still to come.
const ENDED: &str = "see what ends the program: its exit status, and what it says on standard error; a panic names the line in the source";

impl Watch {
    pub fn start(lab: &Lab, session: &mut Session) -> Result<Self, Unpassed> {
        Self::start_with(lab, session, &[])
    }

    /// With more arguments. It is at rest when this returns.
    pub fn start_with(lab: &Lab, session: &mut Session, more: &[&str]) -> Result<Self, Unpassed> {
        let mut watch = Self::begin(lab, session, more)?;
        watch.line(session, "watching lo")?;
        session.settle()?;
        Ok(watch)
    }

    /// Starts it, and does not look at what it does.
    pub fn begin(lab: &Lab, session: &mut Session, more: &[&str]) -> Result<Self, Unpassed> {
        let wire = session.wire("lo")?;
        let program = session.program("handshake").args(["watch", "lo"]).args(more.iter().copied()).start()?;
        let mut watch = Self { program, wire, expected: String::new(), marker: Talk::draw(lab) };
        watch.marker.client.set_ip([203, 0, 113, 7].into());
        Ok(watch)
    }

    /// The next line must be this.
    pub fn line(&mut self, session: &mut Session, expected: &str) -> Result<(), Unpassed> {
        let goal = format!("watch prints the line `{expected}`");
        let observed = expecting(&goal, COMPARE, session.line(self.program))?;
        if observed != expected {
            return Err(Finding::new("output", goal, format!("the line `{}`", observed.escape_debug()), COMPARE).into());
        }
        self.expected += expected;
        self.expected.push('\n');
        Ok(())
    }

    /// Sends the segment, which is worth this line.
    pub fn shows(&mut self, session: &mut Session, segment: &Segment, line: &str) -> Result<(), Unpassed> {
        self.wire.send(&segment.frame())?;
        self.line(session, line)
    }

    /// The three segments of a handshake, each with its line.
    pub fn shows_handshake(&mut self, session: &mut Session, talk: &Talk) -> Result<(), Unpassed> {
        self.shows(session, &talk.syn(), &talk.syn().line("SYN"))?;
        self.shows(session, &talk.syn_ack(), &talk.syn_ack().line("SYN-ACK"))?;
        self.shows(session, &talk.ack(), &talk.ack().line("ACK"))
    }

    /// Sends a frame that is worth no line: the next line is the one for the SYN of another connection.
    pub fn passes_over(&mut self, session: &mut Session, what: &str, frame: &[u8]) -> Result<(), Unpassed> {
        self.wire.send(frame)?;
        self.marker.client.set_port(self.marker.client.port().wrapping_add(1));
        let syn = self.marker.syn();
        under(&format!("after {what}, which prints nothing"), self.shows(session, &syn, &syn.line("SYN")))
    }

    /// Everything that has passed so far must have its line.
    pub fn has_seen_all(&mut self, session: &mut Session) -> Result<(), Unpassed> {
        let done = self.expected.lines().count() - 1;
        let lines = lines_for(self.wire.frames()?);
        lines.iter().skip(done).try_for_each(|line| self.line(session, line))
    }

    /// It has printed nothing else, and goes on.
    pub fn finish(&self, session: &mut Session) -> Verdict {
        session.settle()?;
        prints(session, self.program, self.expected.as_bytes())?;
        if session.has_ended(self.program) {
            let next = "see what ends it: only SIGTERM and SIGINT do";
            return Err(Finding::new("exit", "watch goes on", "it has ended", next).with(session.end_lines(self.program)).into());
        }
        session.pass()
    }
}

/// Says in a failure what was expected, and where to look, in the words of this lab; where the program has ended, that is what to look at.
pub fn expecting<T>(expected: &str, next: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => {
            let next = if finding.kind == "exit" { ENDED } else { next };
            Finding { expected: expected.to_owned(), next: next.to_owned(), ..*finding }.into()
        }
        other => other,
    })
}

/// Says in a failure where to look, whatever it is.
pub fn pointing_to<T>(next: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => Finding { next: next.to_owned(), ..*finding }.into(),
        other => other,
    })
}

/// Says in a failure how it came about.
pub fn under<T>(circumstance: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => finding.when(circumstance).into(),
        other => other,
    })
}
