//! Checks for the UDP lab, one for each promise in its README. The check is the server's clients and the client's server, and the network between them: which
//! datagram is lost, doubled or late is its choice. Neither program needs the other.

#[path = "checks/client.rs"]
mod client;
#[path = "checks/pace.rs"]
mod pace;
#[path = "checks/refusals.rs"]
mod refusals;
#[path = "checks/server.rs"]
mod server;
#[path = "checks/steps.rs"]
mod steps;
#[path = "checks/tools.rs"]
mod tools;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use client::{Client, MEASURED, PATIENT, RESTLESS, is_held, kill, start, time_goes_by};
use harness::prelude::*;
use pace::{keeps_pace, waits_for_the_end, waits_most_of_a_try};
use refusals::{ends_with_usage, refuses, reports, unanswerable};
use server::{Phase, Server, holds_one_socket, stops_before_each_call};
use steps::{Id, TEXT_MAX, answer, argument, binary, expecting, id, question};
use tools::asks_with_netcat;

harness::checks! {
    listens, answers, serves_all, repeats_known, short_ignored, long_ignored, unsent_answer, stops, asks, prints_answer, asks_again, gives_up, late_ignored,
    foreign_ignored, malformed_ignored, waiting_kept, refusal_survived, tools, interrupted, errors_reported, usage
}

/// `askd` takes questions at the port given, or for port 0 at one that the kernel chooses, at every IPv4 address of the machine, and prints `listening PORT`
/// with the port it is bound to.
fn listens(lab: &Lab) -> Verdict {
    let another = another_host(lab);
    let (id, text) = (id(lab), binary(lab, 20));
    lab.session(|session| {
        let client = session.mailbox()?;
        let given = free_port(session, lab)?;
        for (port, circumstance) in [(given, "a port is given"), (0, "PORT is 0")] {
            let server = Server::start_at(session, port).map_err(|unpassed| when(unpassed, circumstance))?;
            takes_questions(session, &client, server.address(), &question(id, &text)).map_err(|unpassed| when(unpassed, circumstance))?;
        }
        let server = Server::start(session)?;
        let asked = takes_questions(session, &client, SocketAddrV4::new(another, server.port), &question(id, &text));
        asked.map_err(|unpassed| when(unpassed, "the question goes to another address of the machine"))?;
        session.pass()
    })
}

/// What the answer says is for other checks.
fn takes_questions(session: &mut Session, client: &Mailbox, server: SocketAddrV4, question: &[u8]) -> Result<(), Unpassed> {
    client.send(server, question)?;
    let next = "bind to INADDR_ANY and to the port, in network byte order, and print the port bound to; bind(2), ip(7)";
    expecting("askd takes questions at the port that it has printed, and answers", next, session.datagram(client)).map(drop)
}

/// A port whose two bytes differ, so that their order shows, and that the kernel gives nobody by itself; with its bytes exchanged it is none that only root may use.
fn free_port(session: &mut Session, lab: &Lab) -> Result<u16, Unpassed> {
    loop {
        let port = lab.number(20_000..30_000) as u16;
        let exchanged = port.swap_bytes();
        if exchanged != port && exchanged >= 1024 {
            session.mailbox_at(Ipv4Addr::LOCALHOST, port)?;
            return Ok(port);
        }
    }
}

/// All of 127.0.0.0/8 are addresses of the machine. The last number differs from the first, so that their order shows.
fn another_host(lab: &Lab) -> Ipv4Addr {
    Ipv4Addr::new(127, lab.number(1..255) as u8, lab.number(1..255) as u8, lab.number(2..120) as u8)
}

