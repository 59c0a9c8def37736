//! One run of one program, described in one expression that reads like the promise it checks.

use crate::call::Call;
use crate::explore::Bound;
use crate::fault::Fault;
use crate::fault::every::{Every, Site};
use crate::finding::Finding;
use crate::lab::Lab;
use crate::session::{Program, Session};
use crate::trace::event::{Event, Exit, ProcessId, signal_name};
use crate::trace::object::Kind;
use crate::verdict::{Unpassed, Verdict};

/// Most bytes in which the first run of several tells where faults are possible: what a pipe holds.
const MOST_SITES: usize = 60 << 10;

/// What is expected of a run once it is over.
type Expectation<'lab> = Box<dyn Fn(&mut Session, Program) -> Result<(), Unpassed> + 'lab>;

/// A run to be: program, arguments, input, faults and what is expected. [`Run::verdict`] does it.
pub struct Run<'lab> {
    lab: &'lab Lab,
    program: String,
    arguments: Vec<String>,
    input: Vec<u8>,
    faults: Vec<Fault>,
    circumstance: Option<String>,
    schedules: u32,
    explored: Option<Bound>,
    time_jumps: bool,
    /// The permitted faults to try, and whether what is expected holds without them too.
    every: Option<(Every, bool)>,
    expectations: Vec<Expectation<'lab>>,
}

