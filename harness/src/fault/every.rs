//! Every permitted fault at every call, one at a time.
//!
//! A first run without faults shows which calls there are; each of them, with each fault that [`PERMITTED`] allows there, is a [`Site`]. Then the run is done once
//! for each site, under the same schedule, so that the same calls come in the same order.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::permitted::{Happens, PERMITTED, PIPE_BUF, Permitted, Provided};
use super::{Action, Fault, When};
use crate::call::{Call, name_of};
use crate::trace::Tracer;
use crate::trace::event::{Detail, Event, ProcessId};
use crate::trace::object::Kind;

/// Which of the permitted faults a run is to be tried with.
#[derive(Debug, Clone)]
pub struct Every {
    passing: bool,
    lasting: bool,
    only: Option<Vec<Call>>,
    without_handler: bool,
    signals: Option<Vec<i32>>,
    most: usize,
}

/// Every interruption (EINTR) and every transfer that comes short: what a right program goes on after as if nothing had happened.
#[must_use]
pub fn every_interruption() -> Every {
    Every { passing: true, lasting: false, only: None, without_handler: false, signals: None, most: 200 }
}

/// Every failure that is no interruption: what a right program reports.
#[must_use]
pub fn every_failure() -> Every {
    Every { passing: false, lasting: true, ..every_interruption() }
}

impl Every {
    /// Only at these calls.
    #[must_use]
    pub fn of(mut self, calls: impl super::AsCalls) -> Self {
        self.only = Some(calls.as_calls().to_vec());
        self
    }

    /// Interruptions also where the program has no handler: the promise is then the handout's, not the manual page's.
    #[must_use]
    pub fn even_without_a_handler(mut self) -> Self {
        self.without_handler = true;
        self
    }

    /// Only handlers of these signals count as a reason for interruptions.
    #[must_use]
    pub fn by_signals(mut self, signals: &[i32]) -> Self {
        self.signals = Some(signals.to_vec());
        self
    }

    /// At most so many runs; where there are more sites, they are spread evenly.
    #[must_use]
    pub fn at_most(mut self, runs: usize) -> Self {
        self.most = runs.max(1);
        self
    }

    /// The sites of a run that has been made, in the order of its calls.
    #[must_use]
    pub(crate) fn sites(&self, tracer: &Tracer) -> Vec<Site> {
        let mut handlers = Handlers::of(tracer);
        let mut counts: HashMap<(ProcessId, Call, Option<Kind>), u32> = HashMap::new();
        let mut sites = Vec::new();
        for (index, event) in tracer.events.iter().enumerate() {
            handlers.follow(tracer, index);
            let kind = kind_of(tracer, event);
            if handlers.is_before_exec(event.process) || event.makes_thread() {
                continue;
            }
            let nth = counts.entry((event.process, event.call, kind)).or_insert(0);
            *nth += 1;
            if self.only.as_ref().is_some_and(|calls| !calls.contains(&event.call)) || !is_the_programs_own(tracer, event, kind) {
                continue;
            }
            let rows = PERMITTED.iter().enumerate().filter(|(_, row)| self.permits(row, tracer, event, kind, handlers.at(event.process)));
            sites.extend(rows.map(|(row, _)| Site { row, process: event.process.0, call: event.call, kind, nth: *nth }));
        }
        if sites.len() > self.most {
            let last = sites.len() - 1;
            sites = (0..self.most).map(|number| sites[number * last / (self.most - 1).max(1)].clone()).collect();
        }
        sites
    }

    fn permits(&self, row: &Permitted, tracer: &Tracer, event: &Event, kind: Option<Kind>, handlers: &BTreeMap<u64, bool>) -> bool {
        let wanted = if row.happens.is_passing() { self.passing } else { self.lasting };
        if !wanted || !row.calls.contains(&event.call) || !(row.on.is_empty() || kind.is_some_and(|kind| row.on.contains(&kind))) {
            return false;
        }
        if row.happens == Happens::ComesShort {
            let too_little = event.success().is_none_or(|moved| moved < 2);
            if too_little || (kind == Some(Kind::Unix) && has_local_datagrams(tracer)) {
                return false;
            }
        }
        let counts = |signal: &u64| self.signals.as_ref().is_none_or(|signals| signals.contains(&(*signal as i32)));
        let mut handlers = handlers.iter().filter(|(signal, _)| counts(signal)).map(|(_, restarts)| *restarts).peekable();
        let interrupts = self.without_handler || handlers.peek().is_some();
        match row.provided {
            Provided::Always => true,
            Provided::Named(name) => &*name_of(event.number) == name,
            Provided::HandlerWithoutRestart => self.without_handler || handlers.any(|restarts| !restarts),
            Provided::Handler => interrupts,
            Provided::HandlerAndLong => interrupts && event.success().is_some_and(|moved| moved > PIPE_BUF),
        }
    }
}

