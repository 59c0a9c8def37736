//! Checks for the FIFO lab, one for each promise in its README.
//!
//! The names of the FIFOs and the form of the messages are the student's: seqd always runs with the same student's seqc, and what happens between them is
//! seen in the trace.

#[path = "checks/steps.rs"]
mod steps;
#[path = "checks/tools.rs"]
mod tools;

use harness::prelude::*;
use steps::{
    ANY_CALL, Server, advise, ask, ask_and_hold, count, counts, ends, gets, is_killed_when, name, request_writes, start_server, still_serves, take,
    take_in_turn,
};
use tools::survives_the_shell;

harness::checks! {
    first_block,
    ready_before_request,
    request_in_one_write,
    fifo_kept_open,
    blocks_follow,
    replies_not_mixed,
    requests_queue_up,
    client_cleans_up,
    stops_cleanly,
    tools, dead_client_survived,
    short_reads_continued,
    interrupted_calls_repeated,
    errors_reported,
    usage,
}

/// seqd prints `ready` when it can be asked; the first seqc then prints 0 on a line and exits 0.
fn first_block(lab: &Lab) -> Verdict {
    let (folder, count) = (lab.word(), count(lab));
    lab.session(|session| {
        // seqd comes late to every FIFO: a seqc that is not ready for an early answer is the next check's affair.
        session.arm(delay_at(Open).in_program("seqd").if_called());
        let server = start_server(session, &folder)?;
        take(session, &server, count, 0)?;
        session.pass()
    })
}

/// seqc makes its FIFO before it asks, and no answer is lost, however long seqc takes to go on after its request.
fn ready_before_request(lab: &Lab) -> Verdict {
    let (folder, count) = (lab.word(), count(lab));
    lab.session(|session| {
        let server = start_server(session, &folder)?;
        let (client, held) = ask_and_hold(session, &server, count)?;
        has_made_its_fifo(session, client)?;
        // By now seqd has done all that it can do about the request.
        session.release(held)?;
        let next = "seqd may answer the moment it is asked: what it does then must find seqc's FIFO as it needs it; open(2), ENXIO";
        gets(session, client, 0).map_err(|unpassed| when(advise(unpassed, next), "seqd answers before seqc makes its next call"))?;
        session.pass()
    })
}

fn has_made_its_fifo(session: &Session, client: Program) -> Result<(), Unpassed> {
    if session.events_of(client).any(|event| event.call == Mknod && event.succeeded()) {
        return Ok(());
    }
    let next = "make the FIFO first: the server may answer the moment it is asked; mkfifo(3)";
    Err(Finding::new("order", "seqc makes its FIFO before it asks", "it has asked and has not made a FIFO yet", next).into())
}

/// seqc sends its request in one write of at most PIPE_BUF bytes.
fn request_in_one_write(lab: &Lab) -> Verdict {
    let (folder, count) = (lab.word(), count(lab));
    lab.session(|session| {
        let server = start_server(session, &folder)?;
        let client = ask(session, &server, count)?;
        ends(session, client)?;
        let lengths: Vec<u64> = request_writes(session, client).into_iter().filter_map(Event::success).collect();
        let observed = match lengths[..] {
            [length] if length <= libc::PIPE_BUF as u64 => return session.pass(),
            [] => "it writes nothing into a FIFO".to_owned(),
            [length] => format!("it writes {length} bytes at once"),
            _ => format!("it writes {} times into a FIFO, {} bytes", lengths.len(), in_words(&lengths)),
        };
        let next = "put the whole request into one buffer, then write it: what another client writes may come between two writes; pipe(7), PIPE_BUF";
        Err(Finding::new("write", "seqc sends its request in one write of at most 4096 bytes", observed, next).into())
    })
}

fn in_words(lengths: &[u64]) -> String {
    lengths.iter().map(u64::to_string).collect::<Vec<_>>().join(" and ")
}

