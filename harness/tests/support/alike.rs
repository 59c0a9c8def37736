//! Two traces of one command compared, task by task.
//!
//! What differs between any two runs, whoever traces them, is taken out first. This is the whole list:
//!
//! 1. Process and thread ids, where a call takes or returns one: each stands for the task's place in the tree, `/2/1` being the first child of the second
//!    child of the first process. An id of a process outside the trace (the tracer's, for getppid) is `outside`. What rt_sigreturn "returns" is the
//!    register of the call before the handler, which may be such an id.
//! 2. The pointers of the very first execve: they are addresses in the tracer's own memory.
//! 3. The value of time(2) and times(2): the clock goes on between two runs.
//! 4. Calls of futex(2) and sched_yield(2), in programs with threads only: how many there are depends on which thread comes first to a lock.
//! 5. Which of several children wait4(-1) tells of first: it depends on which ends first.
//! 6. A call that a signal without a handler interrupted (an errno that only the kernel sees) and that is at once made again with the same arguments: the
//!    two count as the second. Whether the signal comes before the call or during it depends on the processes' pace.
//! 7. getrandom(2) of 8 bytes that does not block: libc draws a temporary name's letters from the clock, and asks the kernel only when that gave numbers
//!    that do not suit.
//! 8. Between which two calls a SIGCHLD falls, in shells and what they start, whose handler makes no call: rt_sigreturn, and the call that it interrupted.
//! 9. strace prints as many arguments as the call has; `lab trace` always prints six registers. Those that the call does not have are left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::calls::{Call, Result, Tid, Trace};

/// A task's place in the tree of tasks.
pub type Place = String;

/// A normalised trace: each task's calls as text.
pub type Normal = BTreeMap<Place, Vec<String>>;

/// Calls that make a task, in any of the kernel's ways.
const MAKERS: [&str; 4] = ["fork", "vfork", "clone", "clone3"];

/// Calls with ids: which of their arguments are ids, and whether the result is one.
const IDS: [(&str, &[usize], bool); 27] = [
    ("fork", &[], true),
    ("vfork", &[], true),
    ("clone", &[], true),
    ("clone3", &[], true),
    ("wait4", &[0], true),
    ("waitid", &[1], false),
    ("getpid", &[], true),
    ("gettid", &[], true),
    ("getppid", &[], true),
    ("getpgrp", &[], true),
    ("getpgid", &[0], true),
    ("setpgid", &[0, 1], false),
    ("getsid", &[0], true),
    ("setsid", &[], true),
    ("set_tid_address", &[], true),
    ("kill", &[0], false),
    ("tkill", &[0], false),
    ("tgkill", &[0, 1], false),
    ("rt_sigqueueinfo", &[0], false),
    ("pidfd_open", &[0], false),
    ("prlimit64", &[0], false),
    ("sched_getaffinity", &[0], false),
    ("sched_setaffinity", &[0], false),
    ("sched_getparam", &[0], false),
    ("sched_getscheduler", &[0], false),
    ("getpriority", &[1], false),
    ("get_robust_list", &[0], false),
];

/// What kind of program it is, as far as the list above speaks of kinds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nature {
    /// It has threads.
    pub threads: bool,
    /// A shell runs it, which handles SIGCHLD.
    pub handles_ends: bool,
}

impl Nature {
    fn leaves_out(self, call: &Call) -> bool {
        let lock = matches!(call.name.as_str(), "futex" | "sched_yield");
        let handler = call.name == "rt_sigreturn" || matches!(call.result, Result::Errno(512..=516));
        let for_a_name = call.name == "getrandom" && call.arguments[1..] == [8, u64::from(libc::GRND_NONBLOCK)];
        for_a_name || (self.threads && lock) || (self.handles_ends && handler)
    }
}

/// The trace without what differs by nature.
pub fn normal(trace: &Trace, nature: Nature) -> Normal {
    let places = places(trace);
    let mut normal = Normal::new();
    for (tid, calls) in &trace.tasks {
        // A task whose maker was killed before the call came back has no place.
        let place = places.get(tid).cloned().unwrap_or_else(|| "nobody's".into());
        let calls: Vec<&Call> =
            calls.iter().enumerate().filter(|(index, call)| !is_made_again(call, calls.get(index + 1))).map(|(_, call)| call).collect();
        let kept = calls.iter().enumerate().filter(|(_, call)| !nature.leaves_out(call));
        let lines = kept.map(|(index, call)| line(call, *tid == trace.first && index == 0, &places));
        normal.entry(place).or_default().extend(lines);
    }
    normal
}

fn is_made_again(call: &Call, next: Option<&Call>) -> bool {
    let same = next.is_some_and(|next| next.name == call.name && next.arguments == call.arguments);
    same && matches!(call.result, Result::Errno(512..=516))
}

