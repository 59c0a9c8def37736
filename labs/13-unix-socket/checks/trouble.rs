//! The programs where they must give up: a call fails, or the command line is wrong.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;

use harness::prelude::*;

use crate::steps::{asked, binary, ends_badly, expecting, give, reports, under};

/// `fdbroker` cannot make its socket.
pub fn broker_calls_fail(lab: &Lab) -> Verdict {
    let (name, missing) = (lab.word(), format!("{}/{}", lab.word(), lab.word()));
    lab.run("fdbroker").args([&*name, "."]).inject(no_socket()).complains(&["fdbroker: socket: "]).exits(1).verdict()?;
    lab.run("fdbroker").args([&*name, "."]).inject(fail(Listen, libc::ENOBUFS)).complains(&["fdbroker: listen: "]).exits(1).verdict()?;
    let nowhere = lab.run("fdbroker").args([&*missing, "."]).complains(&["fdbroker: bind: "]).exits(1).verdict();
    under("when the directory of SOCK is not there", nowhere)
}

fn no_socket() -> Fault {
    fail(Socket, libc::EMFILE).where_argument(0, libc::AF_UNIX as u64)
}

/// `fdget` finds no broker, cannot read what it gets, or cannot print it.
pub fn client_calls_fail(lab: &Lab) -> Verdict {
    let name = lab.word();
    lab.run("fdget").args([&*name, "file"]).inject(no_socket()).complains(&["fdget: socket: "]).exits(1).verdict()?;
    let nobody = lab.run("fdget").args([&*name, "file"]).complains(&["fdget: connect: "]).exits(1).prints("").verdict();
    under("when there is nothing at SOCK", nobody)?;
    let stale = lab.session(|session| {
        let socket = session.path_text(&name);
        drop(session.listen_local(&socket)?);
        let client = session.program("fdget").args([&*socket, "file"]).start()?;
        ends_badly(session, client, "fdget: connect: ")?;
        session.pass()
    });
    under("when nobody listens at SOCK", stale)?;
    let content = binary(lab, 100);
    let unreadable = lab.session(|session| {
        let path = session.make_file("content", &content)?;
        let (client, mut connection) = asked(lab, session)?;
        let file = OpenOptions::new().write(true).open(path)?;
        give(session, &mut connection, 0, &[file.as_fd()])?;
        ends_badly(session, client, "fdget: ")?;
        session.pass()
    });
    under("when the descriptor cannot be read from", unreadable)?;
    let full = lab.session(|session| {
        let path = session.make_file("content", &content)?;
        let (client, mut connection) = asked(lab, session)?;
        // Whether it writes, or lets the kernel copy.
        session.arm(fail([Write, Splice], libc::ENOSPC).on(Kind::Standard).on(Kind::File));
        give(session, &mut connection, 0, &[File::open(path)?.as_fd()])?;
        expecting("fdget reports that it cannot print, and ends", "look at the result of every write; write(2), ENOSPC", session.exit(client))?;
        reports(session, client, "fdget: ")?;
        session.pass()
    });
    under("when standard output is full", full)
}

/// The program takes these arguments for wrong usage.
pub fn refuses(lab: &Lab, program: &str, arguments: &[&str]) -> Verdict {
    let quoted: String = arguments.iter().map(|argument| format!(" '{}'", if argument.len() > 20 { "a long path" } else { *argument })).collect();
    let verdict = lab.session(|session| {
        let started = session.program(program).args(arguments.iter().copied()).start()?;
        expecting("the program prints its usage and ends", "look at all arguments before anything else is done", session.exit(started))?;
        complains(session, started, &["usage: "])?;
        exits(session, started, Exit::Status(2))?;
        prints(session, started, b"")?;
        leaves_nothing(session)?;
        session.pass()
    });
    under(&format!("called as `{program}{quoted}`"), verdict)
}