/// `askd` answers each question with its id, its number in network byte order and its text backwards, in one datagram: any bytes, from none to 512.
fn answers(lab: &Lab) -> Verdict {
    let lengths = [5, 1, 0, lab.number(100..400) as usize, TEXT_MAX];
    let questions: Vec<(Id, Vec<u8>)> = lengths.map(|length| (id(lab), binary(lab, length))).into();
    lab.session(|session| {
        let server = Server::start(session)?;
        let client = session.mailbox()?;
        for (number, (id, text)) in (1..).zip(&questions) {
            let circumstance = format!("the question's text has {} bytes", text.len());
            server.answers(session, &client, *id, text, number).map_err(|unpassed| when(unpassed, &circumstance))?;
        }
        server.is_silent(session, &client, "each question has one answer", "send one datagram for each question; sendto(2)")?;
        session.pass()
    })
}

/// `askd` serves all clients with one socket: each answer goes to where its question came from, and nobody waits for another client.
fn serves_all(lab: &Lab) -> Verdict {
    let questions: Vec<(Id, Vec<u8>)> = (0..lab.number(3..6)).map(|_| (id(lab), binary(lab, 30))).collect();
    let last: Vec<(Id, Vec<u8>)> = questions.iter().map(|_| (id(lab), binary(lab, 30))).collect();
    lab.session(|session| {
        let server = Server::start(session)?;
        let clients = questions.iter().map(|_| session.mailbox()).collect::<Result<Vec<_>, _>>()?;
        // All questions are there before the first one is answered.
        let (id, text) = &questions[0];
        let answering = server.is_held_answering(session, &clients[0], &question(*id, text))?;
        for (client, (id, text)) in clients.iter().zip(&questions).skip(1) {
            client.send(server.address(), &question(*id, text))?;
        }
        session.release(answering)?;
        let mut numbers = (1..=questions.len() as u32).collect();
        for (client, (id, text)) in clients.iter().zip(&questions) {
            let answered = server.has_answered_with_one_of(session, client, *id, text, &mut numbers);
            answered.map_err(|unpassed| when(unpassed, "several clients have asked at once"))?;
        }
        for (number, (client, (id, text))) in (questions.len() as u32 + 1..).zip(clients.iter().zip(&last).rev()) {
            server.answers(session, client, *id, text, number).map_err(|unpassed| when(unpassed, "several clients ask in turn"))?;
        }
        holds_one_socket(session, server)?;
        for client in &clients {
            server.is_silent(
                session,
                client,
                "each client gets its own answers and no other's",
                "send to the address that the question came from; sendto(2)",
            )?;
        }
        session.pass()
    })
}

/// So many questions a server has to remember at least.
const REMEMBERED: usize = 64;

/// A question that comes again from the same address and port with the same id is answered again, with the same number, and is not counted again, also when
/// others came in between; the same id from elsewhere is another question.
fn repeats_known(lab: &Lab) -> Verdict {
    let (first, second) = (id(lab), id(lab));
    let texts: Vec<Vec<u8>> = (0..5).map(|_| binary(lab, 20)).collect();
    // With the four before them the server has to remember the first question as the oldest of all.
    let more: Vec<Id> = (4..REMEMBERED).map(|_| id(lab)).collect();
    lab.session(|session| {
        let server = Server::start(session)?;
        let client = session.mailbox()?;
        let other_port = session.mailbox()?;
        let ask = |session: &mut Session, circumstance: &str, client: &Mailbox, id: Id, text: &[u8], number: u32| {
            server.answers(session, client, id, text, number).map_err(|unpassed| when(unpassed, circumstance))
        };
        ask(session, "the first question comes", &client, first, &texts[0], 1)?;
        ask(session, "a question comes twice in a row", &client, first, &texts[0], 1)?;
        ask(session, "the same id comes from another port", &other_port, first, &texts[1], 2)?;
        ask(session, "another id comes from the same port", &client, second, &texts[2], 3)?;
        ask(session, "a question comes again after another one from the same port", &client, first, &texts[0], 1)?;
        ask(session, "a question comes again after one from another port", &other_port, first, &texts[1], 2)?;
        let other_host = session.mailbox_at(another_host(lab), client.address.port())?;
        ask(session, "the same id comes from the same port of another address", &other_host, first, &texts[3], 4)?;
        for (number, id) in (5..).zip(&more) {
            ask(session, "new questions come", &client, *id, &texts[4], number)?;
        }
        ask(session, "a question comes again after many others", &client, first, &texts[0], 1)?;
        ask(session, "a question comes again after many others", &other_port, first, &texts[1], 2)?;
        // Two copies that are both there before the first one is answered.
        let last = question(more[0], &texts[4]);
        let answering = server.is_held_answering(session, &client, &last)?;
        client.send(server.address(), &last)?;
        session.release(answering)?;
        for _ in 0..2 {
            server.has_answered(session, &client, more[0], &texts[4], 5).map_err(|unpassed| when(unpassed, "a question comes twice at once"))?;
        }
        session.pass()
    })
}

