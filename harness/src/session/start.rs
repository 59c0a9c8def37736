//! Starting a program: arguments, standard streams, environment and limits.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::stream::{Input, Output};
use super::{Program, Running, Session};
use crate::call::Call;
use crate::kernel::descriptor;
use crate::kernel::process::{self, Launch};
use crate::kernel::seccomp::{Reach, Stops, filter};
use crate::manifest::Limits;
use crate::sandbox::Tier;
use crate::trace::event::{Event, Exit, ProcessId};
use crate::trace::object::Kind;
use crate::verdict::Unpassed;

/// Bytes of a run's memory that one process cannot have as its data: with data alone it meets its own limit before the run meets the whole's, the same way in
/// every tier.
const BESIDE_DATA: u64 = 16 << 20;

/// A program about to be started.
pub struct Start<'session> {
    session: &'session mut Session,
    name: String,
    /// A program of the system's instead of the lab's, by its path.
    installed: Option<CString>,
    /// The host or router to start it on.
    on: Option<String>,
    called: Option<String>,
    called_by: Option<String>,
    output_to_file: bool,
    arguments: Vec<Vec<u8>>,
    input: Option<Vec<u8>>,
    closed: [bool; 3],
}

impl<'session> Start<'session> {
    pub(super) fn new(session: &'session mut Session, name: &str) -> Self {
        Self {
            session,
            name: name.to_owned(),
            installed: None,
            on: None,
            called: None,
            called_by: None,
            output_to_file: false,
            arguments: Vec::new(),
            input: Some(Vec::new()),
            closed: [false; 3],
        }
    }

    pub(super) fn installed(session: &'session mut Session, name: &str, path: CString) -> Self {
        Self { installed: Some(path), ..Self::new(session, name) }
    }

    /// Starts it on this host or router of [`Session::build_network`].
    #[must_use]
    pub fn on(mut self, node: &str) -> Self {
        self.on = Some(node.to_owned());
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into().into_bytes());
        self
    }

    /// Adds an argument that need not be UTF-8.
    #[must_use]
    pub fn arg_bytes(mut self, argument: impl Into<Vec<u8>>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.into().into_bytes()));
        self
    }

    /// What messages call it, where several programs of one name run: `the second reader`.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        self.called = Some(name.to_owned());
        self
    }

    /// What the program finds as its own name, `argv[0]`, where that is not the file's.
    #[must_use]
    pub(crate) fn called_by(mut self, name: &str) -> Self {
        self.called_by = Some(name.to_owned());
        self
    }

    /// Standard output is a file, not a pipe: then it may be on a disk that is full.
    #[must_use]
    pub(crate) fn output_to_file(mut self, file: bool) -> Self {
        self.output_to_file = file;
        self
    }

    /// Standard input: these bytes, then end-of-file. Without it standard input is at its end.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Standard input stays open: [`Session::feed`] and [`Session::end_input`] go on with it.
    #[must_use]
    pub fn open_stdin(mut self) -> Self {
        self.input = None;
        self
    }

    /// The program is executed with this standard stream (0, 1 or 2) closed, as `PROGRAM <&-` or `PROGRAM >&-` does in a shell. The Rust runtime then opens
    /// `/dev/null` in its place before `main`; a program without that runtime finds the number free.
    #[must_use]
    pub fn closed(mut self, stream: usize) -> Self {
        self.closed[stream] = true;
        self
    }

    /// Starts the program and lets it go on until it executes.
    ///
    /// # Errors
    /// Broken, if it cannot be started.
    pub fn start(self) -> Result<Program, Unpassed> {
        let session = self.session;
        let path = match self.installed {
            Some(path) => path,
            None => {
                let place = session.names.iter().position(|name| *name == self.name);
                let place = place.ok_or_else(|| Unpassed::Broken(format!("the lab has no program `{}`", self.name)))?;
                descriptor::c_path(&session.sandbox.programs[place])?
            }
        };
        let number = session.running.len();
        let text = |text: &[u8]| CString::new(text).map_err(|_| Unpassed::Broken("an argument with a NUL byte".into()));
        let (stdin, stdin_ours) = descriptor::pipe()?;
        let (stdout_ours, stdout) = if self.output_to_file { descriptor::file_in_memory()? } else { descriptor::pipe()? };
        let (stderr_ours, stderr) = descriptor::pipe()?;
        session.note_standard(&stdin, "standard input")?;
        session.note_standard(&stdout, "standard output")?;
        session.note_standard(&stderr, "standard error")?;
        let streams = [(stdin, self.closed[0]), (stdout, self.closed[1]), (stderr, self.closed[2])];
        let numbers = [session.tracer.calls_to_stop_at(), session.traced_too.clone()].concat();
        let launch = Launch {
            path,
            arguments: std::iter::once(self.called_by.as_deref().unwrap_or(&self.name).as_bytes())
                .chain(self.arguments.iter().map(Vec::as_slice))
                .map(text)
                .collect::<Result<_, _>>()?,
            environment: if session.stands { own_environment()? } else { environment(&session.sandbox.directory)? },
            directory: descriptor::c_path(&session.sandbox.directory)?,
            stdio: streams.map(|(stream, closed)| (!closed).then_some(stream)),
            limits: if session.stands { own_limits(self.output_to_file) } else { resource_limits(&session.limits, session.sandbox.tier) },
            filter: filter(
                &if session.stands { Stops::These(numbers) } else { Stops::TheseAndMemory(numbers) },
                if session.stands { Reach::Trace } else { Reach::Sandbox },
            ),
            capabilities: session.capabilities.iter().map(|capability| capability.number()).collect(),
            group: session.group.as_ref().map_or(Ok(None), |group| group.entrance())?,
            files: if session.stands { None } else { session.sandbox.files_in_reach()? },
            own_session: true,
            expendable: true,
            fresh_signals: true,
        };
        let launched = match &self.on {
            Some(node) => session.inside(node, || process::launch(&launch))??,
            None => {
                session.tracer.nobody_at_home = false;
                process::launch(&launch)?
            }
        };
        session.bound_memory(launched.pid)?;
        let process = session.tracer.follow(launched.pid, number, &self.name)?;
        if let Some(called) = &self.called {
            session.tracer.call(number, called);
        }
        launched.go()?;
        drop(launch);
        session.running.push(Running {
            name: self.called.unwrap_or(self.name),
            process,
            input: Input::new(stdin_ours, self.input)?,
            output: if self.output_to_file { Output::file } else { Output::new }(stdout_ours, session.limits.output_bytes)?,
            errors: Output::new(stderr_ours, session.limits.output_bytes)?,
            taken: 0,
        });
        session.until("the program is executed", |session| {
            let process = session.tracer.process(process);
            Ok((process.executed || process.exit.is_some()).then_some(()))
        })?;
        if session.tracer.process(process).executed { Ok(Program(number)) } else { Err(session.not_executed(process)) }
    }
}

