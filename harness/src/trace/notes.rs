//! What finished calls mean for what is known of processes and objects.

use std::io;

use super::Tracer;
use super::event::{Detail, ProcessId, TableAtTransfer};
use super::inject::is_path_of_the_run;
use super::object::{Kind, ObjectId};
use crate::call::Call;
use crate::kernel::process::Pid;
use crate::procfs::Descriptor;

impl Tracer {
    /// What a finished call means for what is known of processes and objects.
    pub(super) fn take_note(&mut self, pid: Pid, index: usize, keeps_alarm: bool) {
        let event = &self.events[index];
        let (process, call, arguments, result) = (event.process, event.call, event.arguments, event.result.unwrap_or(-1));
        let object = event.object;
        self.output_waits |= call.gives_data() && object.is_some_and(|object| self.objects.get(object).kind == Kind::Standard);
        self.count_fruitless(pid, index);
        if result < 0 {
            return;
        }
        match call {
            Call::Pipe => {
                if let Detail::Pair(read, _) = self.events[index].detail
                    && let Some(object) = self.object_of(pid, read)
                {
                    self.objects.note_origin(object, index);
                }
            }
            Call::Socket => {
                self.add_socket(pid, result as i32, arguments[0], arguments[1]);
                self.note_origin(pid, result, index);
            }
            Call::Open => self.note_origin_of_fifo(pid, result, index),
            Call::Accept => {
                let kind = object.map_or(Kind::Socket, |object| self.objects.get(object).kind);
                self.add_object(pid, result as i32, kind);
                self.note_origin(pid, result, index);
            }
            Call::Socketpair => {
                if let Detail::Pair(one, other) = self.events[index].detail {
                    self.add_socket(pid, one, arguments[0], arguments[1]);
                    self.add_socket(pid, other, arguments[0], arguments[1]);
                }
            }
            Call::MqOpen => {
                if let Ok((identity, _)) = self.proc.identity(pid, result as i32)
                    && let Some(name) = self.events[index].path().map(str::to_owned)
                    && self.objects.find(identity).is_none()
                {
                    let object = self.objects.add(identity, Kind::Queue, format!("queue /{}", name.trim_start_matches('/')));
                    self.objects.note_origin(object, index);
                }
            }
            Call::Setsockopt if arguments[1] as i32 == libc::SOL_SOCKET && matches!(arguments[2] as i32, libc::SO_RCVTIMEO | libc::SO_SNDTIMEO) => {
                if let Some(object) = object {
                    self.objects.limit(object);
                    self.note_limit_of_socket(pid, index, object);
                }
            }
            Call::Timer if keeps_alarm => {}
            Call::Timer => {
                let armed = !matches!(self.events[index].detail, Detail::Integer(0));
                self.timers.insert(process, armed);
            }
            Call::Wait if result > 0 => {
                let child = self.processes.iter_mut().rfind(|child| child.inner as i64 == result && child.parent == Some(process));
                if let Some(child) = child {
                    // waitid(2) returns 0 and a stopped child is not reaped by wait4(2).
                    child.reaped = child.ended.is_some();
                }
            }
            Call::Wait => self.note_reaped_by_waitid(process),
            _ => {}
        }
    }

    /// waitid(2) does not return the child's id: those that are gone were waited for.
    fn note_reaped_by_waitid(&mut self, parent: ProcessId) {
        for index in 0..self.processes.len() {
            let child = &self.processes[index];
            if child.parent == Some(parent) && child.ended.is_some() && !child.reaped && self.proc.process_of(child.pid).is_err() {
                self.processes[index].reaped = true;
            }
        }
    }

    fn note_origin(&mut self, pid: Pid, descriptor: i64, event: usize) {
        if let Some(object) = self.object_of(pid, descriptor as i32) {
            self.objects.note_origin(object, event);
        }
    }

    /// Files are many and of no interest; a FIFO is.
    fn note_origin_of_fifo(&mut self, pid: Pid, descriptor: i64, event: usize) {
        if is_path_of_the_run(&self.events[event]) && self.proc.identity(pid, descriptor as i32).is_ok_and(|(_, kind)| kind == libc::S_IFIFO) {
            self.note_origin(pid, descriptor, event);
        }
    }

