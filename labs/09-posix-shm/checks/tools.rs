//! Python at the ring: it has the table of the handout, and nothing else.

use harness::prelude::*;

use crate::steps::{create, has_ended_well, lines, name, start, text};

const PEER: &str = include_str!("peer.py");

fn start_python(session: &mut Session, arguments: &[&str], input: &[u8]) -> Result<Program, Unpassed> {
    let python = session.installed_program("python3", "python3")?.called("Python");
    python.args(["-I", "-S", "-c", PEER]).args(arguments.iter().copied()).stdin(input).start()
}

pub fn shares_with_python(lab: &Lab) -> Verdict {
    let (name, capacity) = (name(lab), lab.number(2..5));
    // More than there are slots: who puts has to wait for who gets, on either side.
    let lines = lines(lab, 2 * capacity + 1);
    let count = lines.len().to_string();
    let text = text(&lines);
    lab.session(|session| {
        create(session, &name, capacity)?;
        let putting = start_python(session, &["put", &name], &text)?;
        session.settle()?;
        let getting = start(session, &["get", "-n", &count, &name], b"")?;
        both_end(session, putting, getting, &text).map_err(|unpassed| advised(unpassed, "Python puts, and `ring get` gets"))?;
        let putting = start(session, &["put", &name], &text)?;
        session.settle()?;
        let getting = start_python(session, &["get", &name, &count], b"")?;
        both_end(session, putting, getting, &text).map_err(|unpassed| advised(unpassed, "`ring put` puts, and Python gets"))?;
        session.pass()
    })
}

fn both_end(session: &mut Session, putting: Program, getting: Program, text: &[u8]) -> Result<(), Unpassed> {
    session.settle()?;
    // Who failed goes before who waits for it.
    for program in [getting, putting] {
        if session.has_ended(program) {
            exits(session, program, Exit::Status(0))?;
        }
    }
    session.exit(getting)?;
    session.exit(putting)?;
    has_ended_well(session, getting, text)?;
    has_ended_well(session, putting, b"")
}

fn advised(unpassed: Unpassed, circumstance: &str) -> Unpassed {
    let next = "all that the programs share is in the handout's table: see what else this side reads or waits for; sem_overview(7)";
    match unpassed {
        Unpassed::Fail(finding) => Finding { next: next.to_owned(), ..*finding }.when(circumstance).into(),
        other => other,
    }
}
