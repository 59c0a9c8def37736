//! What may go wrong: the faults that the manual pages permit, as data.
//!
//! One row says for some calls on some kinds of object what may happen to them, under which condition, and where that is written. Nothing is injected into a
//! program of which nothing more is known unless a row permits it: EINTR only where a handler may run, never EAGAIN where a call may block, a short transfer only
//! where the other side may have given or taken less.

use crate::call::Call;
use crate::trace::object::Kind;

/// What happens at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happens {
    /// It fails with this errno, and nothing is done.
    Fails(i32),
    /// It moves one byte only.
    ComesShort,
}

impl Happens {
    /// Whether the program is to go on as if nothing had happened: by making the call again, or for the rest.
    #[must_use]
    pub fn is_passing(self) -> bool {
        matches!(self, Self::ComesShort | Self::Fails(libc::EINTR))
    }
}

/// Under which condition it may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provided {
    /// At any time.
    Always,
    /// A handler takes some signal, and was not set with `SA_RESTART`.
    HandlerWithoutRestart,
    /// A handler takes some signal.
    Handler,
    /// As before, for transfers of more than `PIPE_BUF` bytes, which are not done in one piece; pipe(7).
    HandlerAndLong,
    /// For the kernel's call of this name only, of those of one meaning.
    Named(&'static str),
}

/// One row.
#[derive(Debug)]
pub struct Permitted {
    /// The calls.
    pub calls: &'static [Call],
    /// What their descriptors must refer to; calls of any object and of none if empty.
    pub on: &'static [Kind],
    /// What happens.
    pub happens: Happens,
    /// When.
    pub provided: Provided,
    /// Where it is written.
    pub page: &'static str,
}

/// Bytes that a pipe takes in one piece; pipe(7).
pub const PIPE_BUF: u64 = 4096;

const SLOW: &[Kind] = &[Kind::Pipe, Kind::Fifo, Kind::Tcp, Kind::Udp, Kind::Unix, Kind::Socket, Kind::Standard];
const STREAMS: &[Kind] = &[Kind::Pipe, Kind::Fifo, Kind::Tcp, Kind::Unix, Kind::Standard];
const SOCKETS: &[Kind] = &[Kind::Tcp, Kind::Udp, Kind::Unix, Kind::Socket];

const fn row(calls: &'static [Call], on: &'static [Kind], happens: Happens, provided: Provided, page: &'static str) -> Permitted {
    Permitted { calls, on, happens, provided, page }
}

const fn interrupted(calls: &'static [Call], on: &'static [Kind], provided: Provided) -> Permitted {
    row(calls, on, Happens::Fails(libc::EINTR), provided, "signal(7), Interruption of system calls and library functions by signal handlers")
}

const fn fails(call: &'static [Call], on: &'static [Kind], errno: i32, page: &'static str) -> Permitted {
    row(call, on, Happens::Fails(errno), Provided::Always, page)
}

