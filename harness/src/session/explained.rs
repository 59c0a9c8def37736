//! Which page explains a finding, by what was seen in the run.
//!
//! Theory of operation: what was done to the run on purpose comes first, since it is what the program did not bear: a fault that was carried out, a sleep that the
//! schedule made nothing of. Then comes what the kernel told the program or did to it, then the finding's own kind. A finding that none of this is true of gets no page.

use super::Session;
use crate::call::Call;
use crate::fault::Action;
use crate::finding::{Finding, pages};
use crate::trace::event::{Detail, Event, Exit};
use crate::trace::waiting::Waiting;

/// Kinds that say by themselves what is wrong, whatever happened before.
const CERTAIN: [&str; 8] = ["busy-waiting", "foreign-call", "hidden-process", "left-behind", "limit", "sigpipe", "unused-end", "zombie"];
/// Kinds that only say how the program ended, or that it did not.
const ENDINGS: [&str; 5] = ["connection", "deadlock", "error-report", "exit", "output"];
/// The state of a socket that listens, in `/proc/net/tcp`; proc_pid_net(5).
const LISTENS: &str = "0A";

/// The page for a program that does not bear what was done to it; what only changes the order has none.
pub(crate) fn page_of_fault(action: &Action) -> Option<&'static str> {
    match action {
        Action::Fail(libc::EINTR) | Action::FailAfter(libc::EINTR) => Some("interrupted-call"),
        Action::Fail(_) | Action::FailAfter(_) => Some("ignored-failure"),
        Action::Shorten(_) => Some("short-transfer"),
        Action::Kill | Action::ExitWith(_) | Action::Signal(_) | Action::Hold | Action::HoldBefore | Action::Delay | Action::Datagram(_) => None,
    }
}

impl Session {
    /// Gives a finding the name of the page that explains it, if there is one and it has none yet.
    pub(crate) fn name_page(&self, finding: &mut Finding) {
        let certain = CERTAIN.contains(&&*finding.kind);
        let page = if certain { None } else { self.page_of_what_was_done().or_else(|| self.page_of_sleep()) };
        let known = finding.page.take();
        let page = page.map(str::to_owned).or(known);
        let ending = ENDINGS.contains(&&*finding.kind);
        let seen = || if ending { self.page_of_what_was_seen() } else { None };
        finding.page = page.or_else(|| seen().or_else(|| pages::of_kind(&finding.kind)).map(str::to_owned));
    }

    /// The page for a deadlock of these tasks.
    pub(super) fn page_of_deadlock(&mut self, waiting: &[Waiting]) -> &'static str {
        let for_signal = |one: &Waiting| one.call.is_some_and(|(number, _)| matches!(Call::from_number(number), Call::Pause | Call::Sigsuspend));
        if waiting.iter().any(|one| self.tracer.waits_for_itself(one).is_some()) {
            "end-of-file"
        } else if waiting.iter().any(for_signal) {
            "lost-wakeup"
        } else {
            "deadlock"
        }
    }

    /// The first fault that was carried out and that a program has to bear.
    fn page_of_what_was_done(&self) -> Option<&'static str> {
        self.tracer.events.iter().find_map(|event| page_of_fault(&self.tracer.faults[event.injected_by?].0.action))
    }

    /// Under a schedule, a program that relied on a sleep.
    fn page_of_sleep(&self) -> Option<&'static str> {
        let slept = || self.tracer.events.iter().any(|event| event.call == Call::Sleep && self.tracer.process(event.process).executed);
        (self.tracer.is_scheduled() && slept()).then_some("sleep")
    }

    /// What the kernel answered to a program that then ended badly, or how it ended it.
    fn page_of_what_was_seen(&self) -> Option<&'static str> {
        if self.tracer.processes.iter().any(|process| process.exit == Some(Exit::Signal(libc::SIGPIPE))) {
            return Some("sigpipe");
        }
        let of_failure = |event: &Event| match (event.call, event.errno().filter(|_| !event.injected)?) {
            (Call::Wait, libc::ECHILD) | (Call::Kill, libc::ESRCH) => Some("stale-pid"),
            (Call::Connect, libc::ECONNREFUSED) => match event.detail {
                Detail::Address(address) if self.listens_on(address.port().swap_bytes()) => Some("byte-order"),
                _ => None,
            },
            (_, libc::EMSGSIZE) | (Call::Msgrcv, libc::E2BIG) | (Call::Bind | Call::Connect, libc::EINVAL) => Some("message-size"),
            _ => None,
        };
        self.tracer.events.iter().rev().find_map(of_failure)
    }

    /// Whether a socket of the run's network listens on this TCP port.
    pub(super) fn listens_on(&self, port: u16) -> bool {
        let table = self.tracer.proc.table("self/net/tcp").unwrap_or_default();
        table.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let here = fields.next().and_then(|address| u16::from_str_radix(address.rsplit(':').next()?, 16).ok());
            here == Some(port) && fields.nth(1) == Some(LISTENS)
        })
    }
}
