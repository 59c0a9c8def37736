//! Checks for the lab on System V message queues, one for each promise in its README.
//!
//! The handout fixes the messages, so a check can be a client of filed, and the server of getfile: it then sees every body and its length, is as slow as it
//! likes, and says what no filed would say.

#[path = "checks/kept.rs"]
mod kept;
#[path = "checks/steps.rs"]
mod steps;
#[path = "checks/tools.rs"]
mod tools;

use harness::prelude::*;
use kept::{end_at_once, kept, no_more_than};
use steps::{
    DATA, END, FAILED, MOST_BODY, REQUEST, Server, advise, all, answer_of, any_bytes, ask, ask_directly, becomes_ready, ends, fetch, gets,
    is_failure, is_file, is_gone, large, launch, no_queue_but, queue_of, reports, request_of, send, stand_in, start_server, still_serves, stops,
};
use tools::talks_with_perl;

harness::checks! {
    file_arrives, ready_and_asleep, replies_not_mixed, request_format, answer_format, empty_file, large_files, failed_open, slow_clients, interrupted,
    client_cleans_up, nothing_piles_up, stops_cleanly, no_lost_signal, second_server, tools, errors_reported, usage,
}

/// filed prints `ready`; then `getfile KEYFILE PATH` prints the bytes of the file, whatever they are and nothing else, and exits 0.
fn file_arrives(lab: &Lab) -> Verdict {
    let bytes = any_bytes(lab, lab.number(200..900) as usize);
    let (path, other, text) = (lab.word(), format!("{}.txt", lab.word()), lab.words(3..9).join(" "));
    lab.session(|session| {
        let path = session.make_file(&path, &bytes)?;
        let _ = session.make_file(&other, text.as_bytes())?;
        let server = start_server(session)?;
        fetch(session, &server, &path, &bytes)?;
        // By a relative path: all programs of a run have the same working directory.
        fetch(session, &server, &other, text.as_bytes())?;
        session.pass()
    })
}

/// filed makes the queue of ftok(KEYFILE, 'f') with mode 0600 before it prints `ready`, prints nothing else, and sleeps until a request comes.
fn ready_and_asleep(lab: &Lab) -> Verdict {
    let (path, text) = (lab.word(), lab.word());
    lab.session(|session| {
        let path = session.make_file(&path, text.as_bytes())?;
        let create = libc::IPC_CREAT as u64;
        let made = session.arm(hold_at(Msgget).in_program("filed").where_bits(1, create, create));
        let server = launch(session)?;
        session.until_held(made)?;
        session.settle()?;
        if !session.stdout(server.program).is_empty() {
            let next = "the first client may ask the moment it reads `ready`: print it when the queue is there; msgget(2)";
            return Err(
                Finding::new("order", "filed prints `ready` when its queue is there", "it prints it before msgget makes the queue", next).into()
            );
        }
        session.release(made)?;
        becomes_ready(session, &server)?;
        has_mode(queue_of(session, &server)?, "filed")?;
        session.until_asleep("filed sleeps until a request comes")?;
        fetch(session, &server, &path, text.as_bytes())?;
        session.until_asleep("after a client filed sleeps until the next request comes")?;
        prints(session, server.program, b"ready\n")?;
        session.pass()
    })
}

fn has_mode(queue: MessageQueue, program: &str) -> Result<(), Unpassed> {
    let mode = queue.state()?.map_or(0, |state| state.mode);
    if mode == 0o600 {
        return Ok(());
    }
    let next = "the permission bits are the low bits of msgget's flags, and a mode is octal: 0o600 in Rust; msgget(2)";
    Err(Finding::new("mode", format!("the queue of {program} has mode 0600"), format!("its mode is {mode:04o}"), next).into())
}

