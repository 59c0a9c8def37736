//! What the router does with the packets of others.

use std::net::Ipv4Addr;

use harness::prelude::*;

use crate::bench::{Bench, Sent, expecting, is_packet_to, is_request_for, nothing, router_on, under};
use crate::frames::{ARP, Host, ICMP, IP, LINK, Packet, TO_ALL, arp, checksum, described, frame, icmp, open};

/// A host on each of the three LANs.
pub fn hosts(lab: &Lab) -> [Host; 3] {
    [0, 1, 2].map(|lan| Host::draw(lab, lan))
}

pub fn answers_arp(lab: &Lab) -> Verdict {
    let hosts = hosts(lab);
    lab.session(|session| {
        let mut bench = Bench::start(session)?;
        for host in &hosts {
            let (address, mac) = router_on(host.lan);
            let expected = host.mac_frame(mac, &arp(2, mac, address, host.mac, host.address));
            let sent = bench.exchange(session, host.lan, &host.asks_for(address))?;
            under(&format!("when {} asks for {address}", host.address), is_answer(&sent, host.lan, &expected))?;
            let others = [hosts[(host.lan + 1) % 3].address, router_on((host.lan + 1) % 3).0, host.next().address];
            let mut cases: Vec<_> =
                others.iter().map(|other| (format!("a request of {} for {other}", host.address), host.asks_for(*other))).collect();
            cases.push(("an answer that nobody has asked for".to_owned(), host.answers(mac, address)));
            let mut cut = host.asks_for(address);
            cut.truncate(LINK + 20);
            cases.push(("a request that is cut off".to_owned(), cut));
            bench.leaves_alone(session, host.lan, &cases, &[])?;
        }
        session.pass()
    })
}

impl Host {
    fn mac_frame(&self, from: [u8; 6], message: &[u8]) -> Vec<u8> {
        frame(self.mac, from, ARP, message)
    }
}

fn is_answer(sent: &[Sent], lan: usize, expected: &[u8]) -> Result<(), Unpassed> {
    let goal = "one answer, to who asked, with the router's address there and its Ethernet address";
    let next = "compare it field by field: who sends, who is the target, and the addresses of the frame; RFC 826";
    match sent {
        [(on, observed)] if *on == lan && observed.starts_with(expected) => Ok(()),
        [] => Err(Finding::new("arp", goal, "nothing is sent", next).into()),
        [(on, observed)] if *on == lan => {
            let place = expected.iter().zip(observed).position(|(one, other)| one != other).unwrap_or(observed.len());
            let observed = format!("{}; the frame is another from byte {place} on", described(observed));
            Err(Finding::new("arp", goal, observed, next).into())
        }
        _ => {
            let all: Vec<String> = sent.iter().map(|(_, frame)| described(frame)).collect();
            Err(Finding::new("arp", goal, all.join("; "), next).into())
        }
    }
}

/// The requests of ARP in what was sent are sound and for this host, and there is nothing else.
fn asks_only_for(sent: &[Sent], hop: &Host) -> Result<(), Unpassed> {
    let (address, mac) = router_on(hop.lan);
    let goal = format!("the router asks all on the LAN of {} for its Ethernet address", hop.address);
    let next = "see what a request of ARP says, and who gets it: RFC 826; packet(7)";
    let is_sound = |lan: usize, frame: &[u8]| {
        let (to, from, _, content) = open(frame);
        lan == hop.lan
            && is_request_for(frame, hop.address)
            && (to, from) == (TO_ALL, mac)
            && content[..18] == arp(1, mac, address, [0; 6], hop.address)[..18]
    };
    match sent.iter().find(|(lan, frame)| !is_sound(*lan, frame)) {
        _ if sent.is_empty() => Err(Finding::new("arp", goal, "nothing is sent", next).into()),
        Some((_, wrong)) => {
            let observed = format!("{}, or with other addresses of the frame or the sender than the router's there", described(wrong));
            Err(Finding::new("arp", goal, observed, next).into())
        }
        None => Ok(()),
    }
}

