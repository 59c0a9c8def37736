//! An enclosure: one command that is not traced, in namespaces of its own, that sees the system's folders and what it is given, and nothing else.
//!
//! Theory of operation: a compiler reads what a source names, and an assembler in it even more, so that no list of the files that it read is a proof. It therefore
//! runs where there is nothing to read. Whoever wants that starts [`serve`] in a process of its own with one thread, since namespaces are
//! entered by a whole process: the request comes as JSON in an argument, the answer goes as JSON to standard output, and what the command writes
//! to standard error goes to standard error. Files come in as text and go out as bytes: nothing inside is a name of anything outside. PID 1 and
//! all others are killed before anything is copied out, and are killed with the process if that is killed.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Refused, in_new_root};
use crate::kernel::descriptor::{self, c_path};
use crate::kernel::namespace;
use crate::kernel::process::{self, Change, Launch, Waited};
use crate::kernel::seccomp::{Reach, Stops, filter};

/// What is to be run, and with what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The command and its arguments, as inside.
    pub command: Vec<String>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// Files and folders that can be read: where they are outside, and where inside.
    pub readable: Vec<(PathBuf, PathBuf)>,
    /// Files that are copied in.
    pub given: Vec<(PathBuf, Vec<u8>)>,
    /// The working directory inside; it and `/tmp` can be written to.
    pub directory: PathBuf,
    /// Files that are copied out, if they are there and are regular files: where they are inside, and where outside.
    pub wanted: Vec<(PathBuf, PathBuf)>,
    /// Seconds of processor time for one process.
    pub cpu_seconds: u64,
    /// Bytes of address space of one process.
    pub memory_bytes: u64,
    /// Bytes of any one file, and of all together.
    pub file_bytes: u64,
    /// Processes and threads at one time.
    pub processes: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The command exited with this status.
    Exited(i32),
    /// This signal killed the command.
    Killed(i32),
    /// The system refuses namespaces, with the mend.
    Refused(String),
    /// Something else of the machine's failed.
    Failed(String),
}

/// Most bytes of standard error that are passed on.
const MOST_SAID: u64 = 4 << 20;

/// Does what the request asks for, and prints the answer. For a process that was started for this: it is of no use afterwards.
pub fn serve(request: &str) -> io::Result<()> {
    let answer = match serde_json::from_str::<Request>(request) {
        Err(error) => Answer::Failed(format!("the request cannot be read: {error}")),
        Ok(request) => match run(&request) {
            Ok(answer) => answer,
            Err(Failed::Refused(refused)) => Answer::Refused(refused.to_string()),
            Err(Failed::Failed(error)) => Answer::Failed(error.to_string()),
        },
    };
    let text = serde_json::to_string(&answer).map_err(io::Error::from)?;
    io::stdout().write_all(text.as_bytes())
}