/// Each getfile gets its own file, however long it takes to go on after its request, and whichever of several goes on first.
fn replies_not_mixed(lab: &Lab) -> Verdict {
    let (first, second) = (any_bytes(lab, lab.number(300..600) as usize), any_bytes(lab, lab.number(300..600) as usize));
    let (one, other) = (format!("one-{}", lab.word()), format!("other-{}", lab.word()));
    two_at_once(lab, (&one, &first), (&other, &second), true)?;
    two_at_once(lab, (&one, &first), (&other, &second), false)
}

fn two_at_once(lab: &Lab, one: (&str, &[u8]), other: (&str, &[u8]), in_order: bool) -> Verdict {
    let verdict = lab.session(|session| {
        let paths = [session.make_file(one.0, one.1)?, session.make_file(other.0, other.1)?];
        let server = start_server(session)?;
        let mut clients = Vec::new();
        for (path, (called, bytes)) in paths.iter().zip([("the first getfile", one.1), ("the second getfile", other.1)]) {
            let client = ask(session, &server.keyfile, path, called)?;
            let held = session.arm(hold_at(Msgrcv).of(client));
            session.until_held(held)?;
            session.settle()?;
            clients.push((client, held, bytes));
        }
        if !in_order {
            clients.reverse();
        }
        for (client, held, bytes) in clients {
            session.release(held)?;
            gets(session, client, bytes)?;
        }
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "two clients have asked before either takes its answer"))
}

/// The request of getfile is one message of type 1; its body is the id of the client's queue, then the bytes of PATH as they were given, and nothing more.
/// The client's queue has mode 0600.
fn request_format(lab: &Lab) -> Verdict {
    let long = format!("{}{}", "./".repeat(lab.number(600..1500) as usize), lab.word());
    let paths = ["x".to_owned(), lab.word(), format!("/{}/../{} {}", lab.word(), lab.word(), lab.word()), long];
    all(paths.iter().map(|path| {
        lab.session(|session| {
            let (keyfile, requests) = stand_in(session)?;
            ask(session, &keyfile, path, "getfile")?;
            let (reply, asked) = request_of(session, requests)?;
            if asked != path.as_bytes() {
                let mut finding = difference("the path in the request", path.as_bytes(), &asked);
                finding.next = "the size that msgsnd is given is the id's and the path's: no mtype, no NUL, no rest of the array; msgop(2)".into();
                return Err(finding.into());
            }
            has_mode(reply, "getfile")?;
            if requests.receive()?.is_some() {
                return Err(Finding::new("request", "getfile sends one request", "it sends more than one", "see who calls msgsnd; msgop(2)").into());
            }
            session.pass()
        })
    }))
}

/// filed answers with DATA messages of 1 to 8192 bytes that make up the file in order, then one END without a body, all to the queue that the request names;
/// a request may be as long as the handout allows.
fn answer_format(lab: &Lab) -> Verdict {
    let bytes = any_bytes(lab, lab.number(5_000..8_000) as usize);
    let path = lab.word();
    // As long as a path may be.
    let long = format!("{}{path}", "./".repeat((4095 - path.len()) / 2));
    lab.session(|session| {
        session.make_file(&path, &bytes)?;
        let server = start_server(session)?;
        for path in [&path, &long] {
            let reply = session.make_private_message_queue()?;
            ask_directly(session, &server, reply, path)?;
            let answer = answer_of(session, reply)?;
            still_serves(session, &server)?;
            is_file(session, &answer, &bytes)?;
        }
        session.pass()
    })
}

/// A file of length 0 is answered with END alone; getfile prints nothing and exits 0.
fn empty_file(lab: &Lab) -> Verdict {
    let path = lab.word();
    lab.session(|session| {
        let path = session.make_file(&path, b"")?;
        let server = start_server(session)?;
        fetch(session, &server, &path, b"")?;
        let reply = session.make_private_message_queue()?;
        ask_directly(session, &server, reply, &path)?;
        let answer = answer_of(session, reply)?;
        is_file(session, &answer, b"")?;
        session.pass()
    })
}

