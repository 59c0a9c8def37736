//! Checks for the TCP lab, one for each promise in its README. The check is the server's client and the client's server; neither program needs the other.

#[path = "checks/refusals.rs"]
mod refusals;
#[path = "checks/sockets.rs"]
mod sockets;
#[path = "checks/steps.rs"]
mod steps;
#[path = "checks/tools.rs"]
mod tools;

use std::net::Ipv4Addr;

use harness::prelude::*;
use refusals::{bind_fails, connect_fails, connection_fails, ends_with_usage, port_unknown, read_fails, refuses, shutdown_fails, write_fails};
use sockets::{children_do_not_listen, holds_no_connection};
use steps::{Server, accept, binary, converse, end_well, expecting, in_both_modes, listen, start_client, take_input, text, under, until_printed};
use tools::talks_with_netcat;

harness::checks! {
    listens, echoes, connection_closed, fork_serves_all, fork_closes, fork_reaps, client_connects, half_close, prints_all, both_ways, tools, client_gone,
    port_reused, stops, short_counts, interrupted, connect_interrupted, accept_aborted, errors_reported, usage
}

/// `echod` listens on the port given, or for port 0 on one that the kernel chooses, on every IPv4 address of the machine, and prints `listening PORT` with the
/// port it is bound to once clients can connect.
fn listens(lab: &Lab) -> Verdict {
    // All of 127.0.0.0/8 are addresses of the machine.
    let another = Ipv4Addr::new(127, lab.number(1..255) as u8, lab.number(1..255) as u8, lab.number(2..255) as u8);
    lab.session(|session| {
        let port = free_port(session)?;
        let server = under("with a port given", Server::start_on(session, &[], port))?;
        under("with a port given", session.connect(server.port))?;
        let server = Server::start(session, &[])?;
        under("with port 0", session.connect(server.port))?;
        under("just before the line is printed", connects_before_line(session))?;
        let server = Server::start(session, &[])?;
        let goal = "echod takes clients at every IPv4 address of the machine";
        let next = "bind to INADDR_ANY: bound to one address, a socket takes no client at another; ip(7)";
        expecting(goal, next, session.connect_to(another, server.port))?;
        session.pass()
    })
}

/// The line is about to be printed, and somebody who waits for it could connect.
fn connects_before_line(session: &mut Session) -> Result<(), Unpassed> {
    let port = free_port(session)?;
    let line = session.arm(hold_at(Write).on_standard_output().in_program("echod"));
    session.program("echod").arg(port.to_string()).start()?;
    session.until_held(line)?;
    let next = "print the line when the socket listens, and not before; listen(2)";
    expecting("a client can connect when echod prints `listening PORT`", next, session.connect(port))?;
    session.release(line)
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

/// With `--fork` every child that has ended is reaped, also when several end at nearly the same time and no further client comes.
fn fork_reaps(lab: &Lab) -> Verdict {
    let messages: Vec<Vec<u8>> = (0..lab.number(4..7)).map(|_| binary(lab, 20)).collect();
    lab.session(|session| {
        let server = Server::start(session, &["--fork"])?;
        // A handler may be gone after its first signal.
        all_are_reaped(session, server, &messages)?;
        under("when the next children end", all_are_reaped(session, server, &messages))?;
        session.pass()
    })
}

fn all_are_reaped(session: &mut Session, server: Server, messages: &[Vec<u8>]) -> Result<(), Unpassed> {
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
        return Ok(());
    }
    let observed = format!("of {} children that ended while the server was stopped, {} are still zombies", messages.len(), zombies.len());
    let next = "one SIGCHLD may stand for several children: at each, wait until there is none left to wait for; waitpid(2), WNOHANG";
    Err(Finding::new("zombie", "the server reaps every child that has ended", observed, next).with(zombies).into())
}

