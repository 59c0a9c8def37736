//! Datagrams on their way: those that a fault keeps from arriving as they were sent.
//!
//! Theory of operation: at the entry of a call that sends, the datagram is read from the sender's memory, and a second descriptor of its socket is taken. Where it is not to
//! arrive at once, the kernel is asked through that descriptor to do everything but send (MSG_PROBE: the address is looked at, an unnamed socket gets its port), and its answer
//! is the sender's; the sender's own call is not carried out. The datagram is sent through the same descriptor when its time has come, whatever has become of the sender. A
//! copy is sent when the sender's own call is done.
//!
//! Local sockets know no MSG_PROBE: there the sender is told that its datagram was sent.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::Tracer;
use super::event::Event;
use super::object::Kind;
use super::vector::{Buffer, Vector, read};
use crate::call::name_of;
use crate::fault::{Action, Fate};
use crate::kernel::arch::Registers;
use crate::kernel::process::Pid;
use crate::kernel::socket;

/// Most bytes of a datagram over IPv4; the kernel refuses more.
const LONGEST: u64 = 65_507;
/// Most bytes of an address; `struct sockaddr_storage`, sockaddr(3type).
const LONGEST_ADDRESS: u64 = 128;

/// "Do not send. Only probe path": MSG_PROBE of `linux/socket.h`.
const MSG_PROBE: i32 = 0x10;

/// One datagram that has been sent and has not arrived.
struct OnItsWay {
    /// The fault that keeps it.
    fault: usize,
    socket: OwnedFd,
    to: Vec<u8>,
    bytes: Vec<u8>,
    /// When it arrives, on the run's own clock.
    due: Option<i64>,
}

/// The datagrams of a run that do not arrive as they were sent.
#[derive(Default)]
pub(super) struct Datagrams {
    on_their_way: Vec<OnItsWay>,
    /// What is sent once the call of this task is done: copies, and what it overtook.
    behind: Vec<(Pid, OnItsWay)>,
}

impl OnItsWay {
    fn arrive(self) -> Option<io::Error> {
        // An error that the socket still has to tell comes instead of the first attempt; and what has no receiver any more is lost, as it would be in life.
        let mut sent = socket::send_datagram(self.socket.as_fd(), &self.bytes, &self.to, 0);
        if sent.is_err() {
            sent = socket::send_datagram(self.socket.as_fd(), &self.bytes, &self.to, 0);
        }
        sent.err().filter(|error| matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS | libc::EPERM | libc::EACCES)))
    }
}

impl Tracer {
    /// Whether the next datagram that this fault matches overtakes one that it keeps.
    pub(super) fn is_to_be_overtaken(&self, fault: usize) -> bool {
        self.faults[fault].0.action == Action::Datagram(Fate::Overtaken) && self.datagrams.on_their_way.iter().any(|one| one.fault == fault)
    }

    /// The call overtakes what this fault keeps: that arrives once the call is done.
    pub(super) fn overtake(&mut self, pid: Pid, fault: usize) {
        let (behind, rest): (Vec<_>, Vec<_>) = self.datagrams.on_their_way.drain(..).partition(|one| one.fault == fault);
        self.datagrams.on_their_way = rest;
        self.datagrams.behind.extend(behind.into_iter().map(|one| (pid, one)));
    }

    /// Whether a call that is entered sends one datagram.
    pub(super) fn sends_datagram(&self, event: &Event) -> bool {
        let kind = event.object.map(|object| self.objects.get(object).kind);
        let process = self.process(event.process).pid;
        let keeps_bounds = || {
            let socket = socket::of_process(process, event.arguments[0] as i32);
            socket.is_ok_and(|socket| socket::is_for_datagrams(socket.as_fd()).unwrap_or(false))
        };
        // A local socket may be a stream.
        kind == Some(Kind::Udp) || kind == Some(Kind::Unix) && keeps_bounds()
    }