/// A file larger than a message and larger than a queue arrives whole, whichever side is slow, and whatever sizes from 1 to 8192 the DATA messages have that
/// getfile is sent.
fn large_files(lab: &Lab) -> Verdict {
    let bytes = large(lab);
    let path = lab.word();
    for slow in [None, Some(("filed", Msgsnd)), Some(("getfile", Msgrcv))] {
        let verdict = lab.session(|session| {
            let path = session.make_file(&path, &bytes)?;
            if let Some((program, call)) = slow {
                session.arm(delay_at(call).in_program(program).if_called());
            }
            let server = start_server(session)?;
            fetch(session, &server, &path, &bytes)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &slow.map_or_else(String::new, |(program, _)| format!("{program} is slow"))))?;
    }
    let lengths = [1, MOST_BODY, 4096, lab.number(2..4000) as usize, 1, lab.number(4097..8000) as usize, MOST_BODY, 3];
    lab.session(|session| {
        let (keyfile, requests) = stand_in(session)?;
        let client = ask(session, &keyfile, &path, "getfile")?;
        let (reply, _) = request_of(session, requests)?;
        let mut rest = &bytes[..];
        for length in lengths.into_iter().cycle() {
            let (piece, after) = rest.split_at(length.min(rest.len()));
            if piece.is_empty() || session.has_ended(client) {
                break;
            }
            send(reply, DATA, piece)?;
            session.settle()?;
            rest = after;
        }
        if !session.has_ended(client) {
            send(reply, END, b"")?;
        }
        gets(session, client, &bytes).map_err(|unpassed| when(unpassed, "the DATA messages are of many sizes"))?;
        session.pass()
    })
}

/// Where filed cannot open or read the file, it answers FAILED with the errno, and goes on; getfile then prints `getfile: filed: message (ERRNO)` with that
/// errno on standard error, and exits 1.
fn failed_open(lab: &Lab) -> Verdict {
    let (path, text) = (lab.word(), lab.word());
    lab.session(|session| {
        let file = session.make_file(&path, text.as_bytes())?;
        let folder = session.make_folder(&format!("{path}.d"))?;
        let server = start_server(session)?;
        let client = ask(session, &server.keyfile, &format!("{file}.missing"), "getfile")?;
        refused_with(session, client, libc::ENOENT)?;
        session.settle()?;
        still_serves(session, &server)?;
        fetch(session, &server, &file, text.as_bytes())?;
        for (path, errno) in [(format!("{file}.missing"), libc::ENOENT), (format!("{file}/x"), libc::ENOTDIR), (folder, libc::EISDIR)] {
            let reply = session.make_private_message_queue()?;
            ask_directly(session, &server, reply, &path)?;
            let answer = answer_of(session, reply)?;
            still_serves(session, &server)?;
            is_failure(&answer, errno)?;
        }
        session.pass()
    })?;
    let errno = [libc::EACCES, libc::EIO, libc::EMFILE, libc::ENXIO][lab.number(0..4) as usize];
    lab.session(|session| {
        let (keyfile, requests) = stand_in(session)?;
        let client = ask(session, &keyfile, &path, "getfile")?;
        let (reply, _) = request_of(session, requests)?;
        send(reply, FAILED, &errno.to_ne_bytes())?;
        refused_with(session, client, errno)?;
        session.pass()
    })
}

/// getfile says that filed failed, and with which errno.
fn refused_with(session: &mut Session, client: Program, errno: i32) -> Result<(), Unpassed> {
    ends(session, client)?;
    exits(session, client, Exit::Status(1))?;
    complains(session, client, &["getfile: filed:"])?;
    let errors = String::from_utf8_lossy(session.stderr(client)).into_owned();
    let (symbol, number) = (errno_name(errno), format!("os error {errno})"));
    if errors.contains(&symbol) || errors.contains(&number) {
        return Ok(());
    }
    let observed = format!("standard error: {}", excerpt(errors.as_bytes(), 0));
    let next = "the body of FAILED is the errno of the server's call: print that one, not your own errno";
    Err(Finding::new("error-report", format!("getfile names the error that filed had, {symbol} or (os error {errno})"), observed, next).into())
}

