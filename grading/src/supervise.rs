//! One child process with limits: a compiler, or a check executable.
//!
//! Theory of operation: the child's standard output and error go to unnamed files and not into pipes, so that nothing can fill up, and so that a
//! process which outlives the child and holds them open cannot keep us waiting. The end of the child is an event (a pidfd becomes readable); the
//! wall-clock limit is the last resort. Resource limits are set right after the start: `pre_exec` would be `unsafe`, and what a compiler has
//! allocated in its first microseconds is far below any of them; its own children inherit them.
//!
//! Children stay in our process group: an interrupt from the terminal ends all of us at once.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, pidfd_open, prlimit};

/// What a child may use; `None` is as much as we may.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time on the wall clock, the last resort.
    pub wall: Duration,
    /// Seconds of processor time.
    pub cpu_seconds: Option<u64>,
    /// Bytes of address space.
    pub memory_bytes: Option<u64>,
    /// Bytes of a core file.
    pub core_bytes: Option<u64>,
    /// Bytes of any one file that it writes.
    pub file_bytes: Option<u64>,
}

/// How a child ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    /// Its status; it is a SIGKILL if the wall-clock limit was reached.
    pub status: ExitStatus,
    /// Whether it was killed for the wall-clock limit.
    pub over_time: bool,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Starts the command, waits for its end, and reads what it wrote. `scratch` is the folder for the two unnamed files.
///
/// # Errors
/// A command that cannot be started, and errors of the calls that watch it.
pub fn run(command: &mut Command, limits: &Limits, scratch: &Path) -> io::Result<Ended> {
    let mut stdout = tempfile::tempfile_in(scratch)?;
    let mut stderr = tempfile::tempfile_in(scratch)?;
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = command.spawn()?;
    let (status, over_time) = match restrict(&child, limits).and_then(|()| wait(&mut child, limits.wall)) {
        Ok(ended) => ended,
        Err(error) => {
            // Errors of killing say that it has ended already; the error that led here is the one to tell.
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
    };
    Ok(Ended { status, over_time, stdout: written(&mut stdout)?, stderr: written(&mut stderr)? })
}

fn restrict(child: &Child, limits: &Limits) -> io::Result<()> {
    let set = |resource, limit: Option<u64>| match limit {
        None => Ok(()),
        Some(limit) => {
            let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
            match prlimit(Some(Pid::from_child(child)), resource, limit) {
                // It has ended already (a zombie is still there, a stranger cannot be: nobody else reaps our children).
                Ok(_) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => Err(io::Error::from(error)),
            }
        }
    };
    set(Resource::Core, limits.core_bytes)?;
    // One second between the soft limit's signal and the hard limit's would be lost on a compiler: both are the same.
    set(Resource::Cpu, limits.cpu_seconds)?;
    set(Resource::As, limits.memory_bytes)?;
    set(Resource::Fsize, limits.file_bytes)
}

fn wait(child: &mut Child, wall: Duration) -> io::Result<(ExitStatus, bool)> {
    let deadline = Instant::now() + wall;
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => {
                child.kill()?;
                return Ok((child.wait()?, true));
            }
            Ok(_) => return Ok((child.wait()?, false)),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn written(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const NO_LIMITS: Limits = Limits { wall: Duration::from_secs(60), cpu_seconds: None, memory_bytes: None, core_bytes: Some(0), file_bytes: None };

    fn shell(script: &str, limits: &Limits) -> Ended {
        run(Command::new("sh").args(["-c", script]), limits, &std::env::temp_dir()).unwrap()
    }

    #[test]
    fn output_and_status_come_back() {
        let ended = shell("echo out; echo err >&2; exit 7", &NO_LIMITS);
        assert_eq!((&*ended.stdout, &*ended.stderr, ended.status.code()), (&b"out\n"[..], &b"err\n"[..], Some(7)));
    }

    #[test]
    fn a_process_that_outlives_the_child_does_not_keep_us_waiting() {
        let start = Instant::now();
        let ended = shell("sleep 20 & echo $!", &NO_LIMITS);
        assert!(start.elapsed() < Duration::from_secs(10));
        let sleeper: i32 = String::from_utf8(ended.stdout).unwrap().trim().parse().unwrap();
        rustix::process::kill_process(Pid::from_raw(sleeper).unwrap(), rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn a_child_over_its_time_is_killed() {
        let ended = shell("exec sleep 20", &Limits { wall: Duration::from_millis(50), ..NO_LIMITS });
        assert!(ended.over_time);
        assert_eq!(ended.status.signal(), Some(9));
    }

    #[test]
    fn a_child_over_its_processor_time_is_ended_by_the_kernel() {
        let ended = shell("while :; do :; done", &Limits { cpu_seconds: Some(1), ..NO_LIMITS });
        assert!(!ended.over_time);
        assert!(ended.status.signal().is_some(), "{:?}", ended.status);
    }
}
