//! The steps that the checks are made of: a server that is ready, clients that ask it, and the check itself as a client or as the server.

use harness::prelude::*;

/// The message types of the handout.
pub const REQUEST: i64 = 1;
pub const DATA: i64 = 1;
pub const END: i64 = 2;
pub const FAILED: i64 = 3;

/// The letter that the key of the server's queue is made with.
pub const PROJECT: u8 = b'f';
/// Most bytes of one message of an answer.
pub const MOST_BODY: usize = 8192;

/// One message: its type and its body.
pub type Message = (i64, Vec<u8>);

/// A filed that is ready.
pub struct Server {
    pub program: Program,
    pub keyfile: String,
}

/// Bytes of every value, with zeros among them: a program that takes them for text goes wrong.
pub fn any_bytes(lab: &Lab, length: usize) -> Vec<u8> {
    let mut bytes = lab.bytes(length);
    bytes.iter_mut().step_by(61).for_each(|byte| *byte = 0);
    bytes
}

/// More than a queue holds, and no multiple of a round number.
pub fn large(lab: &Lab) -> Vec<u8> {
    any_bytes(lab, lab.number(40_000..60_000) as usize | 1)
}

/// Starts filed on a new KEYFILE.
pub fn launch(session: &mut Session) -> Result<Server, Unpassed> {
    let keyfile = session.make_file("key", b"")?;
    let program = session.program("filed").arg(&keyfile).start()?;
    Ok(Server { program, keyfile })
}

/// Starts filed and waits for its line.
pub fn start_server(session: &mut Session) -> Result<Server, Unpassed> {
    let server = launch(session)?;
    becomes_ready(session, &server)?;
    Ok(server)
}

pub fn becomes_ready(session: &mut Session, server: &Server) -> Result<(), Unpassed> {
    let line = session.line(server.program)?;
    if line == "ready" {
        return Ok(());
    }
    let observed = format!("the line {}", excerpt(line.as_bytes(), 0));
    Err(Finding::new("output", "filed prints the line `ready`", observed, "print that word and nothing else; the handout, The program").into())
}

/// The server's queue.
pub fn queue_of(session: &mut Session, server: &Server) -> Result<MessageQueue, Unpassed> {
    let next = "make it with msgget and the key ftok(KEYFILE, 'f'), and remove it only at the end; ftok(3), msgget(2)";
    let queue = session.message_queue(&server.keyfile, PROJECT)?;
    queue.ok_or_else(|| Finding::new("queue", "the queue of ftok(KEYFILE, 'f') is there", "there is no such queue", next).into())
}

/// Starts a getfile.
pub fn ask(session: &mut Session, keyfile: &str, path: &str, called: &str) -> Result<Program, Unpassed> {
    session.program("getfile").args([keyfile, path]).called(called).start()
}

/// Lets the run go on until this getfile has ended, in whatever way.
pub fn ends(session: &mut Session, client: Program) -> Result<(), Unpassed> {
    let goal = format!("{} gets its answer and ends", name(session, client));
    session.until(&goal, |session| Ok(session.has_ended(client).then_some(())))
}

/// This getfile prints these bytes, and exits 0.
pub fn gets(session: &mut Session, client: Program, bytes: &[u8]) -> Result<(), Unpassed> {
    ends(session, client)?;
    let judged = exits(session, client, Exit::Status(0)).and_then(|()| prints(session, client, bytes));
    judged.map_err(|unpassed| expected_of(unpassed, &name(session, client)))
}

/// A getfile that is started now gets this file.
pub fn fetch(session: &mut Session, server: &Server, path: &str, bytes: &[u8]) -> Result<(), Unpassed> {
    let client = ask(session, &server.keyfile, path, "getfile")?;
    let Err(failure) = gets(session, client, bytes) else { return Ok(()) };
    // A server that has ended is the reason for all that its clients say.
    session.settle()?;
    still_serves(session, server)?;
    Err(failure)
}

/// Fails if filed has ended.
pub fn still_serves(session: &Session, server: &Server) -> Result<(), Unpassed> {
    if !session.has_ended(server.program) {
        return Ok(());
    }
    let next = "what goes wrong with one client, or an interrupted call, is no reason to end: go on with the next request; msgop(2)";
    Err(Finding::new("exit", "filed goes on until SIGTERM or SIGINT comes", "it ends", next).with(session.end_lines(server.program)).into())
}