/// A client that does not take its answer, that was killed, or whose queue is not there holds up no other and does not end filed; a request too short for a
/// queue's id is ignored.
fn slow_clients(lab: &Lab) -> Verdict {
    let (bytes, text) = (large(lab), lab.word());
    let (path, small) = (format!("large-{}", lab.word()), format!("small-{}", lab.word()));
    let start = |session: &mut Session| -> Result<(Server, String, String), Unpassed> {
        let paths = (session.make_file(&path, &bytes)?, session.make_file(&small, text.as_bytes())?);
        Ok((start_server(session)?, paths.0, paths.1))
    };
    let next = "filed must not wait for one client while others ask: see in which call it does, and give each client a thread or process of its own; msgop(2)";
    lab.session(|session| {
        let (server, path, small) = start(session)?;
        let slow = session.make_private_message_queue()?;
        ask_directly(session, &server, slow, &path)?;
        let circumstance = "a client has asked for a large file and does not take its answer";
        fetch(session, &server, &small, text.as_bytes()).map_err(|unpassed| when(advise(unpassed, next), circumstance))?;
        let answer = answer_of(session, slow)?;
        is_file(session, &answer, &bytes)?;

        ask_directly(session, &server, slow, &path)?;
        slow.remove()?;
        session.settle()?;
        still_serves(session, &server)
            .and_then(|()| fetch(session, &server, &small, text.as_bytes()))
            .map_err(|unpassed| when(unpassed, "a client's queue was removed while filed waited for room in it"))?;

        send(queue_of(session, &server)?, REQUEST, &steps::request(slow.id(), &path))?;
        session.settle()?;
        still_serves(session, &server)
            .and_then(|()| fetch(session, &server, &small, text.as_bytes()))
            .map_err(|unpassed| when(unpassed, "a request names a queue that is not there"))?;

        for length in [0, lab.number(1..4) as usize] {
            // The last request before it names this queue: what is left of that is not to be taken for a part of this one.
            let last = session.make_private_message_queue()?;
            ask_directly(session, &server, last, &small)?;
            answer_of(session, last)?;
            send(queue_of(session, &server)?, REQUEST, &last.id().to_ne_bytes()[..length])?;
            is_ignored(session, last).map_err(|unpassed| when(unpassed, &format!("a request had a body of {length} bytes")))?;
            still_serves(session, &server)
                .and_then(|()| fetch(session, &server, &small, text.as_bytes()))
                .map_err(|unpassed| when(unpassed, &format!("a request had a body of {length} bytes")))?;
        }
        session.pass()
    })?;
    lab.session(|session| {
        let (server, path, small) = start(session)?;
        let victim = ask(session, &server.keyfile, &path, "the killed getfile")?;
        let held = session.arm(hold_at(Msgrcv).of(victim));
        session.until_held(held)?;
        session.settle()?;
        session.signal(victim, libc::SIGKILL)?;
        session.exit(victim)?;
        session.settle()?;
        still_serves(session, &server)
            .and_then(|()| fetch(session, &server, &small, text.as_bytes()))
            .map_err(|unpassed| when(advise(unpassed, next), "a client was killed before it took its answer"))?;
        session.pass()
    })
}

/// Nothing comes to the queue of the client that asked before.
fn is_ignored(session: &mut Session, last: MessageQueue) -> Result<(), Unpassed> {
    session.settle()?;
    let came = last.receive()?;
    last.remove()?;
    let Some((kind, _)) = came else { return Ok(()) };
    let observed = format!("the client that had asked before gets a message of type {kind}");
    let next =
        "msgrcv writes as many bytes as the message has, and what lies behind them is of the request before: look at its result first; msgop(2)";
    Err(Finding::new("answer", "a request too short for a queue's id is ignored", observed, next).into())
}

