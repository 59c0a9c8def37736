//! What the checks share: runs of the program, what its copies do, and what is expected of them.

use std::os::fd::OwnedFd;

use harness::prelude::*;

/// Result of looking at one thing.
pub type Looked = Result<(), Unpassed>;

/// How a line begins that reports a failed call: with the name of the libc function, of which several end up in one system call.
pub const FORK_NAMES: [&str; 4] = ["spawn: fork:", "spawn: vfork:", "spawn: clone:", "spawn: clone3:"];
pub const PIPE_NAMES: [&str; 2] = ["spawn: pipe2:", "spawn: pipe:"];
pub const WAIT_NAMES: [&str; 4] = ["spawn: waitpid:", "spawn: waitid:", "spawn: wait:", "spawn: wait4:"];
pub const WRITE_NAMES: [&str; 2] = ["spawn: write:", "spawn: writev:"];
const READ_NAMES: [&str; 2] = ["spawn: read:", "spawn: readv:"];

/// What a shell does that stays alive until the check lets go of the FIFO `gate`.
const WAITS: &str = "read line <gate; exit 0";

/// What a shell does that takes the first free seat, waits for an order at that seat's gate, and follows it.
const SEATED: &str = "i=1; until mkdir seat$i 2>/dev/null; do i=$((i+1)); done; read line <gate$i; eval \"$line\"";

/// A run for each case, until one does not pass.
pub fn each<T>(cases: impl IntoIterator<Item = T>, run: impl Fn(T) -> Verdict) -> Verdict {
    let mut verdict = Err(Unpassed::Broken("there is no case to check".into()));
    for case in cases {
        verdict = Ok(run(case)?);
    }
    verdict
}

/// A run of N copies of a command.
pub fn spawn<'lab>(lab: &'lab Lab, n: u64, command: &[&str]) -> Run<'lab> {
    lab.run("spawn").args(["-n", &n.to_string(), "--"]).args(command.iter().copied()).when("")
}

/// Does the run with a spawn that comes so late to its waits that all copies have ended. Who is faster is then no matter of luck, and a wrong program fails in
/// the same way each time.
pub fn settled(run: Run<'_>) -> Verdict {
    // It comes after the run's other faults, which are for the same call perhaps: what is held meets no further fault.
    run.inject(delay_at(Wait).by(Who::Parent).if_called()).verdict()
}

/// The name of a command that is nowhere.
pub fn missing_command(lab: &Lab) -> String {
    format!("nosuch-{}", lab.word())
}

/// A FIFO that the check holds open: who reads from it waits, until the check writes or lets go of it.
pub fn gate(session: &mut Session, name: &str) -> Result<OwnedFd, Unpassed> {
    let path = session.make_fifo(name)?;
    session.open_fifo(&path)
}

/// Starts N copies of a command that runs until the gate is dropped, and then exits 0.
pub fn start_waiting(session: &mut Session, n: u64) -> Result<(Program, OwnedFd), Unpassed> {
    let gate = gate(session, "gate")?;
    let program = session.program("spawn").args(["-n", &n.to_string(), "--", "sh", "-c", WAITS]).start()?;
    Ok((program, gate))
}

/// A run whose copies end one after the other, in this sequence of their places in the order of starts, each after it has followed its order; `afterwards` is
/// done after each end.
pub fn end_in_turn(
    session: &mut Session,
    n: usize,
    sequence: &[usize],
    order: impl Fn(usize) -> String,
    afterwards: fn(&mut Session) -> Looked,
) -> Result<Program, Unpassed> {
    let gates: Vec<OwnedFd> = (1..=n).map(|seat| gate(session, &format!("gate{seat}"))).collect::<Result<_, _>>()?;
    let program = session.program("spawn").args(["-n", &n.to_string(), "--", "sh", "-c", SEATED]).start()?;
    all_wait_at_a_gate(session, program, n)?;
    let seats = seats(session, program);
    for copy in sequence {
        let (process, gate) = seats[*copy];
        session.write(&gates[gate], order(*copy).as_bytes())?;
        session.until("the copy ends", |session| Ok(session.processes()[process.0].exit.map(drop)))?;
        afterwards(session)?;
    }
    session.all_end()?;
    Ok(program)
}

