//! tcpdump reads FILE while `watch` is still at work.

use harness::prelude::*;

use crate::endings::{FILE, start};
use crate::segments::{ACK, FIN, PSH, RST, SYN, Segment};

/// What tcpdump is to say of this frame: both ends, flags and the sequence number, as far as it prints one.
fn told(segment: &Segment) -> String {
    let letters = [(SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, ".")];
    let flags: String = letters.iter().filter(|(flag, _)| segment.has(*flag)).map(|(_, letter)| *letter).collect();
    let end = |address: std::net::SocketAddrV4| format!("{}.{}", address.ip(), address.port());
    let sequence = if segment.has(SYN) { format!(", seq {},", segment.sequence) } else { ",".to_owned() };
    format!("IP {} > {}: Flags [{flags}]{sequence}", end(segment.from), end(segment.to))
}

pub fn tcpdump_reads(lab: &Lab) -> Verdict {
    let bytes = lab.bytes(lab.number(100..3000) as usize);
    lab.session(|session| {
        // A program that is missing skips the check at once.
        session.installed_program("tcpdump", "tcpdump")?;
        let mut watch = start(lab, session)?;
        let listener = session.listen()?;
        let mut client = session.connect(listener.port)?;
        let mut server = session.accept(&listener)?;
        session.send(&mut client, &bytes)?;
        client.end_sending()?;
        session.receive_all(&mut server)?;
        drop(server);
        session.receive_all(&mut client)?;
        watch.has_seen_all(session)?;
        session.settle()?;
        let frames = watch.wire.frames()?.to_vec();
        let file = session.path_text(FILE);
        let tcpdump = session.installed_program("tcpdump", "tcpdump")?.args(["-n", "-S", "-t", "-r", &file]).start()?;
        let goal = "tcpdump -r FILE reads the frames that have come so far";
        let next = "see what tcpdump says on standard error: may another process of the same user read FILE? open(2), mode; pcap-savefile(5)";
        let ended = session.exit(tcpdump).and_then(|_| exits(session, tcpdump, Exit::Status(0)));
        ended.map_err(|unpassed| match unpassed {
            Unpassed::Fail(finding) => Finding { expected: goal.to_owned(), next: next.to_owned(), ..*finding }.when("while watch waits").into(),
            other => other,
        })?;
        let printed = String::from_utf8_lossy(session.stdout(tcpdump)).into_owned();
        let expected: Vec<String> = frames.iter().filter_map(|frame| Segment::read(frame)).map(|segment| told(&segment)).collect();
        let lines: Vec<&str> = printed.lines().collect();
        let same = lines.len() == expected.len() && lines.iter().zip(&expected).all(|(line, beginning)| line.starts_with(beginning));
        if !same {
            let expected = format!("tcpdump shows the {} segments that have passed, in order", expected.len());
            let observed = format!("it shows {} lines, and not all of them are these segments", lines.len());
            return Err(
                Finding::new("capture", expected, observed, "compare `tcpdump -n -S -r FILE` with what watch prints; pcap-savefile(5)").into()
            );
        }
        watch.finish(session)
    })
}