/// A datagram of fewer than 4 bytes, the empty one included, is neither answered nor counted, and does not stop `askd`.
fn short_ignored(lab: &Lab) -> Verdict {
    ignores(lab, &[vec![], binary(lab, 1), binary(lab, 2), binary(lab, 3)], "check the length first: 0 is a length like any other; recvfrom(2)")
}

/// A datagram of more than 516 bytes is neither answered nor counted, not even its first 516 bytes, and does not stop `askd`.
fn long_ignored(lab: &Lab) -> Verdict {
    let long = [517, 518, lab.number(600..1400) as usize, 9000, 60_000].map(|length| binary(lab, length));
    ignores(lab, &long, "let the length show that the datagram was longer than the buffer; recvfrom(2), MSG_TRUNC")
}

/// Each of these is no question: it changes nothing for the next one.
fn ignores(lab: &Lab, datagrams: &[Vec<u8>], next: &str) -> Verdict {
    let text = binary(lab, TEXT_MAX);
    let ids: Vec<Id> = datagrams.iter().map(|_| id(lab)).collect();
    lab.session(|session| {
        let server = Server::start(session)?;
        let client = session.mailbox()?;
        for (number, (datagram, id)) in (1..).zip(datagrams.iter().zip(&ids)) {
            client.send(server.address(), datagram)?;
            let ignored = server
                .is_silent(session, &client, "askd does not answer what is no question", next)
                .and_then(|()| server.answers(session, &client, *id, &text, number));
            ignored.map_err(|unpassed| when(unpassed, &format!("a datagram of {} bytes has come", datagram.len())))?;
        }
        session.pass()
    })
}

/// A client that is gone before its answer, or an answer that the kernel refuses to send, does not stop `askd` or change its count.
fn unsent_answer(lab: &Lab) -> Verdict {
    let text = binary(lab, 20);
    let ids: Vec<Id> = (0..6).map(|_| id(lab)).collect();
    lab.session(|session| {
        let server = Server::start(session)?;
        let client = session.mailbox()?;
        let gone = session.mailbox()?;
        let answering = server.is_held_answering(session, &gone, &question(ids[0], &text))?;
        drop(gone);
        session.release(answering)?;
        session.settle()?;
        server.answers(session, &client, ids[1], &text, 2).map_err(|unpassed| when(unpassed, "a client is gone before its answer"))?;
        for (number, (errno, id)) in (3..).zip([libc::ENETUNREACH, libc::EPERM, libc::ECONNREFUSED, libc::ENOBUFS].into_iter().zip(&ids[2..])) {
            let refused = fail([Send, Write], errno).on(Kind::Udp);
            let circumstance = refused.describe();
            session.arm(refused);
            client.send(server.address(), &question(*id, &text))?;
            session.settle()?;
            // It may have tried again by itself.
            session.datagrams(&client)?;
            server.answers(session, &client, *id, &text, number).map_err(|unpassed| when(unpassed, &circumstance))?;
        }
        session.pass()
    })
}