pub fn forwards(lab: &Lab) -> Verdict {
    let hosts = hosts(lab);
    let pairs = [(0, 1), (1, 2), (2, 0), (0, 2)];
    let packets: Vec<(Host, Host, Packet)> =
        pairs.iter().map(|(from, to)| (hosts[*from], hosts[*to], Packet::draw(lab, hosts[*from].address, hosts[*to].address))).collect();
    let request = Packet::draw(lab, hosts[0].address, hosts[1].address).carrying(ICMP, icmp(8, 0, [1, 2, 3, 4], &lab.bytes(56)));
    let request = (hosts[0], hosts[1], request);
    lab.session(|session| {
        let mut bench = Bench::start(session)?;
        let (from, to, packet) = &packets[0];
        let sent = bench.exchange(session, from.lan, &Bench::to_router(from, &packet.bytes()))?;
        under("when a packet comes for a host that it knows nothing of", asks_only_for(&sent, to))?;
        let (address, mac) = router_on(to.lan);
        let sent = bench.exchange(session, to.lan, &to.answers(mac, address))?;
        under("when the host has answered", is_packet_to(&sent, &packet.one_hop_on().bytes(), to))?;
        for (from, to, packet) in &packets[1..] {
            let circumstance = format!("when {} sends a packet to {}", from.address, to.address);
            under(&circumstance, bench.passes_on(session, from, packet, to))?;
        }
        let (from, to, request) = &request;
        under("when an echo request for another host comes", bench.passes_on(session, from, request, to))?;
        session.pass()
    })
}

pub fn waits(lab: &Lab) -> Verdict {
    let [from, to, _] = hosts(lab);
    let other = to.next();
    let draw = |host: &Host| Packet::draw(lab, from.address, host.address);
    let (waiting, one, later) = ([draw(&to), draw(&to), draw(&to)], draw(&other), [draw(&to), draw(&other)]);
    lab.session(|session| {
        let mut bench = Bench::start(session)?;
        for packet in &waiting {
            let sent = bench.exchange(session, from.lan, &Bench::to_router(&from, &packet.bytes()))?;
            let asked: Vec<Sent> = sent.into_iter().filter(|(_, frame)| !is_request_for(frame, to.address)).collect();
            under("while nobody has answered", nothing(&asked))?;
        }
        let sent = bench.exchange(session, from.lan, &Bench::to_router(&from, &one.bytes()))?;
        under("when a packet for another host comes", asks_only_for(&sent, &other))?;
        let (address, mac) = router_on(to.lan);
        let sent = bench.exchange(session, to.lan, &to.answers(mac, address))?;
        are_in_order(&sent, &waiting, &to)?;
        let sent = bench.exchange(session, to.lan, &other.answers(mac, address))?;
        under("when the other host answers", is_packet_to(&sent, &one.one_hop_on().bytes(), &other))?;
        for (packet, host) in later.iter().zip([&to, &other]) {
            let sent = bench.exchange(session, from.lan, &Bench::to_router(&from, &packet.bytes()))?;
            under("when a packet comes later", is_packet_to(&sent, &packet.one_hop_on().bytes(), host))?;
        }
        session.pass()
    })
}

fn are_in_order(sent: &[Sent], waiting: &[Packet], to: &Host) -> Result<(), Unpassed> {
    if sent.len() != waiting.len() {
        let goal = format!("the {} packets that have waited are sent when the answer comes", waiting.len());
        let next = "keep what cannot go yet, for each next hop, until its answer comes";
        return Err(Finding::new("packet", goal, format!("{} frames are sent", sent.len()), next).into());
    }
    for (one, packet) in sent.iter().zip(waiting) {
        under("when the answer comes, in the order in which they came", is_packet_to(std::slice::from_ref(one), &packet.one_hop_on().bytes(), to))?;
    }
    Ok(())
}

/// A route to a gateway, and a destination for which it is the longest.
struct Way {
    route: String,
    destination: Ipv4Addr,
    gateway: Host,
}