/// The process that was started.
fn parent(session: &Session, program: Program) -> Option<ProcessId> {
    session.processes_of(program).find(|process| process.parent.is_none()).map(|process| process.id)
}

/// The parent's children, in the order of their starts.
fn copies(session: &Session, program: Program) -> impl Iterator<Item = &Process> {
    let parent = parent(session, program);
    session.processes_of(program).filter(move |process| process.parent.is_some() && process.parent == parent)
}

/// The copies that wait at a gate now, in the order of their starts, each with the gate's name.
fn waiting_at_a_gate(session: &Session, program: Program) -> Vec<(ProcessId, String)> {
    let gate_of = |copy: &Process| {
        let waits = |event: &&Event| event.process == copy.id && event.call == Read && event.left.is_none();
        let event = session.events_of(program).filter(waits).last()?;
        (session.kind_of(event) == Some(Kind::Fifo)).then(|| (copy.id, session.object_name(event)))
    };
    copies(session, program).filter(|copy| copy.exit.is_none()).filter_map(gate_of).collect()
}

/// Lets the run go on until so many copies wait at a gate.
pub fn all_wait_at_a_gate(session: &mut Session, program: Program, n: usize) -> Looked {
    session.settle()?;
    // Beside a spawn that asks again and again a copy may take longer than that to get there.
    let reached = session.until("all copies run", |session| Ok((waiting_at_a_gate(session, program).len() == n).then_some(())));
    let Err(Unpassed::Fail(_)) = reached else { return reached };
    let waiting = waiting_at_a_gate(session, program).len();
    let next = "start all copies first and wait for them afterwards; see also whether a read from the pipe waits for the end of the command: \
                pipe2(2), O_CLOEXEC";
    let lines = [session.waiting_lines(), session.end_lines(program)].concat();
    let observed = format!("{waiting} of {n} copies run, and no other is started while they do");
    Err(Finding::new("order", format!("all {n} copies run at the same time"), observed, next).with(lines).into())
}

/// Where each of the copies sits that wait at a gate, in the order of their starts: the process, and the index of its gate.
fn seats(session: &Session, program: Program) -> Vec<(ProcessId, usize)> {
    let gate_of = |name: &str| name.strip_prefix("FIFO gate")?.parse::<usize>().ok()?.checked_sub(1);
    waiting_at_a_gate(session, program).into_iter().filter_map(|(process, gate)| Some((process, gate_of(&gate)?))).collect()
}

/// What spawn has to print: the copies' ends as the kernel told them, in the order of their starts.
pub fn report(session: &Session, program: Program) -> String {
    let line = |copy: &Process| match copy.exit {
        Some(Exit::Status(code)) => format!("exit {code}\n"),
        Some(Exit::Signal(signal)) => format!("signal {signal}\n"),
        None => String::new(),
    };
    copies(session, program).map(line).collect()
}

/// Fails unless standard output is the report and nothing else.
pub fn prints_report(session: &mut Session, program: Program) -> Looked {
    let expected = report(session, program);
    prints(session, program, expected.as_bytes())
}

/// Fails unless the parent has so many children and each of them has become the command.
pub fn runs_copies(n: u64) -> impl Fn(&mut Session, Program) -> Looked {
    move |session, program| {
        let became = |copy: &&Process| session.events_of(program).any(|event| event.process == copy.id && event.call == Exec && event.succeeded());
        let (children, commands) = (copies(session, program).count() as u64, copies(session, program).filter(became).count() as u64);
        if (children, commands) == (n, n) {
            return Ok(());
        }
        let observed = format!("it has {children} children, and {commands} of them execute a program");
        let next = "fork once for each copy, in the parent only, and call execvp in each child; fork(2), exec(3)";
        let lines = session.end_lines(program);
        Err(Finding::new("process", format!("spawn forks {n} children, and each of them executes the command"), observed, next).with(lines).into())
    }
}

