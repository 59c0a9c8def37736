//! The run so far as a timeline.

use std::collections::HashMap;

use super::Session;
use crate::call::{Call, name_of};
use crate::fault::{Action, errno_name};
use crate::timeline::{Step, Timeline};
use crate::trace::event::{Detail, Event, Exit, Moment, ProcessId, SemaphoreOperation, signal_name};
use crate::trace::object::Kind;

/// What a step of one process may lead to in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Channel {
    Object(usize),
    Sockets,
    Semaphore(u64, u16),
    MessageQueue(u64),
    Signals,
    End(ProcessId),
    Birth(ProcessId),
}

/// A step that is not yet in its place.
struct Draft {
    at: Moment,
    entered: Moment,
    step: Step,
    gives: Vec<Channel>,
    takes: Vec<Channel>,
}

impl Session {
    /// The run so far as a timeline: a lane for each process, its calls, its signals and its end.
    pub fn timeline(&self) -> Timeline {
        let shown: Vec<ProcessId> = self.processes().iter().filter(|process| process.executed).map(|process| process.id).collect();
        let lane: HashMap<ProcessId, usize> = shown.iter().enumerate().map(|(lane, process)| (*process, lane)).collect();
        let mut drafts: Vec<Draft> = Vec::new();
        for (index, event) in self.events().iter().enumerate() {
            if let Some(lane) = lane.get(&event.process).filter(|_| self.is_told(event)) {
                drafts.push(self.draft_of_call(*lane, index, event));
            }
        }
        for signal in &self.tracer.signals {
            if let Some(lane) = lane.get(&signal.process) {
                let step = Step { lane: *lane, text: format!("{} arrives", signal_name(signal.signal)), times: 1, ..Step::default() };
                drafts.push(Draft { at: signal.at, entered: signal.at, step, gives: Vec::new(), takes: vec![Channel::Signals] });
            }
        }
        for process in self.processes() {
            if let (Some(lane), Some(at), Some(exit)) = (lane.get(&process.id), process.ended, process.exit) {
                let step =
                    Step { lane: *lane, text: format!("ends: {exit}"), stands_out: matches!(exit, Exit::Signal(_)), times: 1, ..Step::default() };
                drafts.push(Draft { at, entered: at, step, gives: vec![Channel::End(process.id)], takes: Vec::new() });
            }
        }
        drafts.sort_by_key(|draft| draft.at);
        let steps = connected(drafts, &shown);
        Timeline { lanes: shown.into_iter().map(|process| self.name(process)).collect(), steps }
    }

    /// Whether a call is part of what a program does, and not of what the loader and the runtime do for it.
    fn is_told(&self, event: &Event) -> bool {
        use Call::*;
        match event.call {
            Exec => self.tracer.process(event.process).parent.is_some(),
            Fork | ExitGroup | Wait | Pipe | Mknod | Unlink | Rename | Socket | Socketpair | Bind | Listen | Accept | Connect | Shutdown | Kill
            | Pause | Sigsuspend | Sigwait | Semget | Semop | Semctl | Shmget | Shmat | Shmdt | Shmctl | Msgget | Msgsnd | Msgrcv | Msgctl
            | MqOpen | MqSend | MqReceive | MqNotify | MqUnlink | Flock => true,
            Read | Write | Send | Recv | Close | Dup => self.kind_of(event).is_some_and(|kind| kind.is_between_processes() || kind == Kind::Standard),
            Open => event.path().is_some_and(|path| !["/usr", "/lib", "/etc", "/proc", "/sys", "/dev"].iter().any(|system| path.starts_with(system))),
            // The runtime looks at the three standard streams at its start, without waiting.
            Poll => !(name_of(event.number) == "poll" && event.arguments[2] == 0),
            Sleep | Select | EpollWait => true,
            _ => false,
        }
    }

    fn draft_of_call(&self, lane: usize, index: usize, event: &Event) -> Draft {
        let result = match (event.result, event.errno()) {
            (None, _) if event.call == Call::ExitGroup => String::new(),
            (None, _) => ": never comes back".into(),
            (Some(result), _) if result <= -512 => ": interrupted, and made again".into(),
            (_, Some(errno)) => format!(" = {}", errno_name(errno)),
            (Some(result), None) => self.result_in_words(index, event, result),
        };
        let injected = match event.injected_by.map(|fault| self.tracer.faults[fault].0.action) {
            Some(Action::Datagram(fate)) => format!(" (the datagram {})", fate.in_words()),
            _ if event.injected => " (a fault was injected)".to_owned(),
            _ => String::new(),
        };
        let stands_out = event.injected || event.errno().is_some() || (event.result.is_none() && event.call != Call::ExitGroup);
        let text = format!("{}{}{result}{injected}", event.call.word(), self.given(event));
        let step = Step { lane, text, stands_out, times: 1, ..Step::default() };
        let (gives, takes) = (self.gives(index, event), self.takes(event));
        // Whom it wakes may be done with its own call before this one comes back.
        let at_once = event.call == Call::ExitGroup || (!gives.is_empty() && takes.is_empty());
        let at = if at_once { event.entered } else { event.left.unwrap_or(Moment::MAX) };
        let entered = if may_wait(event.call) { event.entered } else { at };
        Draft { at, entered, step, gives, takes }
    }

