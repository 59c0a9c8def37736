//! What filed keeps of the clients that it has served.

use harness::prelude::*;

use crate::steps::{Server, answer_of, ask_directly};

/// What there is of filed.
pub fn kept(session: &mut Session, server: &Server) -> Result<[(&'static str, usize); 4], Unpassed> {
    let live = session.processes_of(server.program).filter(|process| process.exit.is_none()).count();
    let queues = session.leftovers().iter().filter(|left| matches!(left, Leftover::MessageQueue(_))).count();
    let descriptors = session.descriptors(server.program)?.len();
    Ok([("processes", live), ("zombies", session.zombies(server.program).len()), ("descriptors", descriptors), ("queues", queues)])
}

pub fn no_more_than(few: [(&str, usize); 4], many: [(&str, usize); 4], served: &str, next: &str) -> Result<(), Unpassed> {
    let Some(((what, few), (_, many))) = few.into_iter().zip(many).find(|((_, few), (_, many))| many > few) else { return Ok(()) };
    let expected = format!("filed has as many {what} after {served} as after two");
    Err(Finding::new("leak", expected, format!("{few} after two, {many} then"), next).into())
}

/// Five clients are served, and where filed has forked a child for each, all of these end while it is stopped: one SIGCHLD tells of all.
pub fn end_at_once(session: &mut Session, server: &Server, path: &str) -> Result<(), Unpassed> {
    let ends = session.arm(hold_at(ExitGroup).in_program("filed").by(Who::Children).every().if_called());
    for _ in 0..5 {
        let reply = session.make_private_message_queue()?;
        ask_directly(session, server, reply, path)?;
        answer_of(session, reply)?;
        reply.remove()?;
    }
    session.signal(server.program, libc::SIGSTOP)?;
    session.settle()?;
    session.release(ends)?;
    session.settle()?;
    session.signal(server.program, libc::SIGCONT)?;
    session.settle()
}
