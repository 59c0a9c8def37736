//! Checks for the handshake lab, one for each promise in its README. The check makes real connections, and sends segments made by hand, on the loopback
//! interface of the run's own network; a packet socket of its own sees what the program is to see.

#[path = "checks/captures.rs"]
mod captures;
#[path = "checks/endings.rs"]
mod endings;
#[path = "checks/frames.rs"]
mod frames;
#[path = "checks/refusals.rs"]
mod refusals;
#[path = "checks/rules.rs"]
mod rules;
#[path = "checks/segments.rs"]
mod segments;
#[path = "checks/statistics.rs"]
mod statistics;
#[path = "checks/tools.rs"]
mod tools;
#[path = "checks/watching.rs"]
mod watching;

use captures::Clock;
use harness::prelude::*;
use segments::{ACK, CWR, ECE, FIN, LINK, PSH, RST, SYN, Segment, Talk, again as sent_again};
use tools::tcpdump_reads;
use watching::{Watch, pointing_to, under};

harness::checks! {
    handshake, ends, resets, apart, third_segment, data_counted, again, header_lengths, wraps, mss, others, malformed, stops, ready, pcap, pcap_complete,
    tools, interrupted, tcp_info, tcp_state, errors_reported, usage
}

/// For each new connection `watch` prints a line SYN, a line SYN-ACK and a line ACK, with the addresses, ports and numbers that the segments carry, whatever
/// other flags they have (such as those of ECN), and each segment once.
fn handshake(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        let listener = session.listen()?;
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(session.connect(listener.port)?);
            held.push(session.accept(&listener)?);
            watch.has_seen_all(session)?;
        }
        let flagged = |segment: Segment, flags: u8| Segment { flags: segment.flags | flags, ..segment };
        let asks = [(flagged(talk.syn(), ECE | CWR), "SYN"), (flagged(talk.syn_ack(), ECE), "SYN-ACK"), (flagged(talk.ack(), PSH), "ACK")];
        for (segment, name) in &asks {
            under("where the two sides agree on ECN (RFC 3168)", watch.shows(session, segment, &segment.line(name)))?;
        }
        watch.finish(session)
    })
}

/// When a side has sent all it has, `watch` prints its FIN, with the number of bytes that this side has sent; a FIN of a side whose SYN or SYN-ACK was not seen
/// prints nothing.
fn ends(lab: &Lab) -> Verdict {
    let amounts = [(lab.number(1..3000), 0), (0, lab.number(1..3000)), (lab.number(300..3000), lab.number(1..300))];
    let amounts = amounts.map(|(sent, answered)| (lab.bytes(sent as usize), lab.bytes(answered as usize)));
    let talk = Talk::draw(lab);
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        let listener = session.listen()?;
        for (sent, answered) in &amounts {
            let mut client = session.connect(listener.port)?;
            let mut server = session.accept(&listener)?;
            session.send(&mut client, sent)?;
            client.end_sending()?;
            session.receive_all(&mut server)?;
            watch.has_seen_all(session)?;
            session.send(&mut server, answered)?;
            drop(server);
            session.receive_all(&mut client)?;
            drop(client);
            watch.has_seen_all(session)?;
        }
        watch.shows(session, &talk.syn(), &talk.syn().line("SYN"))?;
        let fin = talk.client_says(FIN | ACK, 40);
        under("when the server's SYN-ACK was not seen", watch.shows(session, &fin, &fin.fin_line(40)))?;
        watch.passes_over(session, "a FIN of a server whose SYN-ACK was not seen", &talk.server_says(FIN | ACK, 0).frame())?;
        watch.finish(session)
    })
}

/// `watch` prints the RST that refuses a connection or breaks it off, whatever other flags it has; what still comes of that connection prints nothing.
fn resets(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        let port = session.free_port()?;
        // Nobody listens there, which is what this is about.
        let refused = session.connect(port);
        under("when nobody listens on the port", watch.has_seen_all(session))?;
        drop(refused);
        let listener = session.listen()?;
        let mut client = session.connect(listener.port)?;
        session.accept(&listener)?.reset()?;
        session.receive_all(&mut client)?;
        under("when the server breaks the connection off", watch.has_seen_all(session))?;
        under("when segments come after the RST", nothing_after_reset(session, &mut watch, &talk))?;
        resets_with_other_flags(session, &mut watch, &talk)?;
        watch.finish(session)
    })
}