/// One call of a run, and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    row: usize,
    process: usize,
    call: Call,
    kind: Option<Kind>,
    nth: u32,
}

impl Site {
    /// The fault that is carried out there.
    #[must_use]
    pub fn fault(&self) -> Fault {
        let action = match PERMITTED[self.row].happens {
            Happens::Fails(errno) => Action::Fail(errno),
            Happens::ComesShort => Action::Shorten(1),
        };
        let mut fault = Fault::new(action, &[self.call]).if_called();
        fault.when = When::Nth(self.nth);
        fault.site = Some((ProcessId(self.process), self.kind));
        fault
    }

    /// Which of the process's calls of this kind it is, counted from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.nth
    }

    /// Where the manual permits it.
    #[must_use]
    pub fn page(&self) -> &'static str {
        PERMITTED[self.row].page
    }
}

fn kind_of(tracer: &Tracer, event: &Event) -> Option<Kind> {
    event.object.map(|object| tracer.objects.get(object).kind)
}

/// Whether a call is the program's own: the loader and the runtime open and read files too.
fn is_the_programs_own(tracer: &Tracer, event: &Event, kind: Option<Kind>) -> bool {
    let is_of_the_system = |path: &str| ["/usr", "/lib", "/etc", "/proc", "/sys", "/dev", "/bin"].iter().any(|folder| path.starts_with(folder));
    match (event.call, kind) {
        (Call::Open, _) => event.succeeded() && event.path().is_some_and(|path| !is_of_the_system(path)),
        (_, Some(Kind::File)) => event.object.is_some_and(|object| !is_of_the_system(&tracer.objects.get(object).name)),
        _ => true,
    }
}

/// Whether some local socket of the run keeps the bounds of messages: none of them is then cut.
fn has_local_datagrams(tracer: &Tracer) -> bool {
    tracer.events.iter().any(|event| {
        matches!(event.call, Call::Socket | Call::Socketpair)
            && event.arguments[0] as i32 == libc::AF_UNIX
            && event.arguments[1] as i32 & 0xf != libc::SOCK_STREAM
    })
}

/// Which signals the processes of a run take by handlers, followed from call to call.
struct Handlers {
    /// For each signal, whether its handler lets calls be made again.
    of: HashMap<ProcessId, BTreeMap<u64, bool>>,
    /// The processes that were forked by a call.
    born_at: HashMap<usize, Vec<ProcessId>>,
}

impl Handlers {
    fn of(tracer: &Tracer) -> Self {
        let mut born_at: HashMap<usize, Vec<ProcessId>> = HashMap::new();
        for process in &tracer.processes {
            if let Some(event) = process.born_at {
                born_at.entry(event).or_default().push(process.id);
            }
        }
        Self { of: HashMap::new(), born_at }
    }

    fn follow(&mut self, tracer: &Tracer, index: usize) {
        let event = &tracer.events[index];
        for child in self.born_at.get(&index).into_iter().flatten() {
            let inherited = self.of.get(&event.process).cloned().unwrap_or_default();
            self.of.insert(*child, inherited);
        }
        match (event.call, &event.detail) {
            // Handlers end with the program that had them. Before its first exec a process is the harness's own.
            (Call::Exec, _) if event.succeeded() => {
                self.of.insert(event.process, BTreeMap::new());
            }
            (Call::Sigaction, Detail::Disposition { handler, flags }) if event.succeeded() => {
                let of_it = self.of.entry(event.process).or_default();
                // Rust's runtime takes what a stack overflow raises: that interrupts no call.
                let is_of_a_fault = matches!(event.arguments[0] as i32, libc::SIGSEGV | libc::SIGBUS);
                if *handler > 1 && !is_of_a_fault {
                    of_it.insert(event.arguments[0], flags & libc::SA_RESTART as u64 != 0);
                } else {
                    of_it.remove(&event.arguments[0]);
                }
            }
            _ => {}
        }
    }

    fn is_before_exec(&self, process: ProcessId) -> bool {
        !self.of.contains_key(&process)
    }

    fn at(&self, process: ProcessId) -> &BTreeMap<u64, bool> {
        static NONE: BTreeMap<u64, bool> = BTreeMap::new();
        self.of.get(&process).unwrap_or(&NONE)
    }
}
