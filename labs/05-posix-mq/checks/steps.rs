//! Steps that several checks share: commands that are run to their end, and a watcher that is looked at while all is quiet.
use harness::prelude::*;

/// Arguments of `jobq`, as text or as bytes.
pub type Arguments<'a> = &'a [&'a dyn AsRef<[u8]>];

/// A message as the programs print it.
pub fn line(priority: u32, text: impl AsRef<[u8]>) -> Vec<u8> {
    [format!("{priority} ").as_bytes(), text.as_ref(), b"\n"].concat()
}

/// A name for a queue.
pub fn name(lab: &Lab) -> String {
    format!("/{}", lab.word())
}

/// Starts `jobq`.
pub fn start(session: &mut Session, arguments: Arguments) -> Result<Program, Unpassed> {
    let program = session.program("jobq");
    arguments.iter().fold(program, |program, argument| program.arg_bytes(argument.as_ref())).start()
}

/// Runs `jobq`: it succeeds and prints exactly this.
pub fn succeeds(session: &mut Session, arguments: Arguments, output: &[u8]) -> Result<(), Unpassed> {
    let program = start(session, arguments)?;
    ends_well(session, program, arguments, output)
}

/// `jobq`, which was started with these arguments, comes to its end, has printed exactly this, and succeeds.
pub fn ends_well(session: &mut Session, program: Program, arguments: Arguments, output: &[u8]) -> Result<(), Unpassed> {
    let judged = session.exit(program).and_then(|_| exits(session, program, Exit::Status(0))).and_then(|()| prints(session, program, output));
    judged.map_err(|unpassed| in_command(unpassed, arguments))
}

/// Runs `jobq`: it reports one of these calls as failed, exits 1 and prints nothing.
pub fn fails(session: &mut Session, arguments: Arguments, calls: &[&str]) -> Result<Program, Unpassed> {
    let program = start(session, arguments)?;
    ends_with_report(session, program, calls).map_err(|unpassed| in_command(unpassed, arguments))?;
    prints(session, program, b"").map_err(|unpassed| in_command(unpassed, arguments))?;
    Ok(program)
}

/// `jobq` comes to its end, reports one of these calls as failed, and exits 1.
pub fn ends_with_report(session: &mut Session, program: Program, calls: &[&str]) -> Result<(), Unpassed> {
    let beginnings: Vec<String> = calls.iter().map(|call| format!("jobq: {call}:")).collect();
    session.exit(program)?;
    exits(session, program, Exit::Status(1))?;
    complains(session, program, &beginnings.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Says in a failure which command it was.
pub fn in_command(unpassed: Unpassed, arguments: Arguments) -> Unpassed {
    let words: Vec<String> = arguments.iter().map(|argument| shown(argument.as_ref())).collect();
    about(unpassed, &format!("`{}`", [&["jobq".to_owned()], &words[..]].concat().join(" ")))
}

/// Says in a failure what was being done.
pub fn about(unpassed: Unpassed, circumstance: &str) -> Unpassed {
    match unpassed {
        Unpassed::Fail(finding) => finding.when(circumstance).into(),
        other => other,
    }
}

/// An argument as one would type it; the beginning of a long one.
fn shown(argument: &[u8]) -> String {
    const MOST: usize = 24;
    let text: String = argument.iter().take(MOST).flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
    let plain = !text.is_empty() && argument.len() <= MOST && !text.contains([' ', '\\']);
    if plain {
        text
    } else if argument.len() <= MOST {
        format!("'{text}'")
    } else {
        format!("'{text}…' ({} bytes)", argument.len())
    }
}

/// `jobq` says how it is used, and exits 2.
pub fn is_wrong_usage(session: &mut Session, arguments: Arguments) -> Result<(), Unpassed> {
    let program = start(session, arguments)?;
    session.exit(program)?;
    exits(session, program, Exit::Status(2))?;
    prints(session, program, b"")?;
    complains(session, program, &["usage: jobq"])
}

/// Starts a watcher and lets it print what is queued and go to sleep.
pub fn watch(session: &mut Session, name: &str) -> Result<Program, Unpassed> {
    let program = start(session, &[&"watch", &name])?;
    session.settle()?;
    Ok(program)
}

/// The watcher lives and has printed exactly this so far.
pub fn has_printed(session: &mut Session, watcher: Program, expected: &[u8], circumstance: &str) -> Result<(), Unpassed> {
    lives(session, watcher, circumstance)?;
    if session.stdout(watcher) == expected {
        return Ok(());
    }
    Err(not_as_expected(session, watcher, expected, circumstance))
}

/// The same where the order of these lines, which come after `before`, is open.
pub fn has_printed_all(session: &mut Session, watcher: Program, before: &[u8], lines: &[Vec<u8>], circumstance: &str) -> Result<(), Unpassed> {
    lives(session, watcher, circumstance)?;
    let sorted = |lines: &mut Vec<&[u8]>| lines.sort_unstable();
    let mut expected: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let mut observed: Vec<&[u8]> = session.stdout(watcher).strip_prefix(before).unwrap_or_default().split_inclusive(|byte| *byte == b'\n').collect();
    sorted(&mut expected);
    sorted(&mut observed);
    if expected == observed {
        return Ok(());
    }
    Err(not_as_expected(session, watcher, &[before, &lines.concat()].concat(), circumstance))
}

fn lives(session: &mut Session, watcher: Program, circumstance: &str) -> Result<(), Unpassed> {
    let Some(exit) = session.exit_of(watcher) else { return Ok(()) };
    let next = "only SIGTERM and SIGINT end the watcher: see its standard error, and the way it ends by";
    let finding = Finding::new("exit", "`jobq watch` goes on watching", format!("it ended ({exit})"), next);
    Err(finding.when(circumstance).with(session.end_lines(watcher)).into())
}

fn not_as_expected(session: &mut Session, watcher: Program, expected: &[u8], circumstance: &str) -> Unpassed {
    let mut finding = difference("standard output of `jobq watch`, once all is quiet", expected, session.stdout(watcher)).when(circumstance);
    if session.stdout(watcher).len() < expected.len() {
        finding.next = "see what it waits for, whether anything will still wake it, and whether it writes out what it has; mq_notify(3)".into();
    }
    finding.with(session.waiting_lines()).into()
}

/// A queue that `jobq` did not make, and so must not remove.
pub fn queue_stays(session: &mut Session, name: &str) -> Result<Queue, Unpassed> {
    if session.has_queue(name)? {
        return session.queue(name);
    }
    let next = "only `jobq rm` removes a queue: look for mq_unlink; mq_unlink(3)";
    Err(Finding::new("queue", "the queue stays in place", "it is gone", next).into())
}

/// The queue has these attributes, or the system's defaults, and mode 0600.
pub fn has_attributes(session: &mut Session, name: &str, max: Option<&str>, size: Option<&str>) -> Result<(), Unpassed> {
    let queue = session.queue(name)?;
    let (state, mode) = (queue.state()?, queue.mode()?);
    let asked_for = |option: Option<&str>, default: &str| option.map_or_else(|| system_default(default), |text| Ok(text.to_owned()));
    let expected = format!("a queue of {} messages of {} bytes", asked_for(max, "msg_default")?, asked_for(size, "msgsize_default")?);
    let observed = format!("a queue of {} messages of {} bytes", state.max_messages, state.message_size);
    if expected != observed {
        let next = "see which attribute each option goes into, and that both are set where one is; mq_open(3), mq_getattr(3)";
        return Err(Finding::new("attributes", expected, observed, next).into());
    }
    if mode != 0o600 {
        let next = "a mode is written in octal (0o600 in Rust), and is the third argument of mq_open; mq_open(3)";
        return Err(Finding::new("mode", "a queue with mode 0600", format!("its mode is {mode:04o} (with umask 022)"), next).into());
    }
    Ok(())
}

fn system_default(attribute: &str) -> Result<String, Unpassed> {
    Ok(std::fs::read_to_string(format!("/proc/sys/fs/mqueue/{attribute}"))?.trim().to_owned())
}

/// The message that was in a queue holds exactly these bytes.
pub fn message_is(message: Option<(Vec<u8>, u32)>, expected: &[u8]) -> Result<(), Unpassed> {
    match message {
        Some((text, _)) if text == expected => Ok(()),
        Some((text, _)) => Err(difference("the message in the queue", expected, &text).into()),
        None => Err(Finding::new(
            "queue",
            "a message in the queue",
            "the queue is empty",
            "see which call puts it there, and what it returns; mq_send(3)",
        )
        .into()),
    }
}

/// The queue is still there, and a message goes in and comes out again.
pub fn queue_is_usable(session: &mut Session, name: &str, message: &[u8], priority: u32) -> Result<(), Unpassed> {
    let queue = queue_stays(session, name)?;
    queue.send(message, priority)?;
    message_is(queue.receive()?, message)
}
