//! The programs where they must give up: a call fails, or the command line is wrong.

use harness::prelude::*;

use crate::client::{Client, PATIENT};
use crate::steps::{answer, argument, expecting};

/// The program reports a failed call, in a line that begins with one of these, and exits with 1.
pub fn reports(session: &mut Session, program: Program, beginnings: &[&str]) -> Result<(), Unpassed> {
    let next = "look at the result of every call where it is made; errno(3)";
    expecting("the program reports the failed call and ends", next, session.exit(program))?;
    complains(session, program, beginnings)?;
    exits(session, program, Exit::Status(1))
}

/// The program takes this line of arguments for wrong usage.
pub fn refuses(session: &mut Session, program: &str, line: &str) -> Result<(), Unpassed> {
    ends_with_usage(session, program, line)
        .map_err(|unpassed| when(unpassed, &format!("it is called as `{}`", format!("{program} {line}").trim_end())))
}

/// The same, for a line that is not to be shown.
pub fn ends_with_usage(session: &mut Session, program: &str, line: &str) -> Result<(), Unpassed> {
    let program = session.program(program).args(line.split_whitespace()).start()?;
    expecting("the program prints its usage and ends", "look at all arguments before anything else is done", session.exit(program))?;
    complains(session, program, &["usage: "])?;
    exits(session, program, Exit::Status(2))?;
    prints(session, program, b"")
}

/// The answer is there, and the client cannot receive or print it.
pub fn unanswerable(lab: &Lab, fault: &Fault, beginnings: &[&str]) -> Verdict {
    let text = argument(lab, 20);
    lab.session(|session| {
        session.arm(fault.clone());
        let server = session.mailbox()?;
        let client = Client::start(session, &PATIENT, &server, &text)?;
        server.send(client.address, &answer(client.id, 1, &text))?;
        reports(session, client.program, beginnings).map_err(|unpassed| when(unpassed, &fault.describe()))?;
        session.pass()
    })
}
