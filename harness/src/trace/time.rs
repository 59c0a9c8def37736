//! Virtual time: where everyone waits, and only a time limit can wake someone, the limit that is next is over at once.
//!
//! Theory of operation: the programs of a run see clocks of their own, the kernel's and what was jumped over. The executable that shows the clocks without a
//! system call (vDSO) is hidden from a program when it executes, so that each look at a clock is a call, and is answered here. Each call with a time limit is
//! noted with the time at which it is over; alarms are kept here and not by the kernel. [`Tracer::jump`] moves the clocks to the next of these times: a call that
//! waits is interrupted, and comes back with the result that its manual page gives for a time-out; an alarm sends its signal.
//!
//! Under a schedule the clocks stand still but for these jumps, for sleeps (which return at once), and for a little at each look, so that the same seed tells the
//! same times; and the kernel is not told of the limits at all.
//!
//! What stays on the kernel's own clock: timers of timerfd_settime(2) and timer_settime(2), limits of CPU time, recvmmsg(2), and whatever else is not known to
//! be limited in a way that is followed here. While anything of that kind is waited for, nothing jumps: the real time passes, and the verdict is the same. What is
//! read from the CPU itself (rdtsc), and the times of files, show the real clock.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::event::{Detail, Event, ProcessId};
use super::object::ObjectId;
use super::{State, Tracer};
use crate::call::{Call, has_time_limit, name_of};
use crate::kernel::arch::Registers;
use crate::kernel::process::{self, Pid};
use crate::kernel::ptrace::{self, Resume, read_memory};
use crate::procfs::Activity;

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
/// What a look at a clock costs where the clocks stand still, in nanoseconds: a loop that waits by looking ends.
const LOOK: i64 = 100_000;
/// The calls that a run with virtual time stops at besides those that have a name.
pub(super) const CALLS: [&str; 5] = ["clock_gettime", "gettimeofday", "time", "getitimer", "futex"];
/// Types of an entry of the auxiliary vector; getauxval(3).
const AT_NULL: u64 = 0;
const AT_IGNORE: u64 = 1;
const AT_SYSINFO_EHDR: u64 = 33;
/// Bytes of a new program's stack that are searched for the auxiliary vector, at first and at most.
const LEAST_STACK: usize = 4 << 10;
const MOST_STACK: usize = 2 << 20;

/// The clocks of a run, and what they will wake.
pub(super) struct Time {
    /// The kernel's clocks when the run began, by their ids, in nanoseconds.
    base: BTreeMap<i32, i64>,
    /// Nanoseconds that were jumped over.
    jumped: i64,
    /// Looks at a clock, where the clocks stand still.
    looks: i64,
    stands_still: bool,
    /// The time limits of sockets: for receiving, and for sending.
    limits: HashMap<ObjectId, [i64; 2]>,
    alarms: BTreeMap<ProcessId, Alarm>,
}

/// What came of the wish that time may jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// The next time limit is over now.
    Jumped,
    /// Nothing is waited for that time would bring about, or not that soon.
    Nothing,
    /// What is waited for is on the kernel's own clock.
    RealTime,
}

/// A timer that sends SIGALRM; setitimer(2).
#[derive(Debug, Clone, Copy)]
struct Alarm {
    /// When, on the run's clock.
    at: i64,
    /// When on the kernel's monotonic clock, if nothing jumps before.
    at_latest: i64,
    /// Nanoseconds to the next one; 0 for none.
    every: i64,
}

/// A time limit as a call states it.
enum Limit {
    /// So many nanoseconds after it begins.
    After(i64),
    /// When this clock shows this.
    At(i32, i64),
}

impl Time {
    fn new(stands_still: bool) -> Self {
        let clocks = [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC, libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_BOOTTIME, libc::CLOCK_TAI];
        let base = clocks.into_iter().map(|clock| (clock, process::clock(clock))).collect();
        Self { base, jumped: 0, looks: 0, stands_still, limits: HashMap::new(), alarms: BTreeMap::new() }
    }

