//! What calls order: which of them hand on what a process has done, and which take it over.
//!
//! A call hands on at its entry, before anybody can be woken by it, and takes over at its exit. Where the kernel's objects are not told apart exactly (the two
//! ends of a socket, the senders of a signal), one stands for all: an order too many hides a race, one too few would accuse the innocent.

use super::races::Through;
use super::{Origin, Segment};
use crate::call::{Call, name_of};
use crate::kernel::process::Pid;
use crate::trace::Tracer;
use crate::trace::event::{Detail, Event};
use crate::trace::object::Kind;

impl Tracer {
    /// At a call's entry: what it hands on.
    pub(in crate::trace) fn hand_on(&mut self, pid: Pid, index: usize) {
        if !self.is_scheduled() {
            return;
        }
        for through in self.handed_on(index) {
            self.memory.races.release(pid, through);
        }
    }

    /// At a call's exit: what it takes over.
    pub(super) fn take_over(&mut self, pid: Pid, index: usize) {
        for through in self.taken_over(index) {
            self.memory.races.acquire(pid, &through);
        }
    }

    /// At the end of a task, and when a signal is delivered.
    pub(in crate::trace) fn release_end(&mut self, pid: Pid) {
        if !self.is_scheduled() {
            return;
        }
        let process = self.tasks[&pid].process;
        self.memory.races.release(pid, Through::Ends);
        // What the kernel undoes or unlocks at a process's end.
        let held: Vec<Through> = self
            .events
            .iter()
            .filter(|event| event.process == process)
            .flat_map(|event| match event.call {
                Call::Semop => {
                    operations(event).filter(|(_, flags, _)| i32::from(*flags) & libc::SEM_UNDO != 0).map(|(through, ..)| through).collect()
                }
                Call::Fcntl | Call::Flock => event.object.map(Through::Object).into_iter().collect::<Vec<_>>(),
                _ => Vec::new(),
            })
            .collect();
        held.into_iter().for_each(|through| self.memory.races.release(pid, through));
    }

    /// A handler goes on after whoever sent the signal. Without a handler nobody learns of it.
    pub(in crate::trace) fn acquire_signal(&mut self, pid: Pid, signal: i32) {
        if self.is_scheduled() && self.proc.catches(pid, signal) {
            self.memory.races.acquire(pid, &Through::Signals);
            self.memory.races.acquire(pid, &Through::Ends);
        }
    }

    /// What a call hands on or takes over, as far as its entry tells.
    pub(in crate::trace) fn what_it_orders(&mut self, index: usize) -> Vec<Through> {
        let mut through = self.handed_on(index);
        let taken = self.taken_over(index);
        through.extend(taken.into_iter().filter(|one| !through.contains(one)).collect::<Vec<_>>());
        through
    }

    fn handed_on(&mut self, index: usize) -> Vec<Through> {
        let space = self.space_of(self.events[index].process);
        let event = &self.events[index];
        let set = event.arguments[0];
        let mut through = match event.call {
            Call::Semop => operations(event)
                .filter(|(_, _, change)| *change > 0)
                .map(|(through, ..)| through)
                .chain([Through::SemaphoreSet(set, false)])
                .collect(),
            Call::Semctl => vec![Through::SemaphoreSet(set, true)],
            Call::Msgsnd | Call::Msgctl => vec![Through::MessageQueue(set)],
            Call::Close | Call::Write | Call::MqSend | Call::Fcntl | Call::Flock | Call::Shutdown | Call::Send => {
                let mut through = self.through_object(event);
                through.push(Through::Descriptors);
                if event.call == Call::MqSend {
                    through.push(Through::Signals);
                }
                through
            }
            Call::Splice | Call::CloseRange | Call::Dup => vec![Through::Descriptors, Through::Sockets],
            Call::Connect | Call::Accept | Call::Bind | Call::Listen => vec![Through::Sockets, Through::Descriptors],
            Call::Kill => vec![Through::Signals],
            Call::Open | Call::Unlink | Call::Mknod | Call::Rename | Call::MqOpen | Call::MqUnlink => path(event),
            Call::Shmget | Call::Semget | Call::Msgget => key(event),
            Call::Shmdt => self.segment_at(space, event.arguments[0]).map(Through::Attached).into_iter().collect(),
            _ => Vec::new(),
        };
        if name_of(event.number) == "futex" {
            through.push(self.futex(index));
        }
        through
    }

