//! Lives: how tasks and processes begin, execute programs, and end.
//!
//! A child's first stop may come before its parent's word of it, and so may its end; and a parent that is killed while it makes a child never gives its word.

use std::io;

use super::event::{Exit, Moment, Process, ProcessId};
use super::{State, Task, Tracer};
use crate::call::Call;
use crate::kernel::process::Pid;
use crate::kernel::ptrace::{self, Resume};

impl Tracer {
    pub(super) fn ended(&mut self, pid: Pid, exit: Exit) {
        let now = self.now();
        self.early.remove(&pid);
        if !self.tasks.contains_key(&pid) && self.tasks.values().any(|task| self.makes_process(task)) {
            self.gone_early.insert(pid, exit);
        }
        if let Some(id) = self.by_pid.remove(&pid) {
            self.set_ended(id, exit, now);
            // Of a process that was killed at once there was no stop at its end.
            self.forget_tasks(|_, task| task.process == id);
        }
        self.forget_tasks(|task, _| task == pid);
        self.adopt_orphans();
    }

    pub(super) fn set_ended(&mut self, id: ProcessId, exit: Exit, now: Moment) {
        let process = &mut self.processes[id.0];
        process.exit = Some(exit);
        process.ended = Some(now);
        self.output_waits = true;
    }

    /// Forgets tasks that are gone, wherever they are known.
    fn forget_tasks(&mut self, is_gone: impl Fn(Pid, &Task) -> bool) {
        let gone: Vec<Pid> = self.tasks.iter().filter(|(pid, task)| is_gone(**pid, task)).map(|(pid, _)| *pid).collect();
        for pid in gone {
            self.tasks.remove(&pid);
            self.unschedule(pid);
            self.forget_task_memory(pid);
        }
    }

    /// Whether a task is in a call that makes a process or thread.
    fn makes_process(&self, task: &Task) -> bool {
        task.pending.as_ref().is_some_and(|pending| self.events[pending.event].call == Call::Fork)
    }

    /// A process that is killed while it makes a child does not tell of it any more: a child that has stopped and whose parent is gone is taken in as that of
    /// the process that ended last.
    pub(super) fn adopt_orphans(&mut self) {
        let has_parent = |child: &Pid| self.proc.parent_of(*child).is_ok_and(|parent| self.by_pid.contains_key(&parent));
        let orphans: Vec<Pid> = self.early.iter().copied().filter(|child| !has_parent(child)).collect();
        for child in orphans {
            self.early.remove(&child);
            let born = self.now();
            let last = self.processes.iter().filter(|process| process.exit.is_some()).max_by_key(|process| process.ended);
            let parent = last.map(|process| process.id);
            let program = parent.map_or(0, |parent| self.process(parent).program);
            let inner = self.proc.process_of(child).map_or(child, |(_, inner)| inner);
            let process = self.add_process(child, inner, program, parent);
            if let Some(parent) = parent {
                self.inherit_memory(parent, process, false);
            }
            self.tasks.insert(child, Task { process, born, pending: None, state: State::Resumed });
            self.memory.races.born(None, child);
            // It may be killed at this very moment: then its end is told next.
            let _ = self.let_go(child, Resume::Continue, 0);
        }
    }

    pub(super) fn born(&mut self, parent: Pid, shares_memory: bool) -> io::Result<()> {
        let born = self.now();
        let child = Pid::try_from(ptrace::event_message(parent)?).unwrap_or(0);
        let parent_id = self.tasks[&parent].process;
        self.tasks.entry(parent).and_modify(|task| task.pending.iter_mut().for_each(|pending| pending.gave_birth = true));
        if self.tasks.contains_key(&child) {
            // Taken in already, having a parent of its own choice: clone(2), CLONE_PARENT.
            return self.resume(parent, 0);
        }
        // A child that is dead already has no status file; then it is a process of its own that nobody will see move.
        let (process_pid, inner) = self.proc.process_of(child).unwrap_or((child, child));
        let process = if process_pid == child {
            let program = self.process(parent_id).program;
            let born_at = self.tasks[&parent].pending.as_ref().map(|pending| pending.event);
            let id = self.add_process(child, inner, program, Some(parent_id));
            self.processes[id.0].born_at = born_at;
            self.inherit_memory(parent_id, id, shares_memory);
            id
        } else {
            parent_id
        };
        self.fruitless = 0;
        self.memory.races.born(Some(parent), child);
        if let Some(exit) = self.gone_early.remove(&child) {
            if self.by_pid.remove(&child).is_some() {
                self.set_ended(process, exit, born);
            }
            return self.resume(parent, 0);
        }
        self.tasks.insert(child, Task { process, born, pending: None, state: State::Resumed });
        if self.early.remove(&child) {
            // It may have been killed meanwhile; its parent goes on all the same.
            match self.let_go(child, Resume::Continue, 0) {
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                result => result?,
            }
        }
        self.resume(parent, 0)
    }

    pub(super) fn executed(&mut self, pid: Pid) -> io::Result<()> {
        self.now();
        // A thread that executes takes over the leader's id, and all other threads are gone.
        let former = Pid::try_from(ptrace::event_message(pid)?).unwrap_or(pid);
        if former != pid
            && let Some(task) = self.tasks.remove(&former)
        {
            self.unschedule(former);
            self.unschedule(pid);
            self.forget_task_memory(former);
            self.tasks.insert(pid, task);
        }
        let id = self.tasks[&pid].process;
        self.forget_tasks(|other, task| task.process == id && other != pid);
        self.processes[id.0].executed = true;
        self.note_table_at_exec(id);
        self.forget_memory(id);
        self.hide_clocks_of_its_own(pid)?;
        self.fruitless = 0;
        self.resume(pid, 0)
    }

    /// The stop at a task's end, while the process still has its descriptors and children.
    pub(super) fn ending(&mut self, pid: Pid) -> io::Result<()> {
        self.now();
        self.release_end(pid);
        let id = self.tasks[&pid].process;
        if self.process(id).pid == pid {
            self.cpu_of_ended += self.proc.cpu_ticks(pid);
        }
        if self.process(id).pid == pid && self.process(id).executed {
            self.processes[id.0].unreaped = self.children_not_waited_for(id);
            if self.options.decode {
                self.processes[id.0].descriptors_at_end = self.proc.descriptors(pid).unwrap_or_default();
                self.processes[id.0].maps_at_end = self.executable_mappings(pid);
            }
        }
        if let Some(pending) = self.tasks.get_mut(&pid).and_then(|task| task.pending.take()) {
            self.tell(pending.event); // exit_group(2), and calls that death cut short
        }
        ptrace::resume(pid, Resume::Continue, 0)
    }

    fn children_not_waited_for(&self, id: ProcessId) -> Vec<ProcessId> {
        let parent = self.process(id);
        if self.proc.ignores(parent.pid, libc::SIGCHLD) {
            return Vec::new(); // wait(2), NOTES: such children are never zombies.
        }
        let not_waited_for = |child: &&Process| child.parent == Some(id) && !child.reaped;
        let gone = |child: &Process| child.ended.is_some() && self.proc.process_of(child.pid).is_err();
        self.processes.iter().filter(not_waited_for).filter(|child| !gone(child)).map(|child| child.id).collect()
    }
}
