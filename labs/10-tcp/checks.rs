//! Checks for the TCP lab, one for each promise in its README. The check is the server's client and the client's server; neither program needs the other.

#[path = "checks/steps.rs"]
mod steps;

use std::net::Ipv4Addr;

use harness::prelude::*;
use steps::{MODES, Server, accept, binary, converse, end_well, expecting, listen, start_client, take_input, text, under, until_printed};

harness::checks! {
    listens, echoes, connection_closed, fork_serves_all, fork_closes, fork_reaps, client_connects, half_close, prints_all, both_ways, client_gone,
    port_reused, stops, short_counts, interrupted, connect_interrupted, accept_aborted, errors_reported, usage
}

/// `echod` listens on the port given, or for port 0 on one that the kernel chooses, on every IPv4 address of the machine, and prints `listening PORT` with
/// the port it is bound to.
fn listens(lab: &Lab) -> Verdict {
    // All of 127.0.0.0/8 are addresses of the machine.
    let another = Ipv4Addr::new(127, lab.number(1..255) as u8, lab.number(1..255) as u8, lab.number(2..255) as u8);
    lab.session(|session| {
        let server = Server::start(session, &[])?;
        under("with port 0", session.connect(server.port))?;
        let port = free_port(session)?;
        let server = under("with a port given", Server::start_on(session, &[], port))?;
        under("with a port given", session.connect(server.port))?;
        let server = Server::start(session, &[])?;
        under("at another address than 127.0.0.1", session.connect_to(another, server.port))?;
        session.pass()
    })
}

/// A port whose two bytes differ, so that their order shows; with its bytes exchanged it is none that only root may use.
fn free_port(session: &mut Session) -> Result<u16, Unpassed> {
    loop {
        let port = session.free_port()?;
        let exchanged = port.swap_bytes();
        if exchanged != port && exchanged >= 1024 {
            return Ok(port);
        }
    }
}

/// `echod` sends every byte back unchanged as it comes, without waiting for more or for the end, and serves one client after the other.
fn echoes(lab: &Lab) -> Verdict {
    let clients = lab.number(2..4);
    let messages: Vec<Vec<u8>> = [1, 5, 300, 3000].map(|length| binary(lab, length)).into();
    lab.session(|session| {
        let server = Server::start(session, &[])?;
        for _ in 0..clients {
            let mut client = server.connect(session)?;
            for message in &messages {
                server.echo(session, &mut client, message)?;
            }
            session.settle()?;
            let (surplus, _) = session.received(&mut client)?;
            if !surplus.is_empty() {
                return Err(difference("what echod sends back beyond what it got", b"", &surplus).into());
            }
            drop(client);
            session.settle()?;
        }
        session.pass()
    })
}

/// After a client's end-of-file `echod` closes the connection: the client reads all of its answer and then end-of-file, and the server holds no descriptor of
/// it.
fn connection_closed(lab: &Lab) -> Verdict {
    let messages = [binary(lab, 2000), binary(lab, 700)];
    lab.session(|session| {
        let server = Server::start(session, &[])?;
        for message in &messages {
            let mut client = server.connect(session)?;
            session.send(&mut client, message)?;
            server.finish(session, client, message)?;
            session.settle()?;
            holds_no_connection(session, server)?;
        }
        session.pass()
    })
}

/// A TCP socket that a process of the server's holds.
struct Held {
    process: ProcessId,
    by_child: bool,
    listens: bool,
    /// Its name and its descriptor, for messages.
    what: String,
}

fn sockets_held(session: &mut Session, server: Server) -> Result<Vec<Held>, Unpassed> {
    let listened = session.events_of(server.program).filter(|event| event.call == Listen && event.succeeded());
    let listening: Vec<String> = listened.map(|event| session.object_name(event)).collect();
    let alive = session.processes_of(server.program).filter(|process| process.exit.is_none());
    let mut held = Vec::new();
    for (process, by_child) in alive.map(|process| (process.id, process.parent.is_some())).collect::<Vec<_>>() {
        for (descriptor, _, name) in session.descriptors_of(process)?.into_iter().filter(|(_, kind, _)| *kind == Kind::Tcp) {
            held.push(Held { process, by_child, listens: listening.contains(&name), what: format!("{name} as descriptor {descriptor}") });
        }
    }
    Ok(held)
}

