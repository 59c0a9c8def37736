//! What the checks of this lab are made of: writers and readers on one KEYFILE, and what is expected of them.

use harness::prelude::*;

/// The numbers that the handout gives the semaphores.
pub const FREE: i32 = 0;
pub const FULL: i32 = 1;

/// Most bytes of one piece.
pub const CAPACITY: usize = 4092;

/// The two sides of a transfer, as the command line names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Writer,
    Reader,
}

impl Side {
    pub const BOTH: [Side; 2] = [Side::Writer, Side::Reader];

    pub fn word(self) -> &'static str {
        match self {
            Side::Writer => "write",
            Side::Reader => "read",
        }
    }

    /// What messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Side::Writer => "the writer",
            Side::Reader => "the reader",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Side::Writer => Side::Reader,
            Side::Reader => Side::Writer,
        }
    }
}

/// A KEYFILE, and all that runs on it. Nobody has been there before.
pub struct Keyfile<'run> {
    pub session: &'run mut Session,
    path: String,
    started: Vec<Program>,
}

/// A run on a new KEYFILE, in which `drive` says what happens.
pub fn on_a_keyfile(lab: &Lab, drive: impl FnOnce(&mut Keyfile) -> Result<(), Unpassed>) -> Verdict {
    lab.session(|session| {
        let path = session.make_file("key", b"")?;
        session.count_as_there_before();
        drive(&mut Keyfile { session, path, started: Vec::new() })?;
        session.pass()
    })
}

/// The same, in which the order of all that happens is drawn from the seed.
pub fn on_a_keyfile_in_forced_order(lab: &Lab, drive: impl FnOnce(&mut Keyfile) -> Result<(), Unpassed>) -> Verdict {
    let schedule = lab.schedule_seed();
    on_a_keyfile(lab, |keyfile| {
        keyfile.session.schedule_by(schedule);
        drive(keyfile)
    })
}

/// All of these runs pass; the first one that does not is the last one made.
pub fn all(runs: impl IntoIterator<Item = Verdict>) -> Verdict {
    let last = runs.into_iter().try_fold(None, |_, verdict| verdict.map(Some))?;
    last.ok_or_else(|| Unpassed::Broken("a check without a run".into()))
}

/// Bytes of every value, with many zeros among them: a program that takes them for text goes wrong.
pub fn any_bytes(lab: &Lab, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).chain(lab.bytes(length - 256)).collect();
    bytes.iter_mut().step_by(97).for_each(|byte| *byte = 0);
    bytes
}

/// Lines of words: where they come out wrong, a message can show it.
pub fn text(lab: &Lab, length: u64) -> Vec<u8> {
    let mut text = Vec::new();
    while (text.len() as u64) < length {
        text.extend_from_slice(lab.word().as_bytes());
        text.push(if lab.number(0..8) == 0 { b'\n' } else { b' ' });
    }
    text.truncate(length as usize);
    text
}

/// Several full pieces and a rest.
pub fn many_pieces(lab: &Lab) -> Vec<u8> {
    text(lab, lab.number(4..8) * CAPACITY as u64 + lab.number(1..4000))
}

/// A few bytes, as someone types them.
pub fn burst(lab: &Lab) -> Vec<u8> {
    text(lab, lab.number(1..200))
}

/// The program is slow: others go on as far as they can before each of these calls on a standard stream, and before whatever follows one of its semops.
pub fn slow(program: Program, call: Call) -> [Fault; 2] {
    [delay_at(call).on(Kind::Standard).of(program).if_called(), slow_after_semop(program)]
}

/// Others go on as far as they can before whatever follows one of the program's semops.
pub fn slow_after_semop(program: Program) -> Fault {
    delay_at(Semop).afterwards().of(program).if_called()
}