/// When a client has gone, seqd sleeps until the next one comes, with its request FIFO open for reading and for writing; it does not read end-of-file over
/// and over.
fn fifo_kept_open(lab: &Lab) -> Verdict {
    let (folder, counts) = (lab.word(), counts(lab, 3));
    lab.session(|session| {
        let server = start_server(session, &folder)?;
        for count in &counts {
            let client = ask(session, &server, *count)?;
            ends(session, client)?;
            let next = "without a writer every read returns 0 at once: let the server be a writer of its FIFO itself; fifo(7), pipe(7)";
            session.all_sleep().map_err(|unpassed| when(advise(unpassed, next), "the client has gone"))?;
            still_serves(session, &server)?;
            has_both_ends_open(session, &server, client)?;
        }
        session.pass()
    })
}

fn has_both_ends_open(session: &mut Session, server: &Server, client: Program) -> Result<(), Unpassed> {
    let requests = request_writes(session, client).first().map(|event| session.object_name(event)).unwrap_or_default();
    let held = session.access_to(server.program, &requests);
    let observed = match (held.iter().any(|access| access.reads()), held.iter().any(|access| access.writes())) {
        (true, true) => return Ok(()),
        (true, false) => "it has it open for reading only",
        (false, true) => "it has it open for writing only",
        (false, false) => "it does not have it open at all",
    };
    let expected = "between two clients seqd has its request FIFO open for reading and for writing";
    let next = "open it once and keep it, with a second open for writing (or O_RDWR): the last close throws away what is in it; fifo(7), pipe(7)";
    Err(Finding::new("descriptor", expected, observed, next).with(session.waiting_lines()).into())
}

/// Each seqc gets the number after the last one of the block before: the first numbers are the sums of all the Ns asked for until then.
fn blocks_follow(lab: &Lab) -> Verdict {
    // The largest and the smallest N there are stand between others.
    let counts = [counts(lab, lab.number(3..7)), vec![1_000_000, 1], counts(lab, 1)].concat();
    let folder = lab.word();
    lab.session(|session| {
        let server = start_server(session, &folder)?;
        take_in_turn(session, &server, &counts)?;
        session.pass()
    })
}

/// Each seqc gets its own answer, and a seqc that takes its time after its request holds up no other.
fn replies_not_mixed(lab: &Lab) -> Verdict {
    // Both want as many numbers: what is named after that is the same for both.
    let (folder, count) = (lab.word(), count(lab));
    lab.session(|session| {
        let server = start_server(session, &folder)?;
        let (slow, held) = ask_and_hold(session, &server, count)?;
        let next = "seqd must not wait for one client while others ask: see in which call it does; open(2), O_NONBLOCK";
        let quick = take(session, &server, count, count);
        quick.map_err(|unpassed| when(advise(unpassed, next), "another seqc has asked before and has not read its answer yet"))?;
        session.release(held)?;
        gets(session, slow, 0).map_err(|unpassed| when(unpassed, "a seqc that was slow goes on after another one was served"))?;
        session.pass()
    })
}

/// Requests that come while seqd is busy wait in the FIFO; seqd answers all of them, in the order in which they were written.
fn requests_queue_up(lab: &Lab) -> Verdict {
    let (folder, first_count, counts) = (lab.word(), count(lab), counts(lab, lab.number(4..7)));
    lab.session(|session| {
        let server = start_server(session, &folder)?;
        // Once a client was served, what seqd opens next is the FIFO of the next one: held there, it has read one request and is busy with it.
        take(session, &server, first_count, 0)?;
        session.settle()?;
        let busy = session.arm(hold_at(Open).in_program("seqd"));
        let mut clients = Vec::new();
        for count in &counts {
            clients.push(ask(session, &server, *count)?);
            session.settle()?;
        }
        session.release(busy)?;
        let mut first = first_count;
        let next = "one read may bring several requests: keep what is there beyond the first, and look there before you wait again; pipe(7)";
        for (client, count) in clients.into_iter().zip(&counts) {
            gets(session, client, first).map_err(|unpassed| when(advise(unpassed, next), "several requests are in the FIFO"))?;
            first += count;
        }
        session.pass()
    })
}

