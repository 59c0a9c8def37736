//! One check, done in this very process.
//!
//! Theory of operation: this process exists for one check. It has one thread, because a check may fork and a child of a process with more threads may do next
//! to nothing. It prints its record as the last thing; a process that dies on the way has printed none, and whoever started it calls the check broken.
//! A panic is a fault of the check, so it makes the check broken too, with its message and place.

use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use super::registry::Registry;
use super::{BROKEN, Programs};
use crate::kernel;
use crate::lab::{Lab, Timelines};
use crate::record::CheckRecord;
use crate::verdict::Unpassed;

/// The variable that names the folders whose files messages show lines of. Whoever grades submissions has the solution in the lab's own.
pub const SOURCES_VARIABLE: &str = "LAB_SOURCES";

/// Where and why the check panicked. The hook knows the place, `catch_unwind` does not.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Does the check at `index` and prints its record.
pub(super) fn print(registry: &Registry, index: usize, programs: Programs, seed: u64, timelines: Option<Timelines>) -> ExitCode {
    // When the one who waits for this process is killed, nobody would end it. Failing to ask for that only costs time later on.
    let _ = kernel::process::die_with_parent();
    let record = perform(registry, index, programs, seed, timelines);
    let printed = serde_json::to_string(&record).map_err(std::io::Error::from).and_then(|mut line| {
        line.push('\n');
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush())
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: failed to print the record of {}: {error}", record.check);
            ExitCode::from(BROKEN)
        }
    }
}

/// The folders whose files messages show lines of: those that the variable names, as PATH names folders, or the lab's own.
fn sources(registry: &Registry) -> Vec<PathBuf> {
    std::env::var_os(SOURCES_VARIABLE).map_or_else(|| registry.sources.clone(), |folders| std::env::split_paths(&folders).collect())
}

/// Does the check at `index`.
fn perform(registry: &Registry, index: usize, programs: Programs, seed: u64, timelines: Option<Timelines>) -> CheckRecord {
    let entry = &registry.entries[index];
    let function = match &entry.function {
        Ok(function) => *function,
        Err(reason) => return registry.record(index, Err(Unpassed::Broken(reason.clone())), seed, String::new(), 0.0),
    };
    let start = Instant::now();
    let this_process = std::process::id();
    panic::set_hook(Box::new(remember));
    let caught = panic::catch_unwind(AssertUnwindSafe(|| {
        let lab = Lab::new(registry.manifest.clone(), programs, seed, &entry.name).with_timelines(timelines).with_sources(sources(registry));
        let verdict = function(&lab);
        (verdict, lab.tier())
    }));
    if std::process::id() != this_process {
        // A child that the check forked came back here, by a panic or by returning. Only the process that was started may print a record.
        std::process::abort();
    }
    let (outcome, tier) = match caught {
        Ok((verdict, tier)) => (verdict.map(drop), tier),
        Err(_) => {
            let panic = last_panic().unwrap_or_else(|| "the check panicked".into());
            (Err(Unpassed::Broken(panic)), String::new())
        }
    };
    registry.record(index, outcome, seed, tier, start.elapsed().as_secs_f64())
}

/// The message and the place of the last panic in this process or in those that it was forked from.
pub(crate) fn last_panic() -> Option<String> {
    PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

fn remember(panic: &panic::PanicHookInfo<'_>) {
    let payload = panic.payload();
    let message = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    *PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(format!("the check panicked at {place}: {message}"));
}