impl Keyfile<'_> {
    /// A side of a transfer; the input is the writer's.
    pub fn start(&mut self, side: Side, called: &str, input: &[u8]) -> Result<Program, Unpassed> {
        let program = self.session.program("xfr").args([side.word(), self.path.as_str()]).called(called).stdin(input).start()?;
        self.started.push(program);
        Ok(program)
    }

    pub fn writer(&mut self, input: &[u8]) -> Result<Program, Unpassed> {
        self.start(Side::Writer, Side::Writer.name(), input)
    }

    pub fn reader(&mut self) -> Result<Program, Unpassed> {
        self.start(Side::Reader, Side::Reader.name(), &[])
    }

    /// A side of a transfer in Perl, by this script: it gets the side and KEYFILE as its arguments.
    pub fn start_perl(&mut self, script: &str, side: Side, input: &[u8]) -> Result<Program, Unpassed> {
        let called = format!("{} in Perl", side.name());
        let perl = self.session.installed_program("perl", "perl")?.called(&called);
        let program = perl.args(["-e", script, side.word(), &self.path]).stdin(input).start()?;
        self.started.push(program);
        Ok(program)
    }

    /// A side that comes first, with its faults from the start on, and has gone as far as it can alone.
    pub fn first<F: IntoIterator<Item = Fault>>(&mut self, side: Side, input: &[u8], faults: impl FnOnce(Program) -> F) -> Result<Program, Unpassed> {
        let program = self.start(side, side.name(), input)?;
        self.arm(faults(program));
        self.session.settle()?;
        self.still_runs(program, "it waits for the other side, which has not come yet")?;
        Ok(program)
    }

    /// A writer whose input stays open, and a reader, both of which have gone as far as they can.
    pub fn writer_and_reader(&mut self) -> Result<(Program, Program), Unpassed> {
        let writer = self.open_writer()?;
        let reader = self.reader()?;
        self.session.settle()?;
        Ok((writer, reader))
    }

    /// A writer whose input stays open; it has gone as far as it can.
    pub fn open_writer(&mut self) -> Result<Program, Unpassed> {
        let start = self.session.program("xfr").args([Side::Writer.word(), self.path.as_str()]);
        let writer = start.called(Side::Writer.name()).open_stdin().start()?;
        self.started.push(writer);
        self.session.settle()?;
        Ok(writer)
    }

    /// Arms faults for the calls from now on.
    pub fn arm(&mut self, faults: impl IntoIterator<Item = Fault>) -> Vec<Armed> {
        faults.into_iter().map(|fault| self.session.arm(fault)).collect()
    }

    /// Lets go what these faults hold; those that hold nobody will not do so any more.
    pub fn release(&mut self, holds: Vec<Armed>) -> Result<(), Unpassed> {
        holds.into_iter().try_for_each(|hold| self.session.release(hold))
    }

    /// Gives the writer bytes in one go, and lets all go on as far as they can.
    pub fn feed(&mut self, writer: Program, bytes: &[u8]) -> Result<(), Unpassed> {
        self.session.feed(writer, bytes);
        self.session.settle()?;
        self.still_runs(writer, "its input goes on")
    }

    /// Gives the writer bytes, and expects all bytes so far from the reader.
    pub fn feed_through(&mut self, (writer, reader): (Program, Program), bytes: &[u8], so_far: &mut Vec<u8>) -> Result<(), Unpassed> {
        self.feed(writer, bytes)?;
        so_far.extend_from_slice(bytes);
        self.prints(reader, so_far).map_err(|unpassed| when(unpassed, "the writer's input is silent, but not at its end"))
    }

    /// Kills a process that waits.
    pub fn kill(&mut self, program: Program) -> Result<(), Unpassed> {
        self.session.signal(program, libc::SIGKILL)?;
        self.session.exit(program)?;
        self.session.settle()
    }

    /// Fails if the program has ended.
    pub fn still_runs(&mut self, program: Program, because: &str) -> Result<(), Unpassed> {
        if !self.session.has_ended(program) {
            return Ok(());
        }
        let name = self.name(program);
        let lines = self.session.end_lines(program);
        let next = match self.session.exit_of(program) {
            Some(Exit::Status(0)) => "see what it takes for the end of the transfer",
            _ => "see which call fails, and what that result means at this place; the handout's order of events",
        };
        Err(Finding::new("exit", format!("{name} still runs: {because}"), format!("{name} has ended"), next).with(lines).into())
    }

    /// Lets all go on as far as they can, and fails unless these have then exited with status 0.
    pub fn complete(&mut self, programs: &[Program]) -> Result<(), Unpassed> {
        self.session.settle()?;
        // Who failed goes before who waits for it.
        for program in programs.iter().filter(|program| self.session.has_ended(**program)).collect::<Vec<_>>() {
            exits(self.session, *program, Exit::Status(0))?;
        }
        programs.iter().try_for_each(|program| self.ends(*program, 0))
    }

    /// Lets all go on as far as they can, and fails unless this one has then exited with this status, whatever the others do.
    pub fn ends(&mut self, program: Program, status: i32) -> Result<(), Unpassed> {
        self.session.settle()?;
        if self.session.has_ended(program) { exits(self.session, program, Exit::Status(status)) } else { Err(self.stuck(program, status)) }
    }

    /// The finding on a program that nobody will ever let go on.
    fn stuck(&mut self, program: Program, status: i32) -> Unpassed {
        let name = self.name(program);
        let (observed, next) = if self.polls(program) {
            (
                "looks at the set again and again, and sem_otime stays 0",
                "see who created the set, and whether its first semop completes at once; semctl(2), IPC_STAT",
            )
        } else {
            ("waits, and nothing can wake it", "see who should raise that semaphore, and whether it still can; semop(2)")
        };
        let mut lines = self.what_each_does();
        lines.extend(self.semaphores().unwrap_or_default().into_iter().map(|(name, value)| format!("semaphore {name} is {value}")));
        Finding::new("deadlock", format!("{name} exits with status {status}"), format!("{name} {observed}"), next).with(lines).into()
    }

    /// One line for each program: what it waits for, or how it ended.
    fn what_each_does(&mut self) -> Vec<String> {
        let mut lines = self.session.waiting_lines();
        // Where one asks again and again, not all of them wait.
        let unsaid = |program: &&Program| lines.is_empty() && !self.session.has_ended(**program);
        let live: Vec<_> = self.started.iter().filter(unsaid).map(|program| self.last_call(*program)).collect();
        lines.extend(live);
        let ended = self.started.iter().filter(|program| self.session.has_ended(**program));
        lines.extend(ended.flat_map(|program| self.session.end_lines(*program)));
        lines
    }

    fn last_call(&self, program: Program) -> String {
        let last = self.session.events_of(program).last().map_or_else(|| "no call yet".into(), |event| event.call.word());
        format!("{} is at {last}", self.name(program))
    }

    /// Whether the program looks at the set again and again.
    fn polls(&self, program: Program) -> bool {
        self.session.events_of(program).last().is_some_and(|event| matches!(event.call, Semctl | Yield | Sleep))
    }

    /// Fails unless this, and nothing else, has come out of the reader.
    pub fn prints(&mut self, reader: Program, expected: &[u8]) -> Result<(), Unpassed> {
        prints(self.session, reader, expected)
    }

    /// Fails if a segment or a set is there.
    pub fn nothing_is_left(&mut self) -> Result<(), Unpassed> {
        let left: Vec<String> = self.session.leftovers().iter().map(ToString::to_string).collect();
        if left.is_empty() {
            return Ok(());
        }
        let next = "the writer removes both when the reader has seen the end: shmctl(2) and semctl(2), IPC_RMID; shmdt removes nothing";
        let observed = format!("left behind: {}", left.join(" and "));
        Err(Finding::new("left-behind", "when both sides have exited, neither the segment nor the set exists", observed, next).into())
    }

    /// Fails unless FREE is 1 and FULL is 0.
    pub fn turn_is_the_writers(&mut self, circumstance: &str) -> Result<(), Unpassed> {
        let expected = vec![("FREE", 1), ("FULL", 0)];
        let Some(observed) = self.semaphores() else {
            return Err(Finding::new("semaphore", "one semaphore set", "there is none, or more than one", "one key, one set; semget(2)")
                .when(circumstance)
                .into());
        };
        if observed == expected {
            return Ok(());
        }
        let text = |values: &[(&str, i32)]| values.iter().map(|(name, value)| format!("{name} is {value}")).collect::<Vec<_>>().join(" and ");
        let next = "read first and take the turn then; and see which semops the kernel takes back when a process ends; semop(2), SEM_UNDO";
        Err(Finding::new("semaphore", text(&expected), text(&observed), next).when(circumstance).into())
    }

    /// FREE and FULL with their values, if there is one set that has them.
    fn semaphores(&self) -> Option<Vec<(&'static str, i32)>> {
        let left = self.session.leftovers();
        let mut sets = left.iter().filter_map(|left| if let Leftover::SemaphoreSet(set) = left { Some(*set) } else { None });
        let (Some(set), None) = (sets.next(), sets.next()) else { return None };
        let value = |(name, number)| Some((name, self.session.semaphore_value(set, number).ok()?));
        [("FREE", FREE), ("FULL", FULL)].into_iter().map(value).collect()
    }

    /// What messages call the program.
    pub fn name(&self, program: Program) -> String {
        let first = self.session.processes_of(program).next().map(|process| process.id);
        first.map_or_else(|| "xfr".into(), |process| self.session.name(process))
    }
}