/// SIGTERM or SIGINT ends `askd` at once with exit status 0, whenever it comes after `listening` is printed.
fn stops(lab: &Lab) -> Verdict {
    let (id, text) = (id(lab), binary(lab, 20));
    for signal in [libc::SIGTERM, libc::SIGINT] {
        lab.session(|session| {
            for asked in [false, true] {
                let server = Server::start(session)?;
                let client = session.mailbox()?;
                if asked {
                    server.answers(session, &client, id, &text, 1)?;
                    session.settle()?;
                }
                session.signal(server.program, signal)?;
                let next = "see where the server waits, and whether its handler gets it out of there for good; signal(7), sigaction(2) SA_RESTART";
                let ended = expecting("the signal ends askd", next, session.exit(server.program));
                let ended = ended.and_then(|_| exits(session, server.program, Exit::Status(0)));
                ended.map_err(|unpassed| when(unpassed, &format!("{} comes while it waits for a question", signal_name(signal))))?;
            }
            session.pass()
        })?;
    }
    lab.session(|session| {
        stops_before_each_call(session, Phase::Start)?;
        stops_before_each_call(session, Phase::Asked)?;
        session.pass()
    })
}

/// `ask` sends one datagram of four bytes of id and the bytes of TEXT, from none to 512, to PORT at the address HOST, and waits; it sends nothing more while MS
/// milliseconds last.
fn asks(lab: &Lab) -> Verdict {
    let texts = [b"-t".to_vec(), vec![], argument(lab, lab.number(10..300) as usize), argument(lab, TEXT_MAX)];
    lab.session(|session| {
        for (host, text) in [Ipv4Addr::LOCALHOST, another_host(lab)].iter().cycle().zip(&texts) {
            let port = free_port(session, lab)?;
            let server = session.mailbox_at(*host, port)?;
            let client = Client::start_patient(session, &server, text)?;
            client.kill(session)?;
        }
        let server = session.mailbox()?;
        let client = Client::start_patient(session, &server, &texts[2])?;
        // Longer than a try without -t.
        session.let_time_pass(Duration::from_millis(400))?;
        client.waits(session, &[&server], "the time that -t gives is not up")?;
        session.pass()
    })?;
    waits_most_of_a_try(lab, &texts[2])
}

/// `ask` prints the answer's number, a space, its text and a newline, whatever the bytes, from none to 512, and exits with 0; a second copy of the answer
/// changes nothing.
fn prints_answer(lab: &Lab) -> Verdict {
    let once = ["-r", "1", "-t", "900000"];
    let number = lab.number(1..60_000) as u32;
    let answers = [(1, binary(lab, 40)), (number, vec![]), (number << 8, binary(lab, 1)), (u32::MAX - number, binary(lab, TEXT_MAX))];
    let asked = argument(lab, 20);
    lab.session(|session| {
        let server = session.mailbox()?;
        for (options, (number, text)) in [&PATIENT, &once].into_iter().cycle().zip(&answers) {
            let client = Client::start(session, options, &server, &asked)?;
            let answered = client.is_answered(session, &server, *number, text);
            answered.map_err(|unpassed| when(unpassed, &format!("the answer's text has {} bytes", text.len())))?;
        }
        let (number, text) = &answers[0];
        let (client, sent) = Client::start_held(session, &PATIENT, &server, &asked)?;
        for _ in 0..2 {
            server.send(client.address, &answer(client.id, *number, text))?;
        }
        session.release(sent)?;
        client.ends_well(session, *number, text).map_err(|unpassed| when(unpassed, "the answer comes twice"))?;
        session.pass()
    })
}

