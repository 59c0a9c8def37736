//! What the checks share: runs of the program, and what is expected of them.

use harness::prelude::*;

use super::places::Place;

/// Result of looking at one thing in a run that is over.
type Looked = Result<(), Unpassed>;

/// A run for each case, until one does not pass.
pub fn each<T>(cases: impl IntoIterator<Item = T>, run: impl Fn(T) -> Verdict) -> Verdict {
    let mut verdict = Err(Unpassed::Broken("there is no case to check".into()));
    for case in cases {
        verdict = Ok(run(case)?);
    }
    verdict
}

/// A run of the program on these words. Messages do not speak of faults that only give it a certain order.
pub fn start<'lab>(lab: &'lab Lab, words: &[String]) -> Run<'lab> {
    lab.run("pipe").args(words).when("")
}

/// A run in which everything has to come out right: exit status 0, the words, and then the count.
pub fn whole<'lab>(lab: &'lab Lab, words: &[String]) -> Run<'lab> {
    start(lab, words).exits(0).expect(prints_words_and_count(words))
}

/// A run in which the child does not end well, and the parent says so.
pub fn child_fails<'lab>(lab: &'lab Lab, words: &[String], how: &str) -> Run<'lab> {
    start(lab, words).when(how).exits(1).expect(parent_complains)
}

/// Does the run with a child that begins to read when the parent has sent all that there is room for. Which of the two processes is the faster one is then
/// no matter of luck, and a wrong program fails in the same way each time.
pub fn settled(run: Run<'_>) -> Verdict {
    // It comes after the run's other faults, which are for the same call perhaps: what is held meets no further fault.
    run.inject(delay_at(Read).on(Kind::Pipe).by(Who::Children).nth(1).if_called()).verdict()
}

/// Fails unless the child prints exactly the words, read from a pipe. How the run ends is not looked at: a child that prints everything and then waits for
/// ever has printed everything.
pub fn child_prints(lab: &Lab, words: &[String], order: Fault) -> Verdict {
    lab.session(|session| {
        session.arm(order);
        let pipe = session.program("pipe").args(words).start()?;
        let ended = session.all_end();
        if let Err(broken @ Unpassed::Broken(_)) = ended {
            return Err(broken);
        }
        let (printed, expected) = (printed_by_children(session, pipe), lines(words));
        if printed != expected {
            // If the run came to a stop, that is why something is missing.
            ended?;
            return Err(difference("standard output of the child", &expected, &printed).with(session.end_lines(pipe)).into());
        }
        reads_before_it_prints(session, pipe)?;
        session.pass()
    })
}

/// The words, each on a line of its own.
fn lines(words: &[String]) -> Vec<u8> {
    words.iter().flat_map(|word| [word.as_bytes(), b"\n"].concat()).collect()
}

fn parent(session: &Session, program: Program) -> ProcessId {
    session.processes_of(program).find(|process| process.parent.is_none()).map_or(ProcessId(0), |process| process.id)
}

fn children(session: &Session, program: Program) -> impl Iterator<Item = &Process> {
    session.processes_of(program).filter(|process| process.parent.is_some())
}

fn is_childs(session: &Session, event: &Event) -> bool {
    session.processes()[event.process.0].parent.is_some()
}

fn printed_by_children(session: &Session, program: Program) -> Vec<u8> {
    children(session, program).flat_map(|child| session.written(child.id, "standard output")).collect()
}

/// The transfers on pipes by the child or by the parent: its reads or its writes.
fn on_pipes(session: &Session, program: Program, by_child: bool, call: Call) -> impl Iterator<Item = &Event> {
    let on_pipe = |event: &&Event| session.kind_of(event) == Some(Kind::Pipe);
    session.events_of(program).filter(move |event| event.call == call && is_childs(session, event) == by_child).filter(on_pipe)
}

/// The writes to standard output by the child or by the parent.
fn prints_by(session: &Session, program: Program, by_child: bool) -> impl Iterator<Item = &Event> {
    let to_output = |event: &&Event| session.object_name(event) == "standard output";
    session.events_of(program).filter(move |event| event.call == Write && is_childs(session, event) == by_child).filter(to_output)
}

