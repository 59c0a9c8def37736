//! Runs of one command: as it is, under `lab trace`, and under strace.

use std::path::Path;
use std::process::{Command, Output};

use super::calls::Trace;
use super::deadline;

/// A command in a folder of its own.
pub struct Traced<'a> {
    /// Program and arguments.
    pub command: &'a [String],
    /// The working directory: made anew for each run.
    pub folder: &'a Path,
    /// Writes what the program finds there.
    pub prepare: &'a dyn Fn(&Path),
    /// The CPU that all runs stay on: `lab trace` pins, and the number of CPUs is something that programs ask for.
    pub cpu: usize,
}

/// How fast a program goes on under strace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Nothing is delayed.
    AsItIs,
    /// The maker of a task goes on 10 ms late.
    ParentsLate,
    /// Each process ends 10 ms late.
    EndsLate,
    /// Who has written or closed goes on 2 ms late: its reader comes first.
    WritersLate,
}

const SECONDS: u64 = 60;

impl Traced<'_> {
    /// Without a tracer.
    pub fn alone(&self) -> Output {
        self.run(&["setarch", "-R"])
    }

    /// Under `lab trace` with these options.
    pub fn by_lab(&self, options: &[&str]) -> (Output, Trace) {
        let file = self.folder.with_extension("lab");
        let file_text = file.to_string_lossy();
        let output = self.run(&[&[env!("CARGO_BIN_EXE_lab"), "trace", "-o", &file_text], options, &["--"]].concat());
        (output, Trace::of_lab(&read(&file)))
    }

    /// Under strace, which delays these calls: a program that depends on who comes first shows it.
    pub fn by_strace(&self, pace: Pace) -> (Output, Trace) {
        let file = self.folder.with_extension("strace");
        let delay = match pace {
            Pace::AsItIs => &[][..],
            Pace::ParentsLate => &["-e", "inject=fork,vfork,clone,clone3:delay_exit=10000"],
            Pace::EndsLate => &["-e", "inject=exit_group:delay_enter=10000"],
            Pace::WritersLate => &["-e", "inject=write,shutdown,close:delay_exit=2000"],
        };
        let strace = ["setarch", "-R", "strace", "-f", "-X", "raw", "-e", "raw=all", "-o", &file.to_string_lossy()];
        let output = self.run(&[&strace, delay].concat());
        (output, Trace::of_strace(&read(&file)))
    }

    fn run(&self, before: &[&str]) -> Output {
        inherit_nothing();
        // It is not there the first time.
        let _ = std::fs::remove_dir_all(self.folder);
        std::fs::create_dir_all(self.folder).unwrap_or_else(|error| panic!("{}: {error}", self.folder.display()));
        (self.prepare)(self.folder);
        let mut command = Command::new("taskset");
        command.args(["-c", &self.cpu.to_string()]).args(before).args(self.command).current_dir(self.folder);
        // The same for all, and short: what stands on the stack decides its addresses.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs([
            ("HOME", "/nonexistent"),
            ("LANG", "C"),
            ("TMPDIR", "/tmp"),
            ("PYTHONHASHSEED", "0"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PERL_HASH_SEED", "0"),
            ("PERL_PERTURB_KEYS", "0"),
        ]);
        command.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_AUTHOR_DATE", "2000-01-01T00:00:00Z"), ("GIT_COMMITTER_DATE", "2000-01-01T00:00:00Z")]);
        deadline::output_within(SECONDS, &mut command)
    }
}

/// Whoever started the tests may have left descriptors open: `lab trace` closes what it inherits, strace passes it on.
fn inherit_nothing() {
    // SAFETY: descriptors stay as they are for this process; only programs that it executes from now on do not get them.
    let set = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    assert_eq!(set, 0, "close_range: {}", std::io::Error::last_os_error());
}

fn read(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}