    /// Nanoseconds since the run began, on its own clock.
    fn elapsed(&self) -> i64 {
        let passed = if self.stands_still { self.looks * LOOK } else { process::clock(libc::CLOCK_MONOTONIC) - self.base[&libc::CLOCK_MONOTONIC] };
        passed + self.jumped
    }

    /// What a clock shows, in nanoseconds; `None` for those that count something else than time.
    fn shows(&self, clock: i32) -> Option<i64> {
        let clock = match clock {
            libc::CLOCK_REALTIME_COARSE => libc::CLOCK_REALTIME,
            libc::CLOCK_MONOTONIC_COARSE => libc::CLOCK_MONOTONIC,
            other => other,
        };
        Some(self.base.get(&clock)?.saturating_add(self.elapsed()))
    }

    /// When a limit is over, on the run's own clock.
    fn over_at(&self, limit: &Limit) -> Option<i64> {
        match limit {
            Limit::After(span) => Some(self.elapsed().saturating_add(*span)),
            Limit::At(clock, time) => Some(self.elapsed().saturating_add(time.saturating_sub(self.shows(*clock)?))),
        }
    }

    fn come_to(&mut self, at: i64) {
        self.jumped += (at - self.elapsed()).max(0);
    }
}

impl Tracer {
    /// From now on time jumps where everyone waits. To be called before the first program is started.
    pub fn let_time_jump(&mut self) {
        self.time.get_or_insert_with(|| Time::new(false));
    }

    /// The same, on clocks that stand still meanwhile.
    pub(super) fn let_time_stand_still(&mut self) {
        self.time = Some(Time::new(true));
    }

    /// Whether the run has clocks of its own.
    #[must_use]
    pub fn has_own_time(&self) -> bool {
        self.time.is_some()
    }

    /// Nanoseconds since the run began, on its own clock.
    #[must_use]
    pub fn elapsed(&self) -> i64 {
        self.time.as_ref().map_or(0, Time::elapsed)
    }

    /// Moves the clocks of the run forward to this time.
    pub fn come_to(&mut self, elapsed: i64) {
        self.time.iter_mut().for_each(|time| time.come_to(elapsed));
        self.activity += 1;
    }

    /// The run's own real-time clock.
    pub(super) fn wall_clock(&self) -> std::time::SystemTime {
        let shown = self.time.as_ref().and_then(|time| time.shows(libc::CLOCK_REALTIME)).and_then(|shown| u64::try_from(shown).ok());
        shown.map_or_else(std::time::SystemTime::now, |shown| std::time::UNIX_EPOCH + std::time::Duration::from_nanos(shown))
    }

    /// Lets the next time limit be over that is waited for, if that comes before this time on the run's clock. To be called only when everyone sleeps.
    pub fn jump(&mut self, before: i64) -> io::Result<Jump> {
        let late = self.next_late_datagram();
        let Some(time) = &mut self.time else { return Ok(Jump::RealTime) };
        time.alarms.retain(|process, _| self.processes[process.0].exit.is_none());
        if self.timers.iter().any(|(process, armed)| *armed && self.processes[process.0].exit.is_none()) {
            return Ok(Jump::RealTime);
        }
        let mut next = time.alarms.iter().map(|(process, alarm)| (alarm.at, 0, None, Some(*process))).min();
        for (pid, task) in self.tasks.iter().filter(|(_, task)| task.state == State::Resumed) {
            let Activity::Asleep { number, arguments } = self.proc.activity(*pid) else { continue };
            let over_at = task.pending.as_ref().and_then(|pending| pending.over_at);
            let object = task.pending.as_ref().and_then(|pending| self.events[pending.event].object);
            let limited = has_time_limit(number, &arguments) || object.is_some_and(|object| self.objects.get(object).has_time_limit);
            match over_at {
                Some(at) => next = next.into_iter().chain([(at, task.born, Some(*pid), None)]).min(),
                None if limited => return Ok(Jump::RealTime),
                None => {}
            }
        }
        next = next.into_iter().chain(late.map(|due| (due, 0, None, None))).min();
        let Some((at, _, task, process)) = next.filter(|(at, ..)| *at < before) else { return Ok(Jump::Nothing) };
        time.come_to(at);
        self.activity += 1;
        if let Some(pending) = task.and_then(|pid| self.tasks.get_mut(&pid)).and_then(|task| task.pending.as_mut()) {
            pending.timed_out = true;
        }
        match (task, process) {
            (Some(pid), _) => ptrace::interrupt(pid)?,
            (None, Some(process)) => self.ring(process)?,
            (None, None) => self.let_late_datagram_arrive(),
        }
        Ok(Jump::Jumped)
    }