/// After MS milliseconds without an answer `ask` sends the same datagram again, from the same port, and takes the answer to any of its tries.
fn asks_again(lab: &Lab) -> Verdict {
    let lost = lab.number(1..4);
    let (asked, text, number) = (argument(lab, 20), binary(lab, 20), lab.number(1..1000) as u32);
    lab.session(|session| {
        let server = session.mailbox()?;
        let client = Client::start(session, &RESTLESS, &server, &asked)?;
        for _ in 0..lost {
            client.asks_again(session, &server).map_err(|unpassed| when(unpassed, "its question is lost"))?;
        }
        client.is_answered(session, &server, number, &text).map_err(|unpassed| when(unpassed, "one of its later tries is answered"))?;
        session.pass()
    })?;
    keeps_pace(lab, &asked)
}

/// `ask` sends its question TRIES times (4 without `-r`), no more and no fewer, and if MS milliseconds after the last one there is no answer either, it prints
/// `ask: no answer` on standard error, nothing on standard output, and exits with 1.
fn gives_up(lab: &Lab) -> Verdict {
    let text = argument(lab, 20);
    let several = lab.number(5..9);
    let options = format!("-r {several} -t 40");
    lab.session(|session| {
        for (tries, options) in [(1, "-t 40 -r 1"), (several, &options), (4, "-t 40"), (3, "-r 3"), (4, "")] {
            let server = session.mailbox()?;
            let options: Vec<&str> = options.split_whitespace().collect();
            let circumstance = if options.is_empty() { "without options".to_owned() } else { format!("with {}", options.join(" ")) };
            never_answered(session, &options, &server, &text, tries)
                .map_err(|unpassed| when(unpassed, &format!("nobody answers, {circumstance}")))?;
        }
        session.pass()
    })?;
    waits_for_the_end(lab, &text)
}

fn never_answered(session: &mut Session, options: &[&str], server: &Mailbox, text: &[u8], tries: u64) -> Result<(), Unpassed> {
    let client = Client::start(session, options, server, text)?;
    let next = "count the tries; after the last one there is nothing left to wait for but its answer; poll(2)";
    expecting("ask gives up after its last try", next, session.exit(client.program))?;
    let again = session.datagrams(server)?;
    let sent = again.len() as u64 + 1;
    if sent != tries {
        let expected = format!("ask sends its question {tries} time{}", if tries == 1 { "" } else { "s" });
        return Err(Finding::new("datagram", expected, format!("it sends it {sent} time{}", if sent == 1 { "" } else { "s" }), next).into());
    }
    again.iter().try_for_each(|came| client.is_repetition(came))?;
    complains(session, client.program, &["ask: no answer"])?;
    prints(session, client.program, b"")?;
    exits(session, client.program, Exit::Status(1))
}

/// An answer with another id, such as a late one to the question of an earlier run, is ignored: it is not printed, leads to no datagram, and does not end the
/// waiting.
fn late_ignored(lab: &Lab) -> Verdict {
    let (asked, text, late) = (argument(lab, 20), binary(lab, 20), binary(lab, 30));
    let (number, other_number) = (lab.number(1..1000) as u32, lab.number(1000..2000) as u32);
    lab.session(|session| {
        let server = session.mailbox()?;
        let mut earlier = Vec::new();
        for _ in 0..3 {
            let client = Client::start(session, &PATIENT, &server, &asked)?;
            for id in &earlier {
                server.send(client.address, &answer(*id, other_number, &late))?;
                client.waits(session, &[&server], "the answer to an earlier run's question comes")?;
            }
            for place in 0..client.id.len() {
                let mut id = client.id;
                id[place] ^= 1 << lab.number(0..8);
                server.send(client.address, &answer(id, other_number, &late))?;
                client.waits(session, &[&server], "an answer with another id comes")?;
            }
            client.is_answered(session, &server, number, &text).map_err(|unpassed| when(unpassed, "its answer comes after others'"))?;
            earlier.push(client.id);
        }
        session.pass()
    })
}

