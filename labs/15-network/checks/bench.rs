//! The student's router between three LANs on which there is nobody but the check: it plays every host there, and sees every frame.

use std::net::Ipv4Addr;

use harness::prelude::*;

use crate::frames::{ARP, Host, IP, LINK, Mac, Packet, TO_ALL, checksum, described, frame, open};

const LANS: [&str; 3] = ["left", "right", "far"];
const DESCRIPTION: &str = r#"
[[lan]]
name = "left"
network = "10.1.0.0/24"

[[lan]]
name = "right"
network = "10.2.0.0/24"

[[lan]]
name = "far"
network = "10.3.0.0/24"

[[router]]
name = "R"
kernel = false
interfaces = [{ lan = "left", address = "10.1.0.1" }, { lan = "right", address = "10.2.0.1" }, { lan = "far", address = "10.3.0.1" }]
"#;

/// The arguments that give the router its three interfaces.
pub const INTERFACES: [&str; 3] = ["eth0=10.1.0.1/24", "eth1=10.2.0.1/24", "eth2=10.3.0.1/24"];

pub struct Bench {
    pub router: Program,
    wires: Vec<Wire>,
}

/// A frame that the router has sent, and on which LAN.
pub type Sent = (usize, Vec<u8>);

/// The router's address and Ethernet address on a LAN.
pub fn router_on(lan: usize) -> (Ipv4Addr, Mac) {
    let network = lan as u8 + 1;
    (Ipv4Addr::new(10, network, 0, 1), [2, 0, 10, network, 0, 1])
}

/// Says in a failure how it came about.
pub fn under<T>(circumstance: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => finding.when(circumstance).into(),
        other => other,
    })
}

/// Says in a failure what was expected, and where to look, in the words of this lab.
pub fn expecting<T>(expected: &str, next: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => Finding { expected: expected.to_owned(), next: next.to_owned(), ..*finding }.into(),
        other => other,
    })
}

impl Bench {
    pub fn start(session: &mut Session) -> Result<Self, Unpassed> {
        Self::with_routes(session, &[])
    }

    /// With routes behind the interfaces. The router is ready when this returns.
    pub fn with_routes(session: &mut Session, routes: &[String]) -> Result<Self, Unpassed> {
        session.build_network(DESCRIPTION)?;
        let mut wires = LANS.iter().map(|lan| session.tap(lan)).collect::<Result<Vec<_>, _>>()?;
        let router = session.program("router").on("R").args(INTERFACES).args(routes.iter().map(String::as_str)).start()?;
        is_ready(session, router, "router", "routing")?;
        // It may have told everyone on its LANs that it is there.
        wires.iter_mut().try_for_each(|wire| wire.take().map(drop))?;
        Ok(Self { router, wires })
    }

    /// Sends a frame, and returns all that the router sends then, until it is at rest.
    pub fn exchange(&mut self, session: &mut Session, lan: usize, frame: &[u8]) -> Result<Vec<Sent>, Unpassed> {
        self.wires[lan].send(frame)?;
        self.all_that_comes(session)
    }

    /// All that the router has sent and nobody has looked at yet.
    pub fn all_that_comes(&mut self, session: &mut Session) -> Result<Vec<Sent>, Unpassed> {
        session.settle()?;
        if session.has_ended(self.router) {
            let next = "see what ends it: only SIGTERM and SIGINT do";
            return Err(Finding::new("exit", "router goes on", "it has ended", next).with(session.end_lines(self.router)).into());
        }
        let mut sent = Vec::new();
        for (lan, wire) in self.wires.iter_mut().enumerate() {
            sent.extend(wire.take()?.into_iter().filter(|frame| frame.len() >= LINK).map(|frame| (lan, frame)));
        }
        Ok(sent)
    }

    /// The same as [`Bench::exchange`], where these hosts answer requests of ARP for their addresses; those requests are not in what this returns.
    pub fn exchange_among(&mut self, session: &mut Session, lan: usize, frame: &[u8], hosts: &[Host]) -> Result<Vec<Sent>, Unpassed> {
        let asked = |(lan, frame): &Sent| hosts.iter().find(|host| host.lan == *lan && is_request_for(frame, host.address));
        let mut sent = self.exchange(session, lan, frame)?;
        let mut rest = Vec::new();
        // A router that asks again and again for what it has been told is stopped here.
        for _ in 0..20 {
            let (requests, other): (Vec<Sent>, Vec<Sent>) = sent.into_iter().partition(|one| asked(one).is_some());
            rest.extend(other);
            if requests.is_empty() {
                return Ok(rest);
            }
            for host in requests.iter().filter_map(asked) {
                let (address, mac) = router_on(host.lan);
                self.wires[host.lan].send(&host.answers(mac, address))?;
            }
            sent = self.all_that_comes(session)?;
        }
        Ok(rest)
    }

    /// A packet from a host in a frame to the router.
    pub fn to_router(from: &Host, packet: &[u8]) -> Vec<u8> {
        frame(router_on(from.lan).1, from.mac, IP, packet)
    }

    /// Sends the packet, and fails unless it goes on as it should: to this next hop, changed by one hop, and nothing else.
    pub fn passes_on(&mut self, session: &mut Session, from: &Host, packet: &Packet, hop: &Host) -> Result<(), Unpassed> {
        let sent = self.exchange_among(session, from.lan, &Self::to_router(from, &packet.bytes()), &[*from, *hop])?;
        is_packet_to(&sent, &packet.one_hop_on().bytes(), hop)
    }