/// Fails if the parent has asked many times for the end of copies that still run.
pub fn does_not_ask_again_and_again(session: &mut Session, program: Program) -> Looked {
    /// More than any program needs that asks for each of a few copies, and fewer than one makes that asks all the time until the session is settled.
    const MANY: usize = 100;
    let parent = parent(session, program);
    let in_vain = |event: &&Event| event.call == Wait && Some(event.process) == parent && event.result == Some(0);
    if session.events_of(program).filter(in_vain).count() < MANY {
        return Ok(());
    }
    let first = session.events().iter().position(|event| in_vain(&event));
    let label = first.and_then(|event| session.label(event, "this call finds no copy that has ended, again and again"));
    let expected = "spawn waits for the copies in a call that blocks";
    let next = "wait without WNOHANG: the call comes back when the child has ended; waitpid(2)";
    Err(Finding::new("busy-waiting", expected, "it asks again and again while they still run", next).at(label).into())
}

/// Fails if the parent ended before one of the copies.
pub fn ends_last(session: &mut Session, program: Program) -> Looked {
    let end = session.processes_of(program).next().and_then(|parent| parent.ended);
    if copies(session, program).all(|copy| copy.ended.is_some() && copy.ended < end) {
        return Ok(());
    }
    let next = "wait for each of the children with waitpid before the parent exits; waitpid(2)";
    Err(Finding::new("order", "all copies have ended when spawn exits", "a copy still runs when spawn exits", next).into())
}

/// Fails unless the parent has so many children, which execute nothing, print nothing, start nothing and exit with 127.
pub fn children_do_nothing_but_exec(n: u64) -> impl Fn(&mut Session, Program) -> Looked {
    move |session, program| {
        let copies: Vec<ProcessId> = copies(session, program).map(|copy| copy.id).collect();
        let wrong = |observed: String, next: &str| {
            let expected = "a child in which exec fails prints nothing on standard output, starts no process and exits with 127";
            let calls: Vec<usize> = (0..session.events().len()).filter(|index| is_failed_exec(&session.events()[*index], &copies)).take(1).collect();
            (Finding::new("child", expected, observed, next), calls)
        };
        let next = "the line after execvp is executed in the child, and only if it failed: end the child there; exec(3), _exit(2)";
        let mut found = None;
        for copy in &copies {
            let name = session.name(*copy);
            let printed = session.written(*copy, "standard output");
            let process = &session.processes()[copy.0];
            if session.processes_of(program).any(|other| other.parent == Some(*copy)) {
                found = Some(wrong(format!("{name} starts a process: it goes on in the parent's code"), next));
            } else if !printed.is_empty() {
                found = Some(wrong(format!("{name} prints {}", excerpt(&printed, 0)), next));
            } else if process.exit != Some(Exit::Status(127)) {
                let end = process.exit.map_or_else(|| "it still runs".to_owned(), |exit| exit.to_string());
                found = Some(wrong(format!("the end of {name}: {end}"), "call _exit(127) right after the failed execvp; _exit(2)"));
            }
            if found.is_some() {
                break;
            }
        }
        if let Some((finding, calls)) = found {
            let label = calls.first().and_then(|call| session.label(*call, "exec fails here"));
            return Err(finding.at(label).into());
        }
        if copies.len() as u64 == n {
            return Ok(());
        }
        let observed = format!("it has {} children", copies.len());
        Err(Finding::new("process", format!("spawn forks {n} children"), observed, "fork once for each copy, in the parent only; fork(2)").into())
    }
}

fn is_failed_exec(event: &Event, copies: &[ProcessId]) -> bool {
    event.call == Exec && event.errno().is_some() && copies.contains(&event.process)
}