/// A msgsnd or msgrcv that fails with EINTR is made again, in both programs, and nothing is lost or sent twice; filed goes on after it was stopped and
/// continued (SIGSTOP, SIGCONT).
fn interrupted(lab: &Lab) -> Verdict {
    let (bytes, path) = (large(lab), lab.word());
    for (program, call) in [("getfile", Msgsnd), ("getfile", Msgrcv), ("filed", Msgrcv), ("filed", Msgsnd)] {
        let verdict = lab.session(|session| {
            let path = session.make_file(&path, &bytes)?;
            session.arm(fail(call, libc::EINTR).in_program(program).alternately());
            let server = start_server(session)?;
            session.settle()?;
            still_serves(session, &server)?;
            fetch(session, &server, &path, &bytes)?;
            session.settle()?;
            still_serves(session, &server)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &format!("{} of {program} is interrupted (EINTR)", call.word())))?;
    }
    let verdict = lab.session(|session| {
        let path = session.make_file(&path, &bytes)?;
        let server = start_server(session)?;
        session.settle()?;
        session.signal(server.program, libc::SIGSTOP)?;
        session.settle()?;
        session.signal(server.program, libc::SIGCONT)?;
        session.settle()?;
        still_serves(session, &server)?;
        fetch(session, &server, &path, &bytes)?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "filed was stopped and continued"))
}

/// When getfile has exited, with status 0 or 1, its queue is gone.
fn client_cleans_up(lab: &Lab) -> Verdict {
    let (bytes, path) = (large(lab), lab.word());
    lab.session(|session| {
        let path = session.make_file(&path, &bytes)?;
        let server = start_server(session)?;
        let own = queue_of(session, &server)?;
        for (path, circumstance) in [(path.clone(), "the file has arrived"), (format!("{path}.missing"), "there is no such file")] {
            let client = ask(session, &server.keyfile, &path, "getfile")?;
            ends(session, client)?;
            no_queue_but(session, &[own], "getfile").map_err(|unpassed| when(unpassed, circumstance))?;
        }
        session.pass()
    })?;
    for (fault, circumstance) in [
        (fail(Msgsnd, libc::EACCES).every(), "msgsnd fails with EACCES"),
        (fail(Msgrcv, libc::EACCES).every(), "msgrcv fails with EACCES"),
        (fail(Write, libc::ENOSPC).on_standard_output().every(), "write to standard output fails with ENOSPC"),
    ] {
        let verdict = lab.session(|session| {
            let path = session.make_file(&path, &bytes)?;
            let server = start_server(session)?;
            let own = queue_of(session, &server)?;
            session.arm(fault.in_program("getfile"));
            let client = ask(session, &server.keyfile, &path, "getfile")?;
            ends(session, client)?;
            no_queue_but(session, &[own], "getfile")?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, circumstance))?;
    }
    lab.session(|session| {
        let keyfile = session.make_file("key", b"")?;
        let client = ask(session, &keyfile, &path, "getfile")?;
        ends(session, client)?;
        no_queue_but(session, &[], "getfile").map_err(|unpassed| when(unpassed, "there is no server"))?;
        session.pass()
    })
}

/// filed keeps nothing of the clients that it has served: after many there are no more processes, zombies, descriptors and queues than after a few.
fn nothing_piles_up(lab: &Lab) -> Verdict {
    let (path, text) = (lab.word(), lab.word());
    lab.session(|session| {
        let path = session.make_file(&path, text.as_bytes())?;
        let server = start_server(session)?;
        fetch_times(session, &server, &path, text.as_bytes(), 2)?;
        let few = kept(session, &server)?;
        fetch_times(session, &server, &path, text.as_bytes(), 5)?;
        let next = "close what was opened for a client, and wait for every child: close(2), wait(2)";
        no_more_than(few, kept(session, &server)?, "seven clients", next)?;
        end_at_once(session, &server, &path)?;
        fetch_times(session, &server, &path, text.as_bytes(), 1)?;
        let next = "several children that have ended may be told by one SIGCHLD: wait until there is none left; waitpid(2), signal(7)";
        no_more_than(few, kept(session, &server)?, "five that were served at once, and one more,", next)?;
        session.pass()
    })
}