fn nothing_after_reset(session: &mut Session, watch: &mut Watch, talk: &Talk) -> Result<(), Unpassed> {
    watch.shows_handshake(session, talk)?;
    // Without ACK the field for the acknowledgment means nothing.
    let reset = talk.server_says(RST, 700);
    watch.shows(session, &reset, &reset.line("RST"))?;
    watch.passes_over(session, "another RST", &reset.frame())?;
    watch.passes_over(session, "a FIN after the RST", &talk.client_says(FIN | ACK, 0).frame())?;
    watch.passes_over(session, "an ACK after the RST", &talk.ack().frame())?;
    let next = talk.numbered(talk.client_syn.wrapping_add(5000), talk.server_syn.wrapping_add(5000));
    watch.shows_handshake(session, &next)
}

/// The flag RST decides, whatever stands beside it.
fn resets_with_other_flags(session: &mut Session, watch: &mut Watch, talk: &Talk) -> Result<(), Unpassed> {
    let cases = [("PSH and ACK", RST | PSH | ACK), ("FIN and ACK", RST | FIN | ACK), ("SYN", RST | SYN), ("SYN and ACK", RST | SYN | ACK)];
    for ((others, flags), number) in cases.into_iter().zip(1u16..) {
        let talk = talk.of_client(number);
        let reset = talk.client_says(flags, 0);
        under(&format!("before an RST with {others}"), watch.shows_handshake(session, &talk))?;
        under(&format!("when an RST has {others} too"), watch.shows(session, &reset, &reset.line("RST")))?;
        watch.passes_over(session, &format!("a second RST with {others}"), &reset.frame())?;
        watch.passes_over(session, &format!("a FIN after an RST with {others}"), &talk.server_says(FIN | ACK, 0).frame())?;
    }
    Ok(())
}

/// Connections are told apart by both addresses and both ports; of a connection whose SYN was not seen nothing is printed.
fn apart(lab: &Lab) -> Verdict {
    let first = Talk::draw(lab);
    let other_numbers = first.numbered(first.client_syn ^ 0x55, first.server_syn ^ 0x55);
    let mut alike = [first, other_numbers, other_numbers, other_numbers, other_numbers];
    alike[1].client.set_port(first.client.port() ^ 0x100);
    alike[2].client.set_ip([192, 0, 2, first.client.ip().octets()[3] ^ 1].into());
    alike[3].server.set_ip([198, 51, 100, first.server.ip().octets()[3] ^ 1].into());
    alike[4].server.set_port(first.server.port() ^ 0x100);
    let mut stranger = other_numbers;
    stranger.client.set_ip([203, 0, 113, 200].into());
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        under("when connections that differ in one address or port go on at the same time", all_at_once(session, &mut watch, &alike))?;
        under("when there are many connections at the same time", many(session, &mut watch, &first))?;
        watch.passes_over(session, "a SYN-ACK without a SYN", &stranger.syn_ack().frame())?;
        watch.passes_over(session, "an ACK without a SYN", &stranger.ack().frame())?;
        watch.passes_over(session, "a FIN without a SYN", &stranger.client_says(FIN | ACK, 0).frame())?;
        watch.passes_over(session, "an RST without a SYN", &stranger.server_says(RST | ACK, 0).frame())?;
        watch.finish(session)
    })
}

fn all_at_once(session: &mut Session, watch: &mut Watch, talks: &[Talk]) -> Result<(), Unpassed> {
    for talk in talks {
        watch.shows(session, &talk.syn(), &talk.syn().line("SYN"))?;
    }
    for talk in talks.iter().rev() {
        watch.shows(session, &talk.syn_ack(), &talk.syn_ack().line("SYN-ACK"))?;
    }
    for talk in talks {
        watch.shows(session, &talk.ack(), &talk.ack().line("ACK"))?;
    }
    for (sent, talk) in (1u32..).zip(talks) {
        let fin = talk.server_says(FIN | ACK, sent * 10);
        watch.shows(session, &fin, &fin.fin_line(sent * 10))?;
    }
    Ok(())
}

