//! A session: one run of one or several programs in a sandbox, driven step by step by a check.
//!
//! Theory of operation: the session is the parent, tracer and peer of all programs, in one thread. Whatever a check asks for (a line, an exit, bytes at a
//! socket) is a condition; [`Session::until`] lets the run go on until the condition holds or until it never can: all programs ended, all wait for each
//! other, one spins. So a hang is an event, found within milliseconds, and no check relies on a time-out.
//!
//! A tick interrupts the wait for tracees every millisecond; only at a tick on which nothing happened since the last one is anybody's rest looked at, and
//! it counts only when two such ticks in a row find the same.

mod advance;
mod asleep;
pub mod datagram;
mod evidence;
pub(crate) mod explained;
pub mod local;
mod look;
pub mod message;
pub(crate) mod native;
mod network;
pub mod peer;
mod start;
mod stream;
mod timeline;
pub mod wire;
mod written;

use std::collections::{BTreeSet, VecDeque};
use std::ffi::CString;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use crate::call::Call;
use crate::fault::every::Site;
use crate::fault::{AsCalls, Every, Fault, Fired};
use crate::finding::Finding;
use crate::ipc::{self, Leftover};
use crate::kernel::process::{self, Change, Waited};
use crate::kernel::{self, ptrace};
use crate::manifest::{Capability, Limits, Manifest};
use crate::sandbox::group::Group;
use crate::sandbox::{NotEntered, Sandbox, Tier};
use crate::trace::choice::{self, Choice};
use crate::trace::event::{Exit, ProcessId};
use crate::trace::waiting::Waiting;
use crate::trace::{Options, Tracer};
use crate::verdict::{Passed, Unpassed, Verdict};
pub use asleep::Sleeping;
pub use start::Start;
use stream::{Input, Output};

/// Milliseconds from tick to tick.
const TICK: i64 = 1;
/// Calls in a row that do nothing, after which a run counts as busy waiting.
const MOST_FRUITLESS: u32 = 3_000;
/// The same, after which a process that polls counts as settled.
const SETTLED_FRUITLESS: u32 = 300;
/// Ticks after which a run whose processes all sleep with a time limit counts as settled.
const SETTLED_TICKS: u32 = 50;
/// Stops of one task in a row, after which the others are looked after.
const MOST_IN_A_ROW: u32 = 200;
/// Fruitless calls between two looks at whether all others wait.
const POLLERS_LOOK: u32 = 16;
/// Ticks without anything happening, after which a run is looked at for a stop that was lost.
const LONG_STILL: u64 = 500;
/// Bytes of a run's memory that it cannot map as shared memory: it meets that limit before the whole's, the same way in every tier.
const BESIDE_SHARED: u64 = 64 << 20;
/// Ticks between two looks at CPU times.
const CPU_LOOK: u64 = 64;

/// A program of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Program(usize);

impl Program {
    /// Its place in the order of starts.
    #[must_use]
    pub fn number(self) -> usize {
        self.0
    }
}

/// A fault that was armed in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Armed(usize);

struct Running {
    name: String,
    process: ProcessId,
    input: Input,
    output: Output,
    errors: Output,
    /// How much of the output [`Session::line`] has handed out.
    taken: usize,
}

/// A run that a check drives.
pub struct Session {
    tracer: Tracer,
    sandbox: Sandbox,
    names: Vec<String>,
    limits: Limits,
    capabilities: Vec<Capability>,
    running: Vec<Running>,
    before: BTreeSet<Leftover>,
    /// The group that bounds the memory of all programs together, where there is one, and why it could not be used after all.
    group: Option<Rc<Group>>,
    pub(crate) unbounded: Option<String>,
    /// Whether the program runs where it stands, with the caller's environment, and what it makes stays.
    stands: bool,
    seen_activity: u64,
    /// Ticks that did not count against the run because calls were made.
    excused: u64,
    quiet: Option<Vec<Waiting>>,
    quiet_ticks: u32,
    started_at: u64,
    /// Stops and ends that are not handled yet.
    changes: VecDeque<(process::Pid, Change)>,
    /// Who stopped last, and how often in a row.
    in_a_row: (process::Pid, u32),
    /// The tick at which everything was last looked at.
    looked_at: u64,
    /// The tick since which nothing has happened, and whether a stop looked lost then.
    still_since: u64,
    looks_lost: bool,
    /// Whether no process is left to wait for.
    childless: bool,
    /// The tick at which CPU times are looked at again.
    next_look: u64,
    /// What had happened, and the CPU time used, at the last such look.
    progress: (u64, u64),
    /// POSIX queues that the check made or opened.
    queues: BTreeSet<CString>,
    /// System V message queues that the check made, by their ids.
    message_queues: BTreeSet<i32>,
    /// Numbers of calls that programs stop at besides those that have a name.
    traced_too: Vec<u32>,
    /// Signals that the check has sent.
    signals_sent: Vec<(Program, i32)>,
    /// The hosts and routers of the run, where it has any.
    network: Option<network::Hosts>,
}