/// `echoc` connects to PORT at the address HOST and sends what it reads from standard input.
fn client_connects(lab: &Lab) -> Verdict {
    let input = text(lab, 500);
    // The last number differs from the first, so that their order shows.
    let another = Ipv4Addr::new(127, lab.number(0..255) as u8, lab.number(0..255) as u8, lab.number(2..120) as u8);
    lab.session(|session| {
        for host in [Ipv4Addr::LOCALHOST, another] {
            let listener = listen(session, host)?;
            session.program("echoc").args([host.to_string(), listener.port.to_string()]).stdin(input.as_slice()).start()?;
            let mut connection = accept(session, &listener)?;
            let next = "see what it does with its input once it is connected; read(2), send(2)";
            let sent = expecting("echoc sends its standard input", next, session.receive(&mut connection, input.len()))?;
            if sent != input {
                return Err(difference("what echoc sends", &input, &sent).into());
            }
        }
        // What comes after that is for other checks.
        session.pass()
    })
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
        take_input(session, client, &mut connection, &input)?;
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
        let next = "see where echoc waits after it has read something, and for what; read(2), send(2)";
        let sent = expecting("echoc sends its input as it comes", next, session.receive(&mut connection, line.len()))?;
        session.send(&mut connection, &sent)?;
        until_printed(session, client, line.len())?;
        end_well(session, client, connection, &line)?;
        session.pass()
    })
}

fn while_server_takes_nothing(lab: &Lab) -> Verdict {
    const PIECE: usize = 1 << 20;
    // The socket of a client that cannot send still takes a little more with each segment that comes in: this is far more than that.
    const STILL_TO_SEND: usize = 4 * PIECE;
    // More than the sockets' buffers hold: tcp(7), tcp_wmem and tcp_rmem. A client that reads ahead into its memory takes it all, and may.
    const MOST: usize = 24 * PIECE;
    let (piece, answer) = (binary(lab, PIECE), binary(lab, PIECE));
    lab.session(|session| {
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, None)?;
        let mut connection = accept(session, &listener)?;
        let mut input = Vec::new();
        while session.input_left(client) < STILL_TO_SEND && input.len() < MOST {
            session.feed(client, &piece);
            input.extend_from_slice(&piece);
            session.settle()?;
        }
        let goal = "echoc receives and prints what the server sends, although it cannot send itself";
        let next = "let no send wait while there is something to receive; poll(2), send(2) MSG_DONTWAIT";
        expecting(goal, next, session.send(&mut connection, &answer))?;
        expecting(goal, next, until_printed(session, client, answer.len()))?;
        session.end_input(client);
        take_input(session, client, &mut connection, &input)?;
        end_well(session, client, connection, &answer)?;
        session.pass()
    })
}

/// `echod --fork` serves eight `nc` that are connected at once, each as soon as it speaks, and `echoc` talks with an `nc` that listens; all of them end well.
fn tools(lab: &Lab) -> Verdict {
    talks_with_netcat(lab)
}

/// A client that resets its connection, or goes away before it has taken its answer, does not stop the server, which closes the connection.
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
        holds_no_connection(session, server)?;
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
        let again = under(
            "when it starts again on the port, on which the server's side of a connection is in TIME_WAIT",
            Server::start_on(session, &[], server.port),
        )?;
        again.serve_another(session, &message)?;
        session.pass()
    })
}

/// SIGTERM or SIGINT ends `echod` at once with exit status 0, with and without `--fork`, also while a client is connected and silent.
fn stops(lab: &Lab) -> Verdict {
    let message = binary(lab, 10);
    in_both_modes(|options| {
        ended_by(lab, libc::SIGTERM, options, &message)?;
        ended_by(lab, libc::SIGINT, options, &message)
    })
}

fn ended_by(lab: &Lab, signal: i32, options: &[&str], message: &[u8]) -> Verdict {
    let name = signal_name(signal);
    under(&format!("{name} comes while there is no client"), ended_at_rest(lab, signal, options, None))?;
    under(&format!("{name} comes while a client is connected and silent"), ended_at_rest(lab, signal, options, Some(message)))
}