fn many(session: &mut Session, watch: &mut Watch, like: &Talk) -> Result<(), Unpassed> {
    const MANY: u16 = 70;
    let numbered = |number: u16| {
        let mut talk = *like;
        talk.client = std::net::SocketAddrV4::new([203, 0, 113, 77].into(), 20_000 + number);
        talk
    };
    for number in 0..MANY {
        let syn = numbered(number).syn();
        watch.shows(session, &syn, &syn.line("SYN"))?;
    }
    let first = numbered(0);
    watch.shows(session, &first.syn_ack(), &first.syn_ack().line("SYN-ACK"))?;
    watch.shows(session, &first.ack(), &first.ack().line("ACK"))
}

/// The line ACK stands for the first segment that completes the handshake, with data or without, and for no other; a SYN-ACK that answers another SYN, or comes
/// from the client, prints nothing.
fn third_segment(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let data = lab.number(1..1000) as usize;
    let mut stray = talk.syn_ack();
    stray.acknowledgment = stray.acknowledgment.wrapping_add(1);
    let mut own = talk.syn_ack();
    (own.from, own.to) = (own.to, own.from);
    let mut own_later = own.clone();
    own_later.sequence = own.sequence.wrapping_add(7);
    let mut early = talk.ack();
    early.acknowledgment = talk.server_syn;
    let mut late = talk.ack();
    late.sequence = talk.client_syn;
    let third = talk.client_says(PSH | ACK, 0).carrying(data);
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        watch.shows(session, &talk.syn(), &talk.syn().line("SYN"))?;
        watch.passes_over(session, "an ACK before the SYN-ACK", &talk.ack().frame())?;
        watch.passes_over(session, "a SYN-ACK that answers another SYN", &stray.frame())?;
        watch.passes_over(session, "a SYN-ACK of the client's", &own.frame())?;
        watch.shows(session, &talk.syn_ack(), &talk.syn_ack().line("SYN-ACK"))?;
        watch.passes_over(session, "a SYN-ACK of the client's behind the server's", &own_later.frame())?;
        watch.passes_over(session, "an ACK with the number of the SYN-ACK itself", &early.frame())?;
        watch.passes_over(session, "an ACK with the sequence number of the SYN itself", &late.frame())?;
        watch.passes_over(session, "an ACK of the server's", &talk.server_says(ACK, 0).frame())?;
        watch.shows(session, &third, &third.line("ACK"))?;
        watch.passes_over(session, "the same segment a second time", &third.frame())?;
        watch.passes_over(session, "an ACK later on", &talk.ack().frame())?;
        watch.passes_over(session, "data later on", &talk.client_says(PSH | ACK, data as u32).carrying(7).frame())?;
        watch.finish(session)
    })
}

/// The bytes of a FIN include the data of its own segment and no padding of the frame, also where the frame is long.
fn data_counted(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let some = lab.number(2..500) as usize;
    let cases = [(0, 6), (1, 5), (some, 0), (some, 20), (20_000 + some, 0), (60_000 + some, 0), (60_000 + some, 8)];
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        for ((data, padding), number) in cases.into_iter().zip(1u16..) {
            let talk = talk.of_client(number);
            watch.shows_handshake(session, &talk)?;
            let mut fin = talk.client_says(FIN | PSH | ACK, 100).carrying(data);
            fin.padding = padding;
            let circumstance = format!("when a FIN carries {data} bytes of data, in a frame with {padding} bytes of padding");
            under(&circumstance, watch.shows(session, &fin, &fin.fin_line(100 + data as u32)))?;
        }
        watch.finish(session)
    })
}

