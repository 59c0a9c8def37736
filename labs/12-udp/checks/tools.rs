//! netcat as the client of `askd`, and as the server of `ask`: a program that knows nothing of questions and answers.

use std::net::{Ipv4Addr, SocketAddrV4};

use harness::prelude::*;

use crate::client::{PATIENT, start};
use crate::server::Server;
use crate::steps::{Id, answer, argument, binary, compare_answers, expecting, id, question};

/// netcat has several authors; this is OpenBSD's, whose options these are.
const NETCAT: &str = "nc.openbsd";
const PACKAGE: &str = "netcat-openbsd";

fn start_netcat(session: &mut Session, called: &str, arguments: &[&str]) -> Result<Program, Unpassed> {
    let netcat = session.installed_program(NETCAT, PACKAGE)?.called(called).arg("-u").args(arguments.iter().copied()).open_stdin().start()?;
    // What it has to do first is done: it is connected, or bound to its port.
    session.settle()?;
    Ok(netcat)
}

/// What netcat sends is a question, and what it prints the answer.
fn asks_as_a_client(lab: &Lab) -> Verdict {
    let questions: Vec<(Id, Vec<u8>)> = [40, 3].map(|length| (id(lab), binary(lab, length))).into();
    lab.session(|session| {
        let server = Server::start(session)?;
        for (number, (id, text)) in (1..).zip(&questions) {
            let client = start_netcat(session, "nc", &["127.0.0.1", &server.port.to_string()])?;
            session.feed(client, &question(*id, text));
            let reversed: Vec<u8> = text.iter().rev().copied().collect();
            let expected = answer(*id, number, &reversed);
            let goal = "askd answers the question that nc sends";
            let came = session.until(goal, |session| Ok((session.stdout(client).len() >= expected.len()).then_some(())));
            expecting(goal, "see where askd waits, and where it sends its answer; recvfrom(2), sendto(2)", came)?;
            compare_answers(&expected, session.stdout(client))?;
        }
        session.pass()
    })
}

/// Two `ask` at the same time, each with a server of its own.
fn answers_as_a_server(lab: &Lab) -> Verdict {
    let texts = [argument(lab, 30), argument(lab, 50)];
    let answers = [(lab.number(1..1000) as u32, binary(lab, 20)), (lab.number(1000..2_000_000) as u32, binary(lab, 40))];
    lab.session(|session| {
        let mut asked = Vec::new();
        for (called, text) in ["the first nc", "the second nc"].into_iter().zip(&texts) {
            let port = session.mailbox()?.address.port();
            let server = start_netcat(session, called, &["-l", "127.0.0.1", &port.to_string()])?;
            let client = start(session, &PATIENT, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), text)?;
            let goal = "each of two ask that run at the same time sends its question to its nc, and waits";
            let next =
                "a client's socket needs no port of a certain number: leave it to the kernel, so that there may be any number of clients; ip(7)";
            expecting(goal, next, session.until_asleep_for_a_while(goal))?;
            if session.has_ended(client) {
                let finding = Finding::new("exit", goal, "it has ended", next).with(session.end_lines(client));
                return Err(finding.into());
            }
            asked.push((server, client, text));
        }
        for ((server, client, text), (number, said)) in asked.into_iter().zip(&answers).rev() {
            let came = session.stdout(server).to_vec();
            let Some((id, rest)) = came.split_first_chunk::<4>() else {
                let observed = format!("nc has got {} bytes", came.len());
                let next = "see which address and which port the question is sent to, in the network's byte order; ip(7), byteorder(3)";
                return Err(Finding::new("datagram", "ask sends its question to nc", observed, next).into());
            };
            if rest != *text {
                return Err(difference("the text that nc gets", text, rest).into());
            }
            session.feed(server, &answer(*id, *number, said));
            let next = "see which datagrams ask takes, and from where; recvfrom(2)";
            expecting("ask takes the answer of nc, and ends", next, session.exit(client))?;
            prints(session, client, &[format!("{number} ").as_bytes(), said, b"\n"].concat())?;
            exits(session, client, Exit::Status(0))?;
        }
        session.pass()
    })
}

pub fn asks_with_netcat(lab: &Lab) -> Verdict {
    asks_as_a_client(lab).map_err(|unpassed| when(unpassed, "nc is the client"))?;
    answers_as_a_server(lab).map_err(|unpassed| when(unpassed, "nc is the server"))
}
