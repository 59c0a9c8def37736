//! `--lab-run`: runs checks and prints their records, for the course's own commands.
//!
//! Theory of operation: workers take checks in the lab's order. A record is printed as soon as it and all before it are done, so that the output is in
//! the lab's order whatever the number of workers.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::BROKEN;
use super::session::Session;
use crate::record::CheckRecord;

/// Runs the checks at `asked_for` after their prerequisites, `jobs` at a time, and prints the records of `asked_for`.
pub(super) fn run(session: &Session, asked_for: &[usize], jobs: Option<NonZeroUsize>) -> ExitCode {
    match print_records(session, asked_for, jobs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: failed to print the records: {error}");
            ExitCode::from(BROKEN)
        }
    }
}

fn print_records(session: &Session, asked_for: &[usize], jobs: Option<NonZeroUsize>) -> std::io::Result<()> {
    let needed = session.with_prerequisites(asked_for);
    let jobs = jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get).min(needed.len());
    let (next, nobody_listens) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (done, finished) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (done, needed, next, nobody_listens) = (done.clone(), &needed, &next, &nobody_listens);
            scope.spawn(move || {
                while !nobody_listens.load(Ordering::Relaxed) {
                    let Some(&index) = needed.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                    // The receiver is gone only when nobody listens.
                    let _ = done.send((index, session.record(index)));
                }
            });
        }
        drop(done);
        let mut waiting: BTreeMap<usize, &CheckRecord> = BTreeMap::new();
        let mut to_print = asked_for.iter().peekable();
        for (index, record) in finished {
            waiting.insert(index, record);
            while let Some(record) = to_print.peek().and_then(|index| waiting.remove(index)) {
                to_print.next();
                if let Err(error) = print(record) {
                    nobody_listens.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(())
    })
}

fn print(record: &CheckRecord) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}
