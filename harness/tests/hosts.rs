//! A run's network of several hosts: what goes from one to another, and what the check sees of it.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
}

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;

use harness::manifest::Capability;
use harness::prelude::*;
use support::isolated::{self, Test, tests};
use support::subject::{Subject, assert_passes};

const FIVE_LANS: &str = include_str!("networks/five_lans.toml");
const E2: Ipv4Addr = Ipv4Addr::new(10, 0, 5, 12);
/// One program that is to be a router, with a LAN on each side that has nobody else.
const ONE_ROUTER: &str = r#"
lan = [{ name = "left", network = "10.1.0.0/24" }, { name = "right", network = "10.2.0.0/24" }]
[[router]]
name = "R"
kernel = false
interfaces = [{ lan = "left", address = "10.1.0.1" }, { lan = "right", address = "10.2.0.1" }]
"#;
/// Bytes of the headers of Ethernet and of IPv4.
const ETHERNET: usize = 14;
const IP: usize = 20;

fn main() -> ExitCode {
    let mut all = tests![
        a_connection_goes_through_all_routers,
        each_router_takes_one_from_the_time_to_live_and_changes_the_link_header,
        programs_run_on_the_hosts_that_they_are_started_on,
        what_a_host_does_not_know_is_unreachable,
        a_frame_that_was_sent_to_a_programs_router_has_come_in_and_nobody_answers,
        a_check_may_be_a_member_of_a_lan,
        bad_descriptions_and_unknown_names_are_broken,
        a_program_that_is_not_installed_is_skipped_with_its_package,
        nothing_of_a_network_is_left,
    ];
    all.push(Test { environment: &[("LAB_SANDBOX", "none")], ..Test::new("without_namespaces_it_is_skipped", without_namespaces_it_is_skipped) });
    isolated::main(all)
}

fn on_five_lans(drive: impl FnOnce(&mut Session, &str) -> Verdict) -> Verdict {
    Subject::new("capable").session(|session, name| {
        session.build_network(FIVE_LANS)?;
        drive(session, name)
    })
}

fn a_connection_goes_through_all_routers() {
    assert_passes(on_five_lans(|session, _| {
        let listener = session.at("E2", |session| session.listen_at(E2))?;
        let mut client = session.at("A1", |session| session.connect_to(E2, listener.port))?;
        let mut server = session.accept(&listener)?;
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        let sent = session.send_what_fits(&mut client, &bytes)?;
        assert!(sent > 20_000, "{sent}");
        assert_eq!(session.receive(&mut server, sent)?, bytes[..sent]);
        session.pass()
    }));
}

fn each_router_takes_one_from_the_time_to_live_and_changes_the_link_header() {
    assert_passes(on_five_lans(|session, _| {
        let mut taps = ["A", "B", "C", "D", "E"].into_iter().map(|lan| session.tap(lan)).collect::<Result<Vec<_>, _>>()?;
        let server = session.at("E2", |session| session.mailbox_at(E2, 0))?;
        let client = session.at("A1", |session| session.mailbox_at(Ipv4Addr::UNSPECIFIED, 0))?;
        client.send(server.address, b"hello")?;
        let came = session.datagram(&server)?;
        assert_eq!((came.from.ip().octets(), &came.bytes[..]), ([10, 0, 1, 11], &b"hello"[..]));
        let mut sources = Vec::new();
        for (tap, time_to_live) in taps.iter_mut().zip((60..=64).rev()) {
            let packet = tap.until("the datagram", |frame| frame[12..14] == [8, 0])?;
            assert_eq!(packet[ETHERNET + 8], time_to_live);
            assert_eq!(packet[ETHERNET + 12..ETHERNET + IP], [10, 0, 1, 11, 10, 0, 5, 12]);
            assert_eq!(sum_of(&packet[ETHERNET..ETHERNET + IP]), 0xffff, "the header's checksum");
            assert!(udp_is_sound(&packet[ETHERNET..]), "the kernel finishes what a card would do");
            sources.push(packet[6..12].to_vec());
        }
        let expected = [[1, 11], [2, 1], [3, 2], [4, 3], [5, 4]].map(|[lan, host]| vec![2, 0, 10, 0, lan, host]);
        assert_eq!(sources, expected);
        session.pass()
    }));
}

/// The sum of RFC 1071.
fn sum_of(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))).sum();
    (sum % 0xffff) as u16 | if sum.is_multiple_of(0xffff) { 0xffff } else { 0 }
}

fn udp_is_sound(packet: &[u8]) -> bool {
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let udp = &packet[IP..length];
    sum_of(&[&packet[12..IP], &[0, 17], &(udp.len() as u16).to_be_bytes(), udp].concat()) == 0xffff
}