    /// At the entry of a call that sends a datagram: what becomes of it.
    pub(super) fn keep_from_arriving(&mut self, pid: Pid, index: usize, fault: usize, fate: Fate) -> io::Result<()> {
        let event = &self.events[index];
        let (number, arguments) = (event.number, event.arguments);
        if &*name_of(number) == "sendmmsg" {
            self.blind.get_or_insert_with(|| "sendmmsg(2), whose datagrams a fault does not tell apart".into());
            return Ok(());
        }
        let Some(sent) = Sent::of(pid, number, &arguments) else { return Ok(()) };
        let process = self.process(event.process).pid;
        let is_udp = event.object.is_some_and(|object| self.objects.get(object).kind == Kind::Udp);
        if sent.has_control && fate != Fate::Lost {
            self.blind.get_or_insert_with(|| "a datagram with ancillary data, which is not kept or doubled".into());
            return Ok(());
        }
        let socket = match socket::of_process(process, arguments[0] as i32) {
            Ok(socket) => socket,
            Err(error) => {
                self.unsupported.get_or_insert_with(|| format!("needs the kernel to hand over a program's socket: pidfd_getfd: {error}"));
                return Ok(());
            }
        };
        let due = match fate {
            Fate::Late(_) if !self.has_own_time() => {
                self.blind.get_or_insert_with(|| "a datagram that comes late, in a run in which time does not jump: let_time_jump".into());
                None
            }
            Fate::Late(time) => Some(self.elapsed().saturating_add(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))),
            _ => None,
        };
        let result = if fate == Fate::Doubled || !is_udp {
            Ok(sent.bytes.len())
        } else {
            socket::send_datagram(socket.as_fd(), &sent.bytes, &sent.to, MSG_PROBE)
        };
        let datagram = OnItsWay { fault, socket, to: sent.to, bytes: sent.bytes, due };
        if fate == Fate::Doubled {
            self.datagrams.behind.push((pid, datagram));
            return Ok(());
        }
        Registers::get(pid)?.set_call(pid, -1)?;
        let told = match &result {
            Ok(length) => i64::try_from(*length).unwrap_or(i64::MAX),
            Err(error) => -i64::from(error.raw_os_error().unwrap_or(libc::EIO)),
        };
        if let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.as_mut()) {
            pending.result = Some(told);
        }
        if result.is_ok() && fate != Fate::Lost {
            self.datagrams.on_their_way.push(datagram);
        }
        Ok(())
    }

    /// At the exit of a call: what it overtook, and the copy of what it sent.
    pub(super) fn send_what_is_behind(&mut self, pid: Pid, result: i64) {
        let (behind, rest): (Vec<_>, Vec<_>) = self.datagrams.behind.drain(..).partition(|(sender, _)| *sender == pid);
        self.datagrams.behind = rest;
        for (_, one) in behind {
            let is_copy = matches!(self.faults[one.fault].0.action, Action::Datagram(Fate::Doubled));
            // The kernel refused it: there is nothing to be doubled.
            if result >= 0 || !is_copy {
                self.let_arrive(one);
            }
        }
    }

    fn let_arrive(&mut self, datagram: OnItsWay) {
        self.activity += 1;
        self.fruitless = 0;
        if let Some(error) = datagram.arrive() {
            self.blind.get_or_insert_with(|| format!("a datagram that was kept on its way cannot be sent: {error}"));
        }
    }

    /// When the next datagram that comes late is due, on the run's own clock.
    pub(super) fn next_late_datagram(&self) -> Option<i64> {
        self.datagrams.on_their_way.iter().filter_map(|one| one.due).min()
    }

    /// Lets the next datagram arrive that comes late.
    pub(super) fn let_late_datagram_arrive(&mut self) {
        let place = self.datagrams.on_their_way.iter().enumerate().filter_map(|(place, one)| Some((one.due?, place))).min();
        if let Some((_, place)) = place {
            let one = self.datagrams.on_their_way.remove(place);
            self.let_arrive(one);
        }
    }

    /// Whether a datagram of this fault is on its way.
    pub(super) fn keeps_datagram(&self, fault: usize) -> bool {
        self.datagrams.on_their_way.iter().any(|one| one.fault == fault)
    }

    /// Lets all datagrams arrive that this fault keeps.
    pub(super) fn release_datagrams(&mut self, fault: usize) {
        let (kept, rest): (Vec<_>, Vec<_>) = self.datagrams.on_their_way.drain(..).partition(|one| one.fault == fault);
        self.datagrams.on_their_way = rest;
        kept.into_iter().for_each(|one| self.let_arrive(one));
    }

    /// Nothing else can happen any more: lets the next datagram arrive that is on its way, if the check does not keep it; `false` if there is none.
    pub fn let_datagram_arrive(&mut self) -> bool {
        let is_kept = |one: &OnItsWay| self.faults[one.fault].0.action == Action::Datagram(Fate::Kept);
        let next = self.datagrams.on_their_way.iter().enumerate().filter(|(_, one)| !is_kept(one)).min_by_key(|(_, one)| one.due);
        let Some((place, due)) = next.map(|(place, one)| (place, one.due)) else { return false };
        if let Some(due) = due {
            self.come_to(due);
        }
        let one = self.datagrams.on_their_way.remove(place);
        self.let_arrive(one);
        true
    }
}

/// What a call sends.
struct Sent {
    bytes: Vec<u8>,
    to: Vec<u8>,
    has_control: bool,
}

impl Sent {
    /// `None` where the kernel will refuse it for what it is.
    fn of(pid: Pid, number: u64, arguments: &[u64; 6]) -> Option<Self> {
        let name = name_of(number);
        let buffers = match &*name {
            "write" | "sendto" => vec![Buffer { at: arguments[1], length: arguments[2] }],
            _ => Vector::of(pid, number, arguments)?.buffers,
        };
        // The beginning of `struct msghdr`: where the address is and how long, and further on the same for ancillary data; sendmsg(2).
        let (address, has_control) = match &*name {
            "sendto" => ((arguments[4], arguments[5] & 0xffff_ffff), false),
            "sendmsg" => {
                let message = read(pid, arguments[1], 48)?;
                let word = |at: usize| message.get(at..at + 8).and_then(|word| word.try_into().ok()).map(u64::from_ne_bytes);
                ((word(0)?, word(8)? & 0xffff_ffff), word(40)? > 0 && word(32)? != 0)
            }
            _ => ((0, 0), false),
        };
        if buffers.iter().fold(0, |sum: u64, buffer| sum.saturating_add(buffer.length)) > LONGEST || address.1 > LONGEST_ADDRESS {
            return None;
        }
        let mut bytes = Vec::new();
        for buffer in buffers {
            bytes.extend(read(pid, buffer.at, buffer.length)?);
        }
        let to = if address.0 == 0 { Vec::new() } else { read(pid, address.0, address.1)? };
        Some(Self { bytes, to, has_control })
    }
}
