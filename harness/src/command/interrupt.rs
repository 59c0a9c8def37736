//! Work that can be given up.
//!
//! Theory of operation: what such a task starts (cargo, a check executable) is the leader of a process group of its own. Giving the task up ends that group, and
//! starts nothing more. A process is waited for under the same lock under which it is ended, so that its number never stands for another process. A task that
//! nobody but the terminal's Ctrl-C gives up starts its processes in the command's own group, which Ctrl-C ends as a whole.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::kernel::process;

/// How often to look whether a process has ended that has closed its output.
const GLANCE: Duration = Duration::from_millis(1);

/// A task that somebody else may give up. Clones stand for the same task.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    own_groups: bool,
    given_up: bool,
    group: Option<u32>,
}

impl Interrupt {
    /// A task that can be given up.
    pub fn possible() -> Self {
        Self::new(true)
    }

    /// A task that only Ctrl-C gives up, and the whole command with it.
    pub fn never() -> Self {
        Self::new(false)
    }

    fn new(own_groups: bool) -> Self {
        Self(Arc::new(Mutex::new(State { own_groups, given_up: false, group: None })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the task up: the process that it has started ends, with its group.
    pub fn give_up(&self) {
        let mut state = self.state();
        state.given_up = true;
        if let Some(group) = state.group.take() {
            // What has ended meanwhile need not be ended.
            let _ = process::kill(-group.cast_signed(), libc::SIGKILL);
        }
    }

    /// Whether the task was given up.
    pub fn is_given_up(&self) -> bool {
        self.state().given_up
    }

    /// Starts a process for the task.
    ///
    /// # Errors
    /// It cannot be started, or the task was given up.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let mut state = self.state();
        if state.given_up {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the task was given up"));
        }
        if state.own_groups {
            command.process_group(0);
        }
        let child = command.spawn()?;
        state.group = state.own_groups.then(|| child.id());
        Ok(child)
    }

    /// Waits for a process of the task.
    ///
    /// # Errors
    /// waitpid(2) fails.
    pub fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            let mut state = self.state();
            if let Some(status) = child.try_wait()? {
                state.group = None;
                return Ok(status);
            }
            drop(state);
            thread::sleep(GLANCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_task_that_is_given_up_ends_with_its_whole_group() {
        let interrupt = Interrupt::possible();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60; true"]).stdout(std::process::Stdio::piped());
        let mut child = interrupt.spawn(&mut command).unwrap();
        let begin = Instant::now();
        interrupt.give_up();
        // The pipe ends when the shell's child has ended too.
        io::copy(&mut child.stdout.take().unwrap(), &mut io::sink()).unwrap();
        assert!(!interrupt.wait(&mut child).unwrap().success());
        assert!(begin.elapsed() < Duration::from_secs(30));
        assert_eq!(interrupt.spawn(&mut Command::new("true")).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