/// The signal comes while the server waits: for a client, or for the next word of the client that has sent the message.
fn ended_at_rest(lab: &Lab, signal: i32, options: &[&str], message: Option<&[u8]>) -> Verdict {
    lab.session(|session| {
        let server = Server::start(session, options)?;
        let _client = message.map(|message| server.serve_another(session, message)).transpose()?;
        session.settle()?;
        session.signal(server.program, signal)?;
        let next = "see where the server waits, and whether its handler gets it out of there for good; signal(7), sigaction(2) SA_RESTART";
        expecting("the signal ends echod", next, session.exit(server.program))?;
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
    let server = in_both_modes(|options| {
        lab.session(|session| {
            session.arm(little_in());
            session.arm(less_out());
            let server = Server::start(session, options)?;
            server.serve_another(session, &message)?;
            session.pass()
        })
    });
    under("when few bytes move at a time", server)?;
    let client = lab.session(|session| {
        session.arm(little_in().on(Kind::Standard));
        session.arm(less_out().on(Kind::Standard));
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        converse(session, &listener, &input, &answer)?;
        session.pass()
    });
    under("when few bytes move at a time", client)
}

/// Where accept, recv, send, read, write or poll fails with EINTR, because a signal came, both programs make the call again and go on; a connect is another
/// matter.
fn interrupted(lab: &Lab) -> Verdict {
    let (messages, input, answer) = ([binary(lab, 100), binary(lab, 200)], text(lab, 500), text(lab, 500));
    let server = in_both_modes(|options| {
        lab.session(|session| {
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
        })
    });
    under("when calls are interrupted by signals", server)?;
    let client = lab.session(|session| {
        interrupt_calls(session);
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        converse(session, &listener, &input, &answer)?;
        session.pass()
    });
    under("when calls are interrupted by signals", client)
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
    let verdict = lab.session(|session| {
        session.arm(interrupted.clone());
        let listener = listen(session, Ipv4Addr::LOCALHOST)?;
        let client = start_client(session, &listener, Some(&input))?;
        let served = serve_last_connection(session, &listener, client, &input, &answer);
        connects_each_socket_once(session, client)?;
        served?;
        session.pass()
    });
    when_armed(&interrupted, verdict)
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
        return Err(difference("what echoc sends", input, &sent).with(session.last_words(client)?).into());
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
    let aborted = fail(Accept, libc::ECONNABORTED).on(Kind::Tcp);
    let verdict = in_both_modes(|options| {
        lab.session(|session| {
            session.arm(aborted.clone());
            let server = Server::start(session, options)?;
            server.serve_another(session, &message)?;
            session.pass()
        })
    });
    when_armed(&aborted, verdict)
}

/// Says in a failure which fault was carried out.
fn when_armed(fault: &Fault, verdict: Verdict) -> Verdict {
    under(&format!("when {}", fault.describe()), verdict)
}

/// A failed call is reported as `PROGRAM: CALL: message` on standard error, and the program exits with 1.
fn errors_reported(lab: &Lab) -> Verdict {
    let no_socket = || fail(Socket, libc::EMFILE).where_argument(0, libc::AF_INET as u64);
    lab.run("echod").arg("0").inject(no_socket()).complains(&["echod: socket: "]).exits(1).verdict()?;
    lab.run("echod").arg("0").inject(fail(Listen, libc::EADDRINUSE)).complains(&["echod: listen: "]).exits(1).verdict()?;
    lab.run("echoc").args(["127.0.0.1", "9"]).inject(no_socket()).complains(&["echoc: socket: "]).exits(1).verdict()?;
    under("when getsockname fails with ENOBUFS", port_unknown(lab))?;
    under("when nobody listens on the port", connect_fails(lab))?;
    under("when another process listens on the port", bind_fails(lab))?;
    under("when write to standard output fails with ENOSPC", write_fails(lab))?;
    under("when read from standard input fails with EIO", read_fails(lab))?;
    under("when shutdown fails with ENOBUFS", shutdown_fails(lab))?;
    under("when the server resets the connection", connection_fails(lab))
}

/// Wrong usage prints the usage line on standard error, and the program exits with 2.
fn usage(lab: &Lab) -> Verdict {
    lab.session(|session| {
        for line in ["", "--fork", "x", "65536", "1 2", "--spoon 0"] {
            refuses(session, "echod", line)?;
        }
        for line in ["", "127.0.0.1", "127.0.0.1 0", "127.0.0.1 x", "127.0.0.1 9 9", "localhost 9", "127.0.0 9", "127.0.0.256 9", "1.2.3.4.5 9"] {
            refuses(session, "echoc", line)?;
        }
        // Cut off at 16 bits, this is a port on which somebody listens.
        let listener = session.listen()?;
        let port = 65_536 + u32::from(listener.port);
        under("with a PORT above 65535", ends_with_usage(session, "echoc", &format!("127.0.0.1 {port}")))?;
        session.pass()
    })
}
