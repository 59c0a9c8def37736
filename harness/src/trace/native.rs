//! Tracing a program where it stands: no sandbox, its standard streams untouched, every call told as it ends.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::event::Exit;
use super::{OnEvent, Options, Tracer};
use crate::kernel::descriptor::{self, c_path};
use crate::kernel::process::{self, Launch, Waited};
use crate::kernel::seccomp::{Reach, Stops, filter};
use crate::procfs::Proc;

/// Runs a program with its arguments until it and all its descendants have ended; `on_event` is told of every finished call of those that `stops` names. With
/// `decode`, descriptors are resolved and pointers followed.
///
/// # Errors
/// A program that is not found, and whatever the tracer meets. A trace that is not whole is an error too, once the program has ended.
pub fn trace(command: &[String], stops: &Stops, decode: bool, on_event: OnEvent) -> io::Result<Exit> {
    let program = command.first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program is named"))?;
    let path = executable(program)?;
    let text = |text: &[u8]| CString::new(text).map_err(io::Error::from);
    let environment = std::env::vars_os().map(|(name, value)| text(&[name.as_bytes(), b"=", value.as_bytes()].concat()));
    let launch = Launch {
        path: c_path(&path)?,
        arguments: command.iter().map(|argument| text(argument.as_bytes())).collect::<Result<_, _>>()?,
        environment: environment.collect::<Result<_, _>>()?,
        directory: c_path(&std::env::current_dir()?)?,
        stdio: [
            Some(io::stdin().as_fd().try_clone_to_owned()?),
            Some(io::stdout().as_fd().try_clone_to_owned()?),
            Some(io::stderr().as_fd().try_clone_to_owned()?),
        ],
        limits: Vec::new(),
        filter: filter(stops, Reach::Trace),
        capabilities: Vec::new(),
        group: None,
        files: None,
        own_session: false,
        expendable: false,
        fresh_signals: false,
    };
    process::pin_to_this_cpu()?;
    let launched = process::launch(&launch)?;
    let options =
        Options { decode, keep_events: false, keep_data: true, most_events: usize::MAX, most_processes: usize::MAX, most_shared_memory: None };
    let mut tracer = Tracer::new(Proc::open()?, options);
    let first = tracer.follow(launched.pid, 0, program)?;
    tracer.on_event = Some(on_event);
    launched.go()?;
    drop(launch);
    while !tracer.is_over() {
        match process::wait(-1, true)? {
            Waited::Change(pid, change) => tracer.handle(pid, change)?,
            Waited::NoChild => break,
            Waited::Interrupted | Waited::Nothing => {}
        }
    }
    let overstepped = tracer.overstepped.take().map(|overstep| overstep.observed);
    match (tracer.blind.take().or(overstepped), tracer.process(first).exit) {
        (Some(reason), _) => Err(io::Error::other(reason)),
        (None, Some(Exit::Status(process::SET_UP_FAILED))) if !tracer.process(first).executed => {
            Err(io::Error::other(format!("{}: cannot be executed", path.display())))
        }
        (None, Some(exit)) => Ok(exit),
        (None, None) => Err(io::Error::other("the program was lost sight of")),
    }
}

/// The path of a program that this user may execute, looked for as a shell does.
///
/// # Errors
/// One that is not there, is no file, or may not be executed.
pub fn executable(program: &str) -> io::Result<PathBuf> {
    let path = find(program)?;
    let refused = |reason: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{program}: {reason}")));
    if path.is_dir() {
        return refused("is a folder, not a program");
    }
    if !descriptor::may_execute(path.as_os_str().as_bytes()) {
        return refused("may not be executed: chmod +x, or name the interpreter first");
    }
    Ok(path)
}

fn find(program: &str) -> io::Result<PathBuf> {
    if program.contains('/') {
        return Path::new(program).canonicalize().map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{program}: there is no such program in PATH")))
}
