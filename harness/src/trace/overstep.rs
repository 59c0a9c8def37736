//! What no program may do in a run, and how it is noticed: limits, and ways out of the tracer's sight.
//!
//! Theory of operation: what the tracer cannot see for a reason of its own makes it blind, and the run has no verdict. Here it is the program's doing: it
//! is certain, the same every time, and so it is a failure with a reason. What others of the same user have used up is neither: then the run has no verdict.

use super::{Pending, Tracer, decode};
use crate::call::Call;
use crate::finding::Finding;
use crate::kernel::process::Pid;
use crate::kernel::seccomp::{MEMORY_FILES, UNCOUNTED};
use crate::trace::event::Detail;

/// Most bytes of transfers that the events of a run hold together.
const MOST_KEPT: usize = 128 << 20;

/// Most descriptors that are looked at before first transfers in one run: with many pipes their number grows as the square of that of the pipes.
const MOST_DESCRIPTORS: usize = 20_000;

/// Most files in memory that a run makes, each of which is as long as any file may be.
const MOST_MEMORY_FILES: usize = 4;

/// Bytes of messages that a run's own queues may hold together, about half of what a user may have: with so few it is others who have used that up.
const FEW_IN_QUEUES: u64 = 400 << 10;
/// What a queue without attributes of its own holds; mq_overview(7), `msg_default` and `msgsize_default`.
const DEFAULT_QUEUE: (u64, u64) = (10, 8192);
/// With so few open descriptors it is not for their number that no other one can be had.
const FEW_DESCRIPTORS: usize = 1000;
/// What the kernel counts besides for each message.
const BESIDE_A_MESSAGE: u64 = 64;

/// What a process did that no program may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overstep {
    /// The kind of the finding.
    pub kind: &'static str,
    /// What is expected of every program.
    pub expected: String,
    /// What was observed.
    pub observed: String,
    /// What to look at.
    pub next: &'static str,
}

impl Overstep {
    /// The finding that says so.
    #[must_use]
    pub fn finding(&self) -> Finding {
        Finding::new(self.kind, &*self.expected, &*self.observed, self.next)
    }
}

impl Tracer {
    /// Takes down what a process did, if it is the first such thing.
    pub(crate) fn overstep(&mut self, kind: &'static str, expected: impl Into<String>, observed: impl Into<String>, next: &'static str) {
        self.overstepped.get_or_insert_with(|| Overstep { kind, expected: expected.into(), observed: observed.into(), next });
    }

    /// The harness's own memory has a limit too: what the events of a run hold.
    pub(super) fn note_what_is_kept(&mut self, event: usize) {
        self.kept_bytes += match &self.events[event].detail {
            Detail::Data(data) => data.len(),
            Detail::Path(path) => path.len(),
            _ => 0,
        };
        if self.kept_bytes > MOST_KEPT && self.options.keep_events {
            self.overstep(
                "limit",
                format!("a run moves at most about {} MiB with calls that are followed", MOST_KEPT >> 20),
                "it moved more",
                "look for a loop that writes or reads without end",
            );
        }
    }

    /// The harness's own time has a limit too: what it looks at before first transfers.
    pub(super) fn note_descriptors(&mut self, count: usize) {
        self.looked_at_descriptors += count;
        if self.looked_at_descriptors > MOST_DESCRIPTORS {
            self.overstep(
                "limit",
                "processes hold as many descriptors as they need",
                "they hold so many pipes that their descriptors cannot be followed",
                "close what is not needed any more, and look for a loop that makes pipes; pipe(2), close(2)",
            );
        }
    }

    /// Whether a call that is about to be made would go beyond what the run may have of memory that no resource limit counts. Asked and not given back counts:
    /// that is the same on every machine, and nothing that another thread does between the look and the call changes it.
    pub(super) fn makes_too_much_memory(&mut self, number: u64, arguments: &[u64; 6]) -> bool {
        let is = |call: &libc::c_long| number == call.cast_unsigned();
        let Some(most) = self.options.most_shared_memory else { return false };
        if MEMORY_FILES.iter().any(is) {
            self.memory_files += 1;
            let too_many = self.memory_files > MOST_MEMORY_FILES;
            if too_many {
                self.overstep(
                    "limit",
                    format!("a run makes at most {MOST_MEMORY_FILES} files in memory"),
                    "it made more",
                    "look for a loop that makes them, and use one file for all; memfd_create(2)",
                );
            }
            too_many
        } else if is(&libc::SYS_mmap) && arguments[3] & UNCOUNTED != 0 {
            self.uncounted_bytes = self.uncounted_bytes.saturating_add(arguments[1]);
            let too_much = self.uncounted_bytes > most;
            if too_much {
                self.overstep(
                    "limit",
                    format!("a run maps at most {} MiB of shared memory", most >> 20),
                    "it mapped more: what mmap was asked for with MAP_SHARED or MAP_GROWSDOWN, by all processes together",
                    "map as much as is used, and once: children inherit the mapping; mmap(2)",
                );
            }
            too_much
        } else {
            false
        }
    }

    /// Whether the run is enclosed, rather than a program that runs where it stands.
    pub(super) fn is_a_run_of_its_own(&self) -> bool {
        self.options.most_shared_memory.is_some()
    }

    /// A queue that was made, or was not, for want of room in what a user may have in queues (RLIMIT_MSGQUEUE): the kernel counts all of a user's, and so a run may
    /// fail for what another one did.
    pub(super) fn note_queue(&mut self, pid: Pid, pending: &Pending, result: i64) {
        let event = &self.events[pending.event];
        if event.call != Call::MqOpen || event.arguments[1] as i32 & libc::O_CREAT == 0 || pending.result.is_some() || !self.is_a_run_of_its_own() {
            return;
        }
        let (messages, size) = decode::queue_attributes(pid, event.arguments[3]).unwrap_or(DEFAULT_QUEUE);
        self.queue_bytes = self.queue_bytes.saturating_add(messages.saturating_mul(size.saturating_add(BESIDE_A_MESSAGE)));
        if result == -i64::from(libc::EMFILE)
            && self.queue_bytes <= FEW_IN_QUEUES
            && self.proc.descriptors(pid).is_ok_and(|held| held.len() < FEW_DESCRIPTORS)
        {
            self.blind.get_or_insert_with(|| {
                "other runs of the same user have used up what a user may have in POSIX queues (ulimit -q); do it alone, or as root, who becomes another user for each run".into()
            });
        }
    }

    /// A call that made a child of which the kernel did not tell: clone(2) with CLONE_UNTRACED. Its flags may lie in memory that another thread
    /// changes, so it is the result that counts.
    pub(super) fn look_for_hidden_child(&mut self, pending: &Pending, result: i64) {
        if self.events[pending.event].call == Call::Fork && result > 0 && pending.result.is_none() && !pending.gave_birth {
            self.overstep(
                "hidden-process",
                "every process of the run can be followed",
                "a process was made with CLONE_UNTRACED, which keeps it out of sight",
                "use fork, or clone without that flag; clone(2)",
            );
        }
    }
}
