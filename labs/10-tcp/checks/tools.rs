//! netcat at the other end of the connection: a program that knows nothing of this lab.

use harness::prelude::*;

use crate::steps::{Server, expecting, text, under, until_printed};

/// netcat has several authors; this is OpenBSD's, whose options these are. `-N` ends the sending direction with the input.
const NETCAT: &str = "nc.openbsd";
const PACKAGE: &str = "netcat-openbsd";

/// How many clients are connected at once.
const CLIENTS: u64 = 8;

fn start_netcat(session: &mut Session, called: &str, arguments: &[&str]) -> Result<Program, Unpassed> {
    let netcat = session.installed_program(NETCAT, PACKAGE)?.called(called).args(["-N"]).args(arguments.iter().copied()).open_stdin().start()?;
    // What it has to do first is done: it is connected, or listens.
    session.settle()?;
    Ok(netcat)
}

/// Many real clients at `echod --fork`: the last one that has come speaks first.
fn are_all_served(lab: &Lab) -> Verdict {
    let lines: Vec<Vec<u8>> = (0..CLIENTS).map(|_| text(lab, 30)).collect();
    lab.session(|session| {
        let server = Server::start(session, &["--fork"])?;
        let mut clients = Vec::new();
        for (number, line) in (1..).zip(&lines) {
            let client = start_netcat(session, &format!("client {number}"), &["127.0.0.1", &server.port.to_string()])?;
            clients.push((client, line));
        }
        for (client, line) in clients.iter().rev() {
            session.feed(*client, line);
            let goal = format!("each of {CLIENTS} clients that are connected at once is served, the one that came last first");
            let next =
                "see whom echod waits for before it accepts or serves this client: there is no limit to the number of children; accept(2), fork(2)";
            let answered =
                session.until(&goal, |session| Ok((session.stdout(*client).len() >= line.len() || session.has_ended(*client)).then_some(())));
            expecting(&goal, next, answered)?;
            if session.has_ended(*client) {
                return Err(Finding::new("connection", goal, "the connection of one of them is closed before it has its answer", next).into());
            }
        }
        for (client, line) in clients {
            session.end_input(client);
            ends_well(session, client, line)?;
        }
        server.goes_on(session)?;
        session.pass()
    })
}

/// A real server for `echoc`.
fn is_a_client(lab: &Lab) -> Verdict {
    let (said, answer) = (text(lab, 40), text(lab, 60));
    lab.session(|session| {
        let port = session.free_port()?;
        let server = start_netcat(session, "nc", &["-l", "127.0.0.1", &port.to_string()])?;
        let client = session.program("echoc").args(["127.0.0.1".to_owned(), port.to_string()]).open_stdin().start()?;
        session.feed(client, &said);
        let goal = "nc gets what echoc reads from standard input";
        let came = session.until(goal, |session| Ok((session.stdout(server).len() >= said.len()).then_some(())));
        expecting(goal, "see which address and port echoc connects to, and when it sends; connect(2), send(2)", came)?;
        session.feed(server, &answer);
        until_printed(session, client, answer.len())?;
        // netcat takes the end-of-file of its client for the end of all.
        session.end_input(client);
        ends_well(session, server, &said)?;
        ends_well(session, client, &answer)?;
        session.pass()
    })
}

fn ends_well(session: &mut Session, program: Program, output: &[u8]) -> Result<(), Unpassed> {
    let next = "an end of the connection is missing: see who ends which direction, and who still holds the socket; shutdown(2), close(2)";
    expecting("when its input has ended and the connection is over, each program ends", next, session.exit(program))?;
    prints(session, program, output)?;
    exits(session, program, Exit::Status(0))
}

pub fn talks_with_netcat(lab: &Lab) -> Verdict {
    under("with nc as the client", are_all_served(lab))?;
    under("with nc as the server", is_a_client(lab))
}