/// Says whose output or exit was expected to be another.
fn expected_of(unpassed: Unpassed, program: &str) -> Unpassed {
    match unpassed {
        Unpassed::Fail(mut finding) => {
            finding.expected = format!("{program}: {}", finding.expected);
            Unpassed::Fail(finding)
        }
        other => other,
    }
}

/// What the program's process is called in messages.
pub fn name(session: &Session, program: Program) -> String {
    let first = session.processes_of(program).next().map(|process| process.id);
    first.map_or_else(|| "the program".into(), |process| session.name(process))
}

/// The body of a request for this path.
pub fn request(reply: i32, path: &str) -> Vec<u8> {
    [&reply.to_ne_bytes(), path.as_bytes()].concat()
}

/// The check asks as a client.
pub fn ask_directly(session: &mut Session, server: &Server, reply: MessageQueue, path: &str) -> Result<(), Unpassed> {
    send(queue_of(session, server)?, REQUEST, &request(reply.id(), path))?;
    session.settle()
}

/// The check sends a message into a queue that has room.
pub fn send(queue: MessageQueue, kind: i64, body: &[u8]) -> Result<(), Unpassed> {
    if queue.send(kind, body)? { Ok(()) } else { Err(Unpassed::Broken("the queue is full or gone".into())) }
}

/// All that filed answers to the check, until END or FAILED comes or nothing more does.
pub fn answer_of(session: &mut Session, reply: MessageQueue) -> Result<Vec<Message>, Unpassed> {
    let mut answer = Vec::new();
    loop {
        session.settle()?;
        let before = answer.len();
        while let Some(message) = reply.receive()? {
            answer.push(message);
        }
        if answer.len() == before {
            return Ok(answer);
        }
    }
}

/// The answer brings these bytes as the handout says: DATA of 1 to 8192 bytes, then END without a body, and nothing more.
pub fn is_file(session: &mut Session, answer: &[Message], bytes: &[u8]) -> Result<(), Unpassed> {
    let next = "compare with the handout, The messages; the size that msgsnd is given leaves out mtype; msgop(2)";
    let wrong = |expected: &str, observed: String| Finding::new("answer", expected, observed, next);
    let whole: Vec<u8> = answer.iter().filter(|(kind, _)| *kind == DATA).flat_map(|(_, body)| body.iter().copied()).collect();
    let data = answer.iter().take_while(|(kind, _)| *kind == DATA).count();
    let bad = answer[..data].iter().map(|(_, body)| body.len()).find(|length| *length == 0 || *length > MOST_BODY);
    let finding = match &answer[data..] {
        _ if bad.is_some() => wrong("each DATA message has a body of 1 to 8192 bytes", format!("one of {} bytes", bad.unwrap_or(0))),
        _ if whole != bytes => difference("the bodies of all DATA messages together", bytes, &whole),
        [(END, body)] if body.is_empty() => return Ok(()),
        [] => wrong("after the last DATA message comes END", "nothing more comes".into()).with(session.waiting_lines()),
        [(END, body)] => wrong("END has no body", format!("its body has {} bytes", body.len())),
        [(kind, _)] => wrong("after the last DATA message comes END (type 2)", format!("a message of type {kind} comes")),
        [first, rest @ ..] => wrong("one END and nothing after it", format!("a message of type {} comes, and {} more after it", first.0, rest.len())),
    };
    Err(finding.into())
}

/// The answer is one FAILED message with this errno.
pub fn is_failure(answer: &[Message], errno: i32) -> Result<(), Unpassed> {
    let expected = format!("one message of type 3 (FAILED) whose body is {} as an int", errno_name(errno));
    let observed = match answer {
        [(FAILED, body)] if *body == errno.to_ne_bytes() => return Ok(()),
        [(FAILED, body)] => match body[..].try_into().map(i32::from_ne_bytes) {
            Ok(other) => format!("a FAILED message with {}", errno_name(other)),
            Err(_) => format!("a FAILED message with a body of {} bytes", body.len()),
        },
        [] => "no answer".into(),
        [(kind, _), ..] => format!("{} message{}, the first of type {kind}", answer.len(), if answer.len() == 1 { "" } else { "s" }),
    };
    Err(Finding::new("answer", expected, observed, "read errno at once after the call that fails, and send it; errno(3)").into())
}