fn holds_no_connection(session: &mut Session, server: Server) -> Result<(), Unpassed> {
    server.goes_on(session)?;
    let held = sockets_held(session, server)?;
    let Some(kept) = held.iter().find(|socket| !socket.by_child && !socket.listens) else { return Ok(()) };
    let expected = "the server's process holds no connection that is over or that a child serves";
    let next = "close each socket that accept has returned as soon as this process is done with it; close(2)";
    Err(Finding::new("descriptor", expected, format!("it holds {}", kept.what), next).into())
}

/// With `--fork` a client that stays connected and says nothing does not stop the next ones from being served.
fn fork_serves_all(lab: &Lab) -> Verdict {
    let messages = [binary(lab, 100), binary(lab, 100), binary(lab, 10)];
    lab.session(|session| {
        let server = Server::start(session, &["--fork"])?;
        let mut silent = server.connect(session)?;
        session.settle()?;
        let _second = under("while another client is silent", server.serve_another(session, &messages[0]))?;
        let _third = under("while another client is silent", server.serve_another(session, &messages[1]))?;
        server.echo(session, &mut silent, &messages[2])?;
        session.pass()
    })
}

/// With `--fork` the parent keeps no connected socket and a child does not keep the listening one; a client reads end-of-file as soon as its child is done.
fn fork_closes(lab: &Lab) -> Verdict {
    let messages = [binary(lab, 20), binary(lab, 20)];
    lab.session(|session| {
        let server = Server::start(session, &["--fork"])?;
        let first = server.serve_another(session, &messages[0])?;
        let second = server.serve_another(session, &messages[1])?;
        session.settle()?;
        holds_no_connection(session, server)?;
        children_do_not_listen(session, server)?;
        // The second client is still connected when the first reads its end-of-file.
        server.finish(session, first, b"")?;
        server.finish(session, second, b"")?;
        session.pass()
    })
}

fn children_do_not_listen(session: &mut Session, server: Server) -> Result<(), Unpassed> {
    let held = sockets_held(session, server)?;
    let Some(kept) = held.iter().find(|socket| socket.by_child && socket.listens) else { return Ok(()) };
    let observed = format!("{} holds {}", session.name(kept.process), kept.what);
    let next = "the child closes the listening socket right after fork: while it is open anywhere, the port stays taken; fork(2), close(2)";
    Err(Finding::new("descriptor", "no process but the server's own holds the listening socket", observed, next).into())
}

/// With `--fork` every child that has ended is reaped, also when several end at nearly the same time and no further client comes.
fn fork_reaps(lab: &Lab) -> Verdict {
    let messages: Vec<Vec<u8>> = (0..lab.number(4..7)).map(|_| binary(lab, 20)).collect();
    lab.session(|session| {
        let server = Server::start(session, &["--fork"])?;
        let clients = messages.iter().map(|message| server.serve_another(session, message)).collect::<Result<Vec<_>, _>>()?;
        // While the server is stopped, all its children end: one pending SIGCHLD must do for all of them.
        session.settle()?;
        session.signal(server.program, libc::SIGSTOP)?;
        session.settle()?;
        for client in clients {
            server.finish(session, client, b"")?;
        }
        session.settle()?;
        session.signal(server.program, libc::SIGCONT)?;
        session.settle()?;
        server.goes_on(session)?;
        let zombies: Vec<String> = session.zombies(server.program).into_iter().map(|child| format!("a zombie: {}", session.name(child))).collect();
        if zombies.is_empty() {
            return session.pass();
        }
        let observed = format!("of {} children that ended while the server was stopped, {} are still zombies", messages.len(), zombies.len());
        let next = "one SIGCHLD may stand for several children: at each, wait until there is none left to wait for; waitpid(2), WNOHANG";
        Err(Finding::new("zombie", "the server reaps every child that has ended", observed, next).with(zombies).into())
    })
}