fn fetch_times(session: &mut Session, server: &Server, path: &str, bytes: &[u8], times: usize) -> Result<(), Unpassed> {
    (0..times).try_for_each(|_| {
        fetch(session, server, path, bytes)?;
        session.settle()
    })
}

/// SIGTERM or SIGINT, sent while filed waits for a request, before its first client, after one, or while a client does not take its answer, makes it remove
/// its queue and exit 0; no process of its own is left.
fn stops_cleanly(lab: &Lab) -> Verdict {
    let (bytes, path) = (large(lab), lab.word());
    let moments = ["before the first client", "after a client", "while a client does not take its answer"];
    let each = moments.into_iter().flat_map(|moment| [(moment, libc::SIGTERM), (moment, libc::SIGINT)]);
    all(each.map(|(moment, signal)| {
        let verdict = lab.session(|session| {
            let path = session.make_file(&path, &bytes)?;
            let server = start_server(session)?;
            if moment != moments[0] {
                fetch(session, &server, &path, &bytes)?;
            }
            if moment == moments[2] {
                let slow = session.make_private_message_queue()?;
                ask_directly(session, &server, slow, &path)?;
            }
            session.settle()?;
            session.signal(server.program, signal)?;
            stops(session, &server)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &format!("{} comes {moment}", signal_name(signal))))
    }))
}

/// A SIGTERM or SIGINT that comes as soon as `ready` is printed, or just before filed calls msgrcv, the first time or after a client, stops it as well.
fn no_lost_signal(lab: &Lab) -> Verdict {
    let (path, text) = (lab.word(), lab.word());
    all([libc::SIGTERM, libc::SIGINT].into_iter().map(|signal| {
        let verdict = lab.session(|session| {
            let printed = session.arm(hold_at(Write).on_standard_output().in_program("filed").afterwards());
            let server = start_server(session)?;
            session.until_held(printed)?;
            session.signal(server.program, signal)?;
            session.settle()?;
            session.release(printed)?;
            stops(session, &server)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &format!("{} comes as soon as `ready` is printed", signal_name(signal))))
    }))?;
    all([(libc::SIGTERM, 1), (libc::SIGINT, 1), (libc::SIGTERM, 2), (libc::SIGINT, 2)].into_iter().map(|(signal, nth)| {
        let verdict = lab.session(|session| {
            let path = session.make_file(&path, text.as_bytes())?;
            let held = session.arm(hold_before(Msgrcv).in_program("filed").nth(nth));
            let server = start_server(session)?;
            if nth > 1 {
                fetch(session, &server, &path, text.as_bytes())?;
            }
            session.until_held(held)?;
            session.signal(server.program, signal)?;
            session.settle()?;
            session.release(held)?;
            stops(session, &server)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &format!("{} comes just before filed calls msgrcv", signal_name(signal))))
    }))
}

/// A second filed with the same KEYFILE fails with `filed: msgget:` and status 1, prints nothing on standard output, and leaves the queue to the first, which
/// goes on.
fn second_server(lab: &Lab) -> Verdict {
    let (path, text) = (lab.word(), lab.word());
    lab.session(|session| {
        let path = session.make_file(&path, text.as_bytes())?;
        let server = start_server(session)?;
        let second = session.program("filed").arg(&server.keyfile).called("the second filed").start()?;
        let goal = "the second filed reports that the queue is there, and ends";
        let next = "msgget makes or fails in one step with IPC_CREAT and IPC_EXCL; msgget(2), EEXIST";
        let ended = session.until(goal, |session| Ok(session.has_ended(second).then_some(())));
        ended.map_err(|unpassed| advise(unpassed, next))?;
        reports(session, second, "filed: msgget:")?;
        prints(session, second, b"")?;
        session.settle()?;
        still_serves(session, &server)?;
        queue_of(session, &server)?;
        fetch(session, &server, &path, text.as_bytes())?;
        session.pass()
    })
}