/// A datagram from another address or another port than the server's is ignored, even with the right id.
fn foreign_ignored(lab: &Lab) -> Verdict {
    let (asked, text, foreign) = (argument(lab, 20), binary(lab, 20), binary(lab, 30));
    let (number, other_number) = (lab.number(1..1000) as u32, lab.number(1000..2000) as u32);
    lab.session(|session| {
        let server = session.mailbox()?;
        let other_port = session.mailbox()?;
        let other_host = session.mailbox_at(another_host(lab), server.address.port())?;
        let client = Client::start(session, &PATIENT, &server, &asked)?;
        let all = [&server, &other_port, &other_host];
        for (foreigner, circumstance) in [(&other_port, "an answer comes from another port"), (&other_host, "an answer comes from another address")] {
            foreigner.send(client.address, &answer(client.id, other_number, &foreign))?;
            client.waits(session, &all, circumstance)?;
        }
        client.is_answered(session, &server, number, &text).map_err(|unpassed| when(unpassed, "its answer comes after others'"))?;
        session.pass()
    })
}

/// An answer of fewer than 8 or more than 520 bytes is ignored, the empty datagram included, even with the right id.
fn malformed_ignored(lab: &Lab) -> Verdict {
    let (asked, text, number) = (argument(lab, 20), binary(lab, 20), lab.number(1..1000) as u32);
    let long = [TEXT_MAX + 1, TEXT_MAX + 2, lab.number(600..1400) as usize, 9000].map(|length| binary(lab, length));
    lab.session(|session| {
        let server = session.mailbox()?;
        let client = Client::start(session, &PATIENT, &server, &asked)?;
        let whole = answer(client.id, number, b"");
        let short = [0, 3, 4, 7].map(|length| whole[..length].to_vec());
        for datagram in short.into_iter().chain(long.iter().map(|text| answer(client.id, number, text))) {
            server.send(client.address, &datagram)?;
            client.waits(session, &[&server], &format!("a datagram of {} bytes comes", datagram.len()))?;
        }
        client.is_answered(session, &server, number, &text).map_err(|unpassed| when(unpassed, "its answer comes after what is none"))?;
        session.pass()
    })
}

/// An ignored datagram does not prolong the waiting: `ask` sends again when MS milliseconds have passed since it last sent, whatever has come in between.
fn waiting_kept(lab: &Lab) -> Verdict {
    let (asked, stray) = (argument(lab, 20), binary(lab, 30));
    lab.session(|session| {
        let server = session.mailbox()?;
        let (client, sent) = Client::start_held(session, &MEASURED, &server, &asked)?;
        let mut other = client.id;
        other[0] ^= 1;
        server.send(client.address, &answer(other, 1, &stray))?;
        server.send(client.address, b"")?;
        // With the first of these in hand it is held until its time is up, however busy the machine is.
        let received = session.arm(hold_at([Recv, Read]).on(Kind::Udp).afterwards().if_called());
        session.release(sent)?;
        if is_held(session, client.program, received)? {
            time_goes_by(session)?;
            let sent = client.sends_without_waiting(session, &server, received);
            sent.map_err(|unpassed| when(unpassed, "others' datagrams come, and then the time is up"))?;
        }
        session.pass()
    })
}

/// Where nobody listens at PORT yet, `ask` waits as for an answer, and is answered if a server is there at a later try.
fn refusal_survived(lab: &Lab) -> Verdict {
    let (asked, text, number) = (argument(lab, 20), binary(lab, 20), lab.number(1..1000) as u32);
    lab.session(|session| {
        let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port(session, lab)?);
        let client = start(session, &PATIENT, server, &asked)?;
        let goal = "where nobody listens, ask goes on waiting until its time is up";
        let next = "take the error as if nothing had come, and wait for the rest of the time; udp(7), poll(2) POLLERR";
        expecting(goal, next, session.until_asleep_for_a_while(goal))?;
        kill(session, client)?;
        session.pass()
    })?;
    lab.session(|session| {
        let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port(session, lab)?);
        // Once the first question is sent and refused, the server is there.
        let sent = session.arm(hold_at([Send, Write]).on(Kind::Udp).afterwards());
        // Of two tries the second one is left: what was refused has been sent, and counts once.
        let program = start(session, &["-t", "5000", "-r", "2"], server, &asked)?;
        session.until_held(sent)?;
        let server = session.mailbox_at(*server.ip(), server.port())?;
        session.release(sent)?;
        let client = Client::of(session, program, &server, &asked);
        let client = client.map_err(|unpassed| when(unpassed, "its first question is refused"))?;
        client.is_answered(session, &server, number, &text).map_err(|unpassed| when(unpassed, "its first question is refused"))?;
        session.pass()
    })
}