fn places(trace: &Trace) -> HashMap<Tid, Place> {
    let mut places = HashMap::from([(trace.first, "/".to_owned())]);
    let mut ahead = vec![trace.first];
    while let Some(parent) = ahead.pop() {
        let above = places[&parent].trim_end_matches('/').to_owned();
        let made = trace.tasks.get(&parent).into_iter().flatten().filter(|call| MAKERS.contains(&call.name.as_str()));
        let children = made.filter_map(|call| if let Result::Value(child) = call.result { Some(child.cast_signed()) } else { None });
        for (index, child) in children.enumerate() {
            // 0 is what the child's own side of a call returns where a trace shows it.
            if child != 0 && !places.contains_key(&child) {
                places.insert(child, format!("{above}/{}", index + 1));
                ahead.push(child);
            }
        }
    }
    places
}

fn line(call: &Call, is_first: bool, places: &HashMap<Tid, Place>) -> String {
    let (ids, returns_id) = IDS.iter().find(|(name, ..)| *name == call.name).map_or((&[][..], false), |(_, ids, returns)| (*ids, *returns));
    let argument = |(index, value): (usize, &u64)| {
        if ids.contains(&index) {
            id(*value, places)
        } else if is_first {
            "pointer".into()
        } else {
            format!("{value:#x}")
        }
    };
    let arguments: Vec<String> = call.arguments.iter().enumerate().map(argument).collect();
    let any_child = call.name == "wait4" && call.arguments.first().is_some_and(|process| *process as i32 == -1);
    let result = match call.result {
        Result::Value(value) if any_child && value != 0 => "a child".into(),
        Result::Value(value) if returns_id => id(value, places),
        Result::Value(value) if call.name == "rt_sigreturn" && places.contains_key(&value.cast_signed()) => id(value, places),
        Result::Value(_) if matches!(call.name.as_str(), "time" | "times") => "clock".into(),
        Result::Value(value) => format!("{value:#x}"),
        Result::Errno(errno) => format!("errno {errno}"),
        Result::None => "?".into(),
    };
    format!("{}({}) = {result}", call.name, arguments.join(", "))
}

fn id(value: u64, places: &HashMap<Tid, Place>) -> String {
    let id = i64::from(value as i32);
    match id {
        0 => "0".into(),
        -1 => "-1".into(),
        _ => match (places.get(&id), places.get(&-id)) {
            (Some(place), _) => format!("<{place}>"),
            (_, Some(place)) => format!("<group of {place}>"),
            _ => "<outside>".into(),
        },
    }
}

/// Leaves out the arguments that `other` does not have, call by call: strace's own count.
pub fn with_arguments_of(trace: &Trace, counts: &HashMap<String, usize>) -> Trace {
    let mut trace = trace.clone();
    for call in trace.tasks.values_mut().flatten() {
        if let Some(count) = counts.get(&call.name) {
            call.arguments.truncate(*count);
        }
    }
    trace
}

/// How many arguments each call has in this trace.
pub fn argument_counts(trace: &Trace) -> HashMap<String, usize> {
    trace.tasks.values().flatten().map(|call| (call.name.clone(), call.arguments.len())).collect()
}

/// What became of one comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Calls that are the same.
    pub same: usize,
    /// Places at which strace's own runs differ from each other too, with the calls from there on, which are not compared.
    pub undetermined: Vec<(String, usize)>,
    /// Differences: none is right.
    pub different: Vec<String>,
}

/// Compares a trace with several of strace's. Each task must have exactly the calls that it had in one of them; where it has not, strace's runs must
/// disagree among themselves at the very call at which it departs from them.
pub fn compare(observed: &Normal, references: &[Normal]) -> Comparison {
    let mut comparison = Comparison::default();
    let nothing = Vec::new();
    for (place, calls) in observed {
        let candidates: Vec<&Vec<String>> = references.iter().map(|reference| reference.get(place).unwrap_or(&nothing)).collect();
        let common = |other: &[String]| calls.iter().zip(other).take_while(|(one, other)| one == other).count();
        let longest = candidates.iter().map(|candidate| common(candidate)).max().unwrap_or(0);
        comparison.same += longest;
        if candidates.contains(&calls) {
            continue;
        }
        let next: Vec<Option<&String>> =
            candidates.iter().filter(|candidate| common(candidate) >= longest).map(|candidate| candidate.get(longest)).collect();
        let ways = candidates.iter().map(|candidate| candidate.get(..=longest.min(candidate.len().saturating_sub(1)))).collect::<BTreeSet<_>>();
        let here = calls.get(longest);
        let text = format!("{place} call {longest}: here {here:?}, strace {next:?}");
        if ways.len() > 1 { comparison.undetermined.push((text, calls.len() - longest)) } else { comparison.different.push(text) }
    }
    for place in references[0].keys().filter(|place| !observed.contains_key(*place)) {
        let always = references.iter().all(|reference| reference.contains_key(place));
        if always {
            comparison.different.push(format!("{place} is not in the trace"))
        } else {
            comparison.undetermined.push((format!("{place} is not always there"), 0))
        }
    }
    comparison
}