fn reads_before_it_prints(session: &Session, program: Program) -> Looked {
    let first_print = prints_by(session, program, true).map(|event| event.entered).next();
    let mut reads = on_pipes(session, program, true, Read).filter(|event| event.success().is_some_and(|bytes| bytes > 0));
    if reads.any(|read| first_print.is_none_or(|print| read.left < Some(print))) {
        return Ok(());
    }
    let next =
        "fork copies the parent's memory, so the child has words of its own; print what read gives instead: the words are to come through the pipe";
    Err(Finding::new(
        "order",
        "the child reads the words from a pipe and then prints them",
        "the child prints before it has read anything from a pipe",
        next,
    )
    .into())
}

/// Fails unless a read of the child on the words pipe returned 0 though it asked for more.
pub fn child_reads_to_end_of_file(session: &mut Session, program: Program) -> Looked {
    if on_pipes(session, program, true, Read).any(|read| read.result == Some(0) && read.arguments[2] > 0) {
        return Ok(());
    }
    let next = "read on until read returns 0, also if the child knows by other means that it has all words; read(2)";
    Err(Finding::new("end-of-file", "the child reads the words pipe until read returns 0", "no read of the child returns 0", next).into())
}

/// Fails unless standard output holds the words and then the number of bytes that the child's reads returned.
pub fn prints_words_and_count(words: &[String]) -> impl Fn(&mut Session, Program) -> Looked + use<> {
    let words = lines(words);
    move |session, program| {
        let read = bytes_moved(on_pipes(session, program, true, Read), &[Read]);
        let count = format!("{read} bytes\n").into_bytes();
        let Some(last) = session.stdout(program).strip_prefix(&*words) else {
            return prints(session, program, &[&*words, &count].concat());
        };
        if last == count {
            return Ok(());
        }
        let expected = format!("{} after the words, since the child's reads on the words pipe returned {read} bytes in all", excerpt(&count, 0));
        let observed = format!("{} after the words", excerpt(last, 0));
        let next = match last {
            [] => "see which way the parent ends by without a count",
            _ => "add up what the child's reads return, marks and lengths included, and send the sum; read(2), RETURN VALUE",
        };
        Err(Finding::new("count", expected, observed, next).with(session.end_lines(program)).into())
    }
}

/// Fails if the parent prints before the child has printed everything.
pub fn parent_prints_last(session: &mut Session, program: Program) -> Looked {
    let first = prints_by(session, program, false).filter_map(|event| event.left).next();
    let last = prints_by(session, program, true).filter_map(|event| event.left).last();
    if first.is_none() || last < first {
        return Ok(());
    }
    let next = "let the child send the count when it has nothing left to print: then the parent's line cannot come too early";
    Err(Finding::new("order", "the parent's line comes after all words", "the parent prints while the child still has words to print", next).into())
}

/// Fails unless the parent has read something that the child wrote to a pipe by the time that it prints.
pub fn parent_reads_the_count_before_it_prints(session: &mut Session, program: Program) -> Looked {
    let print = prints_by(session, program, false).map(|event| event.entered).next();
    let mut answers = on_pipes(session, program, false, Read).filter(|read| read.success().is_some_and(|bytes| bytes > 0) && read.left < print);
    if answers.any(|read| on_pipes(session, program, true, Write).any(|write| write.object == read.object)) {
        return Ok(());
    }
    let next = "make a second pipe for the answer: the child adds up what it has read and writes the sum there; pipe(2)";
    Err(Finding::new(
        "count",
        "the parent reads the count from a pipe that the child writes",
        "the parent prints a count that it has not read from the child",
        next,
    )
    .into())
}

/// Fails if the parent prints anything but the last line.
pub fn parent_prints_one_line(session: &mut Session, program: Program) -> Looked {
    let printed = session.written(parent(session, program), "standard output");
    let last = session.stdout(program).split_inclusive(|byte| *byte == b'\n').next_back().unwrap_or_default();
    if printed == last { Ok(()) } else { Err(difference("standard output of the parent", last, &printed).into()) }
}