/// `echoc` connects to PORT at the address HOST and sends what it reads from standard input.
fn client_connects(lab: &Lab) -> Verdict {
    let input = text(lab, 500);
    // The last number differs from the first, so that their order shows.
    let another = Ipv4Addr::new(127, lab.number(0..255) as u8, lab.number(0..255) as u8, lab.number(2..120) as u8);
    for host in [Ipv4Addr::LOCALHOST, another] {
        lab.session(|session| {
            let listener = listen(session, host)?;
            session.program("echoc").args([host.to_string(), listener.port.to_string()]).stdin(input.as_slice()).start()?;
            let mut connection = accept(session, &listener)?;
            let sent = expecting("echoc sends its standard input", session.receive(&mut connection, input.len()))?;
            if sent != input {
                return Err(difference("what echoc sends", &input, &sent).into());
            }
            session.pass()
        })?;
    }
    // What follows is judged by other promises.
    lab.session(Session::pass)
}

/// At the end of its input `echoc` ends only the sending direction; it prints what the server answers after that, and exits with 0 at the server's
/// end-of-file.
fn half_close(lab: &Lab) -> Verdict {
    let (input, answer) = (text(lab, 500), text(lab, 500));
    lab.session(|session| {
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        converse(session, &listener, &input, &answer)?;
        session.pass()
    })
}

/// `echoc` prints every byte that comes back, unchanged, until end-of-file, however many they are and whatever they mean.
fn prints_all(lab: &Lab) -> Verdict {
    let (input, answer) = (text(lab, 50), binary(lab, 30_000));
    lab.session(|session| {
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, Some(&input))?;
        let mut connection = accept(session, &listener)?;
        take_input(session, &mut connection, &input)?;
        // As many bytes as the client has sent, and more only when it has had the time to take those for all.
        let (first, rest) = answer.split_at(input.len());
        session.send(&mut connection, first)?;
        session.settle()?;
        session.send(&mut connection, rest)?;
        end_well(session, client, connection, &answer)?;
        session.pass()
    })
}

/// `echoc` sends and receives at the same time: it prints what comes back before its input has ended and while the server takes nothing, and it ends with the
/// server's end-of-file even if its input goes on.
fn both_ways(lab: &Lab) -> Verdict {
    under("while the input is still open", before_input_has_ended(lab))?;
    under("while the server takes nothing", while_server_takes_nothing(lab))
}

fn before_input_has_ended(lab: &Lab) -> Verdict {
    let line = text(lab, 20);
    lab.session(|session| {
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, None)?;
        session.feed(client, &line);
        let mut connection = accept(session, &listener)?;
        let sent = expecting("echoc sends its input as it comes", session.receive(&mut connection, line.len()))?;
        session.send(&mut connection, &sent)?;
        until_printed(session, client, line.len())?;
        end_well(session, client, connection, &line)?;
        session.pass()
    })
}

fn while_server_takes_nothing(lab: &Lab) -> Verdict {
    const PIECE: usize = 1 << 20;
    // More than the sockets' buffers hold: tcp(7), tcp_wmem and tcp_rmem. A client that reads ahead into its memory has no end, and needs none.
    const MOST: usize = 24 * PIECE;
    let (piece, answer) = (binary(lab, PIECE), binary(lab, PIECE));
    lab.session(|session| {
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, None)?;
        let mut connection = accept(session, &listener)?;
        let mut input = Vec::new();
        while session.input_left(client) == 0 && input.len() < MOST {
            session.feed(client, &piece);
            input.extend_from_slice(&piece);
            session.settle()?;
        }
        let goal = "echoc receives and prints the answer although it cannot send";
        expecting(goal, session.send(&mut connection, &answer))?;
        expecting(goal, until_printed(session, client, answer.len()))?;
        session.end_input(client);
        take_input(session, &mut connection, &input)?;
        end_well(session, client, connection, &answer)?;
        session.pass()
    })
}

/// A client that resets its connection, or goes away before it has taken its answer, does not stop the server.
fn client_gone(lab: &Lab) -> Verdict {
    let (message, flood) = (binary(lab, 100), binary(lab, 1 << 20));
    under("when a client resets its connection while the server waits for it to say something", after_reset(lab, &message, |_, _| Ok(())))?;
    let fill = |session: &mut Session, client: &mut Connection| until_full(session, client, &flood);
    under("when a client resets its connection while the server waits to send it more", after_reset(lab, &message, fill))
}

