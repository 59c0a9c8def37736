//! Steps that several checks share: the server and a client of its, the client and a server for it, and what to say when they go wrong.

use std::net::Ipv4Addr;

use harness::prelude::*;

/// `echod` with its listening socket.
#[derive(Clone, Copy)]
pub struct Server {
    pub program: Program,
    pub port: u16,
}

impl Server {
    /// Starts `echod` on a port that the kernel chooses. It is at rest when this returns.
    pub fn start(session: &mut Session, options: &[&str]) -> Result<Self, Unpassed> {
        Self::start_on(session, options, 0)
    }

    /// Starts `echod` on this port, or for 0 on one that the kernel chooses.
    pub fn start_on(session: &mut Session, options: &[&str], port: u16) -> Result<Self, Unpassed> {
        let program = session.program("echod").args(options.iter().copied()).arg(port.to_string()).start()?;
        let line = session.line(program)?;
        let announced = line.strip_prefix("listening ").and_then(|number| number.parse().ok());
        let expected =
            if port == 0 { "`listening PORT` with the port that the kernel has chosen" } else { "`listening PORT` with the port asked for" };
        let next = "print the port that the socket is bound to, in the program's byte order; getsockname(2), byteorder(3)";
        let finding = |observed: &str| Unpassed::from(Finding::new("output", format!("the line {expected}"), observed, next));
        match announced {
            None => Err(finding(&format!("the line {}", excerpt(line.as_bytes(), 0)))),
            Some(0) => Err(finding("the line `listening 0`: no client can find that port")),
            Some(other) if port != 0 && other != port => Err(finding("the line has another port")),
            Some(port) => {
                session.settle()?;
                Ok(Self { program, port })
            }
        }
    }

    /// A client of the server's.
    pub fn connect(self, session: &mut Session) -> Result<Connection, Unpassed> {
        self.goes_on(session)?;
        session.connect(self.port)
    }

    /// Sends the message and waits until as many bytes are back; they must be the same.
    pub fn echo(self, session: &mut Session, client: &mut Connection, message: &[u8]) -> Result<(), Unpassed> {
        let goal = format!("echod sends back the {} that its client has sent, as they come", bytes(message.len()));
        let next = "see where the server waits, and which bytes it still holds back; recv(2), send(2)";
        expecting(&goal, next, session.send(client, message))?;
        let answer = expecting(&goal, next, session.receive(client, message.len()))?;
        if answer == message {
            return Ok(());
        }
        Err(difference("what echod sends back", message, &answer).with(session.last_words(self.program)?).into())
    }

    /// A new client, and one message there and back.
    pub fn serve_another(self, session: &mut Session, message: &[u8]) -> Result<Connection, Unpassed> {
        let mut client = self.connect(session)?;
        self.echo(session, &mut client, message)?;
        Ok(client)
    }

    /// The client says that this was all, and reads what is left (which must be this) and then end-of-file.
    pub fn finish(self, session: &mut Session, mut client: Connection, rest: &[u8]) -> Result<(), Unpassed> {
        client.end_sending()?;
        let goal = "the client reads end-of-file once it has ended its sending direction and has all of its answer";
        let next = "read until recv returns 0, send what is left, and close; the last descriptor of the socket, in any process, ends the connection; close(2)";
        let (answer, end) = expecting(goal, next, session.receive_all(&mut client))?;
        if answer != rest {
            return Err(difference("what echod sends back until end-of-file", rest, &answer).into());
        }
        match end {
            End::Fin => Ok(()),
            End::Reset => Err(Finding::new("connection", goal, "the connection is reset", next).into()),
        }
    }

    /// Fails if the server has ended.
    pub fn goes_on(self, session: &Session) -> Result<(), Unpassed> {
        if !session.has_ended(self.program) {
            return Ok(());
        }
        let next = "see which call's failure ends it, and whether that failure concerns the server or one client";
        Err(Finding::new("exit", "echod goes on and takes the next client", "it has ended", next).with(session.end_lines(self.program)).into())
    }
}

/// A server for `echoc` to connect to. The two bytes of its port differ, so that their order shows.
pub fn listen(session: &mut Session, host: Ipv4Addr) -> Result<Listener, Unpassed> {
    loop {
        let listener = session.listen_at(host)?;
        if listener.port != listener.port.swap_bytes() {
            return Ok(listener);
        }
    }
}

