//! The steps that the checks are made of: a server that is started, clients that ask it, and a client that dies.

use harness::prelude::*;

/// All calls that a client or a server may make next while it has to do with the other: what comes after a given call is one of these.
pub const ANY_CALL: [Call; 11] = [Open, Read, Write, Poll, Select, EpollWait, Sigwait, Close, Fcntl, Mknod, Unlink];

/// A seqd that can be asked.
pub struct Server {
    /// The program.
    pub program: Program,
    /// The directory that it serves.
    pub directory: String,
}

/// A number of numbers to ask for. It does not fit into one byte, so that an answer of which one byte was read is wrong.
pub fn count(lab: &Lab) -> u64 {
    lab.number(300..100_001)
}

/// As many of them.
pub fn counts(lab: &Lab, how_many: u64) -> Vec<u64> {
    (0..how_many).map(|_| count(lab)).collect()
}

/// Starts seqd in a folder of its own and waits until it says that it can be asked.
pub fn start_server(session: &mut Session, folder: &str) -> Result<Server, Unpassed> {
    let directory = session.make_folder(folder)?;
    let program = session.program("seqd").arg(&directory).start()?;
    let own_open = "an open of a FIFO waits for the other end: no process can wait for itself; fifo(7)";
    let line = session.line(program).map_err(|unpassed| advise(unpassed, own_open))?;
    if line == "ready" {
        return Ok(Server { program, directory });
    }
    let observed = format!("the line {}", excerpt(line.as_bytes(), 0));
    Err(Finding::new("output", "seqd prints the line `ready`", observed, "print that word and nothing else; the handout, The program").into())
}

/// Starts a seqc that wants so many numbers.
pub fn ask(session: &mut Session, server: &Server, count: u64) -> Result<Program, Unpassed> {
    session.program("seqc").args([server.directory.clone(), count.to_string()]).start()
}

/// Lets the run go on until this seqc has ended, in whatever way.
pub fn ends(session: &mut Session, client: Program) -> Result<(), Unpassed> {
    let goal = format!("{} gets its answer and ends", name(session, client));
    let next = "see which process waits for which, and which of them has to go on first; fifo(7)";
    session.until(&goal, |session| Ok(session.has_ended(client).then_some(()))).map_err(|unpassed| advise(unpassed, next))
}

/// This seqc prints this number, and exits 0.
pub fn gets(session: &mut Session, client: Program, first: u64) -> Result<(), Unpassed> {
    ends(session, client)?;
    let judged = exits(session, client, Exit::Status(0)).and_then(|()| prints(session, client, format!("{first}\n").as_bytes()));
    judged.map_err(|unpassed| expected_of(unpassed, &name(session, client)))
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

/// A seqc that wants so many numbers gets them, from this one on.
pub fn take(session: &mut Session, server: &Server, count: u64, first: u64) -> Result<(), Unpassed> {
    let client = ask(session, server, count)?;
    let Err(failure) = gets(session, client, first) else { return Ok(()) };
    // A server that has ended is the reason for all that its clients say.
    session.settle()?;
    still_serves(session, server)?;
    Err(failure)
}

/// Fails if seqd has ended: in no check does it before it gets a signal.
pub fn still_serves(session: &Session, server: &Server) -> Result<(), Unpassed> {
    if !session.has_ended(server.program) {
        return Ok(());
    }
    let next = "neither a client that fails nor an interrupted call is a reason to end: go on with the next request, or call again; open(2), write(2), signal(7)";
    Err(Finding::new("exit", "seqd goes on until SIGTERM or SIGINT comes", "it ends", next).with(session.end_lines(server.program)).into())
}

/// One seqc after the other: the first numbers are the sums of all that was asked for until then.
pub fn take_in_turn(session: &mut Session, server: &Server, counts: &[u64]) -> Result<(), Unpassed> {
    let mut first = 0;
    for count in counts {
        let before = if first == 0 { "as the first".into() } else { format!("after blocks of {first} numbers in all") };
        take(session, server, *count, first).map_err(|unpassed| when(unpassed, &format!("`seqc DIR {count}` comes {before}")))?;
        first += count;
    }
    Ok(())
}

/// A seqc that has asked and is held before its next call.
pub fn ask_and_hold(session: &mut Session, server: &Server, count: u64) -> Result<(Program, Armed), Unpassed> {
    let request = session.arm(hold_at(Write).on(Kind::Fifo).in_program("seqc"));
    let client = ask(session, server, count)?;
    comes_to(session, client, request, "seqc writes its request into a FIFO")?;
    let after_request = session.arm(hold_at(ANY_CALL).in_program("seqc"));
    session.release(request)?;
    comes_to(session, client, after_request, "seqc makes its request and goes on to its next call")?;
    Ok((client, after_request))
}

/// Lets the run go on until the fault has come about.
fn comes_to(session: &mut Session, client: Program, fault: Armed, expected: &str) -> Result<(), Unpassed> {
    session.settle()?;
    if session.fired(fault).fired > 0 {
        return Ok(());
    }
    let evidence = [session.end_lines(client), session.waiting_lines()].concat();
    let next = "see where seqc ends or waits before it has asked; fifo(7)";
    Err(Finding::new("call", expected, "it does not come to that", next).with(evidence).into())
}

/// The writes of this seqc into FIFOs that succeeded: its request.
pub fn request_writes(session: &Session, client: Program) -> Vec<&Event> {
    let into_fifo = |event: &&Event| event.call == Write && event.succeeded() && session.kind_of(event) == Some(Kind::Fifo);
    session.events_of(client).filter(into_fifo).collect()
}

/// A seqc wants so many numbers and is killed once nobody can go on because of this hold; the seqc, and whether anybody came to that call. If nobody did, it
/// lives.
pub fn is_killed_when(session: &mut Session, server: &Server, count: u64, hold: Fault) -> Result<(Program, bool), Unpassed> {
    let hold = session.arm(hold.if_called());
    let victim = ask(session, server, count)?;
    session.settle()?;
    let met = session.fired(hold).fired > 0;
    if met && !session.has_ended(victim) {
        session.signal(victim, libc::SIGKILL)?;
        session.exit(victim)?;
    }
    session.release(hold)?;
    session.settle()?;
    Ok((victim, met))
}

/// What the program's process is called in messages.
pub fn name(session: &Session, program: Program) -> String {
    let first = session.processes_of(program).next().map(|process| process.id);
    first.map_or_else(|| "the program".into(), |process| session.name(process))
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