/// The calls that wait for a datagram, in one way or another.
const WAITS: [Call; 5] = [Poll, Select, EpollWait, Recv, Read];

/// `askd` answers what `nc -u` sends, and `ask` takes the answer that is typed into `nc -u -l`, also while another `ask` waits for the answer of another `nc`.
fn tools(lab: &Lab) -> Verdict {
    asks_with_netcat(lab)
}

/// Where recvfrom, sendto, poll or their like fail with EINTR, because a signal came, both programs make the call again; `ask` then waits for the rest of its
/// time only.
fn interrupted(lab: &Lab) -> Verdict {
    let (asked, text, number) = (argument(lab, 20), binary(lab, 20), lab.number(1..1000) as u32);
    let ids: Vec<Id> = (0..5).map(|_| id(lab)).collect();
    let circumstance = "calls are interrupted by signals";
    let server = lab.session(|session| {
        interrupt_calls(session);
        let server = Server::start(session)?;
        let client = session.mailbox()?;
        for (number, id) in (1..).zip(&ids) {
            server.answers(session, &client, *id, &text, number)?;
        }
        session.settle()?;
        server.goes_on(session)?;
        session.pass()
    });
    server.map_err(|unpassed| when(unpassed, circumstance))?;
    let client = lab.session(|session| {
        interrupt_calls(session);
        let server = session.mailbox()?;
        let client = Client::start(session, &PATIENT, &server, &asked)?;
        client.waits(session, &[&server], "")?;
        client.is_answered(session, &server, number, &text)?;
        session.pass()
    });
    client.map_err(|unpassed| when(unpassed, circumstance))?;
    rest_of_time(lab, &asked).map_err(|unpassed| when(unpassed, "its wait is interrupted by a signal when the time is up"))
}

/// The first, third, fifth … call of each kind fails with EINTR. Which of them a program makes is its own choice.
fn interrupt_calls(session: &mut Session) {
    for call in [Recv, Read, Send, Write] {
        session.arm(fail(call, libc::EINTR).on(Kind::Udp).alternately().if_called());
    }
    for call in [Poll, Select, EpollWait] {
        session.arm(fail(call, libc::EINTR).alternately().if_called());
    }
}

/// The client's first wait after it has sent is held until its time is up, and then interrupted.
fn rest_of_time(lab: &Lab, asked: &[u8]) -> Verdict {
    lab.session(|session| {
        let server = session.mailbox()?;
        let (client, sent) = Client::start_held(session, &MEASURED, &server, asked)?;
        // Both at the same call: it is held, and once it goes on it fails.
        session.arm(fail(WAITS, libc::EINTR).if_called());
        let held = session.arm(hold_at(WAITS).if_called());
        session.release(sent)?;
        if is_held(session, client.program, held)? {
            time_goes_by(session)?;
            client.sends_without_waiting(session, &server, held)?;
        }
        session.pass()
    })
}