/// A SYN, SYN-ACK or FIN that was sent before is printed with the word `again`; a SYN with another sequence number begins a new connection, and one with the same
/// does not.
fn again(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let next = talk.numbered(talk.client_syn.wrapping_add(1000), talk.server_syn.wrapping_sub(1000));
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        for talk in [talk, next] {
            under("when the SYN comes twice", twice(session, &mut watch, &talk.syn(), &talk.syn().line("SYN")))?;
            under("when the SYN-ACK comes twice", twice(session, &mut watch, &talk.syn_ack(), &talk.syn_ack().line("SYN-ACK")))?;
            watch.shows(session, &talk.ack(), &talk.ack().line("ACK"))?;
            let fin = talk.client_says(FIN | ACK, 50);
            under("when the client's FIN comes twice", twice(session, &mut watch, &fin, &fin.fin_line(50)))?;
            let fin = talk.server_says(FIN | ACK, 9);
            under("when the server's FIN comes twice", twice(session, &mut watch, &fin, &fin.fin_line(9)))?;
            let with_data = talk.client_says(FIN | ACK, 20).carrying(30);
            let line = sent_again(&with_data.fin_line(50));
            under("when the client's FIN comes again together with the last data", watch.shows(session, &with_data, &line))?;
        }
        under("when the SYN comes again later", syn_again_later(session, &mut watch, &talk.of_client(1)))?;
        let talk = talk.of_client(2);
        let mut other = talk.syn_ack();
        other.sequence = other.sequence.wrapping_add(77);
        watch.shows(session, &talk.syn(), &talk.syn().line("SYN"))?;
        watch.shows(session, &talk.syn_ack(), &talk.syn_ack().line("SYN-ACK"))?;
        under("when a SYN-ACK comes with another sequence number", twice(session, &mut watch, &other, &other.line("SYN-ACK")))?;
        watch.finish(session)
    })
}

/// What is known of a connection stays known when its SYN comes again.
fn syn_again_later(session: &mut Session, watch: &mut Watch, talk: &Talk) -> Result<(), Unpassed> {
    let (syn, answer, fin) = (talk.syn(), talk.syn_ack(), talk.client_says(FIN | ACK, 50));
    let syn_line = sent_again(&syn.line("SYN"));
    watch.shows(session, &syn, &syn.line("SYN"))?;
    watch.shows(session, &answer, &answer.line("SYN-ACK"))?;
    under("after the SYN-ACK", watch.shows(session, &syn, &syn_line))?;
    watch.shows(session, &talk.ack(), &talk.ack().line("ACK"))?;
    under("after the ACK", watch.shows(session, &syn, &syn_line))?;
    under("for the second time", watch.shows(session, &answer, &sent_again(&answer.line("SYN-ACK"))))?;
    watch.passes_over(session, "an ACK that was sent before", &talk.ack().frame())?;
    watch.shows(session, &fin, &fin.fin_line(50))?;
    under("after the FIN", watch.shows(session, &syn, &syn_line))?;
    watch.shows(session, &fin, &sent_again(&fin.fin_line(50)))
}

fn twice(session: &mut Session, watch: &mut Watch, segment: &Segment, line: &str) -> Result<(), Unpassed> {
    watch.shows(session, segment, line)?;
    watch.shows(session, segment, &sent_again(line))
}

/// Headers of IPv4 and of TCP may have options, up to 60 bytes in all, and are read right with and without them.
fn header_lengths(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let words = [(0, 1), (1, 0), (0, 10), (10, 0), (10, 10), (lab.number(1..10) as usize, lab.number(1..10) as usize)];
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        for ((ip, tcp), number) in words.into_iter().zip(1u16..) {
            let talk = talk.of_client(number);
            let fin = talk.client_says(FIN | ACK, 11).carrying(5);
            let lines = [
                (talk.syn(), talk.syn().line("SYN")),
                (talk.syn_ack(), talk.syn_ack().line("SYN-ACK")),
                (talk.ack(), talk.ack().line("ACK")),
                (fin.clone(), fin.fin_line(16)),
            ];
            for (segment, line) in lines {
                let circumstance = format!("when there are {} bytes of options in the IPv4 header and {} in the TCP header", ip * 4, tcp * 4);
                under(&circumstance, watch.shows(session, &segment.with_words(ip, tcp), &line))?;
            }
        }
        watch.finish(session)
    })
}

/// Sequence numbers go round at 2^32: lines and numbers of bytes are right where a number passes 4294967295, and where more than 2^31 bytes were sent.
fn wraps(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let near = lab.number(100..400) as u32;
    let cases = [
        (u32::MAX, 5, 100, 100),
        (5, u32::MAX, 100, 100),
        (u32::MAX - near, u32::MAX - near, 600, 700),
        (i32::MAX as u32, i32::MAX as u32 - 1, 600, 700),
        (near, u32::MAX - near, 3_000_000_000, 4_000_000_000),
    ];
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        for ((client_syn, server_syn, sent, answered), number) in cases.into_iter().zip(1u16..) {
            let talk = talk.of_client(number).numbered(client_syn, server_syn);
            under(&format!("when the numbers begin at {client_syn} and {server_syn}"), whole_talk(session, &mut watch, &talk, sent, answered))?;
        }
        watch.finish(session)
    })
}