fn programs_run_on_the_hosts_that_they_are_started_on() {
    assert_passes(on_five_lans(|session, name| {
        for (node, address) in [("A2", "10.0.1.12"), ("R3", "10.0.4.3")] {
            let cat = session.installed_program("cat", "coreutils")?.on(node).arg("/proc/net/fib_trie").start()?;
            session.exit(cat)?;
            let text = String::from_utf8_lossy(session.stdout(cat)).into_owned();
            assert!(text.contains(address) && !text.contains("10.0.5.12"), "{text}");
        }
        let own = session.program(name).on("E1").start()?;
        assert_eq!(session.exit(own)?, Exit::Status(0));
        session.pass()
    }));
}

fn what_a_host_does_not_know_is_unreachable() {
    assert_passes(on_five_lans(|session, _| {
        let mut tap = session.tap("A")?;
        let client = session.at("A1", |session| session.mailbox_at(Ipv4Addr::UNSPECIFIED, 0))?;
        client.send(SocketAddrV4::new(Ipv4Addr::new(10, 9, 0, 1), 7), b"anybody")?;
        let is_unreachable = |frame: &[u8]| frame.len() > ETHERNET + IP && frame[ETHERNET + 9] == 1 && frame[ETHERNET + IP..][..2] == [3, 0];
        let answer = tap.until("an ICMP message that the network is unreachable", is_unreachable)?;
        assert_eq!(answer[ETHERNET + 12..ETHERNET + 16], [10, 0, 2, 2], "R2 has no route");
        session.pass()
    }));
}

fn a_frame_that_was_sent_to_a_programs_router_has_come_in_and_nobody_answers() {
    assert_passes(Subject::new("capable").capable(&[Capability::NetRaw]).session(|session, _| {
        session.build_network(ONE_ROUTER)?;
        let mut left = session.tap("left")?;
        let right = session.tap("right")?;
        // A request of ARP for the router's address: the kernel leaves it alone.
        let mut request = [[0xff; 6], [2, 0, 10, 1, 0, 9]].concat();
        request.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 10, 1, 0, 9, 10, 1, 0, 9, 0, 0, 0, 0, 0, 0, 10, 1, 0, 1]);
        for _ in 0..3 {
            left.send(&request)?;
        }
        assert!(left.take()?.is_empty());
        drop(right);
        let socket = session.at("R", |session| session.wire("eth1"))?;
        drop(socket);
        session.pass()
    }));
}

fn a_check_may_be_a_member_of_a_lan() {
    assert_passes(on_five_lans(|session, _| {
        let mut tap = session.tap("C")?;
        let mut request = [[0xff; 6], [2, 0, 10, 0, 3, 99]].concat();
        request.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 10, 0, 3, 99, 10, 0, 3, 99, 0, 0, 0, 0, 0, 0, 10, 0, 3, 12]);
        tap.send(&request)?;
        let answer = tap.until("the answer of C2", |frame| frame[12..14] == [8, 6] && frame[21] == 2)?;
        assert_eq!(answer[22..32], [2, 0, 10, 0, 3, 12, 10, 0, 3, 12]);
        session.pass()
    }));
}

fn bad_descriptions_and_unknown_names_are_broken() {
    let broken = |verdict: Verdict, part: &str| match verdict {
        Err(Unpassed::Broken(reason)) => assert!(reason.contains(part), "{reason}"),
        other => panic!("expected broken, observed {other:?}"),
    };
    let subject = Subject::new("capable");
    broken(subject.session(|session, _| session.build_network("lan = 3").and(session.pass())), "description:1: lan: invalid type");
    broken(subject.session(|session, name| session.program(name).on("A1").start().and(session.pass())), "no network of several hosts");
    broken(on_five_lans(|session, name| session.program(name).on("Z9").start().and(session.pass())), "no host or router `Z9`");
    broken(on_five_lans(|session, _| session.tap("Z").map(drop).and(session.pass())), "no LAN `Z`");
}

fn a_program_that_is_not_installed_is_skipped_with_its_package() {
    match on_five_lans(|session, _| session.installed_program("no-such-program", "a-package").map(drop).and(session.pass())) {
        Err(Unpassed::Skipped(reason)) => assert_eq!(reason, "needs the program no-such-program: apt install a-package"),
        other => panic!("expected skipped, observed {other:?}"),
    }
}

fn nothing_of_a_network_is_left() {
    let subject = Subject::new("waits");
    assert_passes(subject.session(|session, name| {
        session.build_network(FIVE_LANS)?;
        session.program(name).on("A1").start()?;
        session.settle()?;
        session.pass()
    }));
    subject.assert_nothing_is_left();
}

fn without_namespaces_it_is_skipped() {
    match on_five_lans(|session, _| session.pass()) {
        Err(Unpassed::Skipped(reason)) => assert!(reason.contains("namespaces of its own") && reason.contains("LAB_SANDBOX"), "{reason}"),
        other => panic!("expected skipped, observed {other:?}"),
    }
}
