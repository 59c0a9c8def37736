//! Calls: what is done at the entry of a call and at its exit.

use std::io;

use super::event::{Detail, Event};
use super::object::Kind;
use super::{BackUp, MOST_SNAPSHOTS, Pending, State, Tracer, decode, telling};
use crate::call::Call;
use crate::kernel::arch::{AUDIT_ARCH, Registers};
use crate::kernel::process::{self, Pid};
use crate::kernel::ptrace::{self, CallStop};
use crate::kernel::seccomp::QUIET;
use crate::source::MOST_STACK;

/// ERESTARTNOHAND of `linux/errno.h`: where no handler runs, the kernel makes the call again.
const AGAIN_WITHOUT_HANDLER: i64 = -514;
/// ERESTART_RESTARTBLOCK: the same for calls with a time limit, which then wait for the rest of it.
const AGAIN_FOR_THE_REST: i64 = -516;
/// The result of a call that was not carried out and is made again: ERESTARTNOINTR.
const MADE_AGAIN: i64 = -513;

impl Tracer {
    pub(super) fn call_entered(&mut self, pid: Pid) -> io::Result<()> {
        let CallStop::Entry { architecture, number, arguments, note } = ptrace::call_stop(pid)? else {
            return self.was_killed_meanwhile(pid, "a stop at a call's entry that the kernel does not describe");
        };
        if architecture == AUDIT_ARCH && self.answers_for_a_clock(pid, number, &arguments)? {
            return Ok(());
        }
        if architecture == AUDIT_ARCH && self.makes_too_much_memory(number, &arguments) {
            return process::kill(pid, libc::SIGKILL);
        }
        if note == QUIET {
            return self.resume(pid, 0);
        }
        if self.opens_memory_first(pid, number, &arguments)? {
            return Ok(());
        }
        let entered = self.now();
        let process = self.tasks[&pid].process;
        if architecture != AUDIT_ARCH || number & 0x4000_0000 != 0 {
            self.overstep(
                "foreign-call",
                "system calls are made as this machine's programs make them",
                "the program made a system call of a foreign ABI (32-bit or x32), which is not followed",
                "make calls through libc; syscall(2)",
            );
            return process::kill(pid, libc::SIGKILL);
        }
        let call = Call::from_number(number);
        let decode = self.options.decode && self.process(process).executed;
        let object = if decode && call.takes_descriptor() { self.object_of(pid, arguments[0] as i32) } else { None };
        let detail = if decode { decode::at_entry(pid, call, number, &arguments) } else { Detail::None };
        let control = if decode { decode::control_at_entry(pid, number, &arguments) } else { None };
        let index = self.events.len();
        let event = Event {
            entered,
            entered_at: self.wall_clock(),
            left: None,
            process,
            task: pid,
            call,
            number,
            arguments,
            result: None,
            object,
            injected: false,
            injected_by: None,
            detail,
            control,
        };
        self.events.push(event);
        if self.events.len() > self.options.most_events {
            let most = self.options.most_events;
            self.overstep(
                "limit",
                format!("a run makes at most {most} calls of those that are followed"),
                "it made more",
                "look for a loop that does not end, or that moves each byte with a call of its own",
            );
        }
        if let Some(object) = object {
            self.note_table(pid, index, call, object);
        }
        if decode && self.snapshots.len() < MOST_SNAPSHOTS {
            self.snapshots.insert(index, telling::snapshot(pid, &Registers::get(pid)?, MOST_STACK));
        }
        self.tasks.entry(pid).and_modify(|task| task.pending = Some(Pending::of(index)));
        self.note_call(number);
        self.hand_on(pid, index);
        self.note_time_limit(pid, index)?;
        if self.is_scheduled() && call == Call::Sleep && self.process(process).executed {
            // Time orders nothing: whoever relies on it is found out.
            self.note_sleep();
            Registers::get(pid)?.set_call(pid, -1)?;
            self.tasks.entry(pid).and_modify(|task| task.pending.iter_mut().for_each(|pending| pending.result = Some(0)));
        }
        if self.is_a_run_of_its_own() && self.splices_what_the_harness_moves(pid, number, &arguments) {
            Registers::get(pid)?.set_call(pid, -1)?;
            self.tasks.entry(pid).and_modify(|task| task.pending.iter_mut().for_each(|pending| pending.result = Some(-i64::from(libc::EINVAL))));
        }
        if self.carry_out_faults(pid, index)? { Ok(()) } else { self.resume(pid, 0) }
    }

    /// Whether a call is splice(2) from or to a standard stream or a FIFO. It holds the pipe's lock for as long as it waits for the other side: whoever reads or
    /// writes the pipe meanwhile waits too, and cannot be ended. The harness does both, so that it says what splice says of a file that cannot be spliced, and
    /// the caller falls back to read and write.
    fn splices_what_the_harness_moves(&mut self, pid: Pid, number: u64, arguments: &[u64; 6]) -> bool {
        number == libc::SYS_splice.cast_unsigned()
            && [arguments[0], arguments[2]].into_iter().any(|descriptor| {
                let object = self.object_of(pid, descriptor as i32);
                object.is_some_and(|object| matches!(self.objects.get(object).kind, Kind::Standard | Kind::Fifo))
            })
    }