/// A connection from its SYN to its end; the last bytes of each side come with its FIN.
fn whole_talk(session: &mut Session, watch: &mut Watch, talk: &Talk, sent: u32, answered: u32) -> Result<(), Unpassed> {
    const LAST: u32 = 60;
    watch.shows_handshake(session, talk)?;
    let fin = talk.client_says(FIN | ACK, sent - LAST).carrying(LAST as usize);
    watch.shows(session, &fin, &fin.fin_line(sent))?;
    let mut fin = talk.server_says(FIN | ACK, answered - LAST).carrying(LAST as usize);
    fin.acknowledgment = talk.client_syn.wrapping_add(sent).wrapping_add(2);
    watch.shows(session, &fin, &fin.fin_line(answered))
}

/// SYN and SYN-ACK show the option MSS wherever it stands; after the end of the options, and after an option with an impossible length, none is looked for; no
/// other line shows it.
fn mss(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let (high, low) = (lab.number(2..100) as u8, lab.number(100..255) as u8);
    let option = [2, 4, high, low];
    let value = Some(u16::from_be_bytes([high, low]));
    let after = |bytes: &[u8]| [bytes, &option[..]].concat();
    let cases: [(&str, Vec<u8>, Option<u16>); 15] = [
        ("alone", after(&[]), value),
        ("after bytes that fill a gap", after(&[1, 1, 1]), value),
        ("after other options", after(&[4, 2, 3, 3, 7]), value),
        ("after timestamps", after(&[1, 8, 10, 2, 4, 9, 9, 0, 0, 0, 0]), value),
        ("after an option of an unknown kind", after(&[254, 6, 2, 4, 1, 1]), value),
        ("after an option of kind 2 with a length of 3", after(&[2, 3, 9]), value),
        ("after an option of kind 2 with a length of 6", after(&[2, 6, 9, 9, 9, 9]), value),
        ("left out, and an option of kind 2 has a length of 6", vec![2, 6, high, low, 9, 9], None),
        ("before other options", [&option[..], &[4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 9]].concat(), value),
        ("after the end of the options", after(&[1, 0, 1, 1]), None),
        ("after an option of length 0", after(&[8, 0, 1, 1]), None),
        ("after an option of length 1", after(&[8, 1, 1, 1]), None),
        ("behind an option that is longer than the header", after(&[1, 1, 8, 40]), None),
        ("cut off by the end of the header", vec![1, 1, 1, 1, 1, 1, 2, 4], None),
        ("left out, and the last byte of the header is the kind of an option without a length", vec![1, 1, 1, 8], None),
    ];
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        for ((place, options, value), number) in cases.into_iter().zip(1u16..) {
            let talk = talk.of_client(number);
            let syn = talk.syn().with_options(&options, value);
            under(&format!("when the option MSS of a SYN is {place}"), watch.shows(session, &syn, &syn.line("SYN")))?;
            let answer = talk.syn_ack().with_options(&options, value);
            under(&format!("when the option MSS of a SYN-ACK is {place}"), watch.shows(session, &answer, &answer.line("SYN-ACK")))?;
        }
        let talk = talk.of_client(100);
        watch.shows(session, &talk.syn(), &talk.syn().line("SYN"))?;
        watch.shows(session, &talk.syn_ack(), &talk.syn_ack().line("SYN-ACK"))?;
        let (ack, fin, reset) = (talk.ack(), talk.client_says(FIN | ACK, 9), talk.server_says(RST | ACK, 0));
        for (segment, line) in [(&ack, ack.line("ACK")), (&fin, fin.fin_line(9)), (&reset, reset.line("RST"))] {
            let with_option = segment.clone().with_options(&option, None);
            under("when a segment without SYN has the option MSS", watch.shows(session, &with_option, &line))?;
        }
        watch.finish(session)
    })
}

/// What is not TCP over IPv4, and a fragment other than the first, prints nothing; the first fragment is read like a whole packet.
fn others(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    print_nothing(lab, &frames::strangers(&talk))?;
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        for ((what, frame), syn) in frames::read_like_others(&talk).into_iter().zip([talk.syn(), talk.of_client(1).syn()]) {
            watch.wire.send(&frame)?;
            under(&format!("when a SYN is in {what}"), watch.line(session, &syn.line("SYN")))?;
        }
        watch.finish(session)
    })
}