    fn taken_over(&mut self, index: usize) -> Vec<Through> {
        let event = &self.events[index];
        let (set, number) = (event.arguments[0], event.number);
        let ended = event.result == Some(0);
        let mut through = match event.call {
            Call::Semop => operations(event)
                .filter(|(_, _, change)| *change <= 0)
                .map(|(through, ..)| through)
                .chain([Through::SemaphoreSet(set, true)])
                .collect(),
            Call::Semctl => vec![Through::SemaphoreSet(set, true), Through::SemaphoreSet(set, false)],
            Call::Msgrcv | Call::Msgctl => vec![Through::MessageQueue(set)],
            Call::Read | Call::MqReceive | Call::Fcntl | Call::Flock | Call::Recv => {
                let mut through = self.through_object(event);
                if ended || event.call == Call::Recv {
                    through.push(Through::Ends);
                }
                // Signals as a descriptor.
                if event.object.is_some_and(|object| self.objects.get(object).kind == Kind::Other) {
                    through.push(Through::Signals);
                }
                through
            }
            Call::Poll | Call::Select | Call::EpollWait | Call::Splice => vec![Through::Descriptors, Through::Sockets, Through::Ends],
            Call::Connect | Call::Accept => vec![Through::Sockets],
            Call::Wait => vec![Through::Ends],
            Call::Sigwait => vec![Through::Signals, Through::Ends],
            Call::Open | Call::Unlink | Call::Mknod | Call::Rename | Call::MqOpen | Call::MqUnlink => path(event),
            Call::Shmget | Call::Semget | Call::Msgget => key(event),
            Call::Shmctl => self.segment_of_id(set).map(Through::Attached).into_iter().collect(),
            _ => Vec::new(),
        };
        if name_of(number) == "futex" {
            through.push(self.futex(index));
            through.push(Through::Ends);
        }
        through
    }

    fn through_object(&self, event: &Event) -> Vec<Through> {
        let Some(object) = event.object else { return Vec::new() };
        match self.objects.get(object).kind {
            Kind::Tcp | Kind::Udp | Kind::Unix | Kind::Socket => vec![Through::Sockets],
            _ => vec![Through::Object(object)],
        }
    }

    fn futex(&mut self, index: usize) -> Through {
        let (process, address) = (self.events[index].process, self.events[index].arguments[0]);
        let space = self.space_of(process);
        let region = self.memory.spaces[space].regions.iter().find(|region| region.contains(address));
        region.map_or(Through::Private(space, address), |region| Through::Byte(region.segment, region.offset + (address - region.start)))
    }

    fn segment_at(&self, space: usize, address: u64) -> Option<Segment> {
        self.memory.spaces[space].regions.iter().find(|region| region.contains(address)).map(|region| region.segment)
    }

    fn segment_of_id(&self, id: u64) -> Option<Segment> {
        self.memory.segments.iter().position(|origin| *origin == Origin::SystemV(id))
    }
}

fn operations(event: &Event) -> impl Iterator<Item = (Through, i16, i16)> {
    let set = event.arguments[0];
    event.operations().iter().map(move |operation| (Through::Semaphore(set, operation.number), operation.flags, operation.change))
}

fn path(event: &Event) -> Vec<Through> {
    match &event.detail {
        Detail::Path(path) => vec![Through::Path(path.clone())],
        _ => Vec::new(),
    }
}

fn key(event: &Event) -> Vec<Through> {
    if event.arguments[0] as i32 == libc::IPC_PRIVATE { Vec::new() } else { vec![Through::Key(event.number, event.arguments[0])] }
}
