//! Python at the other end of the socket, with its own `send_fds` and `recv_fds`.

use harness::prelude::*;

use crate::steps::{Broker, binary, ends_well, expecting, under};

const CLIENT: &str = include_str!("client.py");
const BROKER: &str = include_str!("broker.py");

/// How many clients say nothing until another one has its file.
const SILENT: usize = 5;

fn start_python(session: &mut Session, script: &str, arguments: &[&str]) -> Result<Program, Unpassed> {
    let python = session.installed_program("python3", "python3")?.called("Python");
    python.args(["-I", "-S", "-c", script]).args(arguments.iter().copied()).open_stdin().start()
}

fn receives_descriptors(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 200));
    lab.session(|session| {
        let broker = Broker::start(lab, session)?;
        broker.make_file(name.as_bytes(), &content)?;
        let client = start_python(session, CLIENT, &[&broker.socket, &name])?;
        for _ in 0..SILENT {
            session.feed(client, b"\n");
            // One after the other, so that the sockets have the same order every time.
            session.settle()?;
        }
        session.end_input(client);
        let goal = format!("fdbroker serves a client while {SILENT} others are connected and say nothing, and then these");
        let next = "see whom each process and thread of the broker's waits for: a client that is silent may keep nobody else waiting, however many there are";
        expecting(&goal, next, session.exit(client))?;
        broker.goes_on(session)?;
        exits(session, client, Exit::Status(0))?;
        prints(session, client, &content.repeat(1 + SILENT))?;
        session.pass()
    })
}

fn passes_a_descriptor(lab: &Lab) -> Verdict {
    let (name, content) = (lab.word(), binary(lab, 300));
    lab.session(|session| {
        let (socket, file) = (session.path_text("python.sock"), session.make_file(&name, &content)?);
        let broker = start_python(session, BROKER, &[&socket, &file])?;
        session.line(broker)?;
        let client = session.program("fdget").args([&socket, &name]).start()?;
        ends_well(session, client, &content)?;
        session.exit(broker)?;
        exits(session, broker, Exit::Status(0))?;
        session.pass()
    })
}

pub fn exchanges_with_python(lab: &Lab) -> Verdict {
    under("with clients in Python", receives_descriptors(lab))?;
    under("with a broker in Python", passes_a_descriptor(lab))
}