/// Ranges inside each other around a drawn address, and around the networks of the interfaces.
fn ways(lab: &Lab) -> Vec<Way> {
    let octet = || lab.number(1..100) as u8;
    let [a, b, c] = [octet(), octet(), octet()];
    let cases = [
        ("0.0.0.0/0".to_owned(), [198, 51, a, b]),
        ("172.0.0.0/8".to_owned(), [172, 200, a, b]),
        ("172.16.0.0/12".to_owned(), [172, 17, a, c]),
        (format!("172.20.{a}.0/24"), [172, 20, a, 250]),
        (format!("172.20.{a}.64/26"), [172, 20, a, 64 + b % 60]),
        (format!("172.20.{a}.200/32"), [172, 20, a, 200]),
        // Longer than the network of an interface, and shorter.
        ("10.2.0.252/30".to_owned(), [10, 2, 0, 253]),
        ("10.2.0.0/16".to_owned(), [10, 2, c, 7]),
    ];
    let mut hosts = [Host::draw(lab, 1), Host::draw(lab, 2)];
    let mut ways = Vec::new();
    for (number, (range, [p, q, r, s])) in cases.into_iter().enumerate() {
        let gateway = &mut hosts[number % 2];
        // Between 20 and 250 there is room for all.
        *gateway =
            if gateway.address.octets()[3] > 240 { Host::at(gateway.lan, Ipv4Addr::new(10, gateway.lan as u8 + 1, 0, 20)) } else { gateway.next() };
        ways.push(Way { route: format!("{range}={}", gateway.address), destination: Ipv4Addr::new(p, q, r, s), gateway: *gateway });
    }
    ways
}

pub fn longest_prefix(lab: &Lab) -> Verdict {
    let from = Host::draw(lab, 0);
    let ways = ways(lab);
    let direct = Host::draw(lab, 1).next();
    let packets: Vec<Packet> = ways.iter().map(|way| Packet::draw(lab, from.address, way.destination)).collect();
    let to_direct = Packet::draw(lab, from.address, direct.address);
    let mut routes: Vec<String> = ways.iter().map(|way| way.route.clone()).collect();
    let goes_right = |routes: &[String]| {
        lab.session(|session| {
            let mut bench = Bench::with_routes(session, routes)?;
            for (way, packet) in ways.iter().zip(&packets) {
                let circumstance = format!("when a packet for {} comes, with the routes {}", way.destination, routes.join(" "));
                under(&circumstance, bench.passes_on(session, &from, packet, &way.gateway))?;
            }
            under("when a packet comes for a host on a LAN of the router's", bench.passes_on(session, &from, &to_direct, &direct))?;
            session.pass()
        })
    };
    let shift = lab.number(0..routes.len() as u64) as usize;
    routes.rotate_left(shift);
    goes_right(&routes)?;
    routes.reverse();
    goes_right(&routes)
}

/// The packet with an identification for which the sum of the header's words, without the checksum, is so.
fn numbered(mut packet: Packet, is_so: impl Fn(u32) -> bool) -> Option<Packet> {
    packet.identification = 0;
    let header = &packet.bytes()[..20];
    let word = |number: usize| u32::from(header[number * 2]) << 8 | u32::from(header[number * 2 + 1]);
    let sum: u32 = (0..10).filter(|number| *number != 5).map(word).sum();
    packet.identification = (0..=u16::MAX).find(|number| is_so(sum + u32::from(*number)))?;
    Some(packet)
}

/// The checksum that goes with a sum.
fn checksum_of(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    !(((once & 0xffff) + (once >> 16)) as u16)
}

pub fn options(lab: &Lab) -> Verdict {
    let [from, to, _] = hosts(lab);
    let mut packets: Vec<(String, Packet)> = (1..=10)
        .map(|words| {
            // Options that nobody needs to know: bytes that fill a gap, and an end.
            let options = [vec![1; words * 4 - 1], vec![0]].concat();
            (format!("when the header has {} bytes of options", words * 4), Packet { options, ..Packet::draw(lab, from.address, to.address) })
        })
        .collect();
    let draw = || Packet::draw(lab, from.address, to.address);
    for wanted in [0x0000_u16, 0x00ff, 0x0100, 0xfeff, 0xff00, 0xfffe, lab.number(0..0xffff) as u16] {
        packets
            .extend(numbered(draw(), |sum| checksum_of(sum) == wanted).map(|packet| (format!("when the header's checksum is {wanted:04x}"), packet)));
    }
    // Where adding the carries carries over once more: as the packet comes, and as it goes, with 1 less in the upper half of a word.
    let carries_twice = |sum: u32| (sum & 0xffff) + (sum >> 16) > 0xffff;
    let circumstance = "when the sum of the header carries over twice";
    packets.extend(numbered(draw(), carries_twice).map(|packet| (circumstance.to_owned(), packet)));
    packets.extend(numbered(draw(), |sum| carries_twice(sum - 0x100)).map(|packet| (circumstance.to_owned(), packet)));
    lab.session(|session| {
        let mut bench = Bench::start(session)?;
        for (circumstance, packet) in &packets {
            under(circumstance, bench.passes_on(session, &from, packet, &to))?;
        }
        session.pass()
    })
}

