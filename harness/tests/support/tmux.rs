//! A real terminal to run a command in: tmux, with keys sent to it and its screen read.
//!
//! Each terminal has a server of its own, which ends with it. Nothing here waits for a time: a text is waited for, with a last resort.

#![allow(dead_code, reason = "each executable needs a part of it")]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The last resort: how long a text is waited for, unless more is asked for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the screen is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// What a test says that needs this.
pub const NEEDS: [(&str, &str); 1] = [("tmux", "tmux")];

static TERMINALS: AtomicUsize = AtomicUsize::new(0);

/// A terminal with one command in it.
pub struct Terminal {
    server: String,
    patience: Duration,
}

impl Terminal {
    /// A terminal of so many columns and rows that runs a shell's `command` in `folder`, with these variables.
    pub fn new(columns: usize, rows: usize, folder: &Path, variables: &[(&str, &str)], command: &str) -> Self {
        let terminal = Self { server: format!("labs-{}-{}", std::process::id(), TERMINALS.fetch_add(1, Ordering::Relaxed)), patience: PATIENCE };
        let size = [columns.to_string(), rows.to_string()];
        let mut start = terminal.tmux();
        // What runs there ends, and its last screen stays to be read.
        start.args(["-f", "/dev/null", "set-option", "-g", "remain-on-exit", "on", ";", "set-option", "-g", "history-limit", "5000", ";"]);
        start.args(["new-session", "-d", "-s", "test", "-x", &size[0], "-y", &size[1], "-c"]).arg(folder);
        for (name, value) in variables {
            start.arg("-e").arg(format!("{name}={value}"));
        }
        start.arg(command);
        let output = start.output().expect("tmux starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        terminal
    }

    /// With another last resort, in seconds: where something is compiled first.
    pub fn with_patience(mut self, seconds: u64) -> Self {
        self.patience = Duration::from_secs(seconds);
        self
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.server]).env_remove("TMUX");
        command
    }

    /// Presses keys, each by tmux's name for it.
    pub fn press(&self, keys: &[&str]) {
        assert!(self.tmux().args(["send-keys", "-t", "test"]).args(keys).status().expect("tmux starts").success());
    }

    /// What is on the screen, and what has left it upwards.
    pub fn text(&self) -> String {
        self.captured(&["-S", "-"])
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.captured(&[])
    }

    fn captured(&self, options: &[&str]) -> String {
        let output = self.tmux().args(["capture-pane", "-p", "-t", "test"]).args(options).output().expect("tmux starts");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Waits until all of these are on the screen, and returns it.
    pub fn wait_for(&self, texts: &[&str]) -> String {
        self.wait_until(|screen| texts.iter().all(|text| screen.contains(text)), &format!("{texts:?}"))
    }

    /// Waits until the screen is as `reached` says.
    pub fn wait_until(&self, reached: impl Fn(&str) -> bool, what: &str) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if reached(&screen) {
                return screen;
            }
            assert!(begin.elapsed() < self.patience, "waited for {what}; the screen is\n{screen}");
            thread::sleep(GLANCE);
        }
    }

    /// Waits until the command has ended, and returns its exit status.
    pub fn exit_status(&self) -> i32 {
        let begin = Instant::now();
        loop {
            let output = self.tmux().args(["display-message", "-p", "-t", "test", "#{pane_dead} #{pane_dead_status}"]).output().expect("tmux starts");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if let Some(status) = text.trim().strip_prefix("1 ") {
                return status.parse().expect("a status");
            }
            assert!(begin.elapsed() < self.patience, "the command does not end; the screen is\n{}", self.screen());
            thread::sleep(GLANCE);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").status();
    }
}