/// Fails unless the parent, and nobody else, has printed so many lines on an exec of this command that failed with this errno.
pub fn reports_exec_errors(command: &str, errno: i32, times: usize) -> impl Fn(&mut Session, Program) -> Looked + use<> {
    let beginning = format!("spawn: {command}: ");
    move |session, program| {
        let next = "let the child write errno into the pipe, and the parent read it and print the line; exec(3), pipe2(2), errno(3)";
        for copy in copies(session, program) {
            let printed = session.written(copy.id, "standard error");
            if !printed.is_empty() && session.events_of(program).all(|event| event.process != copy.id || event.call != Exec || !event.succeeded()) {
                let observed = format!("{} prints {} there", session.name(copy.id), excerpt(&printed, 0));
                return Err(Finding::new("error-report", "the child prints nothing on standard error", observed, next).into());
            }
        }
        let printed = parent(session, program).map(|parent| session.written(parent, "standard error")).unwrap_or_default();
        let text = String::from_utf8_lossy(&printed).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(&beginning)).collect();
        let (name, number) = (errno_name(errno), format!("os error {errno})"));
        let right = lines.iter().filter(|line| line.contains(&name) || line.contains(&number)).count();
        if lines.len() == times && right == times {
            return Ok(());
        }
        let expected = match times {
            0 => format!("no line that begins with `{beginning}`: the exec has not failed"),
            _ => format!("{times} of the parent's lines on standard error begin with `{beginning}` and name {name} or `os error {errno}`"),
        };
        let observed = format!("{} lines begin so and {right} name that error; standard error of the parent: {}", lines.len(), excerpt(&printed, 0));
        Err(Finding::new("error-report", expected, observed, next).into())
    }
}

/// Fails if a command holds an open descriptor that is neither a standard stream nor the gate that it opened itself.
pub fn hold_no_other_descriptors(session: &mut Session, program: Program) -> Looked {
    let waiting: Vec<ProcessId> = waiting_at_a_gate(session, program).into_iter().map(|(process, _)| process).collect();
    for copy in waiting {
        let held = session.descriptors_of(copy)?;
        let lines: Vec<String> =
            held.iter().filter(|(_, kind, _)| *kind != Kind::Fifo).map(|(number, _, name)| format!("descriptor {number}: {name}")).collect();
        if lines.is_empty() {
            continue;
        }
        let observed = format!("the command in {} has {} more", session.name(copy), lines.len());
        let next = "mark both ends of each pipe close-on-exec when you make it: pipe2(2), O_CLOEXEC";
        let made = session.events_of(program).find(|event| event.call == Pipe && event.succeeded()).map(|event| event.entered);
        let made = made.and_then(|entered| session.events().iter().position(|event| event.entered == entered));
        let label = made.and_then(|event| session.label(event, "a pipe is made here"));
        return Err(Finding::new("descriptor", "the commands hold descriptors 0, 1 and 2 only", observed, next).with(lines).at(label).into());
    }
    Ok(())
}

/// Fails unless each copy is killed by the SIGPIPE that it sends to itself.
pub fn dies_of_sigpipe(session: &mut Session, program: Program) -> Looked {
    let Some(survivor) = copies(session, program).find(|copy| copy.exit != Some(Exit::Signal(libc::SIGPIPE))) else { return Ok(()) };
    let observed =
        format!("{} survives it, and ends with {}", session.name(survivor.id), survivor.exit.map_or_else(String::new, |exit| exit.to_string()));
    let next = "Rust's runtime ignores SIGPIPE, and exec passes that on: set it to SIG_DFL in the child before execvp; signal(2), execve(2)";
    Err(Finding::new("signal", "SIGPIPE kills a command, as is the default", observed, next).into())
}

