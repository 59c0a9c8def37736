//! Which process of the server's holds which socket. The run is at rest when these look.

use harness::prelude::*;

use crate::steps::Server;

/// A TCP socket that a process of the server's holds.
struct Held {
    process: ProcessId,
    by_child: bool,
    listens: bool,
    /// Its name and its descriptor, for messages.
    what: String,
}

fn sockets_held(session: &mut Session, server: Server) -> Result<Vec<Held>, Unpassed> {
    let listened = session.events_of(server.program).filter(|event| event.call == Listen && event.succeeded());
    let listening: Vec<String> = listened.map(|event| session.object_name(event)).collect();
    let alive = session.processes_of(server.program).filter(|process| process.exit.is_none());
    let mut held = Vec::new();
    for (process, by_child) in alive.map(|process| (process.id, process.parent.is_some())).collect::<Vec<_>>() {
        for (descriptor, _, name) in session.descriptors_of(process)?.into_iter().filter(|(_, kind, _)| *kind == Kind::Tcp) {
            held.push(Held { process, by_child, listens: listening.contains(&name), what: format!("{name} as descriptor {descriptor}") });
        }
    }
    Ok(held)
}

/// Fails if the server's own process holds a connected socket.
pub fn holds_no_connection(session: &mut Session, server: Server) -> Result<(), Unpassed> {
    server.goes_on(session)?;
    let held = sockets_held(session, server)?;
    let Some(kept) = held.iter().find(|socket| !socket.by_child && !socket.listens) else { return Ok(()) };
    let expected = "the server's process holds no connection that is over or that a child serves";
    let next = "close each socket that accept has returned as soon as this process is done with it; close(2)";
    Err(Finding::new("descriptor", expected, format!("it holds {}", kept.what), next).into())
}

/// Fails if a child holds the listening socket.
pub fn children_do_not_listen(session: &mut Session, server: Server) -> Result<(), Unpassed> {
    let held = sockets_held(session, server)?;
    let Some(kept) = held.iter().find(|socket| socket.by_child && socket.listens) else { return Ok(()) };
    let observed = format!("{} holds {}", session.name(kept.process), kept.what);
    let next = "the child closes the listening socket right after fork: while it is open anywhere, the port stays taken; fork(2), close(2)";
    Err(Finding::new("descriptor", "no process but the server's own holds the listening socket", observed, next).into())
}
