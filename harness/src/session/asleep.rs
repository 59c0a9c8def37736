//! Sleep as something to expect: that processes wait without a time limit, and what for.

use super::{Halt, Program, SETTLED_TICKS, Session, Step};
use crate::call::Call;
use crate::finding::Finding;
use crate::trace::object::Kind;
use crate::trace::waiting::Rest;
use crate::verdict::Unpassed;

/// A thread that sleeps in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sleeping {
    /// The call.
    pub call: Call,
    /// What its descriptors refer to: the one that it was given, or all that it watches.
    pub objects: Vec<Kind>,
}

impl Session {
    /// Lets the run go on until all processes sleep in calls without a time limit. What is held does not count.
    ///
    /// # Errors
    /// Fail, if they end, spin, or sleep for a limited time only.
    pub fn until_asleep(&mut self, goal: &str) -> Result<(), Unpassed> {
        self.until_all_sleep(goal, false)
    }

    /// The same, where sleep for a limited time will do.
    ///
    /// # Errors
    /// Fail, if they end or spin.
    pub fn until_asleep_for_a_while(&mut self, goal: &str) -> Result<(), Unpassed> {
        self.until_all_sleep(goal, true)
    }

    fn until_all_sleep(&mut self, goal: &str, for_a_while: bool) -> Result<(), Unpassed> {
        self.quiet = None;
        self.tracer.fruitless = 0;
        loop {
            self.look_whole()?;
            match self.step()? {
                Step::Halt(Halt::Deadlock(_)) => {
                    self.pump()?;
                    return Ok(());
                }
                Step::Halt(halt) => return Err(self.explain(goal, halt)),
                Step::Quiet(ticks) if ticks > SETTLED_TICKS => {
                    if for_a_while {
                        return Ok(());
                    }
                    let observed = "it sleeps for a limited time, after which it goes on by itself";
                    let next = "let it sleep in a call without a time limit until there is something to do";
                    return Err(Finding::new("time-limit", goal, observed, next).with(self.waiting_lines()).into());
                }
                Step::Progress | Step::Quiet(_) => {}
            }
        }
    }

    /// The calls in which threads of the program sleep now.
    pub fn sleeping(&mut self, program: Program) -> Vec<Sleeping> {
        let (Rest::Limited(waiting) | Rest::Waiting(waiting)) = self.tracer.rest() else { return Vec::new() };
        let of_it = |one: &&crate::trace::waiting::Waiting| self.tracer.process(one.process).program == program.0;
        let of_it: Vec<_> = waiting.iter().filter(of_it).cloned().collect();
        of_it.iter().filter_map(|one| Some(Sleeping { call: Call::from_number(one.call?.0), objects: self.tracer.awaited(one) })).collect()
    }
}
