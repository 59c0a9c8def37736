//! What the program does when the system, or its user, does not do its part.

use harness::prelude::*;

use crate::segments::Talk;
use crate::watching::{Watch, expecting, under};

fn reports(session: &mut Session, program: Program, beginning: &str) -> Result<(), Unpassed> {
    let next = "look at the result of every call where it is made; errno(3)";
    expecting("the program reports the failed call and ends", next, session.exit(program))?;
    complains(session, program, &[beginning])?;
    exits(session, program, Exit::Status(1))
}

/// The calls that lead to the socket, and those on it.
pub fn watch_fails(lab: &Lab) -> Verdict {
    let watch = || lab.run("handshake").args(["watch", "lo"]);
    let no_privilege = fail(Socket, libc::EPERM).where_argument(0, libc::AF_PACKET as u64);
    watch().inject(no_privilege).when("it may not make packet sockets").complains(&["handshake: socket: "]).exits(1).prints("").verdict()?;
    let gone = fail(Bind, libc::ENODEV).on(Kind::Socket);
    watch().inject(gone).complains(&["handshake: bind: "]).exits(1).prints("").verdict()?;
    let unknown = lab.run("handshake").args(["watch", "nosuch0"]).when("there is no such interface");
    unknown.complains(&["handshake: "]).exits(1).prints("").verdict()?;
    let talk = Talk::draw(lab);
    let down = lab.session(|session| {
        session.arm(fail([Recv, Read], libc::ENETDOWN).on(Kind::Socket));
        let mut watch = Watch::start(lab, session)?;
        watch.wire.send(&talk.syn().frame())?;
        reports(session, watch.program, "handshake: re")?;
        session.pass()
    });
    under("when the interface is switched off", down)?;
    let full = lab.session(|session| {
        let mut watch = Watch::start(lab, session)?;
        session.arm(fail(Write, libc::ENOSPC).on_standard_output());
        watch.wire.send(&talk.syn().frame())?;
        reports(session, watch.program, "handshake: ")?;
        session.pass()
    });
    under("when standard output is full", full)
}

/// FILE cannot be made, or is full.
pub fn file_fails(lab: &Lab) -> Verdict {
    let no_folder = lab.session(|session| {
        let path = session.path_text("nosuch/trace.pcap");
        let program = session.program("handshake").args(["watch", "lo", "--pcap", &path]).start()?;
        reports(session, program, "handshake: ")?;
        prints(session, program, b"")?;
        session.pass()
    });
    under("when FILE cannot be made", no_folder)?;
    let talk = Talk::draw(lab);
    let full = lab.session(|session| {
        let path = session.path_text("trace.pcap");
        let mut watch = Watch::start_with(lab, session, &["--pcap", &path])?;
        session.arm(fail(Write, libc::ENOSPC).on(Kind::File));
        watch.wire.send(&talk.syn().frame())?;
        reports(session, watch.program, "handshake: ")?;
        session.pass()
    });
    under("when FILE cannot take the record", full)
}

/// The calls of `stat`.
pub fn stat_fails(lab: &Lab) -> Verdict {
    let stat = || lab.run("handshake").args(["stat", "127.0.0.1", "9"]);
    let no_socket = fail(Socket, libc::EMFILE).where_argument(0, libc::AF_INET as u64);
    stat().inject(no_socket).complains(&["handshake: socket: "]).exits(1).verdict()?;
    stat().when("nobody listens on the port").complains(&["handshake: connect: "]).exits(1).prints("").verdict()?;
    let unknown = lab.session(|session| {
        session.arm(fail(Getsockopt, libc::ENOPROTOOPT).where_argument(2, libc::TCP_INFO as u64));
        let listener = session.listen()?;
        let program = session.program("handshake").args(["stat", "127.0.0.1", &listener.port.to_string()]).start()?;
        reports(session, program, "handshake: getsockopt: ")?;
        session.pass()
    });
    under("when the kernel does not know TCP_INFO", unknown)
}

/// The program takes this line of arguments for wrong usage.
pub fn refuses(session: &mut Session, line: &str) -> Result<(), Unpassed> {
    let refused = |session: &mut Session| {
        let program = session.program("handshake").args(line.split_whitespace()).start()?;
        expecting("the program prints its usage and ends", "look at all arguments before anything else is done", session.exit(program))?;
        complains(session, program, &["usage: "])?;
        exits(session, program, Exit::Status(2))?;
        prints(session, program, b"")
    };
    under(&format!("as `{}`", format!("handshake {line}").trim_end()), refused(session))
}
