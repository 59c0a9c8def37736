//! Evidence: the places in the program's source that a finding names.

use super::Session;
use crate::call::Call;
use crate::fault::{Action, errno_name};
use crate::finding::{Finding, Label};
use crate::ipc::Leftover;
use crate::trace::event::{Event, ProcessId};
use crate::trace::memory::races::{Race, Site};
use crate::trace::object::{Kind, ObjectId};
use crate::trace::waiting::Waiting;

/// Most places that a finding names.
const MOST_LABELS: usize = 8;

impl Session {
    /// The place of a call in the program's source, with what happens there; `None` without debug information.
    pub fn label(&mut self, event: usize, what: impl Into<String>) -> Option<Label> {
        let place = self.tracer.places_of(event).into_iter().next()?;
        Some(Label { place, what: what.into(), text: String::new() })
    }

    /// The place from which the function was called that made the call, where that is in the program's source too.
    fn label_of_caller(&mut self, event: usize, what: impl Into<String>) -> Option<Label> {
        let place = self.tracer.places_of(event).into_iter().nth(1)?;
        Some(Label { place, what: what.into(), text: String::new() })
    }

    /// Where the processes wait, where the objects that they wait for were made, and where those who hold the other end came from.
    pub(super) fn labels_of(&mut self, waiting: &[Waiting]) -> Vec<Label> {
        let mut labels = Vec::new();
        let (mut callers, mut objects) = (Vec::new(), Vec::new());
        for one in waiting {
            let Some(event) = self.tracer.pending_event(one) else { continue };
            let name = self.tracer.name(one.process);
            let object = self.tracer.events[event].object;
            let what = match object {
                Some(object) => format!("{name} waits here, for {}", self.tracer.objects.get(object).name),
                None => format!("{name} waits here"),
            };
            labels.extend(self.label(event, what));
            callers.extend(self.label_of_caller(event, format!("{name} comes from here")));
            objects.extend(object);
        }
        labels.append(&mut callers);
        for object in objects {
            labels.extend(self.label_of_origin(object));
        }
        for process in waiting.iter().map(|one| one.process).collect::<Vec<_>>() {
            labels.extend(self.label_of_birth(process));
        }
        labels.truncate(MOST_LABELS);
        labels
    }

    /// Where an object was made.
    pub fn label_of_origin(&mut self, object: ObjectId) -> Option<Label> {
        let event = self.tracer.objects.get(object).made_by?;
        let found = self.tracer.objects.get(object);
        let what = match (&self.tracer.events[event].detail, found.kind) {
            (crate::trace::event::Detail::Pair(read, write), Kind::Pipe) => {
                format!("{} is made here: descriptor {read} is its read end, {write} its write end", found.name)
            }
            (_, Kind::Tcp | Kind::Udp | Kind::Unix | Kind::Pipe | Kind::Socket) => format!("{} is made here", found.name),
            _ => format!("{} is opened here", found.name),
        };
        self.label(event, what)
    }

    /// Where a process was forked.
    pub fn label_of_birth(&mut self, process: ProcessId) -> Option<Label> {
        let event = self.tracer.process(process).born_at?;
        let name = self.tracer.name(process);
        self.label(event, format!("{name} is forked here, with a copy of every descriptor"))
    }

    /// Where what is left behind was made.
    pub fn label_of_leftover(&mut self, left: &Leftover) -> Option<Label> {
        let named = |event: &Event, name: &str| event.path().is_some_and(|path| path.trim_start_matches('/').ends_with(name.trim_start_matches('/')));
        let made = |event: &&Event| match left {
            Leftover::Segment(id) => event.call == Call::Shmget && event.success() == u64::try_from(*id).ok(),
            Leftover::SemaphoreSet(id) => event.call == Call::Semget && event.success() == u64::try_from(*id).ok(),
            Leftover::MessageQueue(id) => event.call == Call::Msgget && event.success() == u64::try_from(*id).ok(),
            Leftover::Queue(name) => event.call == Call::MqOpen && event.succeeded() && named(event, name),
            Leftover::Fifo(path) => event.call == Call::Mknod && event.succeeded() && named(event, path),
            Leftover::Socket(_) => event.call == Call::Bind && event.succeeded() && self.kind_of(event) == Some(Kind::Unix),
            Leftover::SharedMemory(name) | Leftover::File(name) => event.call == Call::Open && event.succeeded() && named(event, name),
        };
        let event = self.tracer.events.iter().position(|event| made(&event))?;
        self.label(event, format!("{left} is made here"))
    }