/// A client talks to the server, something is done to the connection, the client resets it, and the next one comes.
fn after_reset(lab: &Lab, message: &[u8], meanwhile: impl FnOnce(&mut Session, &mut Connection) -> Result<(), Unpassed>) -> Verdict {
    lab.session(|session| {
        let server = Server::start(session, &[])?;
        let mut client = server.serve_another(session, message)?;
        meanwhile(session, &mut client)?;
        session.settle()?;
        client.reset()?;
        session.settle()?;
        server.serve_another(session, message)?;
        session.pass()
    })
}

/// Sends and takes nothing, until neither side of the connection has room left.
fn until_full(session: &mut Session, client: &mut Connection, flood: &[u8]) -> Result<(), Unpassed> {
    // A server that keeps what it cannot send in its memory takes ever more: enough is enough.
    const MOST: usize = 64 << 20;
    let mut sent = 0;
    loop {
        let now = session.send_what_fits(client, flood)?;
        sent += now;
        session.settle()?;
        if now == 0 || sent > MOST {
            return Ok(());
        }
    }
}

/// `echod` starts again on the same port at once, although a connection of the run before is still in TIME_WAIT.
fn port_reused(lab: &Lab) -> Verdict {
    let message = binary(lab, 100);
    lab.session(|session| {
        let server = Server::start(session, &[])?;
        let mut client = server.serve_another(session, &message)?;
        // The server's side closes first, by its death, and so it is its port that stays in TIME_WAIT.
        session.signal(server.program, libc::SIGKILL)?;
        session.exit(server.program)?;
        session.receive_all(&mut client)?;
        drop(client);
        session.settle()?;
        let again = under("at the second start on the same port", Server::start_on(session, &[], server.port))?;
        again.serve_another(session, &message)?;
        session.pass()
    })
}

/// SIGTERM or SIGINT ends `echod` at once with exit status 0, with and without `--fork`, also while a client is connected and silent.
fn stops(lab: &Lab) -> Verdict {
    let message = binary(lab, 10);
    for (options, mode) in MODES {
        for signal in [libc::SIGTERM, libc::SIGINT] {
            let name = signal_name(signal);
            under(&format!("{name}, {mode}, no client"), ended_by(lab, signal, options, None))?;
            under(&format!("{name}, {mode}, a silent client"), ended_by(lab, signal, options, Some(&message)))?;
        }
    }
    lab.session(Session::pass)
}

/// The signal comes while the server waits: for a client, or with a message for the client that has sent it and is now silent.
fn ended_by(lab: &Lab, signal: i32, options: &[&str], message: Option<&[u8]>) -> Verdict {
    lab.session(|session| {
        let server = Server::start(session, options)?;
        let _client = message.map(|message| server.serve_another(session, message)).transpose()?;
        session.settle()?;
        session.signal(server.program, signal)?;
        expecting("the signal ends echod", session.exit(server.program))?;
        exits(session, server.program, Exit::Status(0))?;
        session.pass()
    })
}

/// Both programs go on where the kernel has read, received, written or sent less than was asked for.
fn short_counts(lab: &Lab) -> Verdict {
    let (message, input, answer) = (binary(lab, 1000), text(lab, 500), text(lab, 500));
    // Two different numbers: if each call got and gave the same, nobody would miss a loop.
    let little_in = || short([Read, Recv], 7).on(Kind::Tcp).every().if_called();
    let less_out = || short([Write, Send], 3).on(Kind::Tcp).every().if_called();
    for (options, mode) in MODES {
        let verdict = lab.session(|session| {
            session.arm(little_in());
            session.arm(less_out());
            let server = Server::start(session, options)?;
            server.serve_another(session, &message)?;
            session.pass()
        });
        under(&format!("when few bytes move at a time, {mode}"), verdict)?;
    }
    let verdict = lab.session(|session| {
        session.arm(little_in().on(Kind::Standard));
        session.arm(less_out().on(Kind::Standard));
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        converse(session, &listener, &input, &answer)?;
        session.pass()
    });
    under("when few bytes move at a time", verdict)
}