    /// Lets alarms ring whose time has come although somebody runs all the time.
    pub fn ring_alarms_that_are_due(&mut self) -> io::Result<()> {
        let Some(time) = &self.time else { return Ok(()) };
        let now = process::clock(libc::CLOCK_MONOTONIC);
        let due: Vec<ProcessId> = time.alarms.iter().filter(|(_, alarm)| alarm.at_latest <= now).map(|(process, _)| *process).collect();
        due.into_iter().try_for_each(|process| self.ring(process))
    }

    fn ring(&mut self, process: ProcessId) -> io::Result<()> {
        let Some(time) = &mut self.time else { return Ok(()) };
        let Some(alarm) = time.alarms.remove(&process) else { return Ok(()) };
        time.come_to(alarm.at);
        if alarm.every > 0 {
            let next = Alarm { at: alarm.at + alarm.every, at_latest: process::clock(libc::CLOCK_MONOTONIC) + alarm.every, every: alarm.every };
            time.alarms.insert(process, next);
        }
        if self.process(process).exit.is_some() {
            return Ok(());
        }
        match process::kill(self.process(process).pid, libc::SIGALRM) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result,
        }
    }

    /// Whether an alarm of a process that lives is to come.
    pub(super) fn expects_an_alarm(&self) -> bool {
        self.time.as_ref().is_some_and(|time| time.alarms.keys().any(|process| self.process(*process).exit.is_none()))
    }

    /// At the first stop of a program that was executed: hides the code that shows the clocks without a system call.
    pub(super) fn hide_clocks_of_its_own(&mut self, pid: Pid) -> io::Result<()> {
        if self.time.is_none() {
            return Ok(());
        }
        let start = Registers::get(pid)?.frame()[1];
        let mut most = LEAST_STACK;
        while most <= MOST_STACK {
            let mut stack = vec![0; most];
            let length = read_to_the_end(pid, start, &mut stack);
            let words: Vec<u64> = stack[..length].chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default())).collect();
            if let Some(places) = places_of_clocks(&words) {
                return places.into_iter().try_for_each(|place| ptrace::poke(pid, start + place as u64 * 8, AT_IGNORE));
            }
            most *= 8;
        }
        self.blind.get_or_insert_with(|| "a program whose clocks cannot be hidden: its arguments and environment are too many".into());
        Ok(())
    }

    /// At a call's entry: a look at a clock is answered by the run's own; `true` if it was one.
    pub(super) fn answers_for_a_clock(&mut self, pid: Pid, number: u64, arguments: &[u64; 6]) -> io::Result<bool> {
        let executed = self.process(self.tasks[&pid].process).executed;
        let Some(time) = self.time.as_mut().filter(|_| executed) else { return Ok(false) };
        let (clock, at) = match &*name_of(number) {
            "clock_gettime" => (arguments[0] as i32, arguments[1]),
            "gettimeofday" | "time" => (libc::CLOCK_REALTIME, arguments[0]),
            _ => return Ok(false),
        };
        let Some(shown) = time.shows(clock) else { return Ok(false) };
        time.looks += i64::from(time.stands_still);
        let (seconds, rest) = (shown.div_euclid(SECOND), shown.rem_euclid(SECOND));
        let words = match &*name_of(number) {
            "clock_gettime" => vec![seconds, rest],
            "gettimeofday" => vec![seconds, rest / 1000],
            _ => vec![seconds],
        };
        let result = if words.len() == 1 { seconds } else { 0 };
        if at != 0 && !put(pid, at, &words) {
            self.blind.get_or_insert_with(|| "a look at a clock whose answer cannot be written".into());
        }
        let mut registers = Registers::get(pid)?;
        registers.set_result(result);
        registers.set_call(pid, -1)?;
        ptrace::resume(pid, Resume::Continue, 0)?;
        Ok(true)
    }

    /// At a call's entry: notes when its time is over, keeps alarms in the kernel's place, and tells the kernel of limits by its own clock.
    pub(super) fn note_time_limit(&mut self, pid: Pid, index: usize) -> io::Result<()> {
        let event = &self.events[index];
        let Some(time) = self.time.as_ref().filter(|_| self.process(event.process).executed) else { return Ok(()) };
        if event.call == Call::Timer || &*name_of(event.number) == "getitimer" {
            return self.keep_alarm(pid, index);
        }
        let Some((limit, argument)) = limit_of(pid, event, time) else { return Ok(()) };
        let Some(at) = time.over_at(&limit) else { return Ok(()) };
        let never = event.number == libc::SYS_futex as u64 || event.call != Call::Sleep;
        let stands_still = time.stands_still && never && at > time.elapsed();
        let shift = match (&limit, argument) {
            (Limit::At(clock, shown), Some(argument)) => {
                Some((event.arguments[argument], shown - (time.shows(*clock).unwrap_or(0) - process::clock(*clock))))
            }
            _ => None,
        };
        if event.call == Call::Sleep && time.stands_still {
            // It returns at once, and its time is over then.
            if let Some(time) = &mut self.time {
                time.come_to(at);
            }
            return Ok(());
        }
        let value = argument.map(|argument| (argument, event.arguments[argument]));
        let by_number = matches!(&*name_of(event.number), "poll" | "epoll_wait" | "epoll_pwait");
        let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.as_mut()) else { return Ok(()) };
        pending.over_at = Some(at);
        match (value, shift) {
            (Some((argument, value)), _) if stands_still => {
                let mut registers = Registers::get(pid)?;
                registers.set_argument(argument, if by_number { u64::from(u32::MAX) } else { 0 });
                registers.set(pid)?;
                pending.restore = Some((argument, value));
            }
            (_, Some((address, shown))) => {
                let mut words = [0; 16];
                if read_memory(pid, address, &mut words).is_ok_and(|length| length == words.len()) {
                    let shown = shown.max(0);
                    for (place, word) in words.chunks_exact(8).enumerate() {
                        let address = address + place as u64 * 8;
                        pending.restore_words.push((address, u64::from_ne_bytes(word.try_into().unwrap_or_default())));
                    }
                    put(pid, address, &[shown / SECOND, shown % SECOND]);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// alarm(2), setitimer(2) and getitimer(2) of real time, done here; others stay on the kernel's own clock.
    fn keep_alarm(&mut self, pid: Pid, index: usize) -> io::Result<()> {
        let event = &self.events[index];
        let (process, arguments, name) = (event.process, event.arguments, name_of(event.number));
        let armed = !matches!(event.detail, Detail::Integer(0));
        let Some(time) = &mut self.time else { return Ok(()) };
        let real = arguments[0] == libc::ITIMER_REAL as u64;
        match &*name {
            "alarm" => {}
            "setitimer" | "getitimer" if real => {}
            _ => {
                if armed && time.stands_still {
                    // From now on something rings by the kernel's clock: ours goes on with it.
                    time.jumped = time.elapsed() - (process::clock(libc::CLOCK_MONOTONIC) - time.base[&libc::CLOCK_MONOTONIC]);
                    time.stands_still = false;
                }
                return Ok(());
            }
        }
        let now = time.elapsed();
        let before = time.alarms.get(&process).copied();
        let left = before.map_or(0, |alarm| (alarm.at - now).max(1000));
        let mut result = 0;
        let mut told_at = 0;
        let new = match &*name {
            "alarm" => {
                let (seconds, rest) = (left / SECOND, left % SECOND);
                result = seconds + i64::from((seconds == 0 && rest > 0) || rest >= SECOND / 2);
                Some((i64::from(arguments[0] as u32).saturating_mul(SECOND), 0))
            }
            "setitimer" => {
                told_at = arguments[2];
                let Some([every, every_rest, first, first_rest]) = words::<4>(pid, arguments[1]) else { return Ok(()) };
                Some((first.saturating_mul(SECOND) + first_rest * 1000, every.saturating_mul(SECOND) + every_rest * 1000))
            }
            _ => {
                told_at = arguments[1];
                None
            }
        };
        if let Some((first, every)) = new {
            time.alarms.remove(&process);
            if first > 0 {
                let at_latest = process::clock(libc::CLOCK_MONOTONIC).saturating_add(first);
                time.alarms.insert(process, Alarm { at: now.saturating_add(first), at_latest, every });
            }
        }
        if told_at != 0 {
            let every = before.map_or(0, |alarm| alarm.every);
            put(pid, told_at, &[every / SECOND, every % SECOND / 1000, left / SECOND, left % SECOND / 1000]);
        }
        Registers::get(pid)?.set_call(pid, -1)?;
        if let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.as_mut()) {
            pending.result = Some(result);
            pending.keeps_alarm = true;
        }
        Ok(())
    }

    /// At a call's exit: the result of one that was interrupted because its time is over. One that has found something meanwhile keeps what it has.
    pub(super) fn timed_out(&self, pid: Pid, index: usize, result: i64) -> i64 {
        let event = &self.events[index];
        if !matches!(result, -516..=-512) && result != -i64::from(libc::EINTR) {
            return result;
        }
        let arguments = &event.arguments;
        match &*name_of(event.number) {
            "select" | "pselect6" => {
                let zeroes = vec![0; arguments[0].div_ceil(64).min(16) as usize];
                for set in (1..4).filter(|set| arguments[*set] != 0) {
                    put(pid, arguments[set], &zeroes);
                }
                put(pid, arguments[4], &[0, 0]);
                0
            }
            _ => match event.call {
                Call::Poll | Call::EpollWait | Call::Sleep => 0,
                Call::Connect => -i64::from(libc::EINPROGRESS),
                Call::MqSend | Call::MqReceive | Call::Other(_) => -i64::from(libc::ETIMEDOUT),
                _ => -i64::from(libc::EAGAIN),
            },
        }
    }

    /// A time limit of a socket's was set; socket(7), SO_RCVTIMEO and SO_SNDTIMEO.
    pub(super) fn note_limit_of_socket(&mut self, pid: Pid, index: usize, object: ObjectId) {
        let arguments = self.events[index].arguments;
        let (Some(time), Some([seconds, rest])) = (&mut self.time, words::<2>(pid, arguments[3])) else { return };
        let which = usize::from(arguments[2] as i32 == libc::SO_SNDTIMEO);
        time.limits.entry(object).or_default()[which] = seconds.saturating_mul(SECOND).saturating_add(rest.saturating_mul(1000));
    }
}

/// The entries of the auxiliary vector that tell of the clocks' code, by their places among the words of a new program's stack; `None` where the words end before
/// the vector does.
fn places_of_clocks(words: &[u64]) -> Option<Vec<usize>> {
    // The number of arguments, the arguments and 0, the environment and 0, then pairs of type and value.
    let environment = 1 + usize::try_from(*words.first()?).ok()? + 1;
    let vector = environment + words.get(environment..)?.iter().position(|word| *word == 0)? + 1;
    let entries = words.get(vector..)?.chunks_exact(2);
    let end = entries.clone().position(|entry| entry[0] == AT_NULL)?;
    let of_clocks = entries.take(end).enumerate().filter(|(_, entry)| entry[0] == AT_SYSINFO_EHDR);
    Some(of_clocks.map(|(index, _)| vector + index * 2).collect())
}

/// The time limit of a call at its entry, if it has one, and the argument that states it.
fn limit_of(pid: Pid, event: &Event, time: &Time) -> Option<(Limit, Option<usize>)> {
    let arguments = &event.arguments;
    let span = |argument: usize| Some((nanoseconds(pid, arguments[argument], 1)?, argument));
    let after = |argument: usize| span(argument).map(|(span, argument)| (Limit::After(span), Some(argument)));
    let at = |clock: i32, argument: usize| span(argument).map(|(time, argument)| (Limit::At(clock, time), Some(argument)));
    let milliseconds = |argument: usize| {
        let limit = arguments[argument] as i32;
        (limit >= 0).then_some((Limit::After(i64::from(limit) * 1_000_000), Some(argument)))
    };
    match &*name_of(event.number) {
        "poll" => milliseconds(2),
        "epoll_wait" | "epoll_pwait" => milliseconds(3),
        "ppoll" | "rt_sigtimedwait" => after(2),
        "epoll_pwait2" | "semtimedop" => after(3),
        "pselect6" => after(4),
        "select" => nanoseconds(pid, arguments[4], 1000).map(|span| (Limit::After(span), Some(4))),
        "nanosleep" => after(0),
        "clock_nanosleep" if arguments[1] as i32 & libc::TIMER_ABSTIME != 0 => at(arguments[0] as i32, 2),
        "clock_nanosleep" => after(2),
        "mq_timedsend" | "mq_timedreceive" => at(libc::CLOCK_REALTIME, 4),
        "futex" => {
            let operation = arguments[1] as i32;
            let clock = if operation & libc::FUTEX_CLOCK_REALTIME != 0 { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC };
            match operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) {
                libc::FUTEX_WAIT => after(3),
                libc::FUTEX_WAIT_BITSET | libc::FUTEX_WAIT_REQUEUE_PI | libc::FUTEX_LOCK_PI2 => at(clock, 3),
                libc::FUTEX_LOCK_PI => at(libc::CLOCK_REALTIME, 3),
                _ => None,
            }
        }
        "recvmmsg" => None,
        _ => {
            let [receiving, sending] = *time.limits.get(&event.object?)?;
            let limit = if event.call.takes_data() || event.call == Call::Accept {
                receiving
            } else if event.call.gives_data() || event.call == Call::Connect {
                sending
            } else {
                0
            };
            (limit > 0).then_some((Limit::After(limit), None))
        }
    }
}

