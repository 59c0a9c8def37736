//! The calls that are made to fail, and how a right program may name them.

use harness::prelude::*;

/// How a line on standard error begins that reports a call: with the name of the libc function, of which several end up in one system call.
const PIPE: &[&str] = &["pipeline: pipe2:", "pipeline: pipe:"];
const FORK: &[&str] = &["pipeline: fork:", "pipeline: vfork:", "pipeline: clone:", "pipeline: posix_spawnp:", "pipeline: posix_spawn:"];
pub const DUP: &[&str] = &["pipeline: dup2:", "pipeline: dup3:", "pipeline: dup:"];
pub const WAIT: &[&str] = &["pipeline: waitpid:", "pipeline: wait:", "pipeline: wait4:", "pipeline: waitid:"];
pub const EXEC: &[&str] =
    &["pipeline: execvp:", "pipeline: execvpe:", "pipeline: execv:", "pipeline: execve:", "pipeline: posix_spawnp:", "pipeline: posix_spawn:"];

/// A call that the program makes on the way to its stages.
pub struct Place {
    call: Call,
    nth: u32,
    errno: i32,
    which: &'static str,
    pub names: &'static [&'static str],
}

impl Place {
    /// The call fails there, once.
    pub fn fails(&self) -> Fault {
        fail(self.call, self.errno).by(Who::Parent).nth(self.nth)
    }

    pub fn circumstance(&self) -> String {
        format!("the {} {} fails with {}", self.which, self.call.word(), errno_name(self.errno))
    }
}

/// With four stages there are at least three pipes and four forks, in whichever order.
pub static SET_UP: [Place; 7] = [
    Place { call: Pipe, nth: 1, errno: libc::EMFILE, which: "first", names: PIPE },
    Place { call: Pipe, nth: 2, errno: libc::EMFILE, which: "second", names: PIPE },
    Place { call: Pipe, nth: 3, errno: libc::EMFILE, which: "third", names: PIPE },
    Place { call: Fork, nth: 1, errno: libc::EAGAIN, which: "first", names: FORK },
    Place { call: Fork, nth: 2, errno: libc::EAGAIN, which: "second", names: FORK },
    Place { call: Fork, nth: 3, errno: libc::EAGAIN, which: "third", names: FORK },
    Place { call: Fork, nth: 4, errno: libc::EAGAIN, which: "fourth", names: FORK },
];

/// A signal by its name and its number, of those that end a process and that `kill -s` of every shell knows.
pub type Signal = (&'static str, i32);

pub const KILL: Signal = ("KILL", libc::SIGKILL);
const SIGNALS: [Signal; 5] =
    [("HUP", libc::SIGHUP), ("INT", libc::SIGINT), ("USR1", libc::SIGUSR1), ("ALRM", libc::SIGALRM), ("TERM", libc::SIGTERM)];

/// Two of them, not the same.
pub fn two_signals(lab: &Lab) -> [Signal; 2] {
    let (count, first) = (SIGNALS.len() as u64, lab.number(0..SIGNALS.len() as u64));
    let second = (first + lab.number(1..count)) % count;
    [SIGNALS[first as usize], SIGNALS[second as usize]]
}

/// The lines of a script that this signal kills.
pub fn dies_of(signal: Signal) -> String {
    format!("kill -s {} $$", signal.0)
}
