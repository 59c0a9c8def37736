//! One run of the program: its stages, and what happens meanwhile.

use harness::prelude::*;

use crate::steps::Looked;

/// Most stages that a message lists.
const MOST_LISTED: usize = 6;

/// A run that is yet to be.
pub struct Case {
    stages: Vec<Vec<u8>>,
    scripts: Vec<(String, String)>,
    input: Vec<u8>,
    input_stays_open: bool,
    closed: Vec<usize>,
    faults: Vec<Fault>,
    circumstance: String,
}

impl Case {
    /// These stages, with an empty standard input.
    pub fn of(stages: &[&str]) -> Self {
        Self::of_bytes(&stages.iter().map(|stage| stage.as_bytes()).collect::<Vec<_>>())
    }

    /// The same, where the stages need not be UTF-8.
    pub fn of_bytes(stages: &[&[u8]]) -> Self {
        Self {
            stages: stages.iter().map(|stage| stage.to_vec()).collect(),
            scripts: Vec::new(),
            input: Vec::new(),
            input_stays_open: false,
            closed: Vec::new(),
            faults: Vec::new(),
            circumstance: String::new(),
        }
    }

    /// A file in the working directory, for `sh ./NAME`.
    pub fn script(mut self, name: &str, text: impl Into<String>) -> Self {
        self.scripts.push((name.to_owned(), text.into()));
        self
    }

    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Standard input has no end before the check says so.
    pub fn open_input(mut self) -> Self {
        self.input_stays_open = true;
        self
    }

    /// These standard streams are closed at the start.
    pub fn closed(mut self, streams: &[usize]) -> Self {
        self.closed = streams.to_vec();
        self
    }

    pub fn inject(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// What is special about this run, for messages.
    pub fn when(mut self, circumstance: impl Into<String>) -> Self {
        self.circumstance = circumstance.into();
        self
    }

    /// Does the run until no process is left, and looks at it.
    pub fn run(self, lab: &Lab, look: impl FnOnce(&mut Session, Program) -> Looked) -> Verdict {
        self.drive(lab, |session, pipeline| {
            session.exit(pipeline)?;
            session.all_end()?;
            look(session, pipeline)?;
            session.pass()
        })
    }

    /// Starts the run and leaves the rest to `drive`.
    pub fn drive(self, lab: &Lab, drive: impl FnOnce(&mut Session, Program) -> Verdict) -> Verdict {
        let (circumstance, lines) = (self.circumstance.clone(), self.lines());
        let verdict = lab.session(|session| {
            for (name, text) in &self.scripts {
                session.make_file(name, text.as_bytes())?;
            }
            for fault in self.faults {
                session.arm(fault);
            }
            let start = self.stages.into_iter().fold(session.program("pipeline"), |start, stage| start.arg_bytes(stage));
            let start = if self.input_stays_open { start.open_stdin() } else { start.stdin(self.input) };
            let pipeline = self.closed.iter().fold(start, |start, stream| start.closed(*stream)).start()?;
            drive(session, pipeline)
        });
        verdict.map_err(|unpassed| match when(unpassed, &circumstance) {
            Unpassed::Fail(finding) => finding.with(lines).into(),
            other => other,
        })
    }

    /// The run in words: what was started, and what its scripts hold.
    fn lines(&self) -> Vec<String> {
        // UTF-8 is shown as text, and what is none of it byte for byte.
        let shown = |stage: &Vec<u8>| str::from_utf8(stage).map_or_else(|_| stage.escape_ascii().to_string(), |text| text.escape_debug().to_string());
        let stages: Vec<String> = self.stages.iter().take(MOST_LISTED).map(|stage| format!(" '{}'", shown(stage))).collect();
        let more = if self.stages.len() > MOST_LISTED { " …" } else { "" };
        let script = |(name, text): &(String, String)| format!("the file ./{name}: {}", text.trim_end().replace('\n', "; "));
        std::iter::once(format!("the run: pipeline{}{more}", stages.concat())).chain(self.scripts.iter().map(script)).collect()
    }
}
