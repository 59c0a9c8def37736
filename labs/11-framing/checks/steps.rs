//! Steps that several checks share: the receiver and a sender for it, the sender and a receiver for it, and what to say when they go wrong.

use std::net::Ipv4Addr;

use harness::prelude::*;

/// Most bytes of a message, as the handout has it.
pub const LIMIT: usize = 65_536;

/// A message with its header before it.
pub fn frame(message: &[u8]) -> Vec<u8> {
    [(message.len() as u32).to_be_bytes().as_slice(), message].concat()
}

/// These messages on their way, one frame after the other.
pub fn stream<M: AsRef<[u8]>>(messages: &[M]) -> Vec<u8> {
    messages.iter().flat_map(|message| frame(message.as_ref())).collect()
}

/// These messages as lines: the sender's input and the receiver's output.
pub fn lines<M: AsRef<[u8]>>(messages: &[M]) -> Vec<u8> {
    messages.iter().flat_map(|message| [message.as_ref(), b"\n"].concat()).collect()
}

/// `frames recv`, listening.
#[derive(Clone, Copy)]
pub struct Receiver {
    pub program: Program,
    pub port: u16,
}

impl Receiver {
    /// Starts it on a port that the kernel chooses. It is at rest when this returns.
    pub fn start(session: &mut Session) -> Result<Self, Unpassed> {
        Self::start_on(session, 0)
    }

    /// Starts it on this port, or for 0 on one that the kernel chooses.
    pub fn start_on(session: &mut Session, port: u16) -> Result<Self, Unpassed> {
        let program = session.program("frames").args(["recv".to_owned(), port.to_string()]).start()?;
        let line = session.line(program)?;
        let announced = line.strip_prefix("listening ").and_then(|number| number.parse().ok());
        let expected =
            if port == 0 { "`listening PORT` with the port that the kernel has chosen" } else { "`listening PORT` with the port asked for" };
        let next = "print the port that the socket is bound to, in the program's byte order; getsockname(2), byteorder(3)";
        let finding = |observed: &str| Unpassed::from(Finding::new("output", format!("the line {expected}"), observed, next));
        match announced {
            None => Err(finding(&format!("the line {}", excerpt(line.as_bytes(), 0)))),
            Some(0) => Err(finding("the line `listening 0`: no sender can find that port")),
            Some(other) if port != 0 && other != port => Err(finding("the line has another port")),
            Some(port) => {
                session.settle()?;
                Ok(Self { program, port })
            }
        }
    }

    /// Starts it, and is its sender.
    pub fn with_sender(session: &mut Session) -> Result<(Self, Connection), Unpassed> {
        let receiver = Self::start(session)?;
        let connection = session.connect(receiver.port)?;
        session.settle()?;
        Ok((receiver, connection))
    }

    /// Sends these bytes, and waits until the receiver has done with them what it does.
    pub fn take(self, session: &mut Session, connection: &mut Connection, bytes: &[u8]) -> Result<(), Unpassed> {
        self.goes_on(session)?;
        let next = "see where recv waits, or why it closes the connection before the stream has ended; recv(2)";
        let sent = session.send(connection, bytes);
        let sent = sent.map_err(|unpassed| with_last_words(session, self.program, unpassed));
        expecting("recv takes the whole stream", next, sent)?;
        session.settle()
    }

    /// Fails if it has ended, although the stream has not.
    pub fn goes_on(self, session: &Session) -> Result<(), Unpassed> {
        if !session.has_ended(self.program) {
            return Ok(());
        }
        let next = "see what ends it: what it says on standard error, and what it takes for the end of the stream; recv(2), RETURN VALUE";
        Err(Finding::new("exit", "recv goes on until the stream ends", "it has ended", next).with(session.end_lines(self.program)).into())
    }

    /// What it has printed after its first line.
    pub fn printed(self, session: &Session) -> Vec<u8> {
        let output = session.stdout(self.program);
        let first = output.iter().position(|byte| *byte == b'\n').map_or(output.len(), |end| end + 1);
        output[first..].to_vec()
    }

    /// Fails unless it has printed these messages and nothing else.
    pub fn has_printed<M: AsRef<[u8]>>(self, session: &mut Session, messages: &[M]) -> Result<(), Unpassed> {
        let (expected, printed) = (lines(messages), self.printed(session));
        if printed == expected {
            return Ok(());
        }
        let next = "compare the two from that place on, and see which bytes of the stream recv takes for a header and which for a message; recv(2)";
        let finding = Finding { next: next.into(), ..difference("what recv prints after `listening`", &expected, &printed) };
        Err(finding.with(session.last_words(self.program)?).into())
    }