/// Why a run cannot go on.
enum Halt {
    /// All programs have ended.
    Over,
    /// All wait, and nothing can wake them.
    Deadlock(Vec<Waiting>),
    /// Someone does the same over and over, or computes without end.
    Busy(Finding),
    /// The last resort.
    TimeUp,
}

/// What happened while the session waited.
enum Step {
    Progress,
    Halt(Halt),
    /// All sleep, and did so for this many ticks; `false` if some of them have a time limit.
    Quiet(u32),
}

impl Session {
    /// Enters the sandbox: the calling process, a fork of the check's, becomes the supervisor.
    pub(crate) fn enter(
        programs: &[(String, PathBuf)],
        manifest: &Manifest,
        refused: Option<String>,
        group: Option<Rc<Group>>,
    ) -> Result<Self, NotEntered> {
        let paths: Vec<PathBuf> = programs.iter().map(|(_, path)| path.clone()).collect();
        let (sandbox, proc) = Sandbox::enter(&paths, refused, group.is_some())?;
        let before = ipc::present(&proc, &sandbox.directory);
        let limits = manifest.limits;
        let options = Options {
            decode: true,
            keep_events: true,
            keep_data: true,
            most_events: limits.calls,
            most_processes: 512,
            most_shared_memory: Some(limits.memory_bytes() - BESIDE_SHARED),
        };
        process::tick_every(TICK)?;
        let names = programs.iter().map(|(name, _)| name.clone()).collect();
        let mut tracer = Tracer::new(proc, options);
        tracer.read_only(&sandbox.programs);
        Ok(Self { group, capabilities: manifest.capabilities.clone(), ..Self::new(tracer, sandbox, names, limits, before) })
    }

    fn new(tracer: Tracer, sandbox: Sandbox, names: Vec<String>, limits: Limits, before: BTreeSet<Leftover>) -> Self {
        Self {
            tracer,
            names,
            sandbox,
            limits,
            capabilities: Vec::new(),
            running: Vec::new(),
            before,
            group: None,
            unbounded: None,
            stands: false,
            seen_activity: 0,
            excused: 0,
            quiet: None,
            quiet_ticks: 0,
            started_at: process::ticks(),
            changes: VecDeque::new(),
            in_a_row: (0, 0),
            looked_at: process::ticks(),
            still_since: process::ticks(),
            looks_lost: false,
            childless: false,
            next_look: process::ticks() + CPU_LOOK,
            progress: (0, 0),
            queues: BTreeSet::new(),
            message_queues: BTreeSet::new(),
            traced_too: Vec::new(),
            signals_sent: Vec::new(),
            network: None,
        }
    }

    /// Ends all processes of the run and waits until they are gone: nothing of it is left when the supervisor ends.
    pub(crate) fn take_down(&mut self) -> io::Result<()> {
        for process in self.tracer.processes.iter().filter(|process| process.exit.is_none()) {
            // It may have ended by itself meanwhile.
            let _ = process::kill(process.pid, libc::SIGKILL);
        }
        for queue in &self.queues {
            // Outside an IPC namespace of its own it would outlive the run; it may be gone already.
            let _ = kernel::ipc::queue_unlink(queue);
        }
        for queue in &self.message_queues {
            // As above.
            let _ = kernel::message::remove(*queue);
        }
        if let Some(reaper) = self.sandbox.reaper {
            match process::kill(reaper, libc::SIGKILL) {
                // It has ended before and with it all others.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                killed => killed?,
            }
        }
        self.await_all_ends()?;
        if self.sandbox.tier.has_namespaces() {
            // The kernel takes them away with the namespace, but some time later, and until then they count against what the user may have in queues.
            for left in self.leftovers().into_iter().filter(|left| matches!(left, Leftover::Queue(_))) {
                let _ = ipc::remove(&left, &self.sandbox.directory);
            }
        }
        if self.sandbox.tier == Tier::Confined && !self.stands {
            // Without namespaces nothing takes these away with the run. A queue that nobody lists may have been there before a plain O_CREAT.
            let certain = self.unlisted_queues(libc::O_CREAT | libc::O_EXCL);
            let unsure: Vec<Leftover> = self.unlisted_queues(libc::O_CREAT).into_iter().filter(|queue| !certain.contains(queue)).collect();
            for left in self.leftovers().into_iter().filter(|left| !unsure.contains(left)) {
                ipc::remove(&left, &self.sandbox.directory)?;
            }
        }
        Ok(())
    }