impl Session {
    /// Puts a program that is not yet executed into the run's memory group, if it has one.
    fn bound_memory(&mut self, pid: process::Pid) -> Result<(), Unpassed> {
        match self.group.as_ref().map_or(Ok(()), |group| group.take_in(pid)) {
            Err(error) => {
                self.unbounded = Some(format!("a process cannot be put into the memory group: {error}"));
                Err(Unpassed::Broken("a program cannot be put into the run's memory group".into()))
            }
            Ok(()) => Ok(()),
        }
    }

    fn not_executed(&mut self, process: ProcessId) -> Unpassed {
        if self.group.is_some() && self.tracer.process(process).exit == Some(Exit::Status(process::GROUP_REFUSED)) {
            self.unbounded = Some("a process cannot put itself into the memory group".into());
        }
        let failed = self.tracer.events.iter().rfind(|event| event.process == process && event.call == Call::Exec).and_then(Event::errno);
        let reason = failed.map_or_else(|| "its set-up failed".into(), |errno| io::Error::from_raw_os_error(errno).to_string());
        Unpassed::Broken(format!("the program cannot be executed: {reason}"))
    }

    fn note_standard(&mut self, descriptor: &OwnedFd, name: &str) -> io::Result<()> {
        let status = descriptor::status_of(descriptor.as_fd())?;
        self.tracer.objects.add(crate::procfs::Identity { device: status.device, inode: status.inode }, Kind::Standard, name.to_owned());
        Ok(())
    }
}

fn environment(directory: &Path) -> io::Result<Vec<CString>> {
    let home = format!("HOME={}", directory.display());
    ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", &home].iter().map(|text| CString::new(*text).map_err(io::Error::from)).collect()
}

/// The caller's own, but that a file in memory does not take all of it.
fn own_limits(output_to_file: bool) -> Vec<(libc::__rlimit_resource_t, u64)> {
    if output_to_file { vec![(libc::RLIMIT_FSIZE, 256 << 20)] } else { Vec::new() }
}

/// This process's own.
fn own_environment() -> io::Result<Vec<CString>> {
    let text = |(name, value): (OsString, OsString)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).map_err(io::Error::from);
    std::env::vars_os().map(text).collect()
}

fn resource_limits(limits: &Limits, tier: Tier) -> Vec<(libc::__rlimit_resource_t, u64)> {
    let mut resources = vec![
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NOFILE, 1024),
        (libc::RLIMIT_FSIZE, 256 << 20),
        (libc::RLIMIT_CPU, limits.cpu_seconds * 2),
        (libc::RLIMIT_STACK, 8 << 20),
        (libc::RLIMIT_DATA, limits.memory_bytes() - BESIDE_DATA),
        (libc::RLIMIT_MEMLOCK, 8 << 20),
        (libc::RLIMIT_SIGPENDING, 4096),
        (libc::RLIMIT_MSGQUEUE, 819_200),
        (libc::RLIMIT_RTPRIO, 0),
        (libc::RLIMIT_NICE, 0),
    ];
    // Outside a user namespace this limit counts all processes of the user on the machine.
    if tier.has_namespaces() {
        // The supervisor and PID 1 are the same user's.
        resources.push((libc::RLIMIT_NPROC, limits.processes + 2));
    }
    // A hard limit that is lower already stays.
    resources
        .into_iter()
        .map(|(resource, limit)| (resource, limit.min(process::hard_limit(resource).saturating_sub(u64::from(resource == libc::RLIMIT_CPU)))))
        .collect()
}
