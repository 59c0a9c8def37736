//! What the router says itself: errors of ICMP, and answers to echo requests.

use std::net::Ipv4Addr;

use harness::prelude::*;

use crate::bench::{Bench, Sent, router_on, under};
use crate::frames::{Host, ICMP, IP, Packet, checksum, described, icmp, open};
use crate::routing::hosts;

/// The one message of ICMP that was sent, to this host, from this address of the router's.
fn message(sent: &[Sent], hop: &Host, from: Ipv4Addr, to: Ipv4Addr, what: &str) -> Result<Vec<u8>, Unpassed> {
    let goal = format!("{what} from {from} to {to}, in one frame to its next hop");
    let next = "see which addresses and which checksums the answer has: RFC 792; RFC 1812, 4.3";
    let wrong = |observed: String| Err(Finding::new("icmp", goal.clone(), observed, next).into());
    let [(lan, frame)] = sent else {
        let all: Vec<String> = sent.iter().map(|(_, frame)| described(frame)).collect();
        return wrong(if all.is_empty() { "nothing is sent".into() } else { all.join("; ") });
    };
    let (mac, source, protocol, content) = open(frame);
    if *lan != hop.lan || (mac, source, protocol) != (hop.mac, router_on(hop.lan).1, IP) {
        return wrong(format!("{}, in a frame for somebody else, or not from the router's address there", described(frame)));
    }
    let header = usize::from(content.first().copied().unwrap_or(0) & 15) * 4;
    let total = content.get(2..4).map_or(0, |bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
    if header < 20 || content.len() < total || total < header + 8 || content[0] >> 4 != 4 {
        return wrong("a packet whose header cannot be right".into());
    }
    if checksum(&content[..header]) != 0 {
        return wrong("a packet whose header has a wrong checksum".into());
    }
    if content[9] != ICMP || content[12..16] != from.octets() || content[16..20] != to.octets() {
        return wrong(described(frame));
    }
    if content[8] < 2 {
        return wrong(format!("{}: it does not come far", described(frame)));
    }
    let message = &content[header..total];
    if checksum(message) != 0 {
        return wrong("a message of ICMP with a wrong checksum".into());
    }
    Ok(message.to_vec())
}

/// Sends the packet, and fails unless its sender gets this error about it.
fn is_complained_of(session: &mut Session, bench: &mut Bench, from: &Host, packet: &Packet, error: (u8, u8, &str)) -> Result<(), Unpassed> {
    let (kind, code, what) = error;
    let bytes = packet.bytes();
    let sent = bench.exchange_among(session, from.lan, &Bench::to_router(from, &bytes), std::slice::from_ref(from))?;
    let message = message(&sent, from, router_on(from.lan).0, packet.source, what)?;
    let about = &bytes[..bytes.len().min(packet.header_length() + 8)];
    // More of the packet than that may be quoted; RFC 1812, 4.3.2.3.
    let quoted = &message[8..];
    if message[..2] != [kind, code] || !quoted.starts_with(about) || !bytes.starts_with(&quoted[..quoted.len().min(bytes.len())]) {
        let goal = format!("{what} (type {kind}, code {code}), with the packet's header as it came and the 8 bytes after it");
        let same = quoted.iter().zip(&bytes).take_while(|(one, other)| one == other).count();
        let observed = format!("type {}, code {}; {same} bytes of the packet as it came", message[0], message[1]);
        let next = "quote the packet from the first byte of its header on, before anything in it is changed; RFC 792";
        return Err(Finding::new("icmp", goal, observed, next).into());
    }
    Ok(())
}

const TIME_EXCEEDED: (u8, u8, &str) = (11, 0, "`time exceeded`");
const UNREACHABLE: (u8, u8, &str) = (3, 0, "`network unreachable`");

pub fn time_exceeded(lab: &Lab) -> Verdict {
    let [left, right, far] = hosts(lab);
    let draw = |from: &Host, to: &Host, time_to_live: u8| Packet { time_to_live, ..Packet::draw(lab, from.address, to.address) };
    let with_options = Packet { options: vec![1, 1, 1, 1, 1, 1, 1, 0], ..draw(&left, &far, 1) };
    let request = draw(&left, &far, 1).carrying(ICMP, icmp(8, 0, [1, 2, 3, 4], b"who is there"));
    let short = draw(&left, &right, 1).carrying(200, lab.bytes(3));
    let first_fragment = Packet { fragment: 0x2000, ..draw(&left, &right, 1) };
    let cases = [
        ("a packet with a time to live of 1", left, draw(&left, &right, 1)),
        ("a packet with a time to live of 0", left, draw(&left, &right, 0)),
        ("a packet from another LAN", far, draw(&far, &left, 1)),
        ("a packet whose header has options", left, with_options),
        ("an echo request for another host", left, request),
        ("a packet that carries 3 bytes", left, short),
        ("the first fragment of a packet", left, first_fragment),
    ];
    lab.session(|session| {
        let mut bench = Bench::start(session)?;
        for (what, from, packet) in &cases {
            under(&format!("after {what}"), is_complained_of(session, &mut bench, from, packet, TIME_EXCEEDED))?;
        }
        let enough = draw(&left, &right, 2);
        under("when a packet comes with a time to live of 2", bench.passes_on(session, &left, &enough, &right))?;
        session.pass()
    })
}

pub fn unreachable(lab: &Lab) -> Verdict {
    let [left, right, far] = hosts(lab);
    let nowhere = || Ipv4Addr::new(192, 168, lab.number(0..256) as u8, lab.number(1..255) as u8);
    let near = Ipv4Addr::new(10, 4, 0, 1);
    let cases = [(left, nowhere()), (right, near), (far, nowhere())].map(|(from, to)| (from, Packet::draw(lab, from.address, to)));
    let reachable = Packet::draw(lab, left.address, Ipv4Addr::new(172, 16, 0, 1));
    lab.session(|session| {
        let mut bench = Bench::with_routes(session, &[format!("172.16.0.0/12={}", right.address)])?;
        for (from, packet) in &cases {
            let circumstance = format!("after a packet for {}", packet.destination);
            under(&circumstance, is_complained_of(session, &mut bench, from, packet, UNREACHABLE))?;
        }
        under("when there is a route", bench.passes_on(session, &left, &reachable, &right))?;
        session.pass()
    })
}

pub fn silence(lab: &Lab) -> Verdict {
    let [left, right, _] = hosts(lab);
    let late = Packet { time_to_live: 1, ..Packet::draw(lab, left.address, right.address) };
    let lost = Packet::draw(lab, left.address, Ipv4Addr::new(192, 168, 1, 1));
    let quoted = Packet::draw(lab, left.address, right.address).bytes();
    let mut cases: Vec<(String, Packet)> = Vec::new();
    for (how, packet) in [("too late", &late), ("for nowhere", &lost)] {
        for (kind, name) in [(3, "destination unreachable"), (11, "time exceeded"), (12, "parameter problem"), (5, "redirect")] {
            let message = icmp(kind, 0, [0; 4], &quoted[..28]);
            cases.push((format!("`{name}` {how}"), packet.clone().carrying(ICMP, message)));
        }
        for fragment in [1, 0x2001, 0x1fff] {
            cases.push((format!("a later fragment {how}"), Packet { fragment, ..packet.clone() }));
        }
        for source in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 5], [255, 255, 255, 255]] {
            let source = Ipv4Addr::from(source);
            cases.push((format!("a packet from {source} {how}"), Packet { source, ..packet.clone() }));
        }
    }
    lab.session(|session| {
        // The default route leads away from where errors would go, so that one to a strange source would be seen too.
        let mut bench = Bench::with_routes(session, &["224.0.0.0/3=10.3.0.9".to_owned(), "0.0.0.0/1=10.3.0.9".to_owned()])?;
        under("before anything else", is_complained_of(session, &mut bench, &left, &late, TIME_EXCEEDED))?;
        under("before anything else", is_complained_of(session, &mut bench, &left, &lost, UNREACHABLE))?;
        let frames: Vec<_> = cases.into_iter().map(|(what, packet)| (what, Bench::to_router(&left, &packet.bytes()))).collect();
        bench.leaves_alone(session, left.lan, &frames, &[left, right])?;
        session.pass()
    })
}

