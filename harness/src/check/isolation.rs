//! One check in a process of its own.
//!
//! Theory of operation: the check executable starts itself with `--lab-check NAME` and waits for the record on standard output. The record counts only if
//! the process then exits 0, so that nothing that goes wrong can pass for a verdict. The deadline is the last resort: a check ends its own runs.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::record::CheckRecord;

/// How long one check may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(120);
/// How long to wait for the end of an output whose process has ended: a process that it left behind may hold the other end.
const AFTERGLOW: Duration = Duration::from_millis(500);
/// How often to look whether the process has ended without closing its output.
const GLANCE: Duration = Duration::from_millis(20);

/// Runs `command`, which does the check `name` of `lab`, and reads its record. What it writes to standard error is passed on.
///
/// # Errors
/// Why there is no record: it could not be started, died, printed something else, or was not done at the deadline.
pub(super) fn record(mut command: Command, lab: &str, name: &str, deadline: Duration) -> Result<CheckRecord, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("failed to start {program} for the check: {error}"))?;
    let stdout = Output::of(child.stdout.take());
    let stderr = Output::of(child.stderr.take());
    let status = wait(&mut child, &stdout, Instant::now() + deadline);
    let said = stderr.text();
    eprint!("{said}");
    let last_words =
        said.lines().rev().find(|line| !line.trim().is_empty()).map_or(String::new(), |line| format!("; its last words: {}", line.trim()));
    match status {
        Err(error) => Err(format!("failed to wait for the check's process: {error}")),
        Ok(None) => Err(format!("the check was not done after {} s and was killed{last_words}", deadline.as_secs_f64())),
        Ok(Some(status)) if !status.success() => Err(format!("the check's process died before it had a verdict: {status}{last_words}")),
        Ok(Some(_)) => parse(&stdout.text(), lab, name),
    }
}

/// The record that `text` ends with, if it is this check's.
fn parse(text: &str, lab: &str, name: &str) -> Result<CheckRecord, String> {
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).ok_or("the check's process ended without printing its record")?;
    let record: CheckRecord =
        serde_json::from_str(line).map_err(|error| format!("the check's process printed something that is not a record: {error}"))?;
    if record.lab == lab && record.check == name {
        Ok(record)
    } else {
        Err(format!("expected the record of {lab} {name}, the check's process printed that of {} {}", record.lab, record.check))
    }
}

/// Waits until `child` has ended; `None` if it had to be killed at the deadline.
fn wait(child: &mut Child, stdout: &Output, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    // The end of its output is the usual sign that it has ended. Looking now and then is for the processes that part the two.
    let _ = stdout.end.recv_timeout(GLANCE);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        if stdout.end.recv_timeout(GLANCE) == Err(mpsc::RecvTimeoutError::Disconnected) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// One output of a process, read by a thread so that no process waits for room in a pipe.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Output {
    fn of(source: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (at_end, end) = mpsc::channel::<()>();
        if let Some(mut source) = source {
            let bytes = Arc::clone(&bytes);
            thread::spawn(move || {
                let _dropped_at_the_end = at_end;
                let mut chunk = [0; 8192];
                loop {
                    match source.read(&mut chunk) {
                        Ok(0) => break,
                        Ok(count) => bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..count]),
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(_) => break,
                    }
                }
            });
        }
        Self { bytes, end }
    }

    /// All that was written, once the process has ended.
    fn text(&self) -> String {
        let _ = self.end.recv_timeout(AFTERGLOW);
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::tests::sample;
    use super::*;

    fn shell(script: &str, deadline: Duration) -> Result<CheckRecord, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("RECORD", serde_json::to_string(&sample().record(0, Ok(()), 7, "B".into(), 0.0)).unwrap());
        record(command, "sample", "first", deadline)
    }

    #[test]
    fn the_last_line_is_the_record() {
        let record = shell("echo noise; echo \"$RECORD\"", DEADLINE).unwrap();
        assert_eq!((&*record.check, record.points, record.seed), ("first", 2, 7));
    }

    #[test]
    fn a_record_does_not_count_if_the_process_dies_after_it() {
        let reason = shell("echo \"$RECORD\"; echo bad end >&2; kill -9 $$", DEADLINE).unwrap_err();
        assert!(reason.contains("died") && reason.contains("signal: 9") && reason.contains("bad end"), "{reason}");
    }

    #[test]
    fn silence_and_nonsense_are_no_records() {
        assert!(shell("true", DEADLINE).unwrap_err().contains("without printing"));
        assert!(shell("echo hello", DEADLINE).unwrap_err().contains("not a record"));
    }

    #[test]
    fn another_checks_record_is_no_record() {
        let reason = shell("echo \"$RECORD\" | sed 's/\"first\"/\"second\"/'", DEADLINE).unwrap_err();
        assert!(reason.contains("expected the record of sample first"), "{reason}");
    }

    #[test]
    fn a_check_that_hangs_is_killed_at_the_deadline() {
        let start = Instant::now();
        let reason = shell("exec sleep 60", Duration::from_millis(200)).unwrap_err();
        assert!(reason.contains("not done after 0.2 s"), "{reason}");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_process_left_behind_does_not_hold_up_the_verdict() {
        let start = Instant::now();
        assert!(shell("sleep 10 & echo \"$RECORD\"", DEADLINE).is_ok());
        assert!(start.elapsed() < Duration::from_secs(8));
    }
}
