//! The programs where they must give up: a call fails, or the command line is wrong.

use std::net::Ipv4Addr;

use harness::prelude::*;

use crate::steps::{accept, expecting, listen, start_client, text, under};

/// Nobody listens where `echoc` connects to.
pub fn connect_fails(lab: &Lab) -> Verdict {
    lab.session(|session| {
        let port = session.free_port()?.to_string();
        let client = session.program("echoc").args(["127.0.0.1", &port]).start()?;
        reports(session, client, "echoc: connect: ")
    })
}

/// The port of `echod` is taken.
pub fn bind_fails(lab: &Lab) -> Verdict {
    lab.session(|session| {
        let taken = session.listen()?;
        let server = session.program("echod").arg(taken.port.to_string()).start()?;
        reports(session, server, "echod: bind: ")
    })
}

/// The kernel does not tell `echod` its port, where it asks for it.
pub fn port_unknown(lab: &Lab) -> Verdict {
    lab.session(|session| {
        let fault = session.arm(fail(Getsockname, libc::ENOBUFS).on(Kind::Tcp).if_called());
        let server = session.program("echod").arg("0").start()?;
        session.settle()?;
        if session.fired(fault).fired == 0 { session.pass() } else { reports(session, server, "echod: getsockname: ") }
    })
}

/// What `echoc` reads fails.
pub fn read_fails(lab: &Lab) -> Verdict {
    let input = text(lab, 20);
    lab.session(|session| {
        session.arm(fail(Read, libc::EIO).on(Kind::Standard));
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, Some(&input))?;
        let _connection = accept(session, &listener)?;
        tells(session, client, "echoc: read")
    })
}

/// The sending direction cannot be ended, where `echoc` does so by shutdown.
pub fn shutdown_fails(lab: &Lab) -> Verdict {
    lab.session(|session| {
        let fault = session.arm(fail(Shutdown, libc::ENOBUFS).on(Kind::Tcp).if_called());
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, Some(b"x"))?;
        let _connection = accept(session, &listener)?;
        session.settle()?;
        if session.fired(fault).fired == 0 { session.pass() } else { tells(session, client, "echoc: shutdown") }
    })
}

/// What `echoc` prints is not taken.
pub fn write_fails(lab: &Lab) -> Verdict {
    let message = text(lab, 20);
    lab.session(|session| {
        session.arm(fail(Write, libc::ENOSPC).on_standard_output());
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, None)?;
        let mut connection = accept(session, &listener)?;
        session.send(&mut connection, &message)?;
        reports(session, client, "echoc: write")
    })
}

/// The server resets the connection of `echoc`.
pub fn connection_fails(lab: &Lab) -> Verdict {
    lab.session(|session| {
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, None)?;
        let connection = accept(session, &listener)?;
        session.settle()?;
        connection.reset()?;
        // Which call tells the client of it depends on how it waits.
        reports(session, client, "echoc: ")
    })
}

/// The message alone: where a process of its own reads the input, the other one may end well with the server's answer.
fn tells(session: &mut Session, program: Program, beginning: &str) -> Verdict {
    session.settle()?;
    complains(session, program, &[beginning])?;
    session.pass()
}

fn reports(session: &mut Session, program: Program, beginning: &str) -> Verdict {
    let next = "look at the result of every call where it is made; errno(3)";
    expecting("the program reports the failed call and ends", next, session.exit(program))?;
    complains(session, program, &[beginning])?;
    exits(session, program, Exit::Status(1))?;
    session.pass()
}

/// The program takes this line of arguments for wrong usage.
pub fn refuses(session: &mut Session, program: &str, line: &str) -> Result<(), Unpassed> {
    under(&format!("as `{}`", format!("{program} {line}").trim_end()), ends_with_usage(session, program, line))
}

/// The same, for a line that is not to be shown.
pub fn ends_with_usage(session: &mut Session, program: &str, line: &str) -> Result<(), Unpassed> {
    let program = session.program(program).args(line.split_whitespace()).start()?;
    expecting("the program prints its usage and ends", "look at all arguments before anything else is done", session.exit(program))?;
    complains(session, program, &["usage: "])?;
    exits(session, program, Exit::Status(2))?;
    prints(session, program, b"")
}
