//! What is looked at in a run.

use harness::prelude::*;

use crate::calls::DUP;

/// Result of looking at one thing in a run.
pub type Looked = Result<(), Unpassed>;

/// A run for each case, until one does not pass.
pub fn each<T>(cases: impl IntoIterator<Item = T>, run: impl Fn(T) -> Verdict) -> Verdict {
    let mut verdict = Err(Unpassed::Broken("there is no case to check".into()));
    for case in cases {
        verdict = Ok(run(case)?);
    }
    verdict
}

/// The words, each on a line of its own.
pub fn lines(words: &[String]) -> String {
    words.iter().map(|word| format!("{word}\n")).collect()
}

/// What `seq` prints.
pub fn numbers_to(last: u64) -> String {
    (1..=last).map(|number| format!("{number}\n")).collect()
}

/// Words of which no two are the same.
pub fn distinct_words(lab: &Lab, count: usize) -> Vec<String> {
    (0..count).map(|place| format!("{}{place}", lab.word())).collect()
}

/// The commands that children of the program's first process, or theirs, have executed, in the order of their births: the event and the command's name.
fn commands(session: &Session, program: Program) -> Vec<(usize, String)> {
    let executed = |event: &Event| {
        let process = &session.processes()[event.process.0];
        event.call == Exec && event.succeeded() && process.program == program.number() && process.parent.is_some()
    };
    let name = |event: &Event| event.path().and_then(|path| path.rsplit('/').next()).unwrap_or_default().to_owned();
    let mut found: Vec<(usize, &Event)> = session.events().iter().enumerate().filter(|(_, event)| executed(event)).collect();
    // Which of the children comes first to its exec is a matter of luck.
    found.sort_by_key(|(_, event)| event.process);
    found.into_iter().map(|(index, event)| (index, name(event))).collect()
}

/// Fails unless so many commands were executed in all. No stage of such a run executes anything itself.
pub fn executed_once_each(session: &mut Session, program: Program, count: usize) -> Looked {
    let commands = commands(session, program);
    if commands.len() == count {
        return Ok(());
    }
    let labels: Vec<_> = commands.iter().filter_map(|(event, name)| session.label(*event, format!("{name} is executed here"))).collect();
    let mut names: Vec<String> = commands.into_iter().map(|(_, name)| name).collect();
    names.sort();
    let expected = format!("{count} command{} executed in all, one for each stage that can be", if count == 1 { " is" } else { "s are" });
    let observed = if names.is_empty() { "no command is executed".into() } else { format!("{} are executed: {}", names.len(), names.join(", ")) };
    let next = "a child whose exec failed must end on the spot: if it goes on, it starts the stages after it once more; _exit(2)";
    Err(Finding::new("stages", expected, observed, next).at(labels).into())
}

/// Fails if a process has executed a command with any other descriptors than 0, 1 and 2.
pub fn holds_its_three(session: &mut Session, program: Program) -> Looked {
    looks_at_tables(session, program, &[0, 1, 2])
}

/// Fails if a process has executed a command with a descriptor above 2.
pub fn holds_nothing_above_two(session: &mut Session, program: Program) -> Looked {
    looks_at_tables(session, program, &[])
}

fn looks_at_tables(session: &mut Session, program: Program, needed: &[i32]) -> Looked {
    for (event, command) in commands(session, program) {
        let process = session.events()[event].process;
        let Some(table) = &session.processes()[process.0].descriptors_at_exec else {
            return Err(Unpassed::Broken(format!("the descriptors of {command} could not be read")));
        };
        let numbers: Vec<i32> = table.iter().map(|(descriptor, _)| descriptor.number).collect();
        let surplus = table.iter().find(|(descriptor, _)| descriptor.number > 2).cloned();
        let missing = needed.iter().find(|number| !numbers.contains(number));
        if surplus.is_none() && missing.is_none() {
            continue;
        }
        let list = numbers.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
        let (name, origin) = (session.name(process), surplus.as_ref().and_then(|(_, object)| *object));
        let what = match (&surplus, missing) {
            (Some((descriptor, _)), _) => {
                let end = if descriptor.access.reads() { "read" } else { "write" };
                let of = if descriptor.link.starts_with("pipe:") { format!(", a {end} end of a pipe") } else { String::new() };
                format!("{} is one too many{of}", descriptor.number)
            }
            (None, missing) => format!("{} is not among them", missing.copied().unwrap_or_default()),
        };
        let next = if surplus.is_some() {
            "dup2 copies a descriptor and closes none: close what is left over before exec, or make it close-on-exec; pipe(2), O_CLOEXEC"
        } else {
            "see which end belongs there, and whether it is close-on-exec; dup2(2)"
        };
        let labels = [session.label(event, format!("{command} is executed here")), origin.and_then(|object| session.label_of_origin(object))];
        let expected = "each stage executes its command with the descriptors 0, 1 and 2, and with no other";
        let observed = format!("{name} executes {command} with the descriptors {list}: {what}");
        return Err(Finding::new("descriptors", expected, observed, next).at(labels.into_iter().flatten()).into());
    }
    Ok(())
}