    /// Lets the run go on until it has printed these messages; nothing else must be there by then.
    pub fn until_printed<M: AsRef<[u8]>>(self, session: &mut Session, messages: &[M], next: &str) -> Result<(), Unpassed> {
        let length = lines(messages).len();
        let goal = "recv prints each message as soon as it is whole";
        let printed = session.until(goal, |session| Ok((self.printed(session).len() >= length).then_some(())));
        expecting(goal, next, printed)?;
        session.settle()?;
        self.has_printed(session, messages)
    }

    /// Lets the run go on until it ends, with this status. One that prints without end is not waited for.
    pub fn ends<M: AsRef<[u8]>>(self, session: &mut Session, messages: &[M], status: i32, next: &str) -> Result<(), Unpassed> {
        let most = lines(messages).len();
        let goal = if status == 0 { "recv ends with the stream" } else { "recv reports the error and ends" };
        let over = session.until(goal, |session| {
            let ended = session.has_ended(self.program) || self.printed(session).len() > most;
            Ok(ended.then_some(()))
        });
        expecting(goal, next, over)?;
        self.has_printed(session, messages)?;
        if status != 0 {
            pointing(next, complains(session, self.program, &["frames: "]))?;
        }
        pointing(next, exits(session, self.program, Exit::Status(status)))
    }

    /// The stream ends: it must have printed these messages, and exit with 0.
    pub fn ends_well<M: AsRef<[u8]>>(self, session: &mut Session, connection: Connection, messages: &[M]) -> Result<(), Unpassed> {
        drop(connection);
        let next = "0 from recv where a header could begin is the end: exit; and take one sender, not the next; recv(2)";
        self.ends(session, messages, 0, next)
    }
}

/// The stream comes in these pieces, each of them received before the next is sent; then it ends.
pub fn arrives_as(lab: &Lab, messages: &[Vec<u8>], pieces: &[Vec<u8>], faults: &[Fault]) -> Verdict {
    lab.session(|session| {
        for fault in faults {
            session.arm(fault.clone());
        }
        let (receiver, mut connection) = Receiver::with_sender(session)?;
        for piece in pieces {
            receiver.take(session, &mut connection, piece)?;
        }
        receiver.ends_well(session, connection, messages)?;
        session.pass()
    })
}

/// A receiver for `frames send`. The two bytes of its port differ, so that their order shows.
pub fn listen(session: &mut Session, host: Ipv4Addr) -> Result<Listener, Unpassed> {
    loop {
        let listener = session.listen_at(host)?;
        if listener.port != listener.port.swap_bytes() {
            return Ok(listener);
        }
    }
}

/// `frames send` on its way to that receiver; without input its standard input stays open.
pub fn start_sender(session: &mut Session, host: Ipv4Addr, listener: &Listener, input: Option<&[u8]>) -> Result<Program, Unpassed> {
    let start = session.program("frames").args(["send".to_owned(), host.to_string(), listener.port.to_string()]);
    match input {
        Some(input) => start.stdin(input).start(),
        None => start.open_stdin().start(),
    }
}

/// The connection that `frames send` makes.
pub fn accept(session: &mut Session, listener: &Listener) -> Result<Connection, Unpassed> {
    let next = "see which address and which port connect is given, in the network's byte order; ip(7), byteorder(3)";
    expecting("send connects to the receiver", next, session.accept(listener))
}

/// `frames send` with all its input, and the connection that it makes.
pub fn sender_with_input(session: &mut Session, input: &[u8]) -> Result<(Program, Connection), Unpassed> {
    let listener = listen(session, Ipv4Addr::LOCALHOST)?;
    let sender = start_sender(session, Ipv4Addr::LOCALHOST, &listener, Some(input))?;
    Ok((sender, accept(session, &listener)?))
}

/// `frames send` with its input still open, and the connection that it makes. It may wait for the first line before it connects: here is one.
pub fn sender_with_line(session: &mut Session, line: &[u8]) -> Result<(Program, Connection), Unpassed> {
    let listener = listen(session, Ipv4Addr::LOCALHOST)?;
    let sender = start_sender(session, Ipv4Addr::LOCALHOST, &listener, None)?;
    session.feed(sender, &lines(&[line]));
    Ok((sender, accept(session, &listener)?))
}

