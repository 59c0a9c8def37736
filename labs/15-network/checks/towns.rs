//! Kernel's hosts on LANs whose only connection are routers of the student's.

use std::net::{Ipv4Addr, SocketAddrV4};

use harness::prelude::*;

use crate::bench::{expecting, is_ready, under};

const OWN_ROUTERS: &str = include_str!("../own_routers.toml");
const C1: Ipv4Addr = Ipv4Addr::new(10, 0, 3, 11);
const A1: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 11);

/// The network with both routers at work.
fn with_routers(session: &mut Session) -> Result<(), Unpassed> {
    session.build_network(OWN_ROUTERS)?;
    for name in ["R1", "R2"] {
        let topology = session.topology()?;
        let Some(node) = topology.node(name) else { return Err(Unpassed::Broken(format!("there is no router {name}"))) };
        let interfaces = node.interfaces.iter().enumerate().map(|(number, interface)| {
            let prefix = topology.lans[interface.lan].range.prefix;
            format!("{}={}/{prefix}", Node::interface_name(number), interface.address)
        });
        let routes = node.routes.iter().map(|route| format!("{}={}", route.to, route.via));
        let arguments: Vec<String> = interfaces.chain(routes).collect();
        let router = session.program("router").called(&format!("the router {name}")).on(name).args(arguments).start()?;
        is_ready(session, router, "router", "routing")?;
    }
    Ok(())
}

pub fn own_routers(lab: &Lab) -> Verdict {
    let (word, long) = (lab.bytes(lab.number(1..100) as usize), lab.bytes(lab.number(6000..9000) as usize));
    let stream = lab.bytes(40_000);
    lab.session(|session| {
        with_routers(session)?;
        let server = session.at("C1", |session| session.mailbox_at(C1, 0))?;
        let client = session.at("A1", |session| session.mailbox_at(A1, 0))?;
        for bytes in [&word, &long] {
            let circumstance = format!("with a datagram of {} bytes", bytes.len());
            let next = "see what becomes of frames of 1,514 bytes, and of requests of ARP that the hosts send";
            client.send(server.address, bytes)?;
            let came = under(&circumstance, expecting("the datagram comes from A1 to C1", next, session.datagram(&server)))?;
            is_as_sent(&came, client.address, bytes)?;
            server.send(client.address, bytes)?;
            let came = under(&circumstance, expecting("a datagram comes from C1 to A1", next, session.datagram(&client)))?;
            is_as_sent(&came, server.address, bytes)?;
        }
        let listener = session.at("C1", |session| session.listen_at(C1))?;
        let mut one = session.at("A1", |session| session.connect_to(C1, listener.port))?;
        let mut other = session.accept(&listener)?;
        session.send(&mut one, &stream)?;
        if session.receive(&mut other, stream.len())? != stream {
            return Err(
                Finding::new("output", "C1 gets the bytes that A1 sends", "others", "see what else is changed in a packet than its header").into()
            );
        }
        session.pass()
    })
}

fn is_as_sent(came: &Datagram, from: SocketAddrV4, bytes: &[u8]) -> Result<(), Unpassed> {
    if came.from != from {
        let next = "only the addresses of the frame change at a router, never those of the packet";
        return Err(Finding::new("packet", format!("a datagram from {}", from.ip()), format!("one from {}", came.from.ip()), next).into());
    }
    if came.bytes != bytes {
        return Err(difference("the datagram", bytes, &came.bytes).into());
    }
    Ok(())
}

pub fn tools(lab: &Lab) -> Verdict {
    let body = lab.words(3..10).join(" ");
    lab.session(|session| {
        // All three are looked for first: one that is missing skips the check at once.
        for (name, package) in [("ping", "iputils-ping"), ("traceroute", "traceroute"), ("curl", "curl")] {
            session.installed_program(name, package)?;
        }
        with_routers(session)?;
        let host = C1.to_string();
        let ping = session.installed_program("ping", "iputils-ping")?.on("A1").args(["-n", "-c", "1", "-W", "60", &host]).start()?;
        comes_to_its_end(session, ping, "ping", "see what becomes of the echo request and of its reply; ping(8)")?;
        says(session, ping, "ping", "ttl=62")?;
        let traceroute =
            session.installed_program("traceroute", "traceroute")?.on("A1").args(["-n", "-q", "1", "-N", "1", "-w", "60", &host]).start()?;
        comes_to_its_end(session, traceroute, "traceroute", "each hop has to say `time exceeded`, and its words must come back; traceroute(8)")?;
        for hop in [" 1  10.0.1.1 ", " 2  10.0.2.2 ", " 3  10.0.3.11 "] {
            says(session, traceroute, "traceroute", hop)?;
        }
        let listener = session.at("C1", |session| session.listen_at(C1))?;
        let url = format!("http://{host}:{}/", listener.port);
        let curl = session.installed_program("curl", "curl")?.on("A1").args(["-s", "--noproxy", "*", &url]).start()?;
        let mut connection = session.accept(&listener)?;
        session.receive(&mut connection, 4)?;
        let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        session.send(&mut connection, answer.as_bytes())?;
        comes_to_its_end(session, curl, "curl", "see what becomes of the connection's last segments; curl(1)")?;
        prints(session, curl, body.as_bytes())?;
        session.pass()
    })
}

/// The program ends well. When all are at rest and it waits for what comes, nothing will: there is no use in waiting for the end of its patience.
fn comes_to_its_end(session: &mut Session, program: Program, name: &str, next: &str) -> Result<(), Unpassed> {
    session.settle()?;
    if !session.has_ended(program) {
        let observed = format!("{name} waits for an answer, and nothing is on its way any more");
        return Err(Finding::new("packet", format!("{name} gets all its answers"), observed, next).into());
    }
    exits(session, program, Exit::Status(0))
}

fn says(session: &mut Session, program: Program, name: &str, part: &str) -> Result<(), Unpassed> {
    let printed = String::from_utf8_lossy(session.stdout(program)).into_owned();
    if printed.contains(part) {
        return Ok(());
    }
    // What it prints has times in it: only the part that is looked for can be named.
    let observed = format!("nothing like that in the {} lines that it prints", printed.lines().count());
    Err(Finding::new("output", format!("{name} prints `{}`", part.trim()), observed, format!("run {name} yourself: `cargo lab network up`")).into())
}