/// The table.
pub const PERMITTED: &[Permitted] = &[
    // Interruption: by a handler that was set without SA_RESTART, or in spite of it.
    interrupted(&[Call::Read, Call::Write, Call::Recv, Call::Send], SLOW, Provided::HandlerWithoutRestart),
    interrupted(&[Call::Accept], SOCKETS, Provided::HandlerWithoutRestart),
    interrupted(&[Call::Open], &[Kind::Fifo], Provided::HandlerWithoutRestart),
    interrupted(&[Call::MqReceive, Call::MqSend], &[Kind::Queue], Provided::HandlerWithoutRestart),
    interrupted(&[Call::Wait], &[], Provided::HandlerWithoutRestart),
    interrupted(&[Call::Flock], &[], Provided::HandlerWithoutRestart),
    interrupted(&[Call::Poll, Call::Select, Call::EpollWait], &[], Provided::Handler),
    interrupted(&[Call::Msgrcv, Call::Msgsnd, Call::Semop], &[], Provided::Handler),
    // Transfers that come short: reads at any time, writes where a handler interrupts them.
    row(&[Call::Read, Call::Recv], STREAMS, Happens::ComesShort, Provided::Always, "read(2), RETURN VALUE; recv(2)"),
    row(&[Call::Write, Call::Send], &[Kind::Tcp, Kind::Unix], Happens::ComesShort, Provided::Handler, "write(2); send(2)"),
    row(&[Call::Write], &[Kind::Pipe, Kind::Fifo, Kind::Standard], Happens::ComesShort, Provided::HandlerAndLong, "write(2); pipe(7), PIPE_BUF"),
    // Failures: what there is not enough of.
    fails(&[Call::Fork], &[], libc::EAGAIN, "fork(2), ERRORS"),
    fails(&[Call::Fork], &[], libc::ENOMEM, "fork(2), ERRORS"),
    fails(&[Call::Exec], &[], libc::ENOMEM, "execve(2), ERRORS"),
    fails(&[Call::Pipe], &[], libc::EMFILE, "pipe(2), ERRORS"),
    fails(&[Call::Pipe], &[], libc::ENFILE, "pipe(2), ERRORS"),
    fails(&[Call::Open], &[], libc::EMFILE, "open(2), ERRORS"),
    fails(&[Call::Open], &[], libc::ENFILE, "open(2), ERRORS"),
    row(&[Call::Dup], &[], Happens::Fails(libc::EMFILE), Provided::Named("dup"), "dup(2), ERRORS"),
    fails(&[Call::Mknod], &[], libc::ENOSPC, "mknod(2), ERRORS"),
    fails(&[Call::Truncate], &[], libc::EIO, "ftruncate(2), ERRORS"),
    fails(&[Call::Read], &[Kind::File], libc::EIO, "read(2), ERRORS"),
    fails(&[Call::Write], &[Kind::File, Kind::Standard], libc::ENOSPC, "write(2), ERRORS"),
    fails(&[Call::Write], &[Kind::File], libc::EIO, "write(2), ERRORS"),
    fails(&[Call::Socket, Call::Socketpair], &[], libc::EMFILE, "socket(2), ERRORS"),
    fails(&[Call::Socket, Call::Socketpair], &[], libc::ENFILE, "socket(2), ERRORS"),
    fails(&[Call::Bind], &[Kind::Tcp, Kind::Udp, Kind::Unix], libc::EADDRINUSE, "bind(2), ERRORS"),
    fails(&[Call::Listen], &[Kind::Tcp], libc::EADDRINUSE, "listen(2), ERRORS"),
    fails(&[Call::Accept], &[Kind::Tcp], libc::ECONNABORTED, "accept(2), ERRORS"),
    fails(&[Call::Accept], SOCKETS, libc::EMFILE, "accept(2), ERRORS"),
    fails(&[Call::Connect], &[Kind::Tcp, Kind::Unix], libc::ECONNREFUSED, "connect(2), ERRORS"),
    fails(&[Call::Connect], &[Kind::Tcp], libc::ETIMEDOUT, "connect(2), ERRORS"),
    fails(&[Call::Read, Call::Recv, Call::Write, Call::Send], &[Kind::Tcp], libc::ECONNRESET, "recv(2), send(2), ERRORS"),
    fails(&[Call::Shmget], &[], libc::ENOSPC, "shmget(2), ERRORS"),
    fails(&[Call::Shmat], &[], libc::ENOMEM, "shmat(2), ERRORS"),
    fails(&[Call::Semget], &[], libc::ENOSPC, "semget(2), ERRORS"),
    fails(&[Call::Msgget], &[], libc::ENOSPC, "msgget(2), ERRORS"),
    fails(&[Call::MqOpen], &[], libc::EMFILE, "mq_open(3), ERRORS"),
    fails(&[Call::MqOpen], &[], libc::ENOSPC, "mq_open(3), ERRORS"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_lets_a_call_that_may_block_fail_with_eagain() {
        let blocks = [Call::Read, Call::Write, Call::Recv, Call::Send, Call::Accept, Call::MqReceive, Call::MqSend, Call::Msgrcv, Call::Semop];
        let wrong = PERMITTED.iter().find(|row| row.happens == Happens::Fails(libc::EAGAIN) && row.calls.iter().any(|call| blocks.contains(call)));
        assert!(wrong.is_none(), "{wrong:?}");
    }

    #[test]
    fn every_interruption_has_a_condition_and_every_row_a_page() {
        for row in PERMITTED {
            assert!(row.happens != Happens::Fails(libc::EINTR) || row.provided != Provided::Always, "{row:?}");
            assert!(row.page.contains('(') && !row.calls.is_empty(), "{row:?}");
        }
    }

    #[test]
    fn datagrams_do_not_come_short() {
        let cuts_datagrams = |row: &&Permitted| row.happens == Happens::ComesShort && (row.on.is_empty() || row.on.contains(&Kind::Udp));
        assert!(PERMITTED.iter().find(cuts_datagrams).is_none());
    }
}
