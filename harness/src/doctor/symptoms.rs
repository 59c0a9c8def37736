//! What one run shows and proves by itself: dead children, objects left behind, descriptors that another program inherited, failures that went unseen.

use crate::call::Call;
use crate::finding::Finding;
use crate::run;
use crate::session::{Program, Session};
use crate::trace::event::{Event, ProcessId};
use crate::trace::object::Kind;
use crate::verdict::Unpassed;

/// The findings of a run that has come to its end.
pub(super) fn of(session: &mut Session, program: Program) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(dead_children(session, program));
    findings.extend(inherited(session));
    findings.extend(unseen_failure(session));
    findings.extend(kills_everyone(session));
    if let Err(Unpassed::Fail(left)) = run::leaves_nothing(session) {
        findings.push(*left);
    }
    findings
}

/// Children that had ended when their parent went on to other things, and that it never waited for.
fn dead_children(session: &mut Session, program: Program) -> Option<Finding> {
    /// One may be on its way to being waited for.
    const SEVERAL: usize = 2;
    let processes = session.processes();
    let dead_before = |parent: ProcessId| {
        let ended = processes[parent.0].ended;
        let children =
            processes[parent.0].unreaped.iter().filter(|child| processes[child.0].ended.is_some_and(|at| ended.is_none_or(|end| at < end)));
        children.copied().collect::<Vec<_>>()
    };
    let found = session.processes_of(program).map(|process| (process.id, dead_before(process.id))).find(|(_, dead)| dead.len() >= SEVERAL)?;
    let (parent, dead) = found;
    let born_at = session.processes()[dead[0].0].born_at;
    let (name, count) = (session.name(parent), dead.len());
    let label = born_at.and_then(|event| session.label(event, format!("made here; {name} never waits for it")));
    let finding = Finding::new(
        "zombie",
        "a process waits for its children once they have ended",
        format!("{name} had {count} children that had ended, and ended itself without having waited for them"),
        "wait for each child (wait(2)), for instance in a handler for SIGCHLD, or ignore SIGCHLD: then they are no zombies",
    );
    Some(finding.at(label))
}

/// Write ends of pipes that a program got from the one before it in the same process, and never touched: whoever reads waits for them to be closed.
fn inherited(session: &mut Session) -> Option<Finding> {
    let mut found = None;
    for process in session.processes() {
        let Some(table) = &process.descriptors_at_exec else { continue };
        let Some(exec) = session.events().iter().rposition(|event| event.process == process.id && event.call == Call::Exec && event.succeeded())
        else {
            continue;
        };
        let later = || session.events()[exec + 1..].iter().filter(|event| event.process == process.id);
        let hands_on =
            later().any(|event| matches!(event.call, Call::Fork | Call::Exec | Call::Poll | Call::Select | Call::EpollWait | Call::CloseRange));
        if process.parent.is_none() || hands_on {
            continue;
        }
        let touched =
            |number: i32| later().any(|event| (event.call.takes_descriptor() || event.call == Call::Dup) && event.arguments[0] as i32 == number);
        let is_pipe = |object: &Option<usize>| object.is_some_and(|object| session.kind_of_object(object) == Kind::Pipe);
        let leaked = table.iter().find(|(held, object)| held.number > 2 && held.access.writes() && is_pipe(object) && !touched(held.number));
        if let Some((held, Some(object))) = leaked {
            found = Some((process.id, exec, held.number, *object));
            break;
        }
    }
    let (process, exec, number, object) = found?;
    let name = session.name(process);
    let what = session.name_of_object(object);
    let program = session.events()[exec].path().unwrap_or("another program").to_owned();
    let labels = [session.label(exec, "executed here"), session.label_of_origin(object)];
    let finding = Finding::new(
        "descriptor-inherited",
        "a program that is executed gets the descriptors that it needs, and no others",
        format!(
            "{name} executes {program} with descriptor {number}, a write end of {what}, open: it never uses it, and whoever reads that pipe waits for it to be closed"
        ),
        "make it with pipe2(2) and O_CLOEXEC, or close it between fork and exec",
    );
    Some(finding.at(labels.into_iter().flatten()))
}

/// A descriptor of -1, which a failed call gave and which is used all the same.
fn unseen_failure(session: &mut Session) -> Option<Finding> {
    let uses = |event: &Event| {
        matches!(
            event.call,
            Call::Read
                | Call::Write
                | Call::Recv
                | Call::Send
                | Call::Listen
                | Call::Bind
                | Call::Connect
                | Call::Accept
                | Call::MqReceive
                | Call::MqSend
        ) && event.arguments[0] as i32 == -1
    };
    let events = session.events();
    let used = events.iter().position(uses)?;
    let makes = |event: &Event| matches!(event.call, Call::Open | Call::Socket | Call::Accept | Call::Dup | Call::MqOpen | Call::Pipe);
    let failed = events[..used].iter().rposition(|event| event.process == events[used].process && makes(event) && event.errno().is_some())?;
    let (call, word) = (events[failed].call.word(), events[used].call.word());
    let name = session.name(events[used].process);
    let errno = crate::fault::errno_name(events[failed].errno().unwrap_or(0));
    let labels = [session.label(failed, format!("{call} fails here with {errno}")), session.label(used, format!("{word} is given -1 here"))];
    let finding = Finding::new(
        "failure-unseen",
        "the result of a call is looked at before it is used",
        format!("{call} of {name} failed with {errno}, and {name} then calls {word} on descriptor -1"),
        "test the result of each call where it is made; errno(3)",
    );
    Some(finding.at(labels.into_iter().flatten()))
}

/// A signal to every process of the user: what comes of a failed fork's -1 as a process id.
fn kills_everyone(session: &mut Session) -> Option<Finding> {
    let event = session.events().iter().position(|event| event.call == Call::Kill && event.arguments[0] as i32 == -1)?;
    let name = session.name(session.events()[event].process);
    let label = session.label(event, "every process of the user is meant here");
    let finding = Finding::new(
        "kills-everyone",
        "a signal goes to the processes that it is meant for",
        format!("{name} sends a signal to process -1, which is every process that it may send one to; the doctor has refused it"),
        "look at fork's result before it is used as a process id; kill(2)",
    );
    Some(finding.at(label))
}