/// A frame that has fewer bytes than its headers say, or a header that cannot be, prints nothing, and `watch` goes on.
fn malformed(lab: &Lab) -> Verdict {
    print_nothing(lab, &frames::malformed(&Talk::draw(lab)))
}

fn print_nothing(lab: &Lab, frames: &[(&str, Vec<u8>)]) -> Verdict {
    lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        for (what, frame) in frames {
            watch.passes_over(session, what, frame)?;
        }
        watch.finish(session)
    })
}

/// SIGTERM or SIGINT ends `watch` with exit status 0, also if it comes just before the program waits for the next frame.
fn stops(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let ended_by = |signal: i32| {
        let name = signal_name(signal);
        under(&format!("when {name} comes while watch waits"), endings::ended_while_waiting(lab, signal))?;
        under(&format!("when {name} comes just before watch waits"), endings::ended_before_waiting(lab, &talk, signal))
    };
    ended_by(libc::SIGTERM)?;
    ended_by(libc::SIGINT)
}

/// When `watching IFACE` is printed, every frame from then on is seen, and SIGTERM and SIGINT are provided for.
fn ready(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let line = talk.syn().line("SYN");
    let seen = endings::at_once(lab, |_, watch| watch.wire.send(&talk.syn().frame()), |session, watch| watch.line(session, &line));
    under("when a frame comes at once", seen)?;
    let ended_by = |signal: i32| {
        let ended = endings::at_once(
            lab,
            |session, watch| session.signal(watch.program, signal),
            |session, watch| endings::ends_well(session, watch.program),
        );
        under(&format!("when {} comes at once", signal_name(signal)), ended)
    };
    ended_by(libc::SIGTERM)?;
    ended_by(libc::SIGINT)
}

/// FILE has the format of libpcap and holds every IPv4 frame, once, in order, with its length, its bytes and the time; what was in it before is gone.
fn pcap(lab: &Lab) -> Verdict {
    let (talk, before) = (Talk::draw(lab), lab.bytes(300_000));
    let mut frames: Vec<Vec<u8>> = [talk.syn(), talk.syn_ack(), talk.ack()].map(|segment| segment.frame()).into();
    frames.push(talk.client_says(PSH | ACK, 0).carrying(lab.number(200..1400) as usize).frame());
    frames.extend(frames::strangers(&talk).into_iter().map(|(_, frame)| frame).filter(|frame| frames::says_ipv4(frame)));
    frames.push(talk.server_says(PSH | ACK, 0).carrying(lab.number(20_000..60_000) as usize).frame());
    frames.extend(frames::malformed(&talk).into_iter().map(|(_, frame)| frame).filter(|frame| frame.len() > LINK));
    // The same again is a frame of its own.
    frames.extend([talk.syn().frame(), talk.syn().frame()]);
    lab.session(|session| {
        session.make_file(endings::FILE, &before)?;
        let mut watch = endings::start(lab, session)?;
        let (clock, mut spans) = (Clock::look(), Vec::new());
        for frame in &frames {
            let before = Clock::look();
            watch.wire.send(frame)?;
            // The socket's buffer is not to overflow.
            session.settle()?;
            spans.push((before, Clock::look()));
        }
        if Clock::look().was_set_since(&clock) {
            spans.clear();
        }
        let listener = session.listen()?;
        let _client = session.connect(listener.port)?;
        let _server = session.accept(&listener)?;
        session.settle()?;
        let passed = watch.wire.frames()?.to_vec();
        session.signal(watch.program, libc::SIGTERM)?;
        endings::ends_well(session, watch.program)?;
        captures::holds(session, endings::FILE, &passed)?;
        captures::has_times(session, endings::FILE, &spans)?;
        session.pass()
    })
}

