//! The programs where they are told to end, and where the system, or their user, does not do its part.

use harness::prelude::*;

use crate::bench::{Bench, INTERFACES, expecting, under};
use crate::frames::{Host, Packet};
use crate::talking::{server_at_rest, under_faults};

pub fn stops(lab: &Lab) -> Verdict {
    both_end_at(lab, libc::SIGTERM)?;
    both_end_at(lab, libc::SIGINT)
}

fn both_end_at(lab: &Lab, signal: i32) -> Verdict {
    let circumstance = format!("when {} comes while the program waits", signal_name(signal));
    let server = lab.session(|session| {
        let server = server_at_rest(session)?;
        is_ended_by(session, server, signal)
    });
    under(&circumstance, server)?;
    let router = lab.session(|session| {
        let router = Bench::start(session)?.router;
        is_ended_by(session, router, signal)
    });
    under(&circumstance, router)
}

fn is_ended_by(session: &mut Session, program: Program, signal: i32) -> Verdict {
    session.signal(program, signal)?;
    expecting("the signal ends it", "see what the handler does, and where the program waits then; signal(7)", session.exit(program))?;
    exits(session, program, Exit::Status(0))?;
    session.pass()
}

/// The first, third, fifth … call of each kind fails with EINTR. Which of them a program makes is its own choice.
fn interrupt_calls(session: &mut Session) {
    for call in [Accept, Recv, Read, Send, Write] {
        for kind in [Kind::Tcp, Kind::Udp, Kind::Socket] {
            session.arm(fail(call, libc::EINTR).on(kind).alternately().if_called());
        }
    }
    for call in [Poll, Select, EpollWait] {
        session.arm(fail(call, libc::EINTR).alternately().if_called());
    }
}

pub fn interrupted(lab: &Lab) -> Verdict {
    under("when calls are interrupted by signals", under_faults(lab, interrupt_calls))?;
    let few_bytes = |session: &mut Session| {
        // Two different numbers: if each call got and gave the same, nobody would miss a loop.
        session.arm(short([Read, Recv], 7).on(Kind::Tcp).every().if_called());
        session.arm(short([Write, Send], 3).on(Kind::Tcp).every().if_called());
    };
    under("when few bytes move at a time", under_faults(lab, few_bytes))?;
    let [from, to] = [0, 1].map(|lan| Host::draw(lab, lan));
    let packets = [0, 1, 2].map(|_| Packet::draw(lab, from.address, to.address));
    let router = lab.session(|session| {
        interrupt_calls(session);
        let mut bench = Bench::start(session)?;
        for packet in &packets {
            bench.passes_on(session, &from, packet, &to)?;
        }
        session.pass()
    });
    under("when calls are interrupted by signals", router)
}

pub fn errors_reported(lab: &Lab) -> Verdict {
    let router = || lab.run("router").args(["lo=127.0.0.1/8"]);
    let no_privilege = fail(Socket, libc::EPERM).where_argument(0, libc::AF_PACKET as u64);
    router().inject(no_privilege).when("it may not make packet sockets").complains(&["router: socket: "]).exits(1).prints("").verdict()?;
    let unbound = lab.session(|session| {
        let fault = session.arm(fail(Bind, libc::ENODEV).on(Kind::Socket).if_called());
        let router = session.program("router").arg("lo=127.0.0.1/8").start()?;
        session.settle()?;
        // One socket for all interfaces need not be bound.
        if session.fired(fault).fired > 0 {
            complains(session, router, &["router: bind: "])?;
            exits(session, router, Exit::Status(1))?;
        }
        session.pass()
    });
    under("when bind fails", unbound)?;
    let unknown = lab.run("router").args(["nosuch0=10.0.0.1/24"]).when("there is no such interface");
    unknown.complains(&["router: "]).exits(1).prints("").verdict()?;
    for kind in [Kind::Tcp, Kind::Udp] {
        let taken = fail(Bind, libc::EADDRINUSE).on(kind);
        lab.run("talkd").arg("0").inject(taken).complains(&["talkd: bind: "]).exits(1).prints("").verdict()?;
    }
    lab.run("talkd").arg("0").inject(fail(Listen, libc::EADDRINUSE)).complains(&["talkd: listen: "]).exits(1).prints("").verdict()?;
    for protocol in ["tcp", "udp"] {
        let talk = || lab.run("talk").args([protocol, "127.0.0.1", "9"]).stdin("word");
        let none = fail(Socket, libc::EMFILE).where_argument(0, libc::AF_INET as u64);
        talk().inject(none).complains(&["talk: socket: "]).exits(1).prints("").verdict()?;
    }
    let down = lab.session(|session| {
        let mut bench = Bench::start(session)?;
        session.arm(fail([Recv, Read], libc::ENETDOWN).on(Kind::Socket));
        let host = Host::draw(lab, 0);
        // The router's end, which the exchange reports, is what is wanted here.
        let _ended = bench.exchange(session, 0, &host.asks_for(host.address));
        expecting(
            "router reports the failed call and ends",
            "look at the result of every call where it is made; errno(3)",
            session.exit(bench.router),
        )?;
        complains(session, bench.router, &["router: re"])?;
        exits(session, bench.router, Exit::Status(1))?;
        session.pass()
    });
    under("when an interface is switched off", down)
}

/// The program takes this line of arguments for wrong usage.
fn refuses(session: &mut Session, program: &str, line: &str) -> Result<(), Unpassed> {
    let started = session.program(program).args(line.split_whitespace()).start()?;
    let mut ended = || {
        expecting("the program prints its usage and ends", "look at all arguments before anything else is done", session.exit(started))?;
        complains(session, started, &["usage: "])?;
        exits(session, started, Exit::Status(2))?;
        prints(session, started, b"")
    };
    under(&format!("as `{}`", format!("{program} {line}").trim_end()), ended())
}

pub fn usage(lab: &Lab) -> Verdict {
    let [first, second, _] = INTERFACES;
    let routers = [
        String::new(),
        "eth0".into(),
        "eth0=10.1.0.1".into(),
        "eth0=10.1.0.1/33".into(),
        "eth0=10.1.0/24".into(),
        "10.3.0.0/16=10.2.0.7".into(),
        format!("{first} {second} 10.9.0.0/16"),
        format!("{first} {second} 10.9.0.0/33=10.2.0.7"),
        format!("{first} {second} 10.9.0.0/16=10.2.0.256"),
        format!("{first} {second} 10.9.0.0/16=10.7.0.7"),
    ];
    lab.session(|session| {
        for line in ["", "x", "65536", "-1", "7 7"] {
            refuses(session, "talkd", line)?;
        }
        for line in
            ["", "tcp", "tcp 10.0.5.12", "sctp 10.0.5.12 7", "tcp 10.0.5 7", "udp 10.0.5.256 7", "udp E2 7", "tcp 10.0.5.12 0", "tcp 10.0.5.12 7 7"]
        {
            refuses(session, "talk", line)?;
        }
        for line in &routers {
            refuses(session, "router", line)?;
        }
        session.pass()
    })
}