    /// What a call was given.
    fn given(&self, event: &Event) -> String {
        let arguments = &event.arguments;
        match (&event.detail, event.call) {
            (Detail::Path(path), _) => format!(" {}", path.rsplit('/').next().unwrap_or(path)),
            (Detail::Operations(operations), _) => {
                let parts: Vec<String> = operations.iter().map(operation_in_words).collect();
                format!(" {}", parts.join(", "))
            }
            (Detail::Address(address), _) => format!(" {} ({address})", arguments[0] as i32),
            (_, Call::ExitGroup) => format!(" {}", arguments[0] as u8),
            (_, Call::Kill) => format!(" {}", signal_name(arguments[1] as i32)),
            (_, call) if call.takes_descriptor() => {
                let name = self.object_name(event);
                if name.is_empty() { format!(" {}", arguments[0] as i32) } else { format!(" {} ({name})", arguments[0] as i32) }
            }
            _ => String::new(),
        }
    }

    fn result_in_words(&self, index: usize, event: &Event, result: i64) -> String {
        match (event.call, &event.detail) {
            (Call::Fork, _) => {
                let child = self.processes().iter().find(|process| process.born_at == Some(index));
                child.map_or_else(|| ": a thread".into(), |child| format!(": {}", self.name(child.id)))
            }
            (Call::Wait, _) => {
                let child = self.processes().iter().find(|process| i64::from(process.inner) == result && process.parent == Some(event.process));
                child.map_or_else(String::new, |child| format!(": {}", self.name(child.id)))
            }
            (Call::Pipe | Call::Socketpair, Detail::Pair(one, other)) => format!(" = {one}, {other}"),
            (Call::Read | Call::Recv, _) if result == 0 => " = end-of-file".into(),
            (Call::Read | Call::Write | Call::Send | Call::Recv | Call::MqReceive | Call::Msgrcv, _) => {
                format!(" = {result} byte{}", if result == 1 { "" } else { "s" })
            }
            (Call::Open | Call::Socket | Call::Accept | Call::MqOpen | Call::Dup, _) => format!(" = {result}"),
            _ => String::new(),
        }
    }

    fn channel_of(&self, event: &Event) -> Vec<Channel> {
        event.object.map_or_else(Vec::new, |object| match self.tracer.objects.get(object).kind {
            Kind::Tcp | Kind::Udp | Kind::Unix | Kind::Socket => vec![Channel::Sockets],
            Kind::Pipe | Kind::Fifo | Kind::Queue => vec![Channel::Object(object)],
            _ => Vec::new(),
        })
    }

    fn gives(&self, index: usize, event: &Event) -> Vec<Channel> {
        if !event.succeeded() {
            return Vec::new();
        }
        match event.call {
            Call::Write | Call::Send | Call::MqSend | Call::Connect => self.channel_of(event),
            Call::Semop => {
                let raised = event.operations().iter().filter(|operation| operation.change > 0);
                raised.map(|operation| Channel::Semaphore(event.arguments[0], operation.number)).collect()
            }
            Call::Msgsnd => vec![Channel::MessageQueue(event.arguments[0])],
            Call::Kill => vec![Channel::Signals],
            Call::Fork => {
                self.processes().iter().filter(|process| process.born_at == Some(index)).map(|process| Channel::Birth(process.id)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn takes(&self, event: &Event) -> Vec<Channel> {
        if event.success().is_none_or(|result| result == 0 && matches!(event.call, Call::Read | Call::Recv)) {
            return Vec::new();
        }
        match event.call {
            Call::Read | Call::Recv | Call::MqReceive | Call::Accept => self.channel_of(event),
            Call::Semop => {
                let taken = event.operations().iter().filter(|operation| operation.change <= 0);
                taken.map(|operation| Channel::Semaphore(event.arguments[0], operation.number)).collect()
            }
            Call::Msgrcv => vec![Channel::MessageQueue(event.arguments[0])],
            Call::Wait => {
                let reaped =
                    self.processes().iter().filter(|child| child.parent == Some(event.process) && Some(i64::from(child.inner)) == event.result);
                reaped.map(|child| Channel::End(child.id)).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn operation_in_words(operation: &SemaphoreOperation) -> String {
    match operation.change {
        0 => format!("semaphore {}: wait for 0", operation.number),
        change => format!("semaphore {}: {change:+}", operation.number),
    }
}

/// Whether a call may wait for another process.
fn may_wait(call: Call) -> bool {
    use Call::*;
    matches!(
        call,
        Read | Write
            | Send
            | Recv
            | Wait
            | Open
            | Accept
            | Connect
            | Semop
            | Msgrcv
            | Msgsnd
            | MqReceive
            | MqSend
            | Pause
            | Sigsuspend
            | Sigwait
            | Poll
            | Select
            | EpollWait
            | Flock
    )
}

/// Puts the steps in their places, and connects each with what led to it.
fn connected(drafts: Vec<Draft>, shown: &[ProcessId]) -> Vec<Step> {
    let mut last: HashMap<Channel, (usize, usize)> = HashMap::new();
    let mut begun = vec![false; shown.len()];
    let mut steps: Vec<Step> = Vec::with_capacity(drafts.len());
    let moments: Vec<Moment> = drafts.iter().map(|draft| draft.at).collect();
    for (number, mut draft) in drafts.into_iter().enumerate() {
        let lane = draft.step.lane;
        let first = !std::mem::replace(&mut begun[lane], true);
        let birth = first.then(|| Channel::Birth(shown[lane]));
        let from = draft.takes.iter().chain(&birth).find_map(|channel| last.get(channel).filter(|(_, other)| *other != lane));
        draft.step.from = from.map(|(step, _)| *step);
        // Others did something between its entry and its exit.
        let since = moments.partition_point(|moment| *moment < draft.entered);
        draft.step.since = (since < number && steps[since..].iter().any(|step| step.lane != lane)).then_some(since);
        for channel in draft.gives {
            last.insert(channel, (number, lane));
        }
        steps.push(draft.step);
    }
    steps
}