/// Fails unless the commands print `/proc/self/status` so many times, and no signal is blocked there.
pub fn blocks_no_signal(n: u64) -> impl Fn(&mut Session, Program) -> Looked {
    move |session, program| {
        let text = String::from_utf8_lossy(session.stdout(program)).into_owned();
        let masks: Vec<u64> =
            text.lines().filter_map(|line| line.strip_prefix("SigBlk:")).filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok()).collect();
        if masks.len() as u64 != n {
            let observed = format!("{} of them print it", masks.len());
            return Err(Finding::new("output", format!("{n} commands print their state"), observed, "see what else goes wrong there").into());
        }
        let Some(mask) = masks.into_iter().find(|mask| *mask != 0) else { return Ok(()) };
        let blocked: Vec<String> = (1..64).filter(|signal| mask >> (signal - 1) & 1 == 1).map(signal_name).collect();
        let next = "exec keeps the set of blocked signals: set it back in the child before execvp; sigprocmask(2), execve(2)";
        Err(Finding::new("signal", "no signal is blocked in a command", format!("{} is blocked there", blocked.join(" and ")), next).into())
    }
}

/// Fails if a copy was forked after the call that was made to fail.
pub fn nothing_is_started_after_the_failure(session: &mut Session, program: Program) -> Looked {
    let failure = session.events_of(program).find(|event| event.injected).map(|event| event.entered);
    let forked = |copy: &Process| copy.born_at.map(|event| session.events()[event].entered);
    let Some(late) = copies(session, program).find(|copy| failure.is_some() && forked(copy) > failure) else { return Ok(()) };
    let (name, event) = (session.name(late.id), late.born_at);
    let label = event.and_then(|event| session.label(event, "this fork comes after the failure"));
    let next = "leave the loop at the first failure, and go on with the copies that there are";
    Err(Finding::new("process", "no copy is started after the failure", format!("{name} is started after it"), next).at(label).into())
}

/// Fails if the parent has ended while copies run.
pub fn still_waits_for_its_copies(session: &mut Session, program: Program) -> Looked {
    let running = copies(session, program).filter(|copy| copy.exit.is_none()).count();
    if running == 0 || !session.has_ended(program) {
        return Ok(());
    }
    let next = "do not exit where the call fails: leave the loop, and wait for the copies that run; waitpid(2)";
    let observed = format!("spawn has ended, and {running} of its copies still run");
    Err(Finding::new("order", "spawn waits for the copies that it has started", observed, next).with(session.end_lines(program)).into())
}

/// Fails unless the parent has printed a line on standard error that begins with one of these.
pub fn says(session: &mut Session, program: Program, beginnings: &[&str]) -> Looked {
    let printed = parent(session, program).map(|parent| session.written(parent, "standard error")).unwrap_or_default();
    let begins = |line: &[u8]| beginnings.iter().any(|beginning| line.starts_with(beginning.as_bytes()));
    if printed.split(|byte| *byte == b'\n').any(begins) {
        return Ok(());
    }
    let beginnings = beginnings.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(" or ");
    let expected = format!("spawn prints a line on standard error that begins with {beginnings}");
    let next = "test the result of each call where it is made, and report it as the handout says; errno(3)";
    let lines = session.end_lines(program);
    Err(Finding::new("error-report", expected, format!("it prints {} there", excerpt(&printed, 0)), next).with(lines).into())
}

/// Fails unless a read that was made to fail is reported. An answer that reads no pipe has nothing to report.
pub fn read_error_is_reported(session: &mut Session, program: Program) -> Looked {
    if !session.events_of(program).any(|event| event.injected) {
        return Ok(());
    }
    says(session, program, &READ_NAMES)?;
    exits(session, program, Exit::Status(1))
}

/// Fails if there is more than one process.
pub fn starts_nothing(session: &mut Session, program: Program) -> Looked {
    if copies(session, program).next().is_none() {
        return Ok(());
    }
    Err(Finding::new("process", "no process is started", "spawn forks", "look at all arguments before anything else").into())
}
