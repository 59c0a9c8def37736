//! What the processes of a program hold, and what they give to the kernel. The run is at rest when these look.

use std::path::Path;

use harness::prelude::*;

use crate::steps::{Broker, alive};

/// Fails if a process of the broker's holds this file, or one in this directory.
pub fn holds_no_file(session: &mut Session, broker: &Broker, path: &Path, what: &str) -> Result<(), Unpassed> {
    session.settle()?;
    broker.goes_on(session)?;
    for process in alive(session, broker.program) {
        let held = session.descriptors_of(process)?;
        // The directory itself may be held open, to open files in it.
        let is_it = |name: &str| Path::new(name) == path && !path.is_dir() || Path::new(name).parent() == Some(path);
        let Some((descriptor, ..)) = held.iter().find(|(_, kind, name)| *kind == Kind::File && is_it(file_name(name))) else { continue };
        let observed = format!("{} still holds, as descriptor {descriptor}, {what}", session.name(process));
        let next = "close your own copy as soon as it has been sent, and on every way out; take no descriptor that you do not want, or close it; close(2), unix(7)";
        return Err(Finding::new("descriptor", "fdbroker holds no file once its clients are served", observed, next).into());
    }
    Ok(())
}

/// The path in an object's name: what has been removed is marked so.
fn file_name(name: &str) -> &str {
    name.trim_end_matches(" (deleted)")
}

/// How many Unix sockets that do not listen the processes of the broker hold together.
pub fn connections_held(session: &mut Session, broker: &Broker) -> Result<usize, Unpassed> {
    session.settle()?;
    let listened = session.events_of(broker.program).filter(|event| event.call == Listen && event.succeeded());
    let listening: Vec<String> = listened.map(|event| session.object_name(event)).collect();
    let mut count = 0;
    for process in alive(session, broker.program) {
        let held = session.descriptors_of(process)?;
        count += held.iter().filter(|(_, kind, name)| matches!(kind, Kind::Unix | Kind::Socket) && !listening.contains(name)).count();
    }
    Ok(count)
}

/// Fails if the broker holds more of them than before its clients came.
pub fn holds_no_more_connections(session: &mut Session, broker: &Broker, before: usize) -> Result<(), Unpassed> {
    let now = connections_held(session, broker)?;
    broker.goes_on(session)?;
    if now <= before {
        return Ok(());
    }
    let observed = format!("it holds {} of them", now - before);
    let next = "close the connected socket when its client is served or gone, in every process that has it; close(2)";
    Err(Finding::new("descriptor", "fdbroker holds no connection of a client that is gone", observed, next).into())
}

/// Fails if the program still held this file when it ended.
pub fn closes_what_came(session: &mut Session, program: Program, path: &str) -> Result<(), Unpassed> {
    let ended = session.processes_of(program);
    let kept = ended.flat_map(|process| &process.descriptors_at_end).filter(|held| held.link == path).count();
    if kept == 0 {
        return Ok(());
    }
    let observed =
        if kept == 1 { "one of them is still open when it ends".to_owned() } else { format!("{kept} of them are still open when it ends") };
    let next = "walk through all headers, and count by cmsg_len what each has brought: all of them are yours to close; cmsg(3), unix(7) SCM_RIGHTS";
    Err(Finding::new("descriptor", "fdget closes all descriptors that came with an answer that it refuses", observed, next).into())
}

/// Fails if a program that is executed now would find a descriptor of this one open, the standard streams left out.
pub fn nothing_survives_exec(session: &mut Session, program: Program, circumstance: &str) -> Result<(), Unpassed> {
    for process in alive(session, program) {
        let Some((descriptor, kind, name)) = session.left_open_at_exec(process)?.into_iter().next() else { continue };
        let what = if matches!(kind, Kind::File | Kind::Other) { "a file".to_owned() } else { name };
        let observed = format!("{circumstance}, {} has descriptor {descriptor}, {what}, without close-on-exec", session.name(process));
        let next = "ask for it where the descriptor is made: SOCK_CLOEXEC, accept4, O_CLOEXEC, MSG_CMSG_CLOEXEC; fcntl(2), FD_CLOEXEC";
        return Err(Finding::new("descriptor", "every descriptor of the program's own is closed at exec", observed, next).into());
    }
    Ok(())
}

pub fn leaves_no_zombie(session: &Session, broker: &Broker) -> Result<(), Unpassed> {
    let zombies: Vec<String> = session.zombies(broker.program).into_iter().map(|child| format!("a zombie: {}", session.name(child))).collect();
    if zombies.is_empty() {
        return Ok(());
    }
    let observed = format!("{} of its children have ended and were not waited for", zombies.len());
    Err(Finding::new("zombie", "fdbroker reaps every child that has ended", observed, "wait for them; waitpid(2), WNOHANG").with(zombies).into())
}

pub fn buffers_are_aligned(session: &mut Session, program: Program) -> Result<(), Unpassed> {
    let alignment = align_of::<libc::cmsghdr>() as u64;
    let number = program.number();
    let is_off = |event: &Event| event.control.is_some_and(|control| !control.address.is_multiple_of(alignment));
    let of_it = |session: &Session, event: &Event| session.processes()[event.process.0].program == number;
    let Some(event) = (0..session.events().len()).find(|index| {
        let event = &session.events()[*index];
        of_it(session, event) && is_off(event)
    }) else {
        return Ok(());
    };
    let expected = format!("the ancillary buffer begins at a multiple of {alignment}, as a cmsghdr does");
    let observed = "it does not: a reference or pointer to a header in it is not valid in Rust";
    let next = "give the buffer the alignment of cmsghdr: a union with one, repr(align(8)), an array of u64; cmsg(3), NOTES";
    let label = session.label(event, "this message's msg_control is not aligned");
    Err(Finding::new("alignment", expected, observed, next).at(label).into())
}