    /// Sends frames, after which nothing may happen: all of them, and where that is too much, one after the other, to tell which it is.
    pub fn leaves_alone(&mut self, session: &mut Session, lan: usize, cases: &[(String, Vec<u8>)], hosts: &[Host]) -> Result<(), Unpassed> {
        let Some(((_, last), others)) = cases.split_last() else { return Ok(()) };
        for (_, frame) in others {
            self.wires[lan].send(frame)?;
        }
        let names: Vec<&str> = cases.iter().map(|(what, _)| &**what).collect();
        let all = format!("after {}", names.join(", "));
        let sent = under(&all, self.exchange_among(session, lan, last, hosts))?;
        if sent.is_empty() {
            return Ok(());
        }
        for (what, frame) in cases {
            let circumstance = format!("after {what}");
            let sent = under(&circumstance, self.exchange_among(session, lan, frame, hosts))?;
            under(&circumstance, nothing(&sent))?;
        }
        under(&all, nothing(&sent))
    }
}

/// Fails unless the next line of a program is this one; it is at rest then.
pub fn is_ready(session: &mut Session, program: Program, name: &str, expected: &str) -> Result<(), Unpassed> {
    let goal = format!("{name} prints the line `{expected}`");
    let next = "print it when everything is open, and flush it; standard output to a pipe is buffered";
    let line = expecting(&goal, next, session.line(program))?;
    if line != expected {
        return Err(Finding::new("output", goal, format!("the line `{}`", line.escape_debug()), next).into());
    }
    session.settle()
}

pub fn is_request_for(frame: &[u8], address: Ipv4Addr) -> bool {
    let (_, _, protocol, content) = open(frame);
    protocol == ARP && content.len() >= 28 && content[6..8] == [0, 1] && content[24..28] == address.octets()
}

/// Fails if anything was sent.
pub fn nothing(sent: &[Sent]) -> Result<(), Unpassed> {
    let Some((lan, frame)) = sent.first() else { return Ok(()) };
    let observed = format!("on the LAN {}: {}", LANS[*lan], described(frame));
    Err(Finding::new("packet", "nothing is sent", observed, "see for which frames the handout wants nothing to be done").into())
}

/// Fails unless exactly this was sent, in a frame from the router to this host.
pub fn is_packet_to(sent: &[Sent], expected: &[u8], hop: &Host) -> Result<(), Unpassed> {
    let (_, router) = router_on(hop.lan);
    let goal = format!("one frame on the LAN {}, to {}: {}", LANS[hop.lan], hop.address, described(&frame(hop.mac, router, IP, expected)));
    let next = "compare what goes out with what came in: only the addresses of the frame, the time to live and the checksum change; RFC 1812, 5.2";
    let wrong = |observed: String| Err(Finding::new("packet", goal.clone(), observed, next).into());
    let [(lan, observed)] = sent else {
        let all: Vec<String> = sent.iter().map(|(lan, frame)| format!("on the LAN {}: {}", LANS[*lan], described(frame))).collect();
        return wrong(if all.is_empty() { "nothing is sent".into() } else { format!("{} frames: {}", all.len(), all.join("; ")) });
    };
    if *lan != hop.lan {
        return wrong(format!("on the LAN {}: {}", LANS[*lan], described(observed)));
    }
    let (to, from, protocol, content) = open(observed);
    if (to, from, protocol) != (hop.mac, router, IP) {
        let whose = |mac: Mac| match mac {
            _ if mac == hop.mac => "the next hop's address".to_owned(),
            _ if mac == router => "the router's address there".to_owned(),
            TO_ALL => "the address of all".to_owned(),
            other => other.map(|byte| format!("{byte:02x}")).join(":"),
        };
        return wrong(format!("a frame of type {protocol:04x} to {} from {}", whose(to), whose(from)));
    }
    let mut content = content.to_vec();
    let header = usize::from(expected[0] & 15) * 4;
    // 0 has two forms in this arithmetic: of a header that adds up right, both are.
    if content.get(..header).is_some_and(|header| checksum(header) == 0) {
        content[10..12].copy_from_slice(&expected[10..12]);
    }
    // A frame has 60 bytes at least: what fills it up is nobody's business.
    if content.get(..expected.len()) != Some(expected) || content.len() > expected.len().max(60 - LINK) {
        return wrong(differs(expected, &content));
    }
    Ok(())
}

/// Where a packet is another than it should be.
fn differs(expected: &[u8], observed: &[u8]) -> String {
    const FIELDS: [(usize, &str); 11] = [
        (1, "the version and the header's length"),
        (2, "the type of service"),
        (4, "the total length"),
        (6, "the identification"),
        (8, "the flags and the fragment's offset"),
        (9, "the time to live"),
        (10, "the protocol"),
        (12, "the checksum of the header"),
        (16, "the source address"),
        (20, "the destination address"),
        (60, "the options of the header"),
    ];
    let header = usize::from(expected[0] & 15) * 4;
    // A wrong field makes the checksum another, too: that one is told of only where it is alone.
    let differing = || expected.iter().zip(observed).enumerate().filter(|(_, (one, other))| one != other).map(|(at, _)| at);
    let Some(at) = differing().find(|at| ![10, 11].contains(at)).or_else(|| differing().next()) else {
        return format!("a packet of {} bytes instead of {}", observed.len(), expected.len());
    };
    let field = if at >= header { "what the packet carries" } else { FIELDS.iter().find(|(end, _)| at < *end).map_or("", |(_, name)| *name) };
    format!("{field} is another: byte {at} of the packet is {:02x} instead of {:02x}", observed[at], expected[at])
}