/// Where accept, recv, send, read, write or poll fails with EINTR, because a signal came, both programs make the call again and go on; a connect is another
/// matter.
fn interrupted(lab: &Lab) -> Verdict {
    let (messages, input, answer) = ([binary(lab, 100), binary(lab, 200)], text(lab, 500), text(lab, 500));
    for (options, mode) in MODES {
        let verdict = lab.session(|session| {
            interrupt_calls(session);
            let server = Server::start(session, options)?;
            for _ in 0..2 {
                let mut client = server.connect(session)?;
                for message in &messages {
                    server.echo(session, &mut client, message)?;
                }
                server.finish(session, client, b"")?;
                session.settle()?;
            }
            server.goes_on(session)?;
            session.pass()
        });
        under(&format!("when calls are interrupted by signals, {mode}"), verdict)?;
    }
    let verdict = lab.session(|session| {
        interrupt_calls(session);
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        converse(session, &listener, &input, &answer)?;
        session.pass()
    });
    under("when calls are interrupted by signals", verdict)
}

/// The first, third, fifth … call of each kind fails with EINTR. Which of them a program makes is its own choice.
fn interrupt_calls(session: &mut Session) {
    for call in [Accept, Recv, Read, Send, Write] {
        session.arm(fail(call, libc::EINTR).on(Kind::Tcp).on(Kind::Standard).alternately().if_called());
    }
    for call in [Poll, Select, EpollWait] {
        session.arm(fail(call, libc::EINTR).alternately().if_called());
    }
}

/// When connect is interrupted by a signal (EINTR), `echoc` does not call it again on the same socket; it still gets its connection and does its work.
fn connect_interrupted(lab: &Lab) -> Verdict {
    let (input, answer) = (text(lab, 500), text(lab, 500));
    let interrupted = fail_after(Connect, libc::EINTR).on(Kind::Tcp);
    let circumstance = interrupted.describe();
    let verdict = lab.session(|session| {
        session.arm(interrupted);
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, Some(&input))?;
        let served = serve_last_connection(session, &listener, client, &input, &answer);
        connects_each_socket_once(session, client)?;
        served?;
        session.pass()
    });
    under(&format!("when {circumstance}"), verdict)
}

/// A client that gives the interrupted attempt up and makes a new socket leaves a connection on which nothing was sent.
fn serve_last_connection(session: &mut Session, listener: &Listener, client: Program, input: &[u8], answer: &[u8]) -> Result<(), Unpassed> {
    let mut connection = accept(session, listener)?;
    let (mut sent, _) = session.receive_all(&mut connection)?;
    if sent.is_empty() {
        connection = accept(session, listener)?;
        (sent, _) = session.receive_all(&mut connection)?;
    }
    if sent != input {
        return Err(difference("what echoc sends", input, &sent).into());
    }
    session.send(&mut connection, answer)?;
    end_well(session, client, connection, answer)
}

fn connects_each_socket_once(session: &Session, client: Program) -> Result<(), Unpassed> {
    let mut connected = Vec::new();
    for event in session.events_of(client).filter(|event| event.call == Connect && session.kind_of(event) == Some(Kind::Tcp)) {
        if connected.contains(&event.object) {
            let next = "the handshake goes on without the call: wait with poll until the socket is writable, then ask SO_ERROR; connect(2)";
            return Err(Finding::new("call", "connect is called once on each socket", "it is called again on the same one", next).into());
        }
        connected.push(event.object);
    }
    Ok(())
}

/// When accept fails with ECONNABORTED, `echod` goes on and serves the next client.
fn accept_aborted(lab: &Lab) -> Verdict {
    let message = binary(lab, 100);
    for (options, mode) in MODES {
        let aborted = fail(Accept, libc::ECONNABORTED).on(Kind::Tcp);
        let circumstance = format!("when {}, {mode}", aborted.describe());
        let verdict = lab.session(|session| {
            session.arm(aborted);
            let server = Server::start(session, options)?;
            server.serve_another(session, &message)?;
            session.pass()
        });
        under(&circumstance, verdict)?;
    }
    lab.session(Session::pass)
}