/// When seqc has exited, its FIFO is gone.
fn client_cleans_up(lab: &Lab) -> Verdict {
    let (folder, counts) = (lab.word(), counts(lab, 2));
    lab.session(|session| {
        let server = start_server(session, &folder)?;
        session.count_as_there_before();
        for count in &counts {
            let client = ask(session, &server, *count)?;
            ends(session, client)?;
            leaves_no_fifo(session, "seqc")?;
        }
        session.pass()
    })
}

fn leaves_no_fifo(session: &Session, program: &str) -> Result<(), Unpassed> {
    if !session.leftovers().iter().any(|left| matches!(left, Leftover::Fifo(_))) {
        return Ok(());
    }
    let next = "close does not remove a name: unlink the FIFO, on every way out; unlink(2)";
    Err(Finding::new("left-behind", format!("once {program} has exited, no FIFO of its own is there"), "it leaves a FIFO in the directory", next)
        .into())
}

/// SIGTERM or SIGINT, sent while seqd waits for a request, before its first client or after some, makes it remove its FIFO and exit 0; no process of its own
/// is left.
fn stops_cleanly(lab: &Lab) -> Verdict {
    stops(lab, libc::SIGTERM, 0)?;
    stops(lab, libc::SIGINT, 0)?;
    stops(lab, libc::SIGTERM, 2)?;
    stops(lab, libc::SIGINT, 2)
}

fn stops(lab: &Lab, signal: i32, clients: u64) -> Verdict {
    let (folder, counts) = (lab.word(), counts(lab, clients));
    let circumstance = format!("{} comes {}", signal_name(signal), if clients == 0 { "before the first client" } else { "after some clients" });
    let verdict = lab.session(|session| {
        let server = start_server(session, &folder)?;
        for count in &counts {
            let client = ask(session, &server, *count)?;
            ends(session, client)?;
        }
        stops_at(session, &server, signal)?;
        leaves_no_fifo(session, "seqd")?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, &circumstance))
}

/// The signal finds seqd waiting; it exits 0, and nothing of it runs on.
fn stops_at(session: &mut Session, server: &Server, signal: i32) -> Result<(), Unpassed> {
    session.settle()?;
    session.signal(server.program, signal)?;
    session.settle()?;
    let runs_on: Vec<String> =
        session.processes_of(server.program).filter(|process| process.exit.is_none()).map(|process| session.name(process.id)).collect();
    if !runs_on.is_empty() {
        let expected = "seqd ends, and no process of its own is left";
        let next = if session.has_ended(server.program) {
            "the signal went to seqd's first process alone: whatever that has forked, it ends and waits for itself; kill(2), waitpid(2)"
        } else {
            "see whether the call that waits is started again after the handler, and who looks at a flag that it sets; sigaction(2), SA_RESTART"
        };
        let observed = format!("{} goes on", runs_on.join(" and "));
        return Err(Finding::new("exit", expected, observed, next).with(session.waiting_lines()).into());
    }
    exits(session, server.program, Exit::Status(0))
}

/// A shell that opens the request FIFO for writing and closes it again without a byte does not end seqd, before its first client or after one: the
/// next seqc is served.
fn tools(lab: &Lab) -> Verdict {
    survives_the_shell(lab)
}

/// A seqc that is killed at any call, before its request, after it, or while seqd answers, neither ends nor blocks seqd: the next seqc is served. The numbers
/// of a killed seqc may be lost or go to the next one, but no number that seqc printed comes twice.
fn dead_client_survived(lab: &Lab) -> Verdict {
    survives(lab, "a seqc dies just before seqd opens its FIFO", |_| hold_at(Open).in_program("seqd"), 1)?;
    survives(lab, "a seqc dies just before seqd writes its answer", |_| hold_at(Write).on(Kind::Fifo).in_program("seqd"), 1)?;
    survives(lab, "a seqc dies", |nth| hold_at(ANY_CALL).in_program("seqc").nth(nth), MOST_CALLS)
}