/// `echoc` on its way to that server; without input its standard input stays open.
pub fn start_client(session: &mut Session, listener: &Listener, input: Option<&[u8]>) -> Result<Program, Unpassed> {
    let start = session.program("echoc").args(["127.0.0.1".to_owned(), listener.port.to_string()]);
    match input {
        Some(input) => start.stdin(input).start(),
        None => start.open_stdin().start(),
    }
}

/// The connection that `echoc` makes.
pub fn accept(session: &mut Session, listener: &Listener) -> Result<Connection, Unpassed> {
    let next = "see which address and which port connect is given, in the network's byte order; ip(7), byteorder(3)";
    expecting("echoc connects to the server", next, session.accept(listener))
}

/// All that `echoc` sends, up to its end-of-file; it must be its input.
pub fn take_input(session: &mut Session, client: Program, connection: &mut Connection, input: &[u8]) -> Result<(), Unpassed> {
    let goal = "echoc sends its input and then ends the sending direction, so that the server reads end-of-file";
    let next = "when read returns 0, end the sending direction of the connection, and no more than that; shutdown(2)";
    let (sent, end) = expecting(goal, next, session.receive_all(connection))?;
    if sent != input {
        return Err(difference("what echoc sends", input, &sent).with(session.last_words(client)?).into());
    }
    match end {
        End::Fin => Ok(()),
        End::Reset => Err(Finding::new("connection", goal, "the connection is reset", next).into()),
    }
}

/// The server has said all and closes: `echoc` must have printed this, and exit with 0.
pub fn end_well(session: &mut Session, client: Program, connection: Connection, answer: &[u8]) -> Result<(), Unpassed> {
    drop(connection);
    let next = "when recv returns 0 all is said: end, whatever else of the program still waits; recv(2)";
    expecting("echoc ends with the server's end-of-file", next, session.exit(client))?;
    prints(session, client, answer)?;
    exits(session, client, Exit::Status(0))
}

/// The whole of a conversation: `echoc` sends its input and ends that direction, the server answers only then, `echoc` prints the answer and exits with 0.
pub fn converse(session: &mut Session, listener: &Listener, input: &[u8], answer: &[u8]) -> Result<(), Unpassed> {
    let client = start_client(session, listener, Some(input))?;
    let mut connection = accept(session, listener)?;
    take_input(session, client, &mut connection, input)?;
    session.send(&mut connection, answer)?;
    end_well(session, client, connection, answer)
}

/// Lets the run go on until `echoc` has printed so many bytes.
pub fn until_printed(session: &mut Session, client: Program, length: usize) -> Result<(), Unpassed> {
    let goal = format!("echoc prints the {} that have come back", bytes(length));
    let printed = session.until(&goal, |session| Ok((session.stdout(client).len() >= length).then_some(())));
    expecting(&goal, "wait for the connection and for standard input at the same time; poll(2)", printed)
}

/// Lines of text.
pub fn text(lab: &Lab, length: usize) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < length {
        text.extend_from_slice(lab.words(1..8).join(" ").as_bytes());
        text.push(b'\n');
    }
    text.truncate(length);
    text
}

/// Bytes that are no text: a byte that UTF-8 never has, and where there is room for it a NUL.
pub fn binary(lab: &Lab, length: usize) -> Vec<u8> {
    let mut bytes = lab.bytes(length);
    if length > 1 {
        bytes[length - 1] = 0;
    }
    bytes[0] = 0xff;
    bytes
}

fn bytes(count: usize) -> String {
    if count == 1 { "byte".into() } else { format!("{count} bytes") }
}

/// Says in a failure what was expected, and where to look, in the words of this lab.
pub fn expecting<T>(expected: &str, next: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => Finding { expected: expected.to_owned(), next: next.to_owned(), ..*finding }.into(),
        other => other,
    })
}

/// Says in a failure how it came about.
pub fn under<T>(circumstance: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => finding.when(circumstance).into(),
        other => other,
    })
}

/// The same of the server that serves one client after the other and of the one that forks; told by its options.
pub fn in_both_modes(check: impl Fn(&[&str]) -> Verdict) -> Verdict {
    under("without --fork", check(&[]))?;
    under("with --fork", check(&["--fork"]))
}
