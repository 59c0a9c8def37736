//! The terminal: keys as they are pressed; termios(3), and signals that would leave it changed.
//!
//! Line editing, echo and the keys for signals are switched off; output stays as it is. A signal that ends the process puts the terminal back first.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::OnceLock;

use super::{checked, retried};

/// How the terminal was before, with its descriptor. Set once: a handler may read it at any time.
static BEFORE: OnceLock<(i32, libc::termios)> = OnceLock::new();

/// Signals that end a process that does not handle them, and that a terminal or an administrator sends.
const ENDINGS: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// Gives keys one at a time from now on; `Restore` puts the terminal back. Once in a process.
pub fn one_key_at_a_time(descriptor: BorrowedFd<'_>) -> io::Result<Restore> {
    let number = descriptor.as_raw_fd();
    let (_, before) = *BEFORE.get_or_init(|| (number, settings(number).unwrap_or_else(|_| empty())));
    let mut changed = settings(number)?;
    changed.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN);
    changed.c_iflag &= !libc::IXON;
    changed.c_cc[libc::VMIN] = 1;
    changed.c_cc[libc::VTIME] = 0;
    for signal in ENDINGS {
        let handler: extern "C" fn(libc::c_int) = restore_and_end;
        // SAFETY: the handler calls async-signal-safe functions only.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
    set(number, &changed)?;
    Ok(Restore { number, before, changed })
}

/// Puts the terminal back when it is dropped.
pub struct Restore {
    number: i32,
    before: libc::termios,
    changed: libc::termios,
}

impl Restore {
    /// Stops this process and those of its group, as Ctrl-Z does, with the terminal put back meanwhile.
    pub fn suspend(&self) -> io::Result<()> {
        set(self.number, &self.before)?;
        // SAFETY: no precondition; 0 is the caller's own process group.
        checked(unsafe { libc::kill(0, libc::SIGTSTP) })?;
        set(self.number, &self.changed)
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        let _ = set(self.number, &self.before);
    }
}

fn settings(descriptor: i32) -> io::Result<libc::termios> {
    let mut settings = empty();
    // SAFETY: the structure is valid for writes.
    checked(unsafe { libc::tcgetattr(descriptor, &raw mut settings) })?;
    Ok(settings)
}

fn empty() -> libc::termios {
    let zeroed = std::mem::MaybeUninit::zeroed();
    // SAFETY: termios is plain integers, for which zero is a value.
    unsafe { zeroed.assume_init() }
}

fn set(descriptor: i32, settings: &libc::termios) -> io::Result<()> {
    // SAFETY: the structure is read during the call only.
    retried(|| unsafe { libc::tcsetattr(descriptor, libc::TCSANOW, settings) }).map(drop)
}

extern "C" fn restore_and_end(signal: libc::c_int) {
    if let Some((descriptor, before)) = BEFORE.get() {
        // SAFETY: tcsetattr is async-signal-safe; the structure is read during the call only.
        unsafe { libc::tcsetattr(*descriptor, libc::TCSANOW, before) };
    }
    // SAFETY: SIG_DFL is a disposition for these signals.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: no precondition. The signal is blocked until the handler returns, and then ends the process.
    unsafe { libc::raise(signal) };
}