/// A `struct timespec` (or, with 1000 nanoseconds to the unit, a `struct timeval`) of a stopped process; `None` where there is none or what it says is wrong.
fn nanoseconds(pid: Pid, at: u64, unit: i64) -> Option<i64> {
    let [seconds, rest] = words::<2>(pid, at)?;
    (at != 0 && seconds >= 0 && (0..SECOND).contains(&rest)).then(|| seconds.saturating_mul(SECOND).saturating_add(rest.saturating_mul(unit)))
}

fn words<const N: usize>(pid: Pid, at: u64) -> Option<[i64; N]> {
    let mut bytes = vec![0; N * 8];
    (read_memory(pid, at, &mut bytes).ok()? == bytes.len()).then_some(())?;
    let mut words = [0; N];
    words.iter_mut().zip(bytes.chunks_exact(8)).for_each(|(word, bytes)| *word = i64::from_ne_bytes(bytes.try_into().unwrap_or_default()));
    Some(words)
}

/// Writes words into the memory of a stopped process; `false` where that cannot be.
fn put(pid: Pid, at: u64, words: &[i64]) -> bool {
    words.iter().enumerate().all(|(index, word)| ptrace::poke(pid, at.wrapping_add(index as u64 * 8), word.cast_unsigned()).is_ok())
}

/// As many bytes as there are, page by page: what follows the stack cannot be read.
fn read_to_the_end(pid: Pid, start: u64, buffer: &mut [u8]) -> usize {
    const PAGE: u64 = 4096;
    let mut length = 0;
    while length < buffer.len() {
        let at = start + length as u64;
        let to = buffer.len().min(length + (PAGE - at % PAGE) as usize);
        match read_memory(pid, at, &mut buffer[length..to]) {
            Ok(read) if read > 0 => length += read,
            _ => break,
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_are_found_behind_arguments_and_environment() {
        let stack = [2, 0x100, 0x108, 0, 0x200, 0, 6, 4096, AT_SYSINFO_EHDR, 0x7fff_0000, 16, 1, AT_NULL, 0];
        assert_eq!(places_of_clocks(&stack), Some(vec![8]));
        assert_eq!(places_of_clocks(&stack[..9]), None, "the vector goes on");
        assert_eq!(places_of_clocks(&[0, 0, 0, 6, 4096, AT_NULL, 0]), Some(vec![]));
    }
}
