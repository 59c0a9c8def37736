//! A run of any program where it stands: no sandbox, the caller's environment and folder; and what such a run may be waiting for from outside.

use std::io;
use std::path::PathBuf;

use super::{Halt, Session, Step, TICK};
use crate::call::{Call, name_of};
use crate::fault::fail;
use crate::ipc;
use crate::kernel::process;
use crate::manifest::Limits;
use crate::procfs::Proc;
use crate::sandbox::{Sandbox, Tier};
use crate::trace::object::{Kind, ObjectId};
use crate::trace::waiting::Waiting;
use crate::trace::{Options, Tracer};
use crate::verdict::Unpassed;

/// How a run came to its end, where nothing is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All its processes have ended.
    All,
    /// Those that are left wait for somebody outside, in these words.
    WaitsForOthers(Vec<String>),
    /// The time given is over.
    TimeUp,
}

impl Session {
    /// The calling process becomes the supervisor of one program that runs where it stands.
    pub(crate) fn where_it_stands(name: &str, path: PathBuf, directory: PathBuf, limits: Limits) -> io::Result<Self> {
        let proc = Proc::open()?;
        process::pin_to_this_cpu()?;
        process::become_subreaper()?;
        let before = ipc::objects(&proc);
        let options = Options {
            decode: true,
            keep_events: true,
            keep_data: false,
            most_events: limits.calls,
            most_processes: limits.processes as usize,
            most_shared_memory: None,
        };
        process::tick_every(TICK)?;
        let sandbox = Sandbox { tier: Tier::Confined, refused: None, directory, programs: vec![path], reaper: None };
        Ok(Self {
            stands: true,
            traced_too: vec![libc::SYS_ptrace as u32],
            ..Self::new(Tracer::new(proc, options), sandbox, vec![name.to_owned()], limits, before)
        })
    }

    /// A signal to every process of the user is not sent: a failed fork's -1, taken for a process id, would mean them all.
    pub(crate) fn refuse_to_kill_everyone(&mut self) {
        self.arm(fail(Call::Kill, libc::EPERM).where_argument(0, 0xffff_ffff).every().if_called());
    }

    /// Whether some process wanted to trace another one, and was refused.
    pub(crate) fn wanted_to_trace(&self) -> bool {
        self.tracer.events.iter().any(|event| event.number == libc::SYS_ptrace as u64 && event.errno() == Some(libc::EPERM))
    }

    /// The kind of an object.
    pub(crate) fn kind_of_object(&self, object: ObjectId) -> Kind {
        self.tracer.objects.get(object).kind
    }

    /// An object's name in messages.
    pub(crate) fn name_of_object(&self, object: ObjectId) -> String {
        self.tracer.objects.get(object).name.clone()
    }

    /// Lets a run that stands where it was started go on to its end, whatever that is.
    ///
    /// # Errors
    /// Fail, if its processes wait for each other for ever, or ask again and again; broken, if the trace is not whole.
    pub(crate) fn watch(&mut self) -> Result<Ended, Unpassed> {
        let ended = self.go_on_to_the_end();
        match &self.tracer.overstepped {
            // What is too much for a lab, or out of sight, is nothing against a program of which nothing is known: it just cannot be followed.
            Some(overstep) => Err(Unpassed::Broken(format!("{}: {}", overstep.expected, overstep.observed))),
            None => ended,
        }
    }

    fn go_on_to_the_end(&mut self) -> Result<Ended, Unpassed> {
        const GOAL: &str = "the program comes to its end, or waits for somebody outside";
        loop {
            self.look_whole()?;
            match self.step()? {
                Step::Progress => {}
                Step::Quiet(_) => self.jump()?,
                Step::Halt(halt) => {
                    self.pump()?;
                    return match halt {
                        Halt::Over => Ok(Ended::All),
                        Halt::TimeUp => Ok(Ended::TimeUp),
                        Halt::Deadlock(waiting) => match self.wait_for_others(&waiting) {
                            lines if lines.is_empty() => Err(self.explain(GOAL, Halt::Deadlock(waiting))),
                            lines => Ok(Ended::WaitsForOthers(lines)),
                        },
                        halt @ Halt::Busy(_) => Err(self.explain(GOAL, halt)),
                    };
                }
            }
        }
    }

    /// Those of the waiting that somebody outside the run may wake, in words: only what a run keeps to itself can be proven to be waited for in vain.
    fn wait_for_others(&mut self, waiting: &[Waiting]) -> Vec<String> {
        let others: Vec<Waiting> = waiting.iter().filter(|one| !self.waits_inside(one)).cloned().collect();
        self.tracer.describe(&others)
    }

    fn waits_inside(&mut self, waiting: &Waiting) -> bool {
        let Some((number, arguments)) = waiting.call else { return false };
        match Call::from_number(number) {
            Call::Wait | Call::Fork => true,
            Call::Semop => self.is_private(Call::Semget, arguments[0]),
            Call::Msgsnd | Call::Msgrcv => self.is_private(Call::Msgget, arguments[0]),
            Call::Other(_) if &*name_of(number) == "futex" => self.is_in_memory_of_the_run(waiting, arguments[0]),
            Call::Read | Call::Write | Call::Recv | Call::Send | Call::Poll | Call::Select => {
                let kinds = self.tracer.awaited(waiting);
                !kinds.is_empty() && kinds.iter().all(|kind| *kind == Kind::Pipe)
            }
            _ => false,
        }
    }

    /// Whether a System V object was made in this run without a key that others could find it by.
    fn is_private(&self, call: Call, id: u64) -> bool {
        self.tracer.events.iter().any(|event| event.call == call && event.success() == Some(id) && event.arguments[0] as i32 == libc::IPC_PRIVATE)
    }

    /// Whether an address lies in memory without a file that others could map.
    fn is_in_memory_of_the_run(&self, waiting: &Waiting, address: u64) -> bool {
        let maps = self.tracer.proc.file(&format!("{}/maps", waiting.pid)).unwrap_or_default();
        let line = maps.lines().find(|line| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            range.is_some_and(|(from, to)| {
                let number = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
                (number(from)..number(to)).contains(&address)
            })
        });
        line.is_some_and(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let private = fields.get(1).is_some_and(|mode| mode.ends_with('p'));
            private || fields.get(4) == Some(&"0") || fields.get(5) == Some(&"/dev/zero")
        })
    }
}