/// Fails if the parent ended before its child.
pub fn child_ends_first(session: &mut Session, program: Program) -> Looked {
    let end = session.processes()[parent(session, program).0].ended;
    if children(session, program).all(|child| child.ended.is_some() && child.ended < end) {
        return Ok(());
    }
    let next = "wait for the child with waitpid before the parent exits; waitpid(2)";
    Err(Finding::new("order", "the child has ended when the parent exits", "the child still runs when the parent exits", next).into())
}

/// Fails if the parent, while its child is held just before its end, asks again and again instead of waiting.
pub fn parent_is_at_rest(session: &mut Session, program: Program) -> Looked {
    /// More calls than any program needs to come to its wait, and fewer than a busy one makes until the session takes it for settled.
    const MANY: usize = 200;
    let until_held = |event: &&Event| event.call != ExitGroup || !is_childs(session, event);
    if session.events_of(program).skip_while(until_held).filter(|event| !is_childs(session, event)).count() < MANY {
        return Ok(());
    }
    let next = "wait with waitpid without WNOHANG: the call comes back when the child has ended; waitpid(2)";
    Err(Finding::new(
        "busy-waiting",
        "the parent waits for its child in a call that blocks",
        "the parent asks again and again while the child still runs",
        next,
    )
    .into())
}

/// Fails unless the parent itself has written a line to standard error that begins with the program's name.
fn parent_complains(session: &mut Session, program: Program) -> Looked {
    says(session, parent(session, program), &["pipe: "])
}

/// Fails unless the process in which a call was made to fail has reported it and exited with status 1.
pub fn reports(place: &Place) -> impl Fn(&mut Session, Program) -> Looked {
    move |session, program| {
        let failed = |event: &&Event| event.injected && event.errno() == Some(place.errno);
        let Some(process) = session.events_of(program).find(failed).map(|event| event.process) else {
            return Ok(()); // The session tells of a fault that met no call.
        };
        says(session, process, place.names)?;
        match session.processes()[process.0].exit {
            Some(Exit::Status(1)) | None => Ok(()),
            Some(exit) => {
                let expected = format!("{} exits with status 1", session.name(process));
                let next = "print the line and exit with status 1 right where the call fails; a panic exits with 101";
                Err(Finding::new("exit", expected, exit.to_string(), next).with(session.end_lines(program)).into())
            }
        }
    }
}

/// Fails unless this process has written a line to standard error that begins with one of these.
fn says(session: &Session, process: ProcessId, beginnings: &[&str]) -> Looked {
    let errors = session.written(process, "standard error");
    let begins = |line: &[u8]| beginnings.iter().any(|beginning| line.starts_with(beginning.as_bytes()));
    if errors.split(|byte| *byte == b'\n').any(begins) {
        return Ok(());
    }
    let beginnings = beginnings.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(" or ");
    let expected = format!("{} prints a line on standard error that begins with {beginnings}", session.name(process));
    let next = "test the result of each call where it is made, and report it as the handout says; errno(3)";
    Err(Finding::new("error-report", expected, format!("it prints {} there", excerpt(&errors, 0)), next).into())
}

/// Fails if the parent prints a line that looks like a count.
pub fn prints_no_count(session: &mut Session, program: Program) -> Looked {
    let printed = session.written(parent(session, program), "standard output");
    let is_count = |line: &[u8]| line.strip_suffix(b" bytes").is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit));
    if !printed.split(|byte| *byte == b'\n').any(is_count) {
        return Ok(());
    }
    let next = "a read that returns 0 before the whole count has come means that there is no count: report it and exit 1";
    Err(Finding::new(
        "count",
        "no line `N bytes`, since the child has not sent the count",
        format!("the parent prints {}", excerpt(&printed, 0)),
        next,
    )
    .into())
}

/// Fails if there is more than one process.
pub fn starts_no_child(session: &mut Session, program: Program) -> Looked {
    if children(session, program).next().is_none() {
        return Ok(());
    }
    Err(Finding::new("process", "no child is started", "the program forks", "look at the arguments before anything else").into())
}