/// Most calls of a seqc at which it is killed; it makes far fewer of them to be served.
const MOST_CALLS: u32 = 30;

/// One seqc after the other is killed at what `hold` names for it, and each time the next one is served.
fn survives(lab: &Lab, circumstance: &str, hold: impl Fn(u32) -> Fault, deaths: u32) -> Verdict {
    let (folder, counts) = (lab.word(), counts(lab, 1 + 2 * u64::from(deaths)));
    let verdict = lab.session(|session| {
        let server = start_server(session, &folder)?;
        let mut next = counts[0];
        take(session, &server, counts[0], 0)?;
        for (nth, counts) in (1..=deaths).zip(counts[1..].chunks(2)) {
            session.settle()?;
            let (victim, met) = is_killed_when(session, &server, counts[0], hold(nth))?;
            if !met {
                gets(session, victim, next)?;
                next += counts[0];
                break;
            }
            still_serves(session, &server)?;
            let after_victim = next + counts[0];
            // What it has printed is taken; else its numbers may be lost, or go to the next one.
            let possible = if session.stdout(victim).is_empty() { vec![next, after_victim] } else { vec![after_victim] };
            next = gets_one_of(session, &server, counts[1], &possible)? + counts[1];
        }
        take(session, &server, counts[0], next)?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, circumstance))
}

/// A seqc that comes after a dead one gets one of these numbers: this one.
fn gets_one_of(session: &mut Session, server: &Server, count: u64, possible: &[u64]) -> Result<u64, Unpassed> {
    let client = ask(session, server, count)?;
    let next = "the server must not wait for a client that may be dead: see in which call it does; open(2), O_NONBLOCK and ENXIO";
    ends(session, client).map_err(|unpassed| advise(unpassed, next))?;
    exits(session, client, Exit::Status(0))?;
    let printed = session.stdout(client);
    if let Some(first) = possible.iter().find(|first| printed == format!("{first}\n").as_bytes()) {
        return Ok(*first);
    }
    let expected = format!("{} prints {}", name(session, client), possible.iter().map(u64::to_string).collect::<Vec<_>>().join(" or "));
    let observed = format!("it prints {}", excerpt(printed, 0));
    Err(Finding::new("output", expected, observed, "see what the server's counter becomes when an answer cannot be given").into())
}

/// When a read from a FIFO gives fewer bytes than were asked for, seqd and seqc read on until they have the whole message.
fn short_reads_continued(lab: &Lab) -> Verdict {
    let (folder, counts) = (lab.word(), counts(lab, 3));
    let verdict = lab.session(|session| {
        session.arm(short(Read, 1).on(Kind::Fifo).every().if_called());
        let server = start_server(session, &folder)?;
        let next = "a read gives at least one byte, not all that was asked for: read on until the message is whole; read(2), RETURN VALUE";
        take_in_turn(session, &server, &counts).map_err(|unpassed| advise(unpassed, next))?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "each read from a FIFO gives one byte"))
}

/// When open, read, write or poll fails with EINTR, seqd and seqc call again, and nothing is lost or done twice; only SIGTERM and SIGINT end seqd.
fn interrupted_calls_repeated(lab: &Lab) -> Verdict {
    let (folder, counts) = (lab.word(), counts(lab, 3));
    let verdict = lab.session(|session| {
        for program in ["seqd", "seqc"] {
            interrupt(session, program);
        }
        let server = start_server(session, &folder)?;
        take_in_turn(session, &server, &counts)?;
        session.settle()?;
        still_serves(session, &server)?;
        stops_at(session, &server, libc::SIGTERM)?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "calls fail with EINTR, and succeed when they are made again"))
}