/// A failed call is reported as `PROGRAM: CALL: message` on standard error, and the program exits with 1.
fn errors_reported(lab: &Lab) -> Verdict {
    let (id, text) = (id(lab), argument(lab, 20));
    let no_socket = || fail(Socket, libc::EMFILE).where_argument(0, libc::AF_INET as u64);
    lab.run("askd").arg("0").inject(no_socket()).complains(&["askd: socket: "]).exits(1).verdict()?;
    lab.run("askd").arg("0").inject(fail(Getsockname, libc::ENOBUFS)).complains(&["askd: getsockname: "]).exits(1).verdict()?;
    lab.run("ask").args(["127.0.0.1", "9", "x"]).inject(no_socket()).complains(&["ask: socket: "]).exits(1).verdict()?;
    lab.session(|session| {
        let taken = session.mailbox()?;
        let server = session.program("askd").arg(taken.address.port().to_string()).start()?;
        reports(session, server, &["askd: bind: "]).map_err(|unpassed| when(unpassed, "another process has the port"))?;
        let first = Server::start(session)?;
        let second = session.program("askd").arg(first.port.to_string()).called("the second askd").start()?;
        let next = "leave SO_REUSEADDR alone: two servers that set it share the port, and one gets the other's questions; socket(7)";
        let refused = expecting("askd reports that the port is taken, and ends", next, session.exit(second));
        let refused = refused.and_then(|_| reports(session, second, &["askd: bind: "]));
        refused.map_err(|unpassed| when(unpassed, "another askd has the port"))?;
        session.pass()
    })?;
    let no_memory = fail([Recv, Read], libc::ENOMEM).on(Kind::Udp);
    lab.session(|session| {
        session.arm(no_memory.clone());
        let program = session.program("askd").arg("0").start()?;
        let port = session.line(program)?.strip_prefix("listening ").and_then(|port| port.parse().ok()).unwrap_or(1);
        // poll would wait for it before recvfrom is called.
        session.mailbox()?.send(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), &question(id, &text))?;
        reports(session, program, &["askd: recv", "askd: read"]).map_err(|unpassed| when(unpassed, &no_memory.describe()))?;
        session.pass()
    })?;
    let forbidden = fail([Send, Write], libc::EPERM).on(Kind::Udp);
    lab.session(|session| {
        session.arm(forbidden.clone());
        let server = session.mailbox()?;
        let client = start(session, &["-t", "40", "-r", "2"], server.address, &text)?;
        reports(session, client, &["ask: send", "ask: write"]).map_err(|unpassed| when(unpassed, &forbidden.describe()))?;
        session.pass()
    })?;
    unanswerable(lab, &no_memory, &["ask: recv", "ask: read"])?;
    unanswerable(lab, &fail(Write, libc::ENOSPC).on_standard_output(), &["ask: write: ", "ask: writev: "])
}

/// Wrong usage prints the usage line on standard error, and the program exits with 2.
fn usage(lab: &Lab) -> Verdict {
    lab.session(|session| {
        for line in ["", "x", "65536", "1 2", "-1"] {
            refuses(session, "askd", line)?;
        }
        for line in ["", "127.0.0.1", "127.0.0.1 9", "127.0.0.1 0 x", "127.0.0.1 y x", "127.0.0.1 9 x x", "localhost 9 x", "127.0.0 9 x"] {
            refuses(session, "ask", line)?;
        }
        for line in ["127.0.0.256 9 x", "1.2.3.4.5 9 x", "-t", "-t 0 127.0.0.1 9 x", "-r 0 127.0.0.1 9 x", "-r y 127.0.0.1 9 x", "-q 1 127.0.0.1 9 x"]
        {
            refuses(session, "ask", line)?;
        }
        // Cut off at 16 bits, this is a port at which somebody listens.
        let server = session.mailbox()?;
        let port = 65_536 + u32::from(server.address.port());
        ends_with_usage(session, "ask", &format!("127.0.0.1 {port} x")).map_err(|unpassed| when(unpassed, "PORT is above 65535"))?;
        let text = "x".repeat(TEXT_MAX + 1);
        let line = format!("127.0.0.1 {} {text}", server.address.port());
        ends_with_usage(session, "ask", &line).map_err(|unpassed| when(unpassed, "TEXT has 513 bytes"))?;
        session.pass()
    })
}