    fn count_fruitless(&mut self, pid: Pid, index: usize) {
        let event = &self.events[index];
        let result = event.result.unwrap_or(0);
        // Whether a wait that found something led to anything, or a file opened anew, is told by the calls after it.
        if result >= 0 && matches!(event.call, Call::Open | Call::Close | Call::Fcntl) {
            return;
        }
        let empty = match event.call {
            Call::Read | Call::Recv | Call::Wait => result == 0,
            Call::Poll | Call::Select | Call::EpollWait | Call::Yield | Call::Getsockname | Call::MqAttributes | Call::Getsockopt => true,
            Call::Semctl => matches!(event.arguments[2] as i32, libc::GETVAL | libc::IPC_STAT),
            Call::Sleep => true,
            _ => false,
        };
        if !((result < 0 && result > -512) || empty) {
            self.fruitless = 0;
            return;
        }
        self.count_as_fruitless(pid);
    }

    /// A task did something that led to nothing.
    pub(super) fn count_as_fruitless(&mut self, pid: Pid) {
        if self.fruitless == 0 {
            self.pollers.clear();
        }
        self.fruitless += 1;
        self.pollers.insert(pid);
    }

    fn add_socket(&mut self, pid: Pid, descriptor: i32, domain: u64, kind: u64) {
        let kind = match (domain as i32, kind as i32 & 0xf) {
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => Kind::Tcp,
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => Kind::Udp,
            (libc::AF_UNIX, _) => Kind::Unix,
            _ => Kind::Socket,
        };
        self.add_object(pid, descriptor, kind);
    }

    fn add_object(&mut self, pid: Pid, descriptor: i32, kind: Kind) {
        if let Ok((identity, _)) = self.proc.identity(pid, descriptor) {
            self.objects.add_unnamed(identity, kind);
        }
    }

    /// What a descriptor of a stopped process refers to.
    pub fn object_of(&mut self, pid: Pid, descriptor: i32) -> Option<ObjectId> {
        let (identity, kind) = self.proc.identity(pid, descriptor).ok()?;
        if let Some(object) = self.objects.find(identity) {
            return Some(object);
        }
        let link = self.proc.link(pid, descriptor).ok()?;
        let short = link.rsplit('/').next().unwrap_or(&link).to_owned();
        Some(match kind {
            libc::S_IFIFO if link.starts_with("pipe:") => self.objects.add_unnamed(identity, Kind::Pipe),
            libc::S_IFIFO => self.objects.add(identity, Kind::Fifo, format!("FIFO {short}")),
            libc::S_IFSOCK => self.objects.add_unnamed(identity, Kind::Socket),
            libc::S_IFREG | libc::S_IFDIR | libc::S_IFCHR | libc::S_IFBLK => self.objects.add(identity, Kind::File, link),
            _ => self.objects.add(identity, Kind::Other, link),
        })
    }

    pub(super) fn note_table(&mut self, pid: Pid, event: usize, call: Call, object: ObjectId) {
        let gives = call.gives_data();
        if !(gives || call.takes_data()) || !matches!(self.objects.get(object).kind, Kind::Pipe | Kind::Fifo) {
            return;
        }
        let process = self.tasks[&pid].process;
        if self.transferred.insert((process, object, gives)) {
            let descriptors = self.table_of(process).unwrap_or_default();
            self.note_descriptors(descriptors.len());
            self.tables.push(TableAtTransfer { event, process, object, descriptors });
        }
    }

    pub(super) fn note_table_at_exec(&mut self, process: ProcessId) {
        if self.options.decode && self.process(process).descriptors_at_exec.is_none() {
            // Where the process was killed meanwhile there is nothing to tell.
            self.processes[process.0].descriptors_at_exec = self.table_of(process).ok();
        }
    }

    fn table_of(&self, process: ProcessId) -> io::Result<Vec<(Descriptor, Option<ObjectId>)>> {
        let table = self.proc.descriptors(self.process(process).pid)?;
        Ok(table.into_iter().map(|descriptor| (self.objects.find(descriptor.identity), descriptor)).map(|(object, held)| (held, object)).collect())
    }
}
