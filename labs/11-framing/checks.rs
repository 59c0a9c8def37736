//! Checks for the framing lab, one for each promise in its README. The check is the receiver's sender and the sender's receiver; neither task needs the other.

#[path = "checks/refusals.rs"]
mod refusals;
#[path = "checks/steps.rs"]
mod steps;
#[path = "checks/tools.rs"]
mod tools;

use std::net::Ipv4Addr;

use harness::prelude::*;
use refusals::{ends_with_usage, receiver_calls_fail, receiver_gone, refuses, sender_calls_fail, sender_resets};
use steps::{
    LIMIT, Receiver, accept, arrives_as, binary, expecting, frame, line, lines, listen, sender_ends, sender_with_input, sender_with_line, sends,
    start_sender, stream, take_frame, take_messages, under, wrong_frames,
};
use tools::frames_with_netcat;

harness::checks! {
    listens, prints_messages, no_boundaries, printed_at_once, cut_short, length_limit, sends_lines, every_line, sent_at_once, one_call, long_line,
    tools, short_counts, interrupted, errors_reported, broken_connection, usage
}

/// `recv` listens on the port given, or for port 0 on one that the kernel chooses, on every IPv4 address of the machine, and prints `listening PORT` with the
/// port it is bound to once a sender can connect.
fn listens(lab: &Lab) -> Verdict {
    // All of 127.0.0.0/8 are addresses of the machine.
    let another = Ipv4Addr::new(127, lab.number(1..255) as u8, lab.number(1..255) as u8, lab.number(2..255) as u8);
    lab.session(|session| {
        let port = free_port(session)?;
        let receiver = under("with a port given", Receiver::start_on(session, port))?;
        under("with a port given", session.connect(receiver.port))?;
        let receiver = Receiver::start(session)?;
        under("with port 0", session.connect(receiver.port))?;
        under("just before the line is printed", connects_before_line(session))?;
        let receiver = Receiver::start(session)?;
        let goal = "recv takes a sender at every IPv4 address of the machine";
        let next = "bind to INADDR_ANY: bound to one address, a socket takes no sender at another; ip(7)";
        expecting(goal, next, session.connect_to(another, receiver.port))?;
        session.pass()
    })
}