/// No queue is there but the server's and those of the check.
pub fn no_queue_but(session: &mut Session, known: &[MessageQueue], program: &str) -> Result<(), Unpassed> {
    let left = session.leftovers();
    let other = |left: &&Leftover| matches!(left, Leftover::MessageQueue(id) if known.iter().all(|queue| queue.id() != *id));
    let Some(found) = left.iter().find(other) else { return Ok(()) };
    let label = session.label_of_leftover(found);
    let next = "a queue stays until someone removes it: msgctl with IPC_RMID on every way out; msgctl(2)";
    let expected = format!("once {program} has ended, its queue is gone");
    Err(Finding::new("left-behind", expected, "a System V message queue is left behind", next).at(label).into())
}

/// A message queue of the check as the server's, for a getfile that is checked alone.
pub fn stand_in(session: &mut Session) -> Result<(String, MessageQueue), Unpassed> {
    let keyfile = session.make_file("key", b"")?;
    let queue = session.make_message_queue(&keyfile, PROJECT)?;
    Ok((keyfile, queue))
}

/// The request that a getfile has sent to the check: the queue for the answer, and the path.
pub fn request_of(session: &mut Session, requests: MessageQueue) -> Result<(MessageQueue, Vec<u8>), Unpassed> {
    session.settle()?;
    let next = "compare with the handout, The messages; the size that msgsnd is given leaves out mtype; msgop(2)";
    let wrong = |observed: String| Finding::new("request", "getfile sends a message of type 1: the id of its queue, then the path", observed, next);
    let Some((kind, body)) = requests.receive()? else {
        return Err(wrong("it sends nothing".into()).with(session.waiting_lines()).into());
    };
    if kind != REQUEST {
        return Err(wrong(format!("it sends a message of type {kind}")).into());
    }
    let Some((id, path)) = body.split_first_chunk() else {
        return Err(wrong(format!("a body of {} bytes, too short for the id of a queue", body.len())).into());
    };
    let reply = MessageQueue::with_id(i32::from_ne_bytes(*id));
    if reply.state()?.is_none() {
        return Err(wrong("the first four bytes of the body are not the id of a queue that is there".into()).into());
    }
    Ok((reply, path.to_vec()))
}

/// The signal ends filed with status 0, nothing of it runs on, and its queue is gone.
pub fn stops(session: &mut Session, server: &Server) -> Result<(), Unpassed> {
    let next = "see in which call each process and thread is, and what ends it: removing a queue wakes who waits for it (EIDRM); msgop(2), signal(7)";
    let ended = session.until("filed ends, and no process of its own is left", |session| {
        Ok(session.processes_of(server.program).all(|process| process.exit.is_some()).then_some(()))
    });
    ended.map_err(|unpassed| advise(unpassed, next))?;
    exits(session, server.program, Exit::Status(0))?;
    is_gone(session, &server.keyfile)
}

/// The server's queue is not there.
pub fn is_gone(session: &mut Session, keyfile: &str) -> Result<(), Unpassed> {
    if session.message_queue(keyfile, PROJECT)?.is_none() {
        return Ok(());
    }
    let next = "a queue outlives its processes: remove it with msgctl and IPC_RMID on every way out; msgctl(2)";
    Err(Finding::new("left-behind", "once filed has ended, its queue is gone", "the queue is still there", next).into())
}

/// A program reports a failed call on standard error and exits 1.
pub fn reports(session: &mut Session, program: Program, beginning: &str) -> Result<(), Unpassed> {
    session.exit(program)?;
    exits(session, program, Exit::Status(1))?;
    complains(session, program, &[beginning])
}

/// All of these runs pass; the first one that does not is the last one made.
pub fn all(runs: impl IntoIterator<Item = Verdict>) -> Verdict {
    let last = runs.into_iter().try_fold(None, |_, verdict| verdict.map(Some))?;
    last.ok_or_else(|| Unpassed::Broken("a check without a run".into()))
}

/// Where to look in this lab when all wait, or one never does.
pub fn advise(unpassed: Unpassed, next: &str) -> Unpassed {
    match unpassed {
        Unpassed::Fail(mut finding) if matches!(&*finding.kind, "deadlock" | "busy-waiting") => {
            next.clone_into(&mut finding.next);
            Unpassed::Fail(finding)
        }
        other => other,
    }
}