/// Each call of the program that may wait for a FIFO fails once, and is carried out when it is made again.
fn interrupt(session: &mut Session, program: &str) {
    for call in [Open, Read, Write] {
        session.arm(fail(call, libc::EINTR).on(Kind::Fifo).in_program(program).alternately().if_called());
    }
    session.arm(fail([Poll, Select, EpollWait], libc::EINTR).in_program(program).alternately().if_called());
}

/// Without the directory, seqd and seqc report the call that failed and exit 1; so does seqc when there is no server's FIFO in it, and it leaves no FIFO
/// behind.
fn errors_reported(lab: &Lab) -> Verdict {
    let missing = lab.word();
    lab.run("seqd").arg(&missing).exits(1).expect(names_a_call).verdict()?;
    lab.run("seqc").args([missing, count(lab).to_string()]).exits(1).expect(names_a_call).verdict()?;
    // The working directory is there, and nobody serves it.
    let alone = lab.run("seqc").args([".".to_owned(), count(lab).to_string()]);
    let verdict = alone.exits(1).expect(names_a_call).expect(|session, _| leaves_no_fifo(session, "seqc")).verdict();
    verdict.map_err(|unpassed| when(unpassed, "there is no server"))
}

/// A line on standard error begins with `program: call: `; which call it is depends on the order in which the program makes them.
fn names_a_call(session: &mut Session, program: Program) -> Result<(), Unpassed> {
    let beginning = format!("{}: ", name(session, program));
    let errors = String::from_utf8_lossy(session.stderr(program)).into_owned();
    let call_of = |line: &str| line.strip_prefix(&beginning)?.split_once(": ").map(|(call, _)| call.to_owned());
    let is_name = |call: String| !call.is_empty() && call.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if errors.lines().filter_map(call_of).any(is_name) {
        return Ok(());
    }
    let expected = format!("a line on standard error that begins with `{beginning}CALL: `, CALL being the name of the call that failed");
    let observed = format!("standard error: {}", excerpt(errors.as_bytes(), 0));
    Err(Finding::new("error-report", expected, observed, "report each failed call where it is made, as the handout says; errno(3)").into())
}

/// With a wrong number of arguments, or an N that is not a whole number from 1 to 1000000, the usage line goes to standard error, nothing to standard output,
/// the exit code is 2, and no FIFO is made.
fn usage(lab: &Lab) -> Verdict {
    let n = count(lab).to_string();
    refuses(lab, "seqd", &[])?;
    refuses(lab, "seqd", &[".", "."])?;
    refuses(lab, "seqc", &[])?;
    refuses(lab, "seqc", &["."])?;
    refuses(lab, "seqc", &[".", &n, &n])?;
    let too_large = lab.number(1_000_001..2_000_000_000).to_string();
    let fits_when_cut_to_32_bits = ((1 << 32) + count(lab)).to_string();
    let negative = format!("-{n}");
    let with_a_tail = format!("{n}x");
    let broken = format!("{n}.5");
    for n in ["", &lab.word(), &too_large, &fits_when_cut_to_32_bits, &negative, &with_a_tail, &broken] {
        refuses(lab, "seqc", &[".", n])?;
    }
    refuses(lab, "seqc", &[".", "0"])
}

/// With these arguments the program prints the usage line and exits 2.
fn refuses(lab: &Lab, program: &str, arguments: &[&str]) -> Verdict {
    let usage = format!("usage: {program}");
    let run = lab.run(program).args(arguments.iter().copied()).exits(2).prints("");
    let run = run.expect(|session, program| complains(session, program, &[&usage]));
    let verdict = run.expect(|session, _| leaves_no_fifo(session, program)).verdict();
    let quoted: String = arguments.iter().map(|argument| format!(" '{argument}'")).collect();
    verdict.map_err(|unpassed| when(unpassed, &format!("called as `{program}{quoted}`")))
}
