//! `talk` and `talkd` on hosts of Figure 1, with the kernel's routers between them.

use std::net::Ipv4Addr;

use harness::prelude::*;

use crate::bench::{expecting, under};

const FIGURE_1: &str = include_str!("../figure1.toml");
/// Two of its LANs, with one router between them: where the way is not what matters.
const TWO_LANS: &str = r#"
lan = [{ name = "A", network = "10.0.1.0/24" }, { name = "E", network = "10.0.5.0/24" }]
host = [
    { name = "A1", lan = "A", address = "10.0.1.11", gateway = "10.0.1.1" },
    { name = "A2", lan = "A", address = "10.0.1.12", gateway = "10.0.1.1" },
    { name = "E2", lan = "E", address = "10.0.5.12", gateway = "10.0.5.4" },
]
[[router]]
name = "R"
interfaces = [{ lan = "A", address = "10.0.1.1" }, { lan = "E", address = "10.0.5.4" }]
"#;
const A1: &str = "10.0.1.11";
const A2: &str = "10.0.1.12";
const E2: Ipv4Addr = Ipv4Addr::new(10, 0, 5, 12);
/// Where to look when `talk` does not hear that nobody listens.
const SILENT: &str = "the routers bring it the answer; see which call waits for it, and with which socket; udp(7), connect(2)";

/// `talkd` on E2, and its port.
fn start_server(session: &mut Session) -> Result<(Program, u16), Unpassed> {
    let server = session.program("talkd").on("E2").arg("0").start()?;
    let goal = "talkd prints the line `listening PORT`";
    let next = "print it when both sockets are bound, with the port that getsockname tells, and flush it";
    let line = expecting(goal, next, session.line(server))?;
    let port = line.strip_prefix("listening ").and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    let port = port.ok_or_else(|| Finding::new("output", goal, format!("the line `{}`", line.escape_debug()), next))?;
    session.settle()?;
    Ok((server, port))
}

fn start_client(session: &mut Session, protocol: &str, port: u16, input: &[u8]) -> Result<Program, Unpassed> {
    session.program("talk").on("A1").args([protocol, &E2.to_string(), &port.to_string()]).stdin(input).start()
}

/// The next line of `talkd` is about A1.
fn tells_of(session: &mut Session, server: Program, beginning: &str, end: &str) -> Result<(), Unpassed> {
    let shape = format!("{beginning} {A1}:PORT{end}");
    let next = "print the address that accept or recvfrom gives, at once: routers change no address of a packet; ip(7)";
    let line = expecting(&format!("talkd prints the line `{shape}`"), next, session.line(server))?;
    let port = line.strip_prefix(&format!("{beginning} {A1}:")).and_then(|rest| rest.strip_suffix(end)).and_then(|port| port.parse::<u16>().ok());
    if port.is_none_or(|port| port == 0) {
        let observed = format!("the line `{}`", line.escape_debug());
        return Err(Finding::new("output", format!("talkd prints the line `{shape}`"), observed, next).into());
    }
    Ok(())
}

fn ends_well(session: &mut Session, client: Program, answer: &[u8]) -> Result<(), Unpassed> {
    let next = "see which side has to send, or to end its direction, next; shutdown(2), recv(2)";
    expecting("talk gets its answer and ends", next, session.exit(client))?;
    exits(session, client, Exit::Status(0))?;
    prints(session, client, answer)
}

fn converse(session: &mut Session, server: Program, protocol: &str, port: u16, input: &[u8]) -> Result<(), Unpassed> {
    let client = start_client(session, protocol, port, input)?;
    ends_well(session, client, input)?;
    if protocol == "tcp" { tells_of(session, server, "tcp", "") } else { tells_of(session, server, "udp", &format!(" {}", input.len())) }
}

pub fn tcp_across(lab: &Lab) -> Verdict {
    let inputs = [lab.number(1..500), lab.number(30_000..60_000), 0].map(|length| lab.bytes(length as usize));
    lab.session(|session| {
        session.build_network(FIGURE_1)?;
        let (server, port) = start_server(session)?;
        for input in &inputs {
            under(&format!("with {} bytes over TCP", input.len()), converse(session, server, "tcp", port, input))?;
        }
        session.pass()
    })
}

pub fn udp_across(lab: &Lab) -> Verdict {
    let inputs = [lab.number(1..500), 0, lab.number(1600..8000), lab.number(30_000..60_000)].map(|length| lab.bytes(length as usize));
    lab.session(|session| {
        session.build_network(FIGURE_1)?;
        let (server, port) = start_server(session)?;
        for input in &inputs {
            under(&format!("with {} bytes over UDP", input.len()), converse(session, server, "udp", port, input))?;
        }
        session.pass()
    })
}

pub fn all_at_once(lab: &Lab) -> Verdict {
    let (input, word) = (lab.bytes(lab.number(100..1000) as usize), lab.bytes(10));
    lab.session(|session| {
        session.build_network(TWO_LANS)?;
        let (server, port) = start_server(session)?;
        let mut silent = session.at("A2", |session| session.connect_to(E2, port))?;
        session.settle()?;
        let line = session.line(server)?;
        if !line.starts_with(&format!("tcp {A2}:")) {
            let observed = format!("the line `{}`", line.escape_debug());
            return Err(Finding::new(
                "output",
                format!("talkd prints the line `tcp {A2}:PORT`"),
                observed,
                "see what accept says of the client; accept(2)",
            )
            .into());
        }
        let circumstance = "while another client is connected and silent";
        under(circumstance, converse(session, server, "udp", port, &input))?;
        under(circumstance, converse(session, server, "tcp", port, &input))?;
        session.send(&mut silent, &word)?;
        let goal = "the silent client is served when it speaks";
        let next = "let one slow client stop no other: a child, a thread, or poll; poll(2)";
        let echoed = expecting(goal, next, session.receive(&mut silent, word.len()))?;
        if echoed != word {
            return Err(difference("what talkd sends back", &word, &echoed).into());
        }
        session.pass()
    })
}

pub fn refused(lab: &Lab) -> Verdict {
    let input = lab.bytes(20);
    lab.session(|session| {
        session.build_network(TWO_LANS)?;
        let port = lab.number(2000..60_000) as u16;
        for protocol in ["tcp", "udp"] {
            let circumstance = format!("over {}", protocol.to_uppercase());
            let client = start_client(session, protocol, port, &input)?;
            under(&circumstance, expecting("talk reports that the connection is refused, and ends", SILENT, session.exit(client)))?;
            under(&circumstance, complains(session, client, &["talk: "]))?;
            under(&circumstance, exits(session, client, Exit::Status(1)))?;
        }
        session.pass()
    })
}

/// A conversation over both protocols, under whatever faults are armed.
pub fn under_faults(lab: &Lab, arm: impl Fn(&mut Session)) -> Verdict {
    let input = lab.bytes(lab.number(500..1000) as usize);
    lab.session(|session| {
        session.build_network(TWO_LANS)?;
        arm(session);
        let (server, port) = start_server(session)?;
        for protocol in ["tcp", "udp", "tcp"] {
            converse(session, server, protocol, port, &input)?;
        }
        session.pass()
    })
}

/// `talkd` without any client, at rest.
pub fn server_at_rest(session: &mut Session) -> Result<Program, Unpassed> {
    session.build_network(TWO_LANS)?;
    Ok(start_server(session)?.0)
}
