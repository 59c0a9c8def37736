//! Who wrote what to a standard stream.
//!
//! Theory of operation: the processes of a program share its standard output and standard error, and a line that is written in several pieces (`eprintln!`
//! does so) can have another process's pieces in it. The trace knows the pieces of each process, so a line is looked for there and never in the stream.

use super::{Program, Session};
use crate::trace::event::ProcessId;

/// Most lines of one process's standard error in messages.
const MOST_LINES: usize = 5;

impl Session {
    /// What a process itself wrote to a standard stream, by the stream's name: `standard output`, `standard error`. Of each call the first few thousand bytes.
    #[must_use]
    pub fn written(&self, process: ProcessId, stream: &str) -> Vec<u8> {
        let to_it = |object: usize| self.tracer.objects.get(object).name == stream;
        let calls = self.tracer.events.iter().filter(|event| event.process == process && event.call.gives_data() && event.object.is_some_and(to_it));
        calls.flat_map(|event| event.data().iter().copied()).collect()
    }

    /// What each process of the program wrote to standard error as text, in the order of their birth; those that wrote nothing are left out.
    pub(crate) fn complaints(&self, program: Program) -> Vec<(ProcessId, String)> {
        let written = |process: ProcessId| (process, String::from_utf8_lossy(&self.written(process, "standard error")).into_owned());
        self.processes_of(program).map(|process| written(process.id)).filter(|(_, text)| !text.is_empty()).collect()
    }

    /// The last lines of standard error of each of the program's processes, for messages.
    pub(super) fn error_lines(&self, program: Program) -> Vec<String> {
        let complaints = self.complaints(program);
        let alone = complaints.len() == 1;
        let mut said = Vec::new();
        for (process, text) in &complaints {
            let whose = if alone { String::new() } else { format!(" of {}", self.name(*process)) };
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(MOST_LINES)..];
            said.extend(last.iter().map(|line| format!("standard error{whose}: {}", quoted(line))));
        }
        said
    }
}

/// A line of standard error as messages quote it: not too long, and without the thread's number that a panic of Rust's names.
fn quoted(line: &str) -> String {
    let line = match line.split_once("' (").and_then(|(thread, rest)| Some((thread, rest.split_once(") panicked at ")?))) {
        Some((thread, (number, rest))) if thread.starts_with("thread '") && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{thread}' panicked at {rest}")
        }
        _ => line.to_owned(),
    };
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panics_thread_number_is_left_out() {
        assert_eq!(quoted("thread 'main' (12345) panicked at src/main.rs:3:5:"), "thread 'main' panicked at src/main.rs:3:5:");
        assert_eq!(quoted("pipe: read: (7) panicked at sea"), "pipe: read: (7) panicked at sea");
    }
}