/// Fails unless the process that executed this command was killed by SIGPIPE.
pub fn dies_of_a_broken_pipe(session: &mut Session, program: Program, command: &str) -> Looked {
    let Some((event, _)) = commands(session, program).into_iter().find(|(_, name)| name == command) else {
        let next = "see with which words execvp is called";
        return Err(Finding::new("stages", format!("{command} is executed"), "it is not", next).with(session.end_lines(program)).into());
    };
    let process = session.events()[event].process;
    match session.processes()[process.0].exit {
        Some(Exit::Signal(libc::SIGPIPE)) => Ok(()),
        exit => {
            let observed = exit.map_or_else(|| "it still runs".into(), |exit| exit.to_string());
            let expected = format!("{command} goes on writing when the stage after it has ended, and dies of SIGPIPE");
            let label = session.label(event, format!("{command} is executed here"));
            Err(about_sigpipe(Finding::new("sigpipe", expected, observed, "").with(session.end_lines(program)).at(label).into()))
        }
    }
}

/// Says in a failure what Rust does to SIGPIPE.
pub fn about_sigpipe(unpassed: Unpassed) -> Unpassed {
    let next = "Rust's runtime ignores SIGPIPE, and exec passes that on: set it to SIG_DFL in the child before execvp; signal(2), execve(2)";
    with_next(unpassed, next)
}

fn with_next(unpassed: Unpassed, next: &str) -> Unpassed {
    match unpassed {
        Unpassed::Fail(mut finding) => {
            finding.next = next.to_owned();
            Unpassed::Fail(finding)
        }
        other => other,
    }
}

/// Fails unless this is a line on standard error.
pub fn says(session: &mut Session, program: Program, line: &str) -> Looked {
    let errors = session.stderr(program);
    if errors.split(|byte| *byte == b'\n').any(|said| said == line.as_bytes()) {
        return Ok(());
    }
    let expected = format!("the line \"{line}\" on standard error, where a stage writes it");
    let observed = format!("standard error: {}", excerpt(errors, 0));
    let next = "every stage keeps the program's own descriptor 2; dup2(2)";
    Err(Finding::new("output", expected, observed, next).with(session.end_lines(program)).into())
}

/// Gives the first stage a line and fails unless it comes out of the last one, while standard input is still open.
pub fn comes_through(session: &mut Session, program: Program, word: &str) -> Looked {
    session.feed(program, format!("{word}\n").as_bytes());
    session.settle()?;
    let next = "start every stage before you wait for any of them, and let the stages pass their data on by themselves; waitpid(2)";
    let line = session.line(program).map_err(|unpassed| with_next(unpassed, next))?;
    if line == word { Ok(()) } else { Err(difference("a line of standard output", word.as_bytes(), line.as_bytes()).into()) }
}

/// Ends standard input, and lets the stages take notice before anything else is asked for: a program that does not sleep meanwhile is to be found by the check
/// that is about this.
pub fn end_input(session: &mut Session, program: Program) -> Looked {
    session.end_input(program);
    session.settle()
}

/// Fails unless the program, of whose stages some have ended and some have not, sleeps until the others end.
pub fn waits_for_the_others(session: &mut Session, program: Program) -> Looked {
    session.until_asleep("the program sleeps until the stages that still run have ended")?;
    if !session.has_ended(program) {
        return Ok(());
    }
    let next = "wait for every stage, also for those whose status nobody asks for; waitpid(2)";
    Err(Finding::new("order", "the program waits until all stages have ended", "it has ended, and the first stage still runs", next)
        .with(session.end_lines(program))
        .into())
}

/// Fails unless each stage in which dup2 was made to fail says so and has executed nothing. Where no child calls it there is nothing to look at.
pub fn stages_without_dup2_report_and_end(session: &mut Session, program: Program) -> Looked {
    if !session.events_of(program).any(|event| event.injected) {
        return Ok(());
    }
    complains(session, program, DUP)?;
    if let Some((event, command)) = commands(session, program).into_iter().find(|(event, _)| {
        let process = session.events()[*event].process;
        session.events_of(program).any(|event| event.injected && event.process == process)
    }) {
        let label = session.label(event, format!("{command} is executed here"));
        let next = "look at the result of dup2, and end the child with _exit when it is -1; dup2(2)";
        let observed = format!("{command} is executed, though its stage could not put a pipe in its place");
        return Err(Finding::new("error-report", "a stage in which dup2 fails executes nothing", observed, next).at(label).into());
    }
    if session.exit_of(program) != Some(Exit::Status(0)) {
        return Ok(());
    }
    let next = "end the child with a status other than 0: the program's status is that of the last stage; _exit(2)";
    Err(Finding::new("exit", "a status other than 0, since the last stage could not be started", "exit status 0", next)
        .with(session.end_lines(program))
        .into())
}

/// Fails if the program forks.
pub fn starts_nothing(session: &mut Session, program: Program) -> Looked {
    if session.processes_of(program).all(|process| process.parent.is_none()) {
        return Ok(());
    }
    let next = "look at all stages before you start the first one";
    Err(Finding::new("process", "no stage is started", "the program forks", next).with(session.end_lines(program)).into())
}
