//! What a lab's checks use: `use harness::prelude::*;`.

pub use crate::call::Call::{self, *};
pub use crate::checks;
pub use crate::explore::{Bound, Explored, conflicts_reversed, preemptions};
pub use crate::fault::{
    AsCalls, Fate, Fault, Fired, Who, delay_at, delay_datagram, drop_datagram, duplicate_datagram, errno_name, every_failure, every_interruption,
    exit_with, fail, fail_after, hold_at, hold_before, keep_datagram, kill_at, short, signal_at, swap_datagrams,
};
pub use crate::finding::Finding;
pub use crate::ipc::Leftover;
pub use crate::lab::Lab;
pub use crate::network::{Node, Range, Role, Topology};
pub use crate::procfs::Access;
pub use crate::run::{
    Run, bytes_moved, closes_unused_ends, complains, difference, excerpt, exits, leaves_nothing, prints, reaps_its_children, when, without_races,
};
pub use crate::session::datagram::{Datagram, Mailbox};
pub use crate::session::local::{Attached, LocalConnection, LocalListener};
pub use crate::session::message::MessageQueue;
pub use crate::session::peer::{Connection, End, Listener, Queue};
pub use crate::session::wire::Wire;
pub use crate::session::{Armed, Program, Session, Sleeping};
pub use crate::trace::event::{Control, Detail, Event, Exit, Process, ProcessId, SemaphoreOperation, signal_name};
pub use crate::trace::object::Kind;
pub use crate::verdict::{Passed, Unpassed, Verdict};
pub use libc;