/// The packet with one byte of its header another, and with the checksum that goes with that for a header of so many bytes.
fn changed(packet: &Packet, at: usize, value: u8, header: usize) -> Vec<u8> {
    let mut bytes = packet.bytes();
    bytes[at] = value;
    bytes[10..12].fill(0);
    let sum = checksum(&bytes[..header.min(bytes.len())]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes
}

pub fn bad_headers(lab: &Lab) -> Verdict {
    let [from, to, _] = hosts(lab);
    let mut packet = Packet::draw(lab, from.address, to.address);
    packet.content = lab.bytes(90);
    let whole = packet.bytes();
    let mut bad_sum = whole.clone();
    bad_sum[10] ^= 1 << lab.number(0..8);
    let cases = [
        ("a packet of version 5", changed(&packet, 0, 0x55, 20)),
        ("a packet of version 6", changed(&packet, 0, 0x65, 20)),
        ("a header of 16 bytes", changed(&packet, 0, 0x44, 16)),
        ("a header of 0 bytes", changed(&packet, 0, 0x40, 20)),
        ("a header longer than what came", changed(&packet, 0, 0x4f, 20)[..40].to_vec()),
        ("a packet one byte longer than what came", changed(&packet, 3, 111, 20)),
        ("a packet much longer than what came", changed(&packet, 2, 4, 20)),
        ("a packet shorter than its own header", changed(&packet, 3, 19, 20)),
        ("a packet whose header has a wrong checksum", bad_sum),
        ("a packet that is cut off in its header", whole[..19].to_vec()),
        ("a frame without a packet", Vec::new()),
    ];
    lab.session(|session| {
        let mut bench = Bench::start(session)?;
        under("before anything else", bench.passes_on(session, &from, &packet, &to))?;
        let frames = cases.map(|(what, bytes)| (what.to_owned(), Bench::to_router(&from, &bytes)));
        bench.leaves_alone(session, from.lan, &frames, &[from, to])?;
        for padding in [1, 26, 500] {
            let padded = [&whole[..], &lab.bytes(padding)].concat();
            let sent = bench.exchange_among(session, from.lan, &Bench::to_router(&from, &padded), &[from, to])?;
            under(&format!("when {padding} bytes follow the packet in its frame"), is_packet_to(&sent, &packet.one_hop_on().bytes(), &to))?;
        }
        session.pass()
    })
}

pub fn not_for_it(lab: &Lab) -> Verdict {
    let [from, to, _] = hosts(lab);
    let packet = Packet::draw(lab, from.address, to.address);
    let (_, router) = router_on(from.lan);
    let to_group = |address: [u8; 4]| Packet { destination: Ipv4Addr::from(address), ..packet.clone() }.bytes();
    let mut nearly = router;
    nearly[5] ^= 0x40;
    let cases = [
        ("a frame for another host", frame(to.mac, from.mac, IP, &packet.bytes())),
        ("a frame for a host with nearly the same address", frame(nearly, from.mac, IP, &packet.bytes())),
        ("a packet in a frame for all", frame(TO_ALL, from.mac, IP, &packet.bytes())),
        ("a frame of another protocol", frame(router, from.mac, 0x88b5, &packet.bytes())),
        ("a frame of IPv6", frame(router, from.mac, 0x86dd, &packet.bytes())),
        ("a packet for all", frame(router, from.mac, IP, &to_group([255, 255, 255, 255]))),
        ("a packet for a group", frame(router, from.mac, IP, &to_group([224, 0, 0, 9]))),
        ("a frame without content", frame(router, from.mac, IP, &[])),
    ];
    lab.session(|session| {
        let mut bench = Bench::with_routes(session, &["0.0.0.0/0=10.2.0.9".to_owned()])?;
        let goal = "a packet in a frame for the router is passed on";
        expecting(goal, "see which frames it takes for its own; packet(7), Address types", bench.passes_on(session, &from, &packet, &to))?;
        bench.leaves_alone(session, from.lan, &cases.map(|(what, bytes)| (what.to_owned(), bytes)), &[from, to])?;
        under("after all these", bench.passes_on(session, &from, &packet, &to))?;
        session.pass()
    })
}
