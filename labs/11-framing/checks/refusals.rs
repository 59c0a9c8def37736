//! The program where it must give up: a call fails, the connection breaks, or the command line is wrong.

use std::net::Ipv4Addr;

use harness::prelude::*;

use crate::steps::{Receiver, expecting, frame, line, lines, listen, sender_ends, sender_with_line, start_sender, take_frame, under};

/// How a line begins that reports a failed transfer: several functions of libc end in one call.
const SENDS: &[&str] = &["frames: sendmsg: ", "frames: writev: ", "frames: send: ", "frames: write: ", "frames: sendto: "];
const RECEIVES: &[&str] = &["frames: recv: ", "frames: read: ", "frames: recvmsg: ", "frames: readv: ", "frames: recvfrom: "];
const READS: &[&str] = &["frames: read: ", "frames: readv: "];
const WRITES: &[&str] = &["frames: write: ", "frames: writev: "];

/// When a fault begins to wait for its call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    Start,
    Listening,
}

/// Calls of `frames recv` fail.
pub fn receiver_calls_fail(lab: &Lab) -> Verdict {
    receiver_fails(lab, &no_socket(), Since::Start, &["frames: socket: "])?;
    receiver_fails(lab, &fail(Listen, libc::EADDRINUSE), Since::Start, &["frames: listen: "])?;
    let bind_fails = lab.session(|session| {
        let taken = session.listen()?;
        let receiver = session.program("frames").args(["recv".to_owned(), taken.port.to_string()]).start()?;
        reports(session, receiver, &["frames: bind: "])
    });
    under("when another process listens on the port", bind_fails)?;
    receiver_fails(lab, &fail(Accept, libc::EMFILE).on(Kind::Tcp), Since::Start, &["frames: accept: ", "frames: accept4: "])?;
    receiver_fails(lab, &fail([Recv, Read], libc::ETIMEDOUT).on(Kind::Tcp), Since::Start, RECEIVES)?;
    receiver_fails(lab, &fail(Write, libc::ENOSPC).on_standard_output(), Since::Listening, WRITES)
}

/// Calls of `frames send` fail.
pub fn sender_calls_fail(lab: &Lab) -> Verdict {
    sender_fails(lab, &no_socket(), &["frames: socket: "])?;
    let connect_fails = lab.session(|session| {
        let port = session.free_port()?.to_string();
        let sender = session.program("frames").args(["send", "127.0.0.1", &port]).start()?;
        reports(session, sender, &["frames: connect: "])
    });
    under("when nobody listens on the port", connect_fails)?;
    sender_fails(lab, &fail(Read, libc::EIO).on(Kind::Standard), READS)?;
    sender_fails(lab, &fail([Send, Write], libc::ENOBUFS).on(Kind::Tcp), SENDS)
}

fn no_socket() -> Fault {
    fail(Socket, libc::EMFILE).where_argument(0, libc::AF_INET as u64)
}

/// The receiver gets a sender and a frame, if it comes that far.
fn receiver_fails(lab: &Lab, fault: &Fault, since: Since, beginnings: &[&str]) -> Verdict {
    let message = line(lab, 20);
    let verdict = lab.session(|session| {
        if since == Since::Start {
            session.arm(fault.clone());
        }
        let program = session.program("frames").args(["recv", "0"]).start()?;
        session.settle()?;
        if since == Since::Listening {
            session.arm(fault.clone());
        }
        let mut connection = None;
        if !session.has_ended(program) {
            let port = session.line(program)?.strip_prefix("listening ").and_then(|port| port.parse().ok()).unwrap_or(0);
            connection = Some(session.connect(port)?);
            session.settle()?;
        }
        if let (Some(connection), false) = (&mut connection, session.has_ended(program)) {
            session.send(connection, &frame(&message))?;
        }
        reports(session, program, beginnings)
    });
    under(&format!("when {}", fault.describe()), verdict)
}

/// The sender has a receiver and input.
fn sender_fails(lab: &Lab, fault: &Fault, beginnings: &[&str]) -> Verdict {
    let input = lines(&[line(lab, 20)]);
    let verdict = lab.session(|session| {
        session.arm(fault.clone());
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let sender = start_sender(session, Ipv4Addr::LOCALHOST, &listener, Some(&input))?;
        reports(session, sender, beginnings)
    });
    under(&format!("when {}", fault.describe()), verdict)
}

/// The program reports the failed call in one of these ways, and exits with 1.
fn reports(session: &mut Session, program: Program, beginnings: &[&str]) -> Verdict {
    let next = "look at the result of every call where it is made; errno(3)";
    expecting("the program reports the failed call and ends", next, session.exit(program))?;
    complains(session, program, beginnings)?;
    exits(session, program, Exit::Status(1))?;
    session.pass()
}

/// `frames send` goes on sending after the receiver's end of the connection has gone in this way.
pub fn receiver_gone(lab: &Lab, go: impl FnOnce(Connection) -> Result<(), Unpassed>) -> Verdict {
    let line = line(lab, 20);
    lab.session(|session| {
        let (sender, mut connection) = sender_with_line(session, &line)?;
        take_frame(session, sender, &mut connection, &line)?;
        session.settle()?;
        go(connection)?;
        session.settle()?;
        // What is sent to a socket that was closed is answered with a reset, and only then is it known that nobody is there.
        for _ in 0..2 {
            session.feed(sender, &lines(&[&line]));
            session.settle()?;
        }
        let next = "look at the result of each send; a send to nobody raises SIGPIPE, unless that is ignored or MSG_NOSIGNAL given; send(2), EPIPE";
        sender_ends(session, sender, 1, next)?;
        session.pass()
    })
}

/// The sender of `frames recv` resets the connection once it has sent this after a whole frame.
pub fn sender_resets(lab: &Lab, then: &[u8]) -> Verdict {
    let message = line(lab, 20);
    lab.session(|session| {
        let (receiver, mut connection) = Receiver::with_sender(session)?;
        receiver.take(session, &mut connection, &frame(&message))?;
        if !then.is_empty() {
            receiver.take(session, &mut connection, then)?;
        }
        connection.reset()?;
        let next = "a connection that is reset fails with ECONNRESET, which is no end-of-file: look for -1 before 0; recv(2)";
        receiver.ends(session, &[&message], 1, next)?;
        session.pass()
    })
}

/// The program takes this line of arguments for wrong usage.
pub fn refuses(session: &mut Session, line: &str) -> Result<(), Unpassed> {
    under(&format!("as `{}`", format!("frames {line}").trim_end()), ends_with_usage(session, line))
}

/// The same, for a line that is not to be shown.
pub fn ends_with_usage(session: &mut Session, line: &str) -> Result<(), Unpassed> {
    let program = session.program("frames").args(line.split_whitespace()).start()?;
    expecting("the program prints its usage and ends", "look at all arguments before anything else is done", session.exit(program))?;
    complains(session, program, &["usage: "])?;
    exits(session, program, Exit::Status(2))?;
    prints(session, program, b"")
}