/// A failed call is reported as `PROGRAM: CALL: message` on standard error, and the program exits with 1.
fn errors_reported(lab: &Lab) -> Verdict {
    let message = text(lab, 20);
    under(
        "when nobody listens on the port",
        lab.session(|session| {
            let port = session.free_port()?.to_string();
            let client = session.program("echoc").args(["127.0.0.1", &port]).start()?;
            reports(session, client, "echoc: connect: ")
        }),
    )?;
    under(
        "when another process listens on the port",
        lab.session(|session| {
            let taken = session.listen()?;
            let server = session.program("echod").arg(taken.port.to_string()).start()?;
            reports(session, server, "echod: bind: ")
        }),
    )?;
    for (call, errno, program, arguments) in [
        (Socket, libc::EMFILE, "echod", ["--fork", "0"]),
        (Listen, libc::EADDRINUSE, "echod", ["--fork", "0"]),
        (Socket, libc::EMFILE, "echoc", ["127.0.0.1", "9"]),
    ] {
        let fault = fail(call, errno);
        under(
            &format!("when {}", fault.describe()),
            lab.session(|session| {
                session.arm(fault);
                let program_run = session.program(program).args(arguments).start()?;
                reports(session, program_run, &format!("{program}: {}: ", call.word()))
            }),
        )?;
    }
    let full = fail(Write, libc::ENOSPC).on(Kind::Standard).where_argument(0, 1);
    under(
        "when standard output is full",
        lab.session(|session| {
            session.arm(full);
            let (client, mut connection) = connected_client(session)?;
            session.send(&mut connection, &message)?;
            reports(session, client, "echoc: write")
        }),
    )?;
    under(
        "when the server resets the connection",
        lab.session(|session| {
            let (client, mut connection) = connected_client(session)?;
            session.feed(client, &message);
            session.receive(&mut connection, message.len())?;
            session.settle()?;
            connection.reset()?;
            // It may be in any call that uses the connection.
            reports(session, client, "echoc: ")
        }),
    )
}

fn connected_client(session: &mut Session) -> Result<(Program, Connection), Unpassed> {
    let listener = listen(session, Ipv4Addr::LOCALHOST)?;
    let client = start_client(session, &listener, None)?;
    Ok((client, accept(session, &listener)?))
}

fn reports(session: &mut Session, program: Program, beginning: &str) -> Verdict {
    expecting("the program reports the failed call and ends", session.exit(program))?;
    complains(session, program, &[beginning])?;
    exits(session, program, Exit::Status(1))?;
    session.pass()
}

/// Wrong usage prints the usage line on standard error, and the program exits with 2.
fn usage(lab: &Lab) -> Verdict {
    let echod: [&[&str]; 6] = [&[], &["--fork"], &["x"], &["65536"], &["1", "2"], &["--spoon", "0"]];
    let echoc: [&[&str]; 9] = [
        &[],
        &["127.0.0.1"],
        &["127.0.0.1", "0"],
        &["localhost", "9"],
        &["127.0.0", "9"],
        &["127.0.0.256", "9"],
        &["1.2.3.4.5", "9"],
        &["127.0.0.1", "x"],
        &["127.0.0.1", "9", "9"],
    ];
    lab.session(|session| {
        for (program, lines) in [("echod", &echod[..]), ("echoc", &echoc[..])] {
            for arguments in lines {
                let line = std::iter::once(program).chain(arguments.iter().copied()).collect::<Vec<_>>().join(" ");
                under(&format!("as `{line}`"), refuses(session, program, arguments))?;
            }
        }
        // Cut off at 16 bits, this is a port that somebody listens on.
        let listener = session.listen()?;
        let port = (65_536 + u32::from(listener.port)).to_string();
        under("as `echoc 127.0.0.1 PORT` with a PORT above 65535", refuses(session, "echoc", &["127.0.0.1", &port]))?;
        session.pass()
    })
}

fn refuses(session: &mut Session, name: &str, arguments: &[&str]) -> Result<(), Unpassed> {
    let program = session.program(name).args(arguments.iter().copied()).start()?;
    expecting("the program prints its usage and ends", session.exit(program))?;
    complains(session, program, &["usage: "])?;
    exits(session, program, Exit::Status(2))?;
    prints(session, program, b"")
}
