//! The front end for `cargo test`, nextest and editors: libtest's command line and output.
//!
//! Theory of operation: libtest-mimic reads the command line, runs the trials in its threads and prints. Each trial asks the session for a record, which runs
//! the check in a process of its own. Of a verdict's four words libtest has two and a half: `skipped` becomes ignored with its reason, `broken` becomes failed and says
//! that it is broken.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, FormatSetting, Trial};

use super::printable::escaped;
use super::session::Session;
use crate::record::CheckRecord;
use crate::verdict::Word;

/// Serves libtest's command line, which begins with the executable's own name.
pub(super) fn run(command_line: Vec<OsString>, session: Session) -> ExitCode {
    if command_line.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("Checks of the lab {}. Beside libtest's arguments below:", session.registry.lab);
        println!("    --seed <N>        Draw inputs from this seed (else LAB_SEED, else the clock)");
        println!("    --programs <DIR>  Take the lab's programs from this folder (else LAB_PROGRAMS, else where cargo built them)\n");
    }
    let arguments = Arguments::from_iter(command_line);
    if arguments.format == Some(FormatSetting::Json) {
        // Standard output is one JSON event a line there, and nothing else.
        eprintln!("seed {}", session.seed);
    } else if !arguments.list {
        println!("seed {}", session.seed);
    }
    let session = Arc::new(session);
    let trial = |index: usize| {
        let asked = Arc::clone(&session);
        Trial::ignorable_test(session.registry.entries[index].name.clone(), move || completion(asked.record(index)))
    };
    let trials = (0..session.registry.entries.len()).map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn completion(record: &CheckRecord) -> Result<Completion, Failed> {
    match record.verdict {
        Word::Pass => Ok(Completion::Completed),
        Word::Skipped => Ok(Completion::ignored_with(escaped(record.reason.as_deref().unwrap_or("no reason given")))),
        Word::Fail => Err(escaped(&record.message()).into()),
        Word::Broken => Err(format!("broken: there is no verdict on the program\n{}", escaped(&record.message())).into()),
    }
}
