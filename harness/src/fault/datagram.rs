//! Datagrams on their way: what a network may do to one, and the faults that do it to the n-th that a program sends.
//!
//! The sender is told that its datagram was sent, as it would be in life. The datagram itself is then lost, comes twice, is overtaken by the next one, or comes late:
//! by its number and never by chance. Both sides may be the student's own programs.

use std::time::Duration;

use super::{Action, Fault, When};
use crate::call::Call;
use crate::trace::object::Kind;

/// What becomes of a datagram on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives twice.
    Doubled,
    /// The next one arrives first. If there is none, it arrives when nothing else can happen any more.
    Overtaken,
    /// It arrives so much later, by the run's own clock.
    Late(Duration),
    /// It arrives when the check says so, with `Session::release`.
    Kept,
}

impl Fate {
    /// The fate in words, after the datagram's name.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::Lost => "is lost".into(),
            Self::Doubled => "arrives twice".into(),
            Self::Overtaken => "is overtaken by the next one".into(),
            Self::Late(time) => format!("arrives {} ms late", time.as_millis()),
            Self::Kept => "is kept on its way".into(),
        }
    }
}

impl Fault {
    /// Which datagrams it is for.
    pub(super) fn datagram_in_words(&self) -> String {
        let which = match self.when {
            When::Nth(n) => format!("datagram {n}"),
            When::Every => "every datagram".into(),
            When::Alternately => "every other datagram".into(),
        };
        self.program.as_ref().map_or_else(|| which.clone(), |program| format!("{which} of {program}"))
    }
}

/// For UDP sockets. Datagrams of local sockets (unix(7)) are neither lost nor put out of order on Linux: `on(Kind::Unix)` adds them where a handout wants its programs to
/// bear that all the same.
fn datagram(fate: Fate) -> Fault {
    Fault::new(Action::Datagram(fate), &[Call::Send, Call::Write]).on(Kind::Udp)
}

/// A datagram that a program sends is lost: the first one, or which `nth`, `every` or `alternately` says. Nothing tells its sender; udp(7).
#[must_use]
pub fn drop_datagram() -> Fault {
    datagram(Fate::Lost)
}

/// A datagram that a program sends arrives twice, one right after the other.
#[must_use]
pub fn duplicate_datagram() -> Fault {
    datagram(Fate::Doubled)
}

/// A datagram that a program sends is overtaken by the next one that the fault is for. Where no other follows, it arrives when nothing else can happen any more: after every
/// time limit, and before the run is given up.
#[must_use]
pub fn swap_datagrams() -> Fault {
    datagram(Fate::Overtaken)
}

/// A datagram that a program sends arrives so much later, by the run's own clock: after what other time limits of the run bring about before that. Time must jump
/// (`Session::let_time_jump`). What the machine itself needs meanwhile counts as well, save under a schedule, where the clocks stand still: there the time is exact.
#[must_use]
pub fn delay_datagram(time: Duration) -> Fault {
    datagram(Fate::Late(time))
}

/// A datagram that a program sends is on its way until `Session::release`; `Session::until_held` waits until it has been sent.
#[must_use]
pub fn keep_datagram() -> Fault {
    datagram(Fate::Kept)
}