    /// A stop that turned into another one before it was looked at: that of a process's end, or else the trace is not whole.
    fn was_killed_meanwhile(&mut self, pid: Pid, otherwise: &str) -> io::Result<()> {
        if let process::Waited::Change(_, change) = process::wait(pid, false)? {
            return self.handle(pid, change);
        }
        self.blind.get_or_insert_with(|| otherwise.into());
        self.resume(pid, 0)
    }

    pub(super) fn call_left(&mut self, pid: Pid) -> io::Result<()> {
        if self.has_opened_memory(pid)? {
            return Ok(());
        }
        let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.take()) else { return self.resume(pid, 0) };
        let CallStop::Exit { mut result } = ptrace::call_stop(pid)? else {
            return self.was_killed_meanwhile(pid, "a stop at a call's exit that the kernel does not describe");
        };
        for (address, word) in &pending.restore_words {
            ptrace::poke(pid, *address, *word)?;
        }
        if let Some(reason) = pending.back_up {
            let event = &mut self.events[pending.event];
            event.result = Some(MADE_AGAIN);
            let mut registers = Registers::get(pid)?;
            registers.back_up(event.number, event.arguments[0]);
            registers.set(pid)?;
            self.now();
            return match reason {
                BackUp::Hold(fault) => {
                    self.set_state(pid, State::Held(fault));
                    Ok(())
                }
                BackUp::Signal => self.resume(pid, 0),
            };
        }
        if pending.timed_out && pending.result.is_none() {
            let over = self.timed_out(pid, pending.event, result);
            if over != result {
                let mut registers = Registers::get(pid)?;
                registers.set_result(over);
                registers.set(pid)?;
                result = over;
            }
        }
        if pending.result.is_some() || pending.restore.is_some() {
            let mut registers = Registers::get(pid)?;
            if let Some(injected) = pending.result {
                registers.set_result(injected);
                result = injected;
            }
            if let Some((argument, value)) = pending.restore {
                registers.set_argument(argument, value);
            }
            registers.set(pid)?;
        }
        if result == -i64::from(libc::EINTR) && pending.result.is_none() && self.proc.only_ignored_signals_wait(pid) {
            // Traced, a process is woken even by a SIGCHLD that it ignores, and semop, epoll_wait and their like then fail with EINTR, which without a
            // tracer they would not. The kernel makes the call again, unless a handler runs after all.
            let mut registers = Registers::get(pid)?;
            registers.set_result(AGAIN_WITHOUT_HANDLER);
            registers.set(pid)?;
            result = AGAIN_WITHOUT_HANDLER;
        }
        if result == AGAIN_FOR_THE_REST && self.has_own_time() {
            // The kernel would go on by its own clock, and in another call.
            let mut registers = Registers::get(pid)?;
            registers.set_result(AGAIN_WITHOUT_HANDLER);
            registers.set(pid)?;
            result = AGAIN_WITHOUT_HANDLER;
        }
        self.send_what_is_behind(pid, result);
        let left = self.now();
        let event = &mut self.events[pending.event];
        event.left = Some(left);
        event.result = Some(result);
        if self.options.decode && self.processes[event.process.0].executed {
            let before = std::mem::replace(&mut event.detail, Detail::None);
            let moves = event.call.takes_data() || event.call.gives_data();
            event.detail = if moves && !self.options.keep_data {
                before
            } else {
                decode::at_exit(pid, event.call, &event.arguments, event.number, result, before)
            };
            self.take_note(pid, pending.event, pending.keeps_alarm);
            self.after_scheduled_call(pid, pending.event)?;
        }
        // A call that the kernel makes again is not done yet.
        let held = if result > -512 { self.holds_afterwards(&pending) } else { None };
        self.note_what_is_kept(pending.event);
        self.look_for_hidden_child(&pending, result);
        self.note_queue(pid, &pending, result);
        self.tell(pending.event);
        if !self.options.keep_events {
            self.forget_events();
        }
        if let Some(number) = held {
            self.set_state(pid, State::Held(number));
            return Ok(());
        }
        self.resume(pid, 0)
    }

    /// Drops finished events once there are many, when nobody will look at them.
    fn forget_events(&mut self) {
        const MANY: usize = 4096;
        let pending = self.tasks.values().filter(|task| task.pending.is_some()).count();
        if self.events.len() < MANY.max(2 * pending) {
            return;
        }
        let all = std::mem::take(&mut self.events);
        for pending in self.tasks.values_mut().filter_map(|task| task.pending.as_mut()) {
            self.events.push(all[pending.event].clone());
            pending.event = self.events.len() - 1;
        }
    }
}