pub fn echo(lab: &Lab) -> Verdict {
    let hosts = hosts(lab);
    let number = || [lab.number(1..256) as u8, lab.number(0..256) as u8, lab.number(0..256) as u8, lab.number(0..256) as u8];
    let mut cases = Vec::new();
    for from in &hosts {
        for (lan, length) in [(0, 56), (1, lab.number(0..1400) as usize | 1), (2, 0)] {
            let time_to_live = if lan == 1 { 1 } else { 64 };
            let rest = number();
            let data = lab.bytes(length);
            let packet = Packet { time_to_live, ..Packet::draw(lab, from.address, router_on(lan).0) }.carrying(ICMP, icmp(8, 0, rest, &data));
            cases.push((*from, packet, icmp(0, 0, rest, &data)));
        }
    }
    let (from, good, _) = cases[0].clone();
    let mut bad_sum = good.clone();
    bad_sum.content[2] ^= 0x10;
    let reply = good.clone().carrying(ICMP, icmp(0, 0, [1, 2, 3, 4], b"unasked"));
    let datagram = good.clone().carrying(17, lab.bytes(20));
    lab.session(|session| {
        let mut bench = Bench::start(session)?;
        for (from, packet, expected) in &cases {
            let circumstance = format!("when {} sends an echo request to {}", from.address, packet.destination);
            let sent = bench.exchange_among(session, from.lan, &Bench::to_router(from, &packet.bytes()), std::slice::from_ref(from))?;
            let observed = under(&circumstance, message(&sent, from, packet.destination, from.address, "an echo reply"))?;
            if observed != *expected {
                return under(&circumstance, Err(difference("the echo reply", expected, &observed).into()));
            }
        }
        let frames = [("an echo request with a wrong checksum", &bad_sum), ("an echo reply", &reply)];
        let frames = frames.map(|(what, packet)| (what.to_owned(), Bench::to_router(&from, &packet.bytes())));
        bench.leaves_alone(session, from.lan, &frames, &[from])?;
        let sent = bench.exchange_among(session, from.lan, &Bench::to_router(&from, &datagram.bytes()), &[from])?;
        // What else is for the router it may refuse with an error, or leave alone; it is not passed on.
        match sent.iter().find(|(_, frame)| frame.windows(20).any(|part| part == datagram.content) && frame[23] != ICMP) {
            Some((_, frame)) => Err(Finding::new(
                "packet",
                "a packet for the router itself is not passed on",
                described(frame),
                "compare the destination with the addresses of all interfaces",
            )
            .into()),
            None => session.pass(),
        }
    })
}
