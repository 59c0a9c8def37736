//! Commands that cannot hang a test: a watchdog kills the whole process group of one that is late, and the test fails.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs the command to its end with standard input empty, and captures what it prints.
pub fn output_within(seconds: u64, command: &mut Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn();
    let child = child.unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
    let group = -child.id().cast_signed();
    let (ended, wait) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        let late = wait.recv_timeout(Duration::from_secs(seconds)) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            // It may have ended just now: then this fails and does no harm.
            // SAFETY: the call takes two numbers; the group was made for this command.
            unsafe { libc::kill(group, libc::SIGKILL) };
        }
        late
    });
    let output = child.wait_with_output();
    drop(ended);
    let late = watchdog.join().unwrap_or(true);
    assert!(!late, "{command:?} did not end in {seconds} seconds");
    output.unwrap_or_else(|error| panic!("failed to wait for {command:?}: {error}"))
}
