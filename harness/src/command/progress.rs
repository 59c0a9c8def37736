//! What is going on, for someone who waits.
//!
//! Theory of operation: one line on standard error that redraws itself and is gone at the end. It exists only on a terminal: on a pipe or with `--plain` nothing is
//! drawn.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::check::printable::escaped;

/// A line that says what is going on.
pub struct Progress(ProgressBar);

impl Progress {
    /// A line for work of unknown length.
    pub fn spinner(message: &str, wanted: bool) -> Self {
        Self::new(ProgressBar::new_spinner(), "{spinner} {wide_msg}", message, wanted)
    }

    /// A line for `length` steps.
    pub fn bar(length: usize, message: &str, wanted: bool) -> Self {
        Self::new(ProgressBar::new(length as u64), "{spinner} [{bar:24}] {pos}/{len} {wide_msg}", message, wanted)
    }

    fn new(bar: ProgressBar, template: &str, message: &str, wanted: bool) -> Self {
        if !wanted || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        bar.set_style(ProgressStyle::with_template(template).expect("the template is correct").progress_chars("=> "));
        bar.set_message(escaped(message));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Says something else.
    pub fn say(&self, message: &str) {
        self.0.set_message(escaped(message).replace('\n', " "));
    }

    /// One step is done.
    pub fn step(&self) {
        self.0.inc(1);
    }
}

/// The line is gone when its work is done or given up.
impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