impl<'lab> Run<'lab> {
    pub(crate) fn new(lab: &'lab Lab, program: &str) -> Self {
        Self {
            lab,
            program: program.to_owned(),
            arguments: Vec::new(),
            input: Vec::new(),
            faults: Vec::new(),
            circumstance: None,
            schedules: 0,
            explored: None,
            time_jumps: false,
            every: None,
            expectations: Vec::new(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Gives these bytes, and then end-of-file, to standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Carries out a fault during the run.
    #[must_use]
    pub fn inject(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Carries out several faults during the run.
    #[must_use]
    pub fn inject_all(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }

    /// Says in a sentence what is special about the run, for messages: `the child is killed`. Without it the faults are listed; an empty
    /// one says nothing.
    #[must_use]
    pub fn when(mut self, circumstance: impl Into<String>) -> Self {
        self.circumstance = Some(circumstance.into());
        self
    }

    /// Does the run again under so many forced schedules: one process runs at a time, a seed decides which, and sleeps return at once. What holds must hold
    /// under every one of them.
    #[must_use]
    pub fn under_every_schedule(mut self, schedules: u32) -> Self {
        self.schedules = schedules;
        self
    }

    /// Does the run again under one schedule after another, as the bound says, each of them once: `preemptions(2)` for all with at most two preemptions,
    /// `conflicts_reversed()` for those first that reverse the order of two accesses or calls that conflict. How many these were, and whether they were all, is printed on
    /// standard error.
    #[must_use]
    pub fn under_all_schedules(mut self, bound: Bound) -> Self {
        self.explored = Some(bound);
        self
    }

    /// Lets time jump: where everyone waits and only a time limit can wake someone, the next limit is over at once, and the program's clocks say so.
    #[must_use]
    pub fn time_jumps(mut self) -> Self {
        self.time_jumps = true;
        self
    }

    /// Does the run again with every one of these faults, each at every call where the manual permits it, one at a time and under one schedule. What holds without
    /// them must hold with each.
    #[must_use]
    pub fn under_every(mut self, faults: Every) -> Self {
        self.every = Some((faults, true));
        self
    }

    /// The same, where what is expected holds with each of these faults and need not hold without one: an error report, for instance.
    #[must_use]
    pub fn in_case_of_every(mut self, faults: Every) -> Self {
        self.every = Some((faults, false));
        self
    }

    /// Expects something that is written out at the call: it sees the whole run, which is over by then.
    #[must_use]
    pub fn expect(mut self, expectation: impl Fn(&mut Session, Program) -> Result<(), Unpassed> + 'lab) -> Self {
        self.expectations.push(Box::new(expectation));
        self
    }

    /// Expects the program to exit with this status.
    #[must_use]
    pub fn exits(self, status: i32) -> Self {
        self.expect(move |session, program| exits(session, program, Exit::Status(status)))
    }

    /// Expects exactly this on standard output.
    #[must_use]
    pub fn prints(self, text: impl Into<Vec<u8>>) -> Self {
        let expected = text.into();
        self.expect(move |session, program| prints(session, program, &expected))
    }

    /// Expects exactly these lines on standard output.
    #[must_use]
    pub fn prints_lines<L: AsRef<str>>(self, lines: impl IntoIterator<Item = L>) -> Self {
        let text: String = lines.into_iter().map(|line| format!("{}\n", line.as_ref())).collect();
        self.prints(text)
    }

    /// Expects a line on standard error that begins with one of these.
    #[must_use]
    pub fn complains(self, beginnings: &'lab [&'lab str]) -> Self {
        self.expect(move |session, program| complains(session, program, beginnings))
    }

    /// Expects that every child was waited for before its parent ended.
    #[must_use]
    pub fn reaps_its_children(self) -> Self {
        self.expect(reaps_its_children)
    }

    /// Expects that no IPC object or file of the run is there afterwards that was not there before.
    #[must_use]
    pub fn leaves_nothing(self) -> Self {
        self.expect(|session, _| leaves_nothing(session))
    }

    /// Expects that processes which use the same shared memory are ordered by a lock, a semaphore or another call. Only a forced schedule sees it.
    #[must_use]
    pub fn without_races(self) -> Self {
        self.expect(|session, _| without_races(session))
    }

    /// Does the run and judges it.
    ///
    /// # Errors
    /// Fail, with the first expectation that does not hold; broken and skipped as the session says.
    pub fn verdict(self) -> Verdict {
        let faults = self.faults.iter().map(Fault::describe).collect::<Vec<_>>().join(" and ");
        let circumstance = self.circumstance.clone().unwrap_or(faults);
        if let Some((every, without_too)) = &self.every {
            return self.with_each_of(every, *without_too, &circumstance);
        }
        let mut verdict = self.once(None, None).map_err(|unpassed| when(unpassed, &circumstance));
        for _ in 0..self.schedules {
            verdict.as_ref().map_err(Clone::clone)?;
            let seed = self.lab.schedule_seed();
            let scheduled = "one process runs at a time, in an order that is forced";
            let circumstance = if circumstance.is_empty() { scheduled.to_owned() } else { format!("{circumstance}, and {scheduled}") };
            verdict = self.once(Some(seed), None).map_err(|unpassed| when(unpassed, &circumstance));
        }
        if let Some(bound) = self.explored {
            verdict.as_ref().map_err(Clone::clone)?;
            let (found, explored) = self.lab.explore(bound, |session| {
                let program = self.begin(session, None)?;
                self.judge(session, program)?;
                session.pass()
            });
            eprintln!("{}: {explored}", self.program);
            verdict = found.map_err(|unpassed| when(unpassed, &circumstance));
        }
        verdict
    }

    /// A first run shows the calls; then there is one run for each fault at each of them.
    fn with_each_of(&self, every: &Every, without_too: bool, circumstance: &str) -> Verdict {
        let seed = self.lab.schedule_seed();
        let (mut sites, write) = std::io::pipe()?;
        let first = self.lab.session(|session| {
            let program = self.begin(session, Some(seed))?;
            if without_too {
                self.judge(session, program)?;
            }
            // The supervisor is another process: this is the way back, and a pipe holds what fits into it.
            let found = serde_json::to_vec(&session.sites(every)).map_err(std::io::Error::from)?;
            if found.len() > MOST_SITES {
                return Err(Unpassed::Broken(format!("{} places for faults do not fit into a report: ask for fewer", session.sites(every).len())));
            }
            std::io::Write::write_all(&mut &write, &found)?;
            session.pass()
        });
        drop(write);
        let mut verdict = first.map_err(|unpassed| when(unpassed, circumstance));
        verdict.as_ref().map_err(Clone::clone)?;
        let mut found = Vec::new();
        std::io::Read::read_to_end(&mut sites, &mut found)?;
        let sites: Vec<Site> = serde_json::from_slice(&found).map_err(std::io::Error::from)?;
        if sites.is_empty() {
            let expected = "the program makes calls that can be interrupted, come short or fail";
            return Err(Finding::new("call", expected, "it makes none", "see the calls that the handout names").into());
        }
        for site in &sites {
            let fault = site.fault();
            let what = format!("{} (its call number {} of this kind; {})", fault.describe(), site.number(), site.page());
            let what = if circumstance.is_empty() { what } else { format!("{circumstance}, and {what}") };
            verdict = Ok(self.once(Some(seed), Some(fault)).map_err(|unpassed| when(unpassed, &what))?);
        }
        verdict
    }

    fn once(&self, schedule: Option<u64>, fault: Option<Fault>) -> Verdict {
        self.lab.session(|session| {
            if let Some(fault) = fault {
                session.arm(fault);
            }
            let program = self.begin(session, schedule)?;
            self.judge(session, program)?;
            // A fault that never came about is told by this; what does not hold without it is not its doing.
            session.pass()
        })
    }

    /// Does the run to its end.
    fn begin(&self, session: &mut Session, schedule: Option<u64>) -> Result<Program, Unpassed> {
        if self.time_jumps {
            session.let_time_jump();
        }
        if let Some(seed) = schedule {
            session.schedule_by(seed);
        }
        for fault in &self.faults {
            session.arm(fault.clone());
        }
        let program = session.program(&self.program).args(self.arguments.iter().cloned()).stdin(self.input.clone()).start()?;
        session.exit(program)?;
        session.all_end()?;
        Ok(program)
    }

    fn judge(&self, session: &mut Session, program: Program) -> Result<(), Unpassed> {
        self.expectations.iter().try_for_each(|expectation| expectation(session, program))
    }
}

/// Fails with the first data race that a forced schedule has shown.
pub fn without_races(session: &mut Session) -> Result<(), Unpassed> {
    session.races().into_iter().next().map_or(Ok(()), |race| Err(race.into()))
}

/// Says in a failure under which circumstance it came about.
pub fn when(unpassed: Unpassed, circumstance: &str) -> Unpassed {
    match unpassed {
        Unpassed::Fail(finding) if !circumstance.is_empty() => Unpassed::from(finding.when(&format!("when {circumstance}"))),
        other => other,
    }
}

/// Fails unless the program ended in this way.
///
/// # Errors
/// Fail, with the program's last words.
pub fn exits(session: &mut Session, program: Program, expected: Exit) -> Result<(), Unpassed> {
    let observed = session.exit_of(program);
    if observed == Some(expected) {
        return Ok(());
    }
    let next = match observed {
        Some(Exit::Signal(libc::SIGPIPE)) => "a write to a pipe or socket that nobody reads raises SIGPIPE; pipe(7)".to_owned(),
        Some(Exit::Signal(signal)) if session.has_sent(program, signal) => {
            let name = signal_name(signal);
            format!("the check sends {name}: catch it, and be ready for it before anything is printed or sent; sigaction(2), signal(7)")
        }
        Some(Exit::Signal(signal)) => format!("find out what raises {}; signal(7)", signal_name(signal)),
        Some(Exit::Status(101)) => "the program panicked: its message is on standard error".into(),
        _ => "see what it says on standard error, and which way it ends by".into(),
    };
    let lines = session.end_lines(program);
    Err(Finding::new("exit", expected.to_string(), observed.map_or_else(|| "it still runs".into(), |exit| exit.to_string()), next).with(lines).into())
}

/// Fails unless standard output is exactly this.
///
/// # Errors
/// Fail, with the first place that differs.
pub fn prints(session: &mut Session, program: Program, expected: &[u8]) -> Result<(), Unpassed> {
    let observed = session.stdout(program);
    if observed == expected && session.cut_after(program).is_none() {
        return Ok(());
    }
    let mut finding = difference("standard output", expected, observed);
    if let Some(kept) = session.cut_after(program) {
        finding.observed.push_str(&format!("; more came than the {kept} bytes that are kept"));
    }
    let lines = session.end_lines(program);
    Err(finding.with(lines).into())
}

/// A finding on bytes that are not as expected, with the first place that differs.
#[must_use]
pub fn difference(what: &str, expected: &[u8], observed: &[u8]) -> Finding {
    let at = expected.iter().zip(observed).position(|(one, other)| one != other).unwrap_or(expected.len().min(observed.len()));
    let line = expected[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let place = if at == observed.len() {
        format!("it ends after {at} of {} bytes", expected.len())
    } else if at == expected.len() {
        format!("it goes on after the {at} bytes expected")
    } else {
        format!("it differs at byte {at}, in line {line}")
    };
    Finding::new(
        "output",
        format!("{what}: {}", excerpt(expected, at)),
        format!("{}; {place}", excerpt(observed, at)),
        "compare the two from that place on",
    )
}

/// Bytes around a place, as text with what cannot be printed escaped.
#[must_use]
pub fn excerpt(bytes: &[u8], at: usize) -> String {
    const BEFORE: usize = 40;
    const AFTER: usize = 60;
    if bytes.is_empty() {
        return "nothing".into();
    }
    let from = at.saturating_sub(BEFORE).min(bytes.len());
    let to = (at + AFTER).min(bytes.len());
    // Bytes that are not UTF-8 as \xNN: two that differ must not look alike.
    let escape = |chunk: std::str::Utf8Chunk| format!("{}{}", chunk.valid().escape_debug(), chunk.invalid().escape_ascii());
    let escaped: String = bytes[from..to].utf8_chunks().map(escape).collect();
    format!("{}\"{escaped}\"{}", if from > 0 { "…" } else { "" }, if to < bytes.len() { "…" } else { "" })
}

/// Fails unless a line on standard error begins with one of these.
///
/// # Errors
/// Fail, with what is there.
pub fn complains(session: &mut Session, program: Program, beginnings: &[&str]) -> Result<(), Unpassed> {
    // Each process's own: the lines of several processes can be mixed in the stream.
    let errors: String = session.complaints(program).into_iter().map(|(_, text)| format!("{}\n", text.trim_end_matches('\n'))).collect();
    if errors.lines().any(|line| beginnings.iter().any(|beginning| line.starts_with(beginning))) {
        return Ok(());
    }
    let expected =
        format!("a line on standard error that begins with {}", beginnings.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(" or "));
    let observed =
        if errors.trim().is_empty() { "standard error is empty".into() } else { format!("standard error: {}", excerpt(errors.as_bytes(), 0)) };
    let next = "test the result of each call where it is made, and report it as the handout says; errno(3)";
    let lines = session.end_lines(program);
    Err(Finding::new("error-report", expected, observed, next).with(lines).into())
}

/// Fails if a process ended before it had waited for all of its children.
///
/// # Errors
/// Fail, with the processes' names.
pub fn reaps_its_children(session: &mut Session, program: Program) -> Result<(), Unpassed> {
    let unreaped: Vec<(ProcessId, ProcessId)> =
        session.processes_of(program).flat_map(|process| process.unreaped.iter().map(move |child| (process.id, *child))).collect();
    let Some((parent, child)) = unreaped.first().copied() else { return Ok(()) };
    let born_at = session.processes()[child.0].born_at;
    let (parent, child) = (session.name(parent), session.name(child));
    let label = born_at.and_then(|event| session.label(event, format!("{child} is forked here; {parent} never waits for it")));
    Err(Finding::new(
        "zombie",
        "each process waits for its children before it ends",
        format!("{parent} ended without having waited for {child}"),
        "wait for each child, and look at its status: wait(2); a child that nobody waits for stays as a zombie",
    )
    .at(label)
    .into())
}

/// Fails if something of the run is left behind.
///
/// # Errors
/// Fail, with what is left.
pub fn leaves_nothing(session: &mut Session) -> Result<(), Unpassed> {
    let leftovers = session.leftovers();
    if leftovers.is_empty() {
        return Ok(());
    }
    let labels: Vec<_> = leftovers.iter().filter_map(|left| session.label_of_leftover(left)).collect();
    let left = leftovers.iter().map(|left| format!("left behind: {left}"));
    Err(Finding::new(
        "left-behind",
        "nothing of the run is left behind",
        "objects that outlive the processes are still there",
        "remove what the program made, on every way out: unlink(2), mq_unlink(3), shmctl(2) and semctl(2) with IPC_RMID",
    )
    .with(left)
    .at(labels)
    .into())
}

/// Fails if a process, at its first transfer on a pipe, still held the end that it does not use there.
///
/// # Errors
/// Fail, with the process, the pipe and the descriptor.
pub fn closes_unused_ends(session: &mut Session, program: Program) -> Result<(), Unpassed> {
    let mut found = None;
    for table in session.tables() {
        let event = &session.events()[table.event];
        if session.processes()[table.process.0].program != program.number() || session.kind_of(event) != Some(Kind::Pipe) {
            continue;
        }
        let gives = event.call.gives_data();
        let unused = |(descriptor, object): &&(crate::procfs::Descriptor, Option<usize>)| {
            *object == Some(table.object) && if gives { descriptor.access.reads() } else { descriptor.access.writes() }
        };
        if let Some((descriptor, _)) = table.descriptors.iter().find(unused) {
            found = Some((table.event, table.object, table.process, descriptor.number, gives));
            break;
        }
    }
    let Some((event, object, holder, descriptor, gives)) = found else { return Ok(()) };
    let (process, pipe) = (session.name(holder), session.object_name(&session.events()[event]));
    let transfer = session.label(event, format!("{process} transfers data here, and still holds descriptor {descriptor}"));
    let labels = [transfer, session.label_of_origin(object), session.label_of_birth(holder)];
    let (does, end) = if gives { ("writes to", "read") } else { ("reads from", "write") };
    Err(Finding::new(
        "unused-end",
        "each process closes the ends of a pipe that it does not use before it transfers data",
        format!("when {process} first {does} {pipe}, it still holds the pipe's {end} end as descriptor {descriptor}"),
        "close it in that process right after fork; pipe(7), pipe(2) EXAMPLES",
    )
    .at(labels.into_iter().flatten())
    .into())
}

/// The bytes that processes moved on an object in one direction: the sum of the results of these calls.
#[must_use]
pub fn bytes_moved<'a>(events: impl Iterator<Item = &'a Event>, calls: &[Call]) -> u64 {
    events.filter(|event| calls.contains(&event.call)).filter_map(Event::success).sum()
}