/// All that `frames send` sends until it ends the connection must be these messages.
pub fn take_messages<M: AsRef<[u8]>>(session: &mut Session, sender: Program, connection: &mut Connection, messages: &[M]) -> Result<(), Unpassed> {
    let expected = stream(messages);
    let goal = "send sends a frame for each line and then ends the connection";
    let next = "when read returns 0, send what is left, and close; read(2), close(2)";
    // One byte more than there should be, so that a sender without end is not waited for.
    let sent = expecting(goal, next, session.receive(connection, expected.len() + 1))?;
    if sent == expected {
        return Ok(());
    }
    // How it ended says why something is missing; one that sends too much may send without end, and is not waited for either.
    let ended = if sent.len() < expected.len() { session.last_words(sender)? } else { Vec::new() };
    Err(wrong_frames("what send sends", &expected, &sent).with(ended).into())
}

/// The next frame that `frames send` sends must be this message; more is not waited for.
pub fn take_frame(session: &mut Session, sender: Program, connection: &mut Connection, message: &[u8]) -> Result<(), Unpassed> {
    let expected = frame(message);
    let goal = "send sends each line as soon as its newline is there";
    let next = "see where send waits after it has read a line, and for what; nothing of a frame may stay in a buffer; read(2), sendmsg(2)";
    let sent = expecting(goal, next, session.receive(connection, expected.len()))?;
    if sent != expected {
        return Err(wrong_frames("what send sends", &expected, &sent).with(session.last_words(sender)?).into());
    }
    Ok(())
}

/// `frames send` must end with this status, and say why if it is not 0.
pub fn sender_ends(session: &mut Session, sender: Program, status: i32, next: &str) -> Result<(), Unpassed> {
    let goal = if status == 0 { "send ends at the end of its input" } else { "send reports the error and ends" };
    expecting(goal, next, session.exit(sender))?;
    if status != 0 {
        pointing(next, complains(session, sender, &["frames: "]))?;
    }
    pointing(next, exits(session, sender, Exit::Status(status)))
}

/// The whole work of `frames send`: this input is to become these messages.
pub fn sends<M: AsRef<[u8]>>(lab: &Lab, input: &[u8], messages: &[M], faults: &[Fault]) -> Verdict {
    lab.session(|session| {
        for fault in faults {
            session.arm(fault.clone());
        }
        let (sender, mut connection) = sender_with_input(session, input)?;
        take_messages(session, sender, &mut connection, messages)?;
        sender_ends(session, sender, 0, "at the end of its input there is nothing left to wait for; read(2)")?;
        session.pass()
    })
}

/// A finding also says how the program has ended.
fn with_last_words(session: &mut Session, program: Program, unpassed: Unpassed) -> Unpassed {
    match unpassed {
        Unpassed::Fail(finding) => session.last_words(program).map_or_else(|unseen| unseen, |words| finding.with(words).into()),
        other => other,
    }
}

/// Bytes that are no text: one that UTF-8 never has, and where there is room for them a NUL and a newline.
pub fn binary(lab: &Lab, length: usize) -> Vec<u8> {
    let mut bytes = lab.bytes(length);
    for (place, byte) in bytes.iter_mut().zip([0xff, 0, b'\n', 0x80]) {
        *place = byte;
    }
    bytes
}

/// A line of bytes that are no text. It begins and ends with what a careless program cuts off.
pub fn line(lab: &Lab, length: usize) -> Vec<u8> {
    let mut bytes = binary(lab, length);
    bytes.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b'.');
    if let [first, .., last] = &mut bytes[..] {
        (*first, *last) = (b' ', b'\r');
    }
    bytes
}

/// A finding on frames that are not as expected.
pub fn wrong_frames(what: &str, expected: &[u8], sent: &[u8]) -> Finding {
    let next = "compare the two from that place on: the length in four bytes, most significant first, and then so many bytes of the line; sendmsg(2)";
    Finding { next: next.into(), ..difference(what, expected, sent) }
}

/// Says in a failure where to look, in the words of this lab.
fn pointing<T>(next: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => Finding { next: next.to_owned(), ..*finding }.into(),
        other => other,
    })
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