/// `filed` serves a client that is written in Perl, and `getfile` gets its file from a server that is written in Perl. A PATH need not be UTF-8: the request's
/// bytes are the name of the file.
fn tools(lab: &Lab) -> Verdict {
    talks_with_perl(lab)
}

/// When ftok, msgget, msgsnd, msgrcv or a write to standard output fails, the program prints `program: call: message (ERRNO)` on standard error and exits 1:
/// so do both where KEYFILE is missing, and getfile where no filed serves. A filed that fails with its queue made removes it. (A msgsnd of filed is the
/// client's affair.)
fn errors_reported(lab: &Lab) -> Verdict {
    let (path, text) = (lab.word(), lab.word());
    let missing = format!("{path}.missing");
    lab.run("filed").arg(&missing).exits(1).complains(&["filed: ftok:"]).prints("").verdict()?;
    lab.run("getfile").args([&*missing, &*path]).exits(1).complains(&["getfile: ftok:"]).prints("").verdict()?;
    lab.session(|session| {
        let keyfile = session.make_file("key", b"")?;
        let client = ask(session, &keyfile, &path, "getfile")?;
        reports(session, client, "getfile: msgget:").map_err(|unpassed| when(unpassed, "there is no server"))?;
        session.pass()
    })?;
    for (fault, call) in
        [(fail(Msgget, libc::ENOSPC), "msgget"), (fail(Write, libc::ENOSPC).on_standard_output(), "write"), (fail(Msgrcv, libc::EACCES), "msgrcv")]
    {
        let circumstance = fault.describe();
        let verdict = lab.session(|session| {
            session.arm(fault.every().in_program("filed"));
            let server = launch(session)?;
            reports(session, server.program, &format!("filed: {call}:"))?;
            is_gone(session, &server.keyfile)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &circumstance))?;
    }
    let failing = [
        (fail(Msgget, libc::ENOSPC).where_argument(0, libc::IPC_PRIVATE as u64), "msgget"),
        (fail(Msgsnd, libc::EACCES), "msgsnd"),
        (fail(Msgrcv, libc::EACCES), "msgrcv"),
        (fail(Write, libc::ENOSPC).on_standard_output(), "write"),
    ];
    all(failing.into_iter().map(|(fault, call)| {
        let circumstance = fault.describe();
        let verdict = lab.session(|session| {
            let path = session.make_file(&path, text.as_bytes())?;
            let server = start_server(session)?;
            session.arm(fault.every().in_program("getfile"));
            let client = ask(session, &server.keyfile, &path, "getfile")?;
            ends(session, client)?;
            reports(session, client, &format!("getfile: {call}:"))?;
            session.settle()?;
            still_serves(session, &server)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &circumstance))
    }))
}

/// With a wrong number of arguments either program prints its usage line on standard error and nothing on standard output, exits 2, and makes no queue.
fn usage(lab: &Lab) -> Verdict {
    let word = lab.word();
    let wrong: [(&str, Vec<&str>, &str); 5] = [
        ("filed", vec![], "usage: filed KEYFILE"),
        ("filed", vec![".", &word], "usage: filed KEYFILE"),
        ("getfile", vec![], "usage: getfile KEYFILE PATH"),
        ("getfile", vec!["."], "usage: getfile KEYFILE PATH"),
        ("getfile", vec![".", &word, &word], "usage: getfile KEYFILE PATH"),
    ];
    all(wrong.into_iter().map(|(program, arguments, line)| {
        let verdict = lab.session(|session| {
            let started = session.program(program).args(arguments.iter().copied()).start()?;
            session.exit(started)?;
            exits(session, started, Exit::Status(2))?;
            complains(session, started, &[line])?;
            prints(session, started, b"")?;
            no_queue_but(session, &[], program)?;
            session.pass()
        });
        verdict.map_err(|unpassed| when(unpassed, &format!("called as `{}`", [&[program], &arguments[..]].concat().join(" "))))
    }))
}