enum Failed {
    Refused(Refused),
    Failed(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

fn run(request: &Request) -> Result<Answer, Failed> {
    // Whoever asked may have ended already, or be killed at any moment: nothing may be left.
    process::die_with_parent()?;
    let out = request.wanted.iter().map(|(_, outside)| File::create(outside)).collect::<io::Result<Vec<File>>>()?;
    // As root all can be reached now, and perhaps not as the user that root becomes.
    let early: Vec<Option<OwnedFd>> = request.readable.iter().map(|(outside, _)| detached(outside).ok()).collect();
    let options = format!("mode=755,size={},nr_inodes=65536", request.file_bytes);
    let (message, reaper) = in_new_root(
        &options,
        || request.readable.iter().zip(early).map(|((outside, _), early)| early.map_or_else(|| detached(outside), Ok)).collect(),
        |mounts: Vec<OwnedFd>| fill(request, mounts),
    )?;
    let answer = execute(request, message)?;
    match process::kill(reaper, libc::SIGKILL) {
        Err(error) if error.raw_os_error() != Some(libc::ESRCH) => return Err(error.into()),
        _ => {}
    }
    while process::wait(-1, true)? != Waited::NoChild {}
    hand_out(request, out)?;
    Ok(answer)
}

/// A read-only mount of a file or folder that is not yet anywhere.
fn detached(path: &Path) -> io::Result<OwnedFd> {
    let mount = namespace::open_tree(&c_path(path)?).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    namespace::make_detached_read_only(mount.as_fd())?;
    Ok(mount)
}

/// The path of something inside, relative to the working directory, which is the root to be.
fn inside(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Fills the rest of the new root, which is the working directory; the file for what the command says.
fn fill(request: &Request, mounts: Vec<OwnedFd>) -> io::Result<File> {
    for ((outside, place), mount) in request.readable.iter().zip(mounts) {
        let place = inside(place);
        if descriptor::status_of(mount.as_fd())?.kind() == libc::S_IFDIR {
            fs::create_dir_all(place)?;
        } else {
            fs::create_dir_all(place.parent().unwrap_or(Path::new("")))?;
            File::create(place)?;
        }
        namespace::move_mount(mount.as_fd(), &c_path(place)?)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", outside.display())))?;
    }
    fs::create_dir_all(inside(&request.directory))?;
    for (place, bytes) in &request.given {
        let place = inside(place);
        fs::create_dir_all(place.parent().unwrap_or(Path::new("")))?;
        fs::write(place, bytes)?;
    }
    File::options().read(true).write(true).create_new(true).open("said")
}

fn execute(request: &Request, mut message: File) -> Result<Answer, Failed> {
    let text = |text: &str| CString::new(text).map_err(io::Error::from);
    let limits = [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_CPU, request.cpu_seconds),
        (libc::RLIMIT_AS, request.memory_bytes),
        (libc::RLIMIT_FSIZE, request.file_bytes),
        (libc::RLIMIT_NPROC, request.processes),
        (libc::RLIMIT_NOFILE, 1024),
    ];
    let launch = Launch {
        path: text(request.command.first().map_or("", String::as_str))?,
        arguments: request.command.iter().map(|argument| text(argument)).collect::<io::Result<_>>()?,
        environment: request.environment.iter().map(|(name, value)| text(&format!("{name}={value}"))).collect::<io::Result<_>>()?,
        directory: c_path(&request.directory)?,
        stdio: [Some(File::open("/dev/null")?.into()), Some(message.try_clone()?.into()), Some(message.try_clone()?.into())],
        limits: limits
            .into_iter()
            .map(|(resource, limit)| (resource, limit.min(process::hard_limit(resource).saturating_sub(u64::from(resource == libc::RLIMIT_CPU)))))
            .collect(),
        filter: filter(&Stops::These(Vec::new()), Reach::Sandbox),
        capabilities: Vec::new(),
        group: None,
        files: None,
        own_session: true,
        expendable: true,
        fresh_signals: true,
    };
    let launched = process::launch(&launch)?;
    let pid = launched.pid;
    launched.go()?;
    let change = loop {
        match process::wait(pid, true)? {
            Waited::Change(_, change) => break change,
            Waited::NoChild => return Err(io::Error::other("the command was lost sight of").into()),
            Waited::Nothing | Waited::Interrupted => {}
        }
    };
    io::Seek::rewind(&mut message)?;
    io::copy(&mut message.take(MOST_SAID), &mut io::stderr())?;
    Ok(match change {
        Change::Exited(process::SET_UP_FAILED) => Answer::Failed("the command cannot be executed inside".into()),
        Change::Exited(status) => Answer::Exited(status),
        Change::Killed(signal) => Answer::Killed(signal),
        Change::Stopped { .. } => Answer::Failed("the command was stopped".into()),
    })
}

/// Copies the wanted files out. What made them is gone; they may be anything all the same.
fn hand_out(request: &Request, out: Vec<File>) -> io::Result<()> {
    for ((place, _), mut out) in request.wanted.iter().zip(out) {
        let Ok(file) = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(place) else { continue };
        if file.metadata()?.is_file() {
            io::copy(&mut file.take(request.file_bytes), &mut out)?;
        }
    }
    Ok(())
}
