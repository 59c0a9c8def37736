//! `stat`, held against what the two SYNs of its connection say.

use std::fs;

use harness::prelude::*;

use crate::segments::{ACK, RST, SYN, Segment, option_in};
use crate::watching::expecting;

const END_OF_LIST: &str =
    "see which field of tcp_info each line is from, and in which half of a byte a bit-field lies; tcp(7), and the header linux/tcp.h";
/// Kinds of options; RFC 9293, RFC 7323, RFC 2018.
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const TIMESTAMPS: u8 = 8;
/// What the option takes of each segment, with two bytes that fill a gap.
const BYTES_OF_TIMESTAMPS: u16 = 12;

/// `stat` prints what the SYN and the SYN-ACK of its connection have agreed on, where the server takes no larger segments than this and the network of the run
/// is without these settings.
pub fn agrees(lab: &Lab, largest: i32, without: &[&str]) -> Verdict {
    lab.session(|session| {
        let mut wire = session.wire("lo")?;
        for setting in without {
            // Where the system does not let us, the run is as without it.
            let _ = fs::write(format!("/proc/sys/net/ipv4/{setting}"), "0");
        }
        let listener = session.listen()?;
        listener.set_option(libc::IPPROTO_TCP, libc::TCP_MAXSEG, largest)?;
        // A window so small that the two sides scale theirs differently.
        listener.set_option(libc::SOL_SOCKET, libc::SO_RCVBUF, 1 << 16)?;
        let program = session.program("handshake").args(["stat", "127.0.0.1", &listener.port.to_string()]).start()?;
        session.exit(program)?;
        exits(session, program, Exit::Status(0))?;
        let segments: Vec<Segment> = wire.frames()?.iter().filter_map(|frame| Segment::read(frame)).collect();
        let find = |flags: u8| segments.iter().find(|segment| segment.flags & (SYN | ACK) == flags).cloned();
        let (Some(syn), Some(answer)) = (find(SYN), find(SYN | ACK)) else {
            return Err(Finding::new("connection", "stat connects to HOST and PORT", "there was no handshake on lo", "connect(2)").into());
        };
        is_description(session.stdout(program), &description(&syn, &answer))?;
        session.pass()
    })
}

/// The first five lines.
fn description(syn: &Segment, answer: &Segment) -> Vec<String> {
    let both = |kind: u8| option_in(&syn.tcp_options, kind).is_some() && option_in(&answer.tcp_options, kind).is_some();
    let names = [(TIMESTAMPS, "timestamps"), (SACK_PERMITTED, "sack"), (WINDOW_SCALE, "wscale")];
    let mut options: Vec<&str> = names.iter().filter(|(kind, _)| both(*kind)).map(|(_, name)| *name).collect();
    if options.is_empty() {
        options.push("none");
    }
    let scale = |of: &Segment| if both(WINDOW_SCALE) { option_in(&of.tcp_options, WINDOW_SCALE).map_or(0, |value| value[0]) } else { 0 };
    let mss = answer.mss.unwrap_or(536) - if both(TIMESTAMPS) { BYTES_OF_TIMESTAMPS } else { 0 };
    vec![
        "state ESTABLISHED".into(),
        format!("snd_mss {mss}"),
        format!("options {}", options.join(" ")),
        format!("snd_wscale {}", scale(answer)),
        format!("rcv_wscale {}", scale(syn)),
    ]
}

fn is_description(printed: &[u8], expected: &[String]) -> Result<(), Unpassed> {
    let printed = String::from_utf8_lossy(printed);
    let lines: Vec<&str> = printed.lines().collect();
    for (number, expected) in (1..).zip(expected) {
        let observed = lines.get(number - 1).map_or("nothing".to_owned(), |line| format!("`{}`", line.escape_debug()));
        if observed != format!("`{expected}`") {
            return Err(Finding::new("output", format!("line {number} of stat is `{expected}`"), observed, END_OF_LIST).into());
        }
    }
    let is_time = |line: &str| line.strip_prefix("rtt ").is_some_and(|number| !number.starts_with('+') && number.parse::<u32>().is_ok());
    match lines[expected.len()..] {
        [last] if is_time(last) => Ok(()),
        ref rest => {
            let observed = format!("after line {} come: {}", expected.len(), if rest.is_empty() { "none".into() } else { rest.join(" | ") });
            Err(Finding::new("output", "the sixth and last line of stat is `rtt N`", observed, END_OF_LIST).into())
        }
    }
}

/// `stat` prints this state if the server does so before it asks.
pub fn state_is(lab: &Lab, state: &str, server_does: impl FnOnce(Connection, &mut Wire) -> Result<(), Unpassed>) -> Verdict {
    lab.session(|session| {
        let mut wire = session.wire("lo")?;
        let held = session.arm(hold_at(Getsockopt).where_argument(2, libc::TCP_INFO as u64));
        let listener = session.listen()?;
        let program = session.program("handshake").args(["stat", "127.0.0.1", &listener.port.to_string()]).start()?;
        let next = "getsockopt with the level IPPROTO_TCP and the option TCP_INFO; tcp(7)";
        expecting("stat asks for TCP_INFO", next, session.until_held(held))?;
        let connection = session.accept(&listener)?;
        server_does(connection, &mut wire)?;
        session.release(held)?;
        session.exit(program)?;
        exits(session, program, Exit::Status(0))?;
        let printed = String::from_utf8_lossy(session.stdout(program)).into_owned();
        let expected = format!("state {state}");
        if printed.lines().next() != Some(&expected) {
            let observed = printed.lines().next().map_or("nothing".to_owned(), |line| format!("`{}`", line.escape_debug()));
            let next = "print the state that tcpi_state stands for, by the table in the handout";
            return Err(Finding::new("output", format!("the first line of stat is `{expected}`"), observed, next).into());
        }
        session.pass()
    })
}

/// Closes the connection, and waits until the other side has acknowledged that.
pub fn close(connection: Connection, wire: &mut Wire) -> Result<(), Unpassed> {
    drop(connection);
    let fin = |frame: &[u8]| Segment::read(frame).filter(|segment| segment.has(crate::segments::FIN));
    let sent = wire.until("the server's FIN", |frame| fin(frame).is_some())?;
    let Some(sent) = fin(&sent) else { return Err(Unpassed::Broken("a FIN that is none".into())) };
    let acknowledges = |segment: Segment| segment.from == sent.to && segment.acknowledgment == sent.sequence.wrapping_add(1);
    wire.until("the acknowledgment of the FIN", |frame| Segment::read(frame).is_some_and(acknowledges)).map(drop)
}

/// Resets the connection.
pub fn reset(connection: Connection, wire: &mut Wire) -> Result<(), Unpassed> {
    connection.reset()?;
    wire.until("the server's RST", |frame| Segment::read(frame).is_some_and(|segment| segment.has(RST))).map(drop)
}