/// The line is about to be printed, and somebody who waits for it could connect.
fn connects_before_line(session: &mut Session) -> Result<(), Unpassed> {
    let port = free_port(session)?;
    let line = session.arm(hold_at(Write).on_standard_output().in_program("frames"));
    session.program("frames").args(["recv".to_owned(), port.to_string()]).start()?;
    session.until_held(line)?;
    let next = "print the line when the socket listens, and not before; listen(2)";
    expecting("a sender can connect when recv prints `listening PORT`", next, session.connect(port))?;
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

/// `recv` prints each message unchanged and followed by a newline, whatever bytes it holds and also if it is empty; at the end of the stream after a whole
/// frame it exits with 0.
fn prints_messages(lab: &Lab) -> Verdict {
    let of_length = |length: u64| binary(lab, length as usize);
    let messages: Vec<Vec<u8>> = [lab.number(5..60), 0, 1, lab.number(256..3000), lab.number(128..256), 0].map(of_length).into();
    let frames: Vec<Vec<u8>> = messages.iter().map(|message| frame(message)).collect();
    under("when each frame comes alone", arrives_as(lab, &messages, &frames, &[]))?;
    under("when the sender sends nothing", arrives_as(lab, &[], &[], &[]))
}

/// `recv` finds the same messages however the stream comes in pieces: several frames at once, one byte at a time, a header in two parts.
fn no_boundaries(lab: &Lab) -> Verdict {
    let mut messages = some_messages(lab);
    let bytes: Vec<Vec<u8>> = stream(&messages).chunks(1).map(<[u8]>::to_vec).collect();
    under("when the bytes come one at a time", arrives_as(lab, &messages, &bytes, &[]))?;
    messages.extend([300, 5000].map(|length| binary(lab, length)));
    under("when all frames come at once", arrives_as(lab, &messages, &[stream(&messages)], &[]))?;
    under("when the pieces end inside headers and inside messages", arrives_as(lab, &messages, &pieces(lab, &messages), &[]))
}

/// A few short messages, one of them empty, one that looks like a frame.
fn some_messages(lab: &Lab) -> Vec<Vec<u8>> {
    let of_length = |length: u64| binary(lab, length as usize);
    vec![of_length(lab.number(3..12)), frame(b"hi\n"), Vec::new(), of_length(1), of_length(lab.number(3..12))]
}

/// The stream of these messages, cut inside each header and in the middle of each message: a piece ends inside a header, or inside a message, and what follows
/// on a message's end belongs to the next header.
fn pieces(lab: &Lab, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (mut pieces, mut piece) = (Vec::new(), Vec::new());
    for message in messages {
        let frame = frame(message);
        let (header, body) = (lab.number(1..4) as usize, 4 + message.len() / 2);
        piece.extend_from_slice(&frame[..header]);
        pieces.push(std::mem::take(&mut piece));
        pieces.push(frame[header..body].to_vec());
        piece.extend_from_slice(&frame[body..]);
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// `recv` prints a message as soon as its last byte is there, while the connection stays open and the next frame is not whole.
fn printed_at_once(lab: &Lab) -> Verdict {
    let messages = [binary(lab, 30), binary(lab, 500), binary(lab, 40)];
    let third = frame(&messages[2]);
    // Inside the message; it might be inside the header as well.
    let (begun, rest) = third.split_at(lab.number(5..40) as usize);
    lab.session(|session| {
        let (receiver, mut connection) = Receiver::with_sender(session)?;
        let next = "see what recv waits for, and what it holds back in a buffer; recv(2), MSG_WAITALL; write(2)";
        receiver.take(session, &mut connection, &frame(&messages[0]))?;
        under("after the first frame", receiver.until_printed(session, &messages[..1], next))?;
        receiver.take(session, &mut connection, &[frame(&messages[1]).as_slice(), begun].concat())?;
        under("after the second frame and a part of the third", receiver.until_printed(session, &messages[..2], next))?;
        receiver.take(session, &mut connection, rest)?;
        under("after the rest of the third frame", receiver.until_printed(session, &messages, next))?;
        session.pass()
    })
}

/// The end of the stream inside a header or a message is an error: `recv` has printed the messages before it, prints nothing of the one that was cut, reports
/// the error and exits with 1.
fn cut_short(lab: &Lab) -> Verdict {
    let whole = [binary(lab, 20), binary(lab, 400)];
    let cut = frame(&binary(lab, lab.number(10..50) as usize));
    let places = [
        (1, "after one byte of a header"),
        (3, "after three bytes of a header"),
        (4, "between a header and its message"),
        (4 + (cut.len() - 4) / 2, "inside a message"),
        (cut.len() - 1, "before the last byte of a message"),
    ];
    for (length, place) in places {
        under(&format!("when the stream ends {place}"), ends_inside(lab, &whole, &cut[..length]))?;
    }
    under("when the stream ends inside the first header", ends_inside(lab, &[], &cut[..2]))
}

fn ends_inside(lab: &Lab, whole: &[Vec<u8>], part: &[u8]) -> Verdict {
    lab.session(|session| {
        let (receiver, mut connection) = Receiver::with_sender(session)?;
        receiver.take(session, &mut connection, &[stream(whole).as_slice(), part].concat())?;
        drop(connection);
        let next =
            "when recv returns 0, see how much of the frame has come: nothing at all is the only right place for the end; recv(2), RETURN VALUE";
        receiver.ends(session, whole, 1, next)?;
        session.pass()
    })
}

/// `recv` takes messages of up to 65536 bytes; a header that announces more is an error at once, before any memory is reserved for the message and without
/// waiting for it.
fn length_limit(lab: &Lab) -> Verdict {
    let longest = [binary(lab, LIMIT), binary(lab, 10)];
    // A program has one GiB of memory here. As signed numbers the last three are negative.
    for length in [LIMIT as u32 + 1, 1 << 24, 0x8000_0000, 0x8000_0005, u32::MAX] {
        under(&format!("when a header announces {length} bytes"), announces(lab, length, &longest[1]))?;
    }
    under("with a message of 65536 bytes", arrives_as(lab, &longest, &[stream(&longest)], &[]))
}

/// After one message comes only a header, and the connection stays open.
fn announces(lab: &Lab, length: u32, message: &[u8]) -> Verdict {
    lab.session(|session| {
        let (receiver, mut connection) = Receiver::with_sender(session)?;
        receiver.take(session, &mut connection, &frame(message))?;
        session.send(&mut connection, &length.to_be_bytes())?;
        let next = "compare the length with the limit, as an unsigned number, before anything is reserved or received for it";
        receiver.ends(session, &[message], 1, next)?;
        session.pass()
    })
}

/// `send` connects to PORT at the address HOST and sends each line without its newline as one frame: its length in four bytes, most significant first, and
/// then the bytes of the line unchanged. At the end of its input it ends the connection in the regular way, with a FIN, and exits with 0.
fn sends_lines(lab: &Lab) -> Verdict {
    let few: Vec<Vec<u8>> = [7, 1, 2, 255, 256, 3000].map(|length| line(lab, length)).into();
    // Together far more than one read gives, with newlines at all places of it.
    let many: Vec<Vec<u8>> = (0..60).map(|_| line(lab, lab.number(1..6000) as usize)).collect();
    // The last number differs from the first, so that their order shows.
    let another = Ipv4Addr::new(127, lab.number(0..255) as u8, lab.number(0..255) as u8, lab.number(2..120) as u8);
    lab.session(|session| {
        for (host, messages) in [(Ipv4Addr::LOCALHOST, &few), (another, &few), (Ipv4Addr::LOCALHOST, &many)] {
            let listener = listen(session, host)?;
            let sender = start_sender(session, host, &listener, Some(&lines(messages)))?;
            let mut connection = accept(session, &listener)?;
            take_messages(session, sender, &mut connection, messages)?;
            ends_regularly(session, &mut connection)?;
            sender_ends(session, sender, 0, "at the end of its input there is nothing left to wait for; read(2)")?;
        }
        session.pass()
    })
}

/// The stream has ended with a FIN, and not with an RST, which can take away what the other side has not read yet.
fn ends_regularly(session: &mut Session, connection: &mut Connection) -> Result<(), Unpassed> {
    match session.receive_all(connection)? {
        (_, End::Fin) => Ok(()),
        (_, End::Reset) => {
            let next = "close the socket without SO_LINGER of 0 seconds: that makes close an RST; socket(7), SO_LINGER";
            Err(Finding::new("connection", "send ends the connection with a FIN", "it resets the connection", next).into())
        }
    }
}

/// An empty line is sent as an empty message, and what comes after the last newline as a line; nothing else is made into a message.
fn every_line(lab: &Lab) -> Verdict {
    let (one, other) = (line(lab, 5), line(lab, 12));
    let between = [one.clone(), Vec::new(), Vec::new(), other.clone()];
    under("with empty lines between others", sends(lab, &lines(&between), &between, &[]))?;
    let around = [Vec::new(), one.clone(), Vec::new()];
    under("with an empty line first and last", sends(lab, &lines(&around), &around, &[]))?;
    let without_newline = lines(&between[..3]).into_iter().chain(other.clone()).collect::<Vec<_>>();
    under("with a last line that has no newline", sends(lab, &without_newline, &between, &[]))?;
    under("with one line that has no newline", sends(lab, &one, &[&one], &[]))?;
    under("with one empty line", sends(lab, b"\n", &[b""], &[]))?;
    under("without input", sends::<&[u8]>(lab, b"", &[], &[]))
}

/// `send` sends a line as soon as its newline is there, while the input stays open.
fn sent_at_once(lab: &Lab) -> Verdict {
    let (first, second, third) = (line(lab, 20), line(lab, 500), line(lab, 30));
    lab.session(|session| {
        let (sender, mut connection) = sender_with_line(session, &first)?;
        under("after the first line", take_frame(session, sender, &mut connection, &first))?;
        session.feed(sender, &lines(&[&second]));
        // What comes after the newline is not a line yet.
        session.feed(sender, &third[..10]);
        under("after the second line and a part of the third", take_frame(session, sender, &mut connection, &second))?;
        session.settle()?;
        session.feed(sender, &third[10..]);
        session.settle()?;
        session.feed(sender, b"\n");
        under("after the rest of the third line", take_frame(session, sender, &mut connection, &third))?;
        session.pass()
    })
}

/// `send` hands header and message of a frame to the kernel together, in one call (which may hold other frames too), if the kernel takes all of it.
fn one_call(lab: &Lab) -> Verdict {
    let messages = [line(lab, 9), line(lab, 700), Vec::new(), line(lab, 3000)];
    lab.session(|session| {
        let (sender, mut connection) = sender_with_line(session, &messages[0])?;
        for (place, message) in messages.iter().enumerate() {
            if place > 0 {
                session.feed(sender, &lines(&[message]));
            }
            take_frame(session, sender, &mut connection, message)?;
            session.settle()?;
            sent_in_calls(session, sender, place + 1)?;
        }
        session.pass()
    })
}

/// Fails if so many frames have cost more calls than that.
fn sent_in_calls(session: &mut Session, sender: Program, frames: usize) -> Result<(), Unpassed> {
    let is_transfer = |event: &Event| event.call.gives_data() && event.success() > Some(0) && session.kind_of(event) == Some(Kind::Tcp);
    let transfers: Vec<(usize, u64)> = session
        .events()
        .iter()
        .enumerate()
        .filter(|(_, event)| session.processes()[event.process.0].program == sender.number() && is_transfer(event))
        .filter_map(|(index, event)| Some((index, event.success()?)))
        .collect();
    if transfers.len() <= frames {
        return Ok(());
    }
    let last = &transfers[frames - 1..];
    let counts = last.iter().map(|(_, count)| count.to_string()).collect::<Vec<_>>().join(", then ");
    let labels: Vec<_> = last.iter().filter_map(|(event, count)| session.label(*event, format!("{count} bytes are sent here"))).collect();
    let observed = format!("one frame takes {} calls, which send {counts} bytes", last.len());
    let next = "give the kernel header and message as two parts of one vector; sendmsg(2), writev(2)";
    Err(Finding::new("call", "header and message of a frame are sent in one call", observed, next).at(labels).into())
}

/// `send` takes lines of up to 65536 bytes; a longer one is an error, even while its end has not come: the lines before it are sent, nothing of it is, and
/// `send` reports the error and exits with 1.
fn long_line(lab: &Lab) -> Verdict {
    let short = [line(lab, 20), Vec::new(), line(lab, 300)];
    let longest = [line(lab, LIMIT), line(lab, 5)];
    under("with a line of 65536 bytes", sends(lab, &lines(&longest), &longest, &[]))?;
    under("with a last line of 65536 bytes that has no newline", sends(lab, &longest[0], &longest[..1], &[]))?;
    let one_more = line(lab, LIMIT + 1);
    under("with a line of 65537 bytes", too_long(lab, &short, &lines(&[&one_more, &short[0]]), true))?;
    under("with a last line of 65537 bytes that has no newline", too_long(lab, &short, &one_more, true))?;
    under("with a line that does not end", too_long(lab, &short, &line(lab, 4 * LIMIT), false))
}

/// The sender gets these lines and then one that is too long; after that its input ends, or it does not.
fn too_long(lab: &Lab, before: &[Vec<u8>], rest: &[u8], ends: bool) -> Verdict {
    let input = [lines(before).as_slice(), rest].concat();
    lab.session(|session| {
        // Whoever reads in one thread and sends in another has seen the long line before the others are sent.
        session.arm(delay_at([Write, Send]).on(Kind::Tcp).if_called());
        let (sender, mut connection) = if ends {
            sender_with_input(session, &input)?
        } else {
            let listener = listen(session, Ipv4Addr::LOCALHOST)?;
            let sender = start_sender(session, Ipv4Addr::LOCALHOST, &listener, None)?;
            session.feed(sender, &input);
            (sender, accept(session, &listener)?)
        };
        let next = "count the bytes of a line as they come: with the 65537th it is too long; read(2)";
        let goal = "send reports the line that is too long, and ends";
        expecting(goal, next, session.receive(&mut connection, stream(before).len() + 1)).and_then(|sent| {
            if sent == stream(before) {
                return Ok(());
            }
            let finding = wrong_frames("what send sends before the line that is too long", &stream(before), &sent);
            Err(finding.with(session.last_words(sender)?).into())
        })?;
        sender_ends(session, sender, 1, next)?;
        session.pass()
    })
}

/// `nc` is a sender for `recv`, and a receiver for `send`; a second `nc` that connects while the first one sends is not a second sender: `recv` prints nothing
/// of it, and ends with the first.
fn tools(lab: &Lab) -> Verdict {
    frames_with_netcat(lab)
}

/// Both tasks go on at the right place where the kernel has read, received, written or sent less than was asked for, in the header, at its end or in the
/// message.
fn short_counts(lab: &Lab) -> Verdict {
    let messages: Vec<Vec<u8>> = [binary(lab, 21), Vec::new(), binary(lab, 1), binary(lab, 300)].into();
    let inputs: Vec<Vec<u8>> = [line(lab, 21), Vec::new(), line(lab, 1), line(lab, 300)].into();
    // Inside the header, at its end, inside the message; another count each time, since the border moves through the frames.
    for count in [1, 3, 4, 7, 24] {
        for often in [Fault::every, Fault::alternately] {
            let comes_in = often(short([Read, Recv], count).on(Kind::Tcp).if_called());
            let goes_out = often(short([Write, Send], count).on(Kind::Tcp).if_called());
            let circumstance = |fault: &Fault| format!("when {}", fault.describe());
            under(&circumstance(&comes_in), arrives_as(lab, &messages, &[stream(&messages)], &[comes_in]))?;
            under(&circumstance(&goes_out), sends(lab, &lines(&inputs), &inputs, &[goes_out]))?;
        }
    }
    let prints = short(Write, lab.number(2..6)).on(Kind::Standard).every().if_called();
    under("when standard output takes few bytes at a time", arrives_as(lab, &messages, &[stream(&messages)], &[prints]))?;
    let reads = short(Read, lab.number(2..6)).on(Kind::Standard).every().if_called();
    under("when standard input gives few bytes at a time", sends(lab, &lines(&inputs), &inputs, &[reads]))
}

/// Where accept, recv, send, read, write or poll fails with EINTR, because a signal came, both tasks make the call again and go on; a connect is another
/// matter.
fn interrupted(lab: &Lab) -> Verdict {
    let messages: Vec<Vec<u8>> = [binary(lab, 21), Vec::new(), binary(lab, 300)].into();
    let inputs: Vec<Vec<u8>> = [line(lab, 21), Vec::new(), line(lab, 300)].into();
    let interruptions = interruptions();
    let circumstance = "when calls are interrupted by signals";
    under(circumstance, arrives_as(lab, &messages, &pieces(lab, &messages), &interruptions))?;
    under(circumstance, sends(lab, &lines(&inputs), &inputs, &interruptions))?;
    // A signal also comes when a part is done already.
    let few = |calls: [Call; 2]| short(calls, 7).on(Kind::Tcp).every().if_called();
    let circumstance = "when calls are interrupted by signals, before and after they have moved a part";
    under(circumstance, arrives_as(lab, &messages, &[stream(&messages)], &[&interruptions[..], &[few([Read, Recv])]].concat()))?;
    under(circumstance, sends(lab, &lines(&inputs), &inputs, &[&interruptions[..], &[few([Write, Send])]].concat()))
}

/// The first, third, fifth … call of each kind fails with EINTR. Which of them a program makes is its own choice.
fn interruptions() -> Vec<Fault> {
    let transfers = [Accept, Recv, Read, Send, Write].map(|call| fail(call, libc::EINTR).on(Kind::Tcp).on(Kind::Standard));
    let waits = [Poll, Select, EpollWait].map(|call| fail(call, libc::EINTR));
    transfers.into_iter().chain(waits).map(|fault| fault.alternately().if_called()).collect()
}

/// A failed call is reported as `frames: CALL: message` on standard error, and the program exits with 1.
fn errors_reported(lab: &Lab) -> Verdict {
    receiver_calls_fail(lab)?;
    sender_calls_fail(lab)
}

/// When the other side is gone (EPIPE) or the connection is reset (ECONNRESET, also between two frames), `send` and `recv` report the failed call and exit
/// with 1; no signal ends them.
fn broken_connection(lab: &Lab) -> Verdict {
    under(
        "when the receiver closes the connection and more lines come",
        receiver_gone(lab, |connection| {
            drop(connection);
            Ok(())
        }),
    )?;
    under("when the receiver resets the connection and more lines come", receiver_gone(lab, Connection::reset))?;
    under("when the sender resets the connection between two frames", sender_resets(lab, &[]))?;
    under("when the sender resets the connection inside a frame", sender_resets(lab, &frame(&binary(lab, 30))[..20]))
}

/// Wrong usage prints the usage line on standard error, and the program exits with 2.
fn usage(lab: &Lab) -> Verdict {
    lab.session(|session| {
        for line in ["", "talk 9", "recv", "recv x", "recv 65536", "recv 1 2", "send", "send 127.0.0.1", "send 127.0.0.1 0", "send 127.0.0.1 x"] {
            refuses(session, line)?;
        }
        for line in ["send 127.0.0.1 9 9", "send localhost 9", "send 127.0.0 9", "send 127.0.0.256 9", "send 1.2.3.4.5 9"] {
            refuses(session, line)?;
        }
        // Cut off at 16 bits, this is a port on which somebody listens.
        let listener = session.listen()?;
        let port = 65_536 + u32::from(listener.port);
        under("with a PORT above 65535", ends_with_usage(session, &format!("send 127.0.0.1 {port}")))?;
        session.pass()
    })
}