    fn await_all_ends(&self) -> io::Result<()> {
        loop {
            match process::wait(-1, true)? {
                Waited::NoChild => return Ok(()),
                Waited::Change(pid, Change::Stopped { .. }) => {
                    // The last stop of a process that is being killed.
                    let _ = ptrace::resume(pid, ptrace::Resume::Continue, 0);
                }
                _ => {}
            }
        }
    }

    /// How strong the sandbox is.
    #[must_use]
    pub fn tier(&self) -> Tier {
        self.sandbox.tier
    }

    /// Ends the check as skipped unless the run has namespaces of its own.
    ///
    /// # Errors
    /// Skipped, with the mend.
    pub fn needs_namespaces(&self) -> Result<(), Unpassed> {
        match &self.sandbox.refused {
            None => Ok(()),
            Some(refused) => Err(Unpassed::Skipped(format!("needs namespaces of its own; {refused}"))),
        }
    }

    /// The path of a file of the run, as the programs see it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.sandbox.directory.join(name)
    }

    /// The same as text, for arguments.
    #[must_use]
    pub fn path_text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// Makes a folder of the run that programs may write to.
    ///
    /// # Errors
    /// Broken, if it cannot be made.
    pub fn make_folder(&self, name: &str) -> Result<String, Unpassed> {
        std::fs::create_dir_all(self.path(name))?;
        Ok(self.path_text(name))
    }

    /// Makes a file of the run.
    ///
    /// # Errors
    /// Broken, if it cannot be made.
    pub fn make_file(&self, name: &str, content: &[u8]) -> Result<String, Unpassed> {
        std::fs::write(self.path(name), content)?;
        Ok(self.path_text(name))
    }

    /// A program of the lab that is to be started.
    pub fn program(&mut self, name: &str) -> Start<'_> {
        Start::new(self, name)
    }

    /// Programs started from now on stop at these calls too, which have no name of their own and run at full speed otherwise: `Call::Other` of mmap(2) or
    /// futex(2). Then they are events, and faults can be carried out at them.
    pub fn trace_too(&mut self, calls: impl AsCalls) {
        let numbers = calls.as_calls().iter().filter_map(|call| if let Call::Other(number) = call { Some(*number) } else { None });
        self.traced_too.extend(numbers);
    }

    /// Arms a fault for the calls from now on.
    pub fn arm(&mut self, fault: Fault) -> Armed {
        self.tracer.faults.push((fault, Fired::default()));
        Armed(self.tracer.faults.len() - 1)
    }

    /// From now on this seed decides which process goes on, one at a time, at every call and every access to shared memory; sleeps return at once. To be
    /// called before the first program is started.
    pub fn schedule_by(&mut self, seed: u64) {
        self.tracer.schedule_by(seed);
    }

    /// The same along a path of choices.
    pub(crate) fn schedule_along(&mut self, path: Vec<choice::Step>) {
        self.tracer.schedule_along(path);
    }

    /// The choices that were made along a path.
    ///
    /// # Errors
    /// Broken, where the run was another than the one that the path was made for.
    pub(crate) fn choices(&self) -> Result<&[Choice], Unpassed> {
        let (choices, as_before) = self.tracer.choices();
        let broken = || Unpassed::Broken("a schedule that could not be done again: the program's calls depend on more than their order".into());
        as_before.then_some(choices).ok_or_else(broken)
    }

    /// From now on time jumps: where everyone waits and only a time limit can wake someone, the next limit is over at once, and the programs' clocks say so.
    /// It jumps only while the check waits for something that is to happen, not while the run is to come to rest. To be called before the first program is
    /// started. Under a schedule it is so anyway.
    pub fn let_time_jump(&mut self) {
        self.tracer.let_time_jump();
    }

    /// A number that is the same for the same sequence of choices and calls under [`Session::schedule_by`].
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.tracer.fingerprint()
    }

    /// The data races on shared memory that a schedule has shown so far, one finding each.
    pub fn races(&mut self) -> Vec<Finding> {
        let races = self.tracer.races().to_vec();
        races.iter().map(|race| self.finding_of_race(race)).collect()
    }

    /// Where the permitted faults could have been carried out in the run so far.
    #[must_use]
    pub(crate) fn sites(&self, every: &Every) -> Vec<Site> {
        every.sites(&self.tracer)
    }

    /// What came of a fault.
    #[must_use]
    pub fn fired(&self, fault: Armed) -> Fired {
        self.tracer.faults[fault.0].1
    }

    /// Lets the run go on until this fault holds a process.
    ///
    /// # Errors
    /// Fail, if no process comes to that call.
    pub fn until_held(&mut self, fault: Armed) -> Result<(), Unpassed> {
        let goal = format!("{} (it is to be held there)", self.tracer.faults[fault.0].0.describe().replace("the process is held at ", "a call of "));
        self.until(&goal, |session| Ok(session.tracer.is_held_by(fault.0).then_some(())))
    }

    /// Lets the process that this fault holds go on.
    ///
    /// # Errors
    /// Broken, if ptrace fails.
    pub fn release(&mut self, fault: Armed) -> Result<(), Unpassed> {
        self.tracer.faults[fault.0].0.calls.clear();
        Ok(self.tracer.release(fault.0)?)
    }

    /// The next line of the program's standard output, without its end.
    ///
    /// # Errors
    /// Fail, if none comes: the program ended, or waits.
    pub fn line(&mut self, program: Program) -> Result<String, Unpassed> {
        let goal = format!("a line from {} on standard output", self.running[program.0].name);
        // What has been searched has no line's end: a line without one may be as long as all that is kept.
        let mut searched = self.running[program.0].taken;
        self.until(&goal, |session| {
            let running = &mut session.running[program.0];
            let bytes = &running.output.bytes;
            let Some(length) = bytes[searched..].iter().position(|byte| *byte == b'\n') else {
                searched = bytes.len();
                return Ok(None);
            };
            let end = searched + length;
            let line = String::from_utf8_lossy(&bytes[running.taken..end]).into_owned();
            running.taken = end + 1;
            Ok(Some(line))
        })
    }

    /// Lets the run go on until the program ends, and all that was started by it has closed its output or ended.
    ///
    /// # Errors
    /// Fail, if it never ends: it waits, or spins.
    pub fn exit(&mut self, program: Program) -> Result<Exit, Unpassed> {
        let goal = format!("{} ends", self.running[program.0].name);
        self.until(&goal, |session| {
            let process = session.running[program.0].process;
            Ok(session.tracer.process(process).exit)
        })
    }

    /// Lets the run go on until no process of it is left.
    ///
    /// # Errors
    /// Fail, if some process never ends.
    pub fn all_end(&mut self) -> Result<(), Unpassed> {
        self.until("all processes end", |session| Ok(session.tracer.is_over().then_some(())))
    }

    /// Lets the run go on until all processes wait, or have ended. What is held does not count; what polls counts as waiting once it found nothing many
    /// times.
    ///
    /// # Errors
    /// Broken, if the trace is not whole.
    pub fn settle(&mut self) -> Result<(), Unpassed> {
        self.come_to_rest("the processes come to rest", SETTLED_FRUITLESS)
    }

    /// Lets the run go on until all processes sleep, or have ended. What is held does not count.
    ///
    /// # Errors
    /// Fail, if a process asks again and again instead.
    pub fn all_sleep(&mut self) -> Result<(), Unpassed> {
        self.come_to_rest("all processes sleep", u32::MAX)
    }

    /// Sends a signal to the program's first process.
    ///
    /// # Errors
    /// Broken, if kill(2) fails; a program that has ended is a fail.
    pub fn signal(&mut self, program: Program, signal: i32) -> Result<(), Unpassed> {
        let process = self.tracer.process(self.running[program.0].process);
        if let Some(exit) = process.exit {
            let name = &self.running[program.0].name;
            let finding =
                Finding::new("exit", format!("{name} still runs"), format!("it has ended ({exit})"), "look at what ends it: see its standard error");
            return Err(finding.with(self.error_lines(program)).into());
        }
        self.signals_sent.push((program, signal));
        if signal == libc::SIGKILL {
            return Ok(self.tracer.kill(process.id)?);
        }
        Ok(process::kill(process.pid, signal)?)
    }

    /// Gives the program more standard input.
    pub fn feed(&mut self, program: Program, bytes: &[u8]) {
        self.running[program.0].input.add(bytes);
    }

    /// Ends the program's standard input once all that was given is read.
    pub fn end_input(&mut self, program: Program) {
        self.running[program.0].input.end();
    }

    /// The verdict of a check that found nothing wrong.
    ///
    /// # Errors
    /// Broken, if the trace is not whole; fail, if a fault that had to happen met no call.
    pub fn pass(&mut self) -> Verdict {
        self.look_at_memory()?;
        self.look_whole()?;
        for (fault, fired) in &self.tracer.faults {
            if fault.must_fire && fired.fired == 0 && !fault.calls.is_empty() {
                let calls = fault.calls.iter().map(|call| call.word()).collect::<Vec<_>>().join(" or ");
                let (expected, observed) = match fired.matched {
                    0 => (format!("the program calls {calls}"), "it never does".to_owned()),
                    calls_made => {
                        (format!("the program calls {calls} often enough that {}", fault.describe()), format!("it makes {calls_made} such calls"))
                    }
                };
                return Err(Finding::new("call", expected, observed, format!("see {calls}(2)")).into());
            }
        }
        Ok(Passed(()))
    }
}