/// Whenever `watch` waits, FILE holds all frames up to then, and whatever ends the program, FILE ends with a whole record.
fn pcap_complete(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let frames = [talk.syn(), talk.syn_ack(), talk.ack()].map(|segment| segment.frame());
    under("before the first frame", endings::complete_at_rest(lab, &[], None))?;
    under("while watch waits", endings::complete_at_rest(lab, &frames, None))?;
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGKILL] {
        under(&format!("after {}", signal_name(signal)), endings::complete_at_rest(lab, &frames, Some(signal)))?;
    }
    for signal in [libc::SIGTERM, libc::SIGINT] {
        under(&format!("after {} at a write to FILE", signal_name(signal)), endings::whole_after_signal(lab, &frames, signal))?;
    }
    under("after SIGKILL just before a write to FILE", endings::whole_after_kill(lab, &frames, 1))?;
    under("after SIGKILL just before the second write to FILE since a frame came", endings::whole_after_kill(lab, &frames, 2))
}

/// While `watch` waits, `tcpdump -r FILE`, started by the same user, reads and shows the segments that have come so far.
fn tools(lab: &Lab) -> Verdict {
    tcpdump_reads(lab)
}

/// Where a call of `watch` fails with EINTR although neither SIGTERM nor SIGINT has come it goes on, and what the kernel did not write at once it writes then.
fn interrupted(lab: &Lab) -> Verdict {
    let talk = Talk::draw(lab);
    let interruptions = [
        fail([Recv, Read], libc::EINTR).on(Kind::Socket).alternately().if_called(),
        fail(Poll, libc::EINTR).alternately().if_called(),
        fail(Select, libc::EINTR).alternately().if_called(),
        fail(EpollWait, libc::EINTR).alternately().if_called(),
        fail(Write, libc::EINTR).on(Kind::Standard).on(Kind::File).alternately().if_called(),
    ];
    let next = "EINTR says only that some signal came: where that was neither SIGTERM nor SIGINT, make the call again; signal(7)";
    pointing_to(next, under("when calls are interrupted by other signals", endings::goes_on(lab, &talk, &interruptions)))?;
    let short = short(Write, 7).on(Kind::Standard).on(Kind::File).every().if_called();
    let next = "the result of write says how many bytes it took: go on with the rest; write(2), RETURN VALUE";
    pointing_to(next, under("when a write takes only 7 bytes at a time", endings::goes_on(lab, &talk, &[short])))
}

/// `stat` prints the six lines with the values that the kernel has for its connection, whatever the two sides have agreed on.
fn tcp_info(lab: &Lab) -> Verdict {
    let segments = [lab.number(600..900) as i32, lab.number(900..1400) as i32];
    under("with the kernel's own settings", statistics::agrees(lab, segments[0], &[]))?;
    under("without window scaling", statistics::agrees(lab, segments[1], &["tcp_window_scaling"]))?;
    under("without timestamps", statistics::agrees(lab, segments[1], &["tcp_timestamps"]))?;
    under("without any option", statistics::agrees(lab, segments[0], &["tcp_window_scaling", "tcp_timestamps", "tcp_sack"]))
}

/// `stat` prints the state that the connection is in when it asks.
fn tcp_state(lab: &Lab) -> Verdict {
    under("when the server has closed the connection", statistics::state_is(lab, "CLOSE_WAIT", statistics::close))?;
    under("when the server has reset the connection", statistics::state_is(lab, "CLOSE", statistics::reset))
}

/// A failed call is reported as `handshake: CALL: message` on standard error, and the program exits with 1.
fn errors_reported(lab: &Lab) -> Verdict {
    refusals::watch_fails(lab)?;
    refusals::file_fails(lab)?;
    refusals::stat_fails(lab)
}

/// Wrong usage prints the usage line on standard error, and the program exits with 2.
fn usage(lab: &Lab) -> Verdict {
    lab.session(|session| {
        for line in ["", "watch", "watch lo more", "watch lo --pcap", "watch lo --pcap a b", "watch lo --spoon a", "listen lo", "lo"] {
            refusals::refuses(session, line)?;
        }
        for line in ["stat", "stat 127.0.0.1", "stat 127.0.0.1 0", "stat 127.0.0.1 x", "stat 127.0.0.1 9 9", "stat 127.0.0.1 65545"] {
            refusals::refuses(session, line)?;
        }
        for line in ["stat localhost 9", "stat 127.0.0 9", "stat 127.0.0.256 9", "stat 1.2.3.4.5 9"] {
            refusals::refuses(session, line)?;
        }
        session.pass()
    })
}