    /// Where the last calls of a busy process are made.
    pub(super) fn labels_of_last_calls(&mut self) -> Vec<Label> {
        let count = self.tracer.events.len();
        let mut seen: Vec<Call> = Vec::new();
        let mut labels = Vec::new();
        for event in (count.saturating_sub(100)..count).rev() {
            let call = self.tracer.events[event].call;
            if !seen.contains(&call) {
                seen.push(call);
                // Snapshots are kept of a run's first calls only: an earlier one of the same kind is the same place.
                let first = (0..=event).find(|earlier| self.tracer.events[*earlier].call == call && self.same_call(*earlier, event));
                let name = self.tracer.name(self.tracer.events[event].process);
                labels.extend(first.and_then(|first| self.label(first, format!("{name} calls {} here, again and again", call.word()))));
            }
        }
        labels.truncate(MOST_LABELS);
        labels
    }

    fn same_call(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.tracer.events[one], &self.tracer.events[other]);
        one.process == other.process && one.result == other.result && one.arguments[0] == other.arguments[0]
    }

    /// A data race, with both accesses.
    pub(super) fn finding_of_race(&mut self, race: &Race) -> Finding {
        let does = |site: &Site| if site.writes { "writes" } else { "reads" };
        let names = [self.name(race.first.process), self.name(race.second.process)];
        let labels: Vec<Label> = [&race.first, &race.second]
            .into_iter()
            .zip(&names)
            .filter_map(|(site, name)| {
                let snapshot = site.snapshot.clone()?;
                let place = self.tracer.places(site.process, &snapshot).into_iter().next()?;
                Some(Label { place, what: format!("{name} {} it here", does(site)), text: String::new() })
            })
            .collect();
        Finding::new(
            "data-race",
            "of several processes that use the same shared memory, one waits for the other: a lock, a semaphore or another call orders them",
            format!(
                "{} {} byte {} of the shared memory, {} {} it, and nothing orders the two: another time they come the other way round, or one between the other's read and write",
                names[0],
                does(&race.first),
                race.second.offset,
                names[1],
                does(&race.second)
            ),
            "take the same lock or semaphore in every process around the whole of reading, changing and writing, or make it one atomic operation; sem_overview(7)",
        )
        .at(labels)
    }

    /// Adds to a finding the places where faults were carried out.
    pub(crate) fn add_faults(&mut self, finding: &mut Finding) {
        let injected: Vec<(usize, usize)> =
            self.tracer.events.iter().enumerate().filter_map(|(index, event)| Some((index, event.injected_by?))).take(3).collect();
        for (event, fault) in injected {
            if finding.labels.len() >= MOST_LABELS {
                return;
            }
            let call = self.tracer.events[event].call.word();
            let what = match self.tracer.faults[fault].0.action {
                Action::Fail(errno) | Action::FailAfter(errno) => format!("{call} fails here with {}", errno_name(errno)),
                Action::Shorten(bytes) => format!("{call} moves only {bytes} byte{} here", if bytes == 1 { "" } else { "s" }),
                Action::Kill => "the process is killed here".to_owned(),
                Action::Signal(signal) => format!("{} comes here", crate::trace::event::signal_name(signal)),
                Action::ExitWith(status) => format!("the process exits here with status {status}"),
                Action::Datagram(fate) => format!("this datagram {}", fate.in_words()),
                Action::Hold | Action::HoldBefore | Action::Delay => continue,
            };
            let label = self.label(event, what);
            *finding = std::mem::take(finding).at(label);
        }
    }
}
