//! A command in an enclosure of the harness's: `grade` starts itself for it, since namespaces are entered by a whole process with one thread.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use harness::sandbox::enclosure::{self, Answer, Request};

use crate::supervise::{self, Limits};

/// The argument by which `grade` knows that it was started for this; not for people.
const ARGUMENT: &str = "--enclosed";

/// Serves the request, if this process was started for one.
#[must_use]
pub fn serve_if_asked() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let [_, option, request] = arguments.as_slice() else { return None };
    if option != ARGUMENT {
        return None;
    }
    Some(match std::fs::read_to_string(request).and_then(|text| enclosure::serve(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    /// What came of it; `None` if the time limit was reached.
    pub answer: Option<Answer>,
    /// Its output.
    pub said: Vec<u8>,
}

/// The executable that serves requests: this one, or for tests and benchmarks the one above them in cargo's folder.
#[must_use]
pub fn helper() -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?;
    if this.file_stem().is_some_and(|name| name == "grade") {
        return Some(this);
    }
    let above = this.parent()?.parent()?.join("grade");
    above.is_file().then_some(above)
}

/// Runs what the request asks for. `scratch` is a folder for the request.
///
/// # Errors
/// The helper cannot be started, or gives no answer.
pub fn run(helper: &Path, request: &Request, wall: Duration, scratch: &Path) -> std::io::Result<Ended> {
    let mut file = tempfile::NamedTempFile::new_in(scratch)?;
    std::io::Write::write_all(&mut file, &serde_json::to_vec(request)?)?;
    // It sets its own, and becomes another user, whose limits only a machine's true root could set.
    let limits = Limits { wall, cpu_seconds: None, memory_bytes: None, core_bytes: None, file_bytes: None };
    let ended = supervise::run(Command::new(helper).env_clear().arg(ARGUMENT).arg(file.path()), &limits, scratch)?;
    if ended.over_time {
        return Ok(Ended { answer: None, said: ended.stderr });
    }
    let answer = serde_json::from_slice(&ended.stdout).map_err(|_| {
        std::io::Error::other(format!("the enclosure gave no answer ({}): {}", ended.status, String::from_utf8_lossy(&ended.stderr).trim_end()))
    })?;
    Ok(Ended { answer: Some(answer), said: ended.stderr })
}
