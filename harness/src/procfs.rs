//! What `/proc` says of a process: the kernel's own word on who sleeps where and who holds which descriptor; proc(5).
//!
//! Theory of operation: `/proc` of the harness's own PID namespace is opened once, before the sandbox is entered, and everything is read below that
//! descriptor, so that process ids are those of waitpid(2) whatever the sandbox has mounted.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::kernel::descriptor;
use crate::kernel::process::Pid;

/// `/proc`, held open.
pub struct Proc {
    root: OwnedFd,
}

/// Whether a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// On a CPU, or about to be.
    Running,
    /// Off the CPU, in this call with these arguments.
    Asleep {
        /// The call's number.
        number: u64,
        /// Its six arguments.
        arguments: [u64; 6],
    },
    /// No such task, or a zombie.
    Gone,
}

/// How a descriptor may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// For reading only.
    Read,
    /// For writing only.
    Write,
    /// For both.
    Both,
}

impl Access {
    /// Whether it can be read from.
    #[must_use]
    pub fn reads(self) -> bool {
        self != Self::Write
    }

    /// Whether it can be written to.
    #[must_use]
    pub fn writes(self) -> bool {
        self != Self::Read
    }
}

/// An open file as the kernel identifies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The device's number.
    pub device: u64,
    /// The inode's number.
    pub inode: u64,
}

/// One descriptor of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub number: i32,
    /// The open file.
    pub identity: Identity,
    /// The type of file (`S_IFIFO`, `S_IFSOCK` …).
    pub kind: u32,
    /// How it may be used.
    pub access: Access,
    /// What it refers to, as `/proc/PID/fd` shows it.
    pub link: String,
    /// Whether exec closes it.
    pub close_on_exec: bool,
}

/// A file of short records below `/proc`, held open.
pub struct Table(OwnedFd);

impl Table {
    /// What it says now.
    pub fn read(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&descriptor::read_records(self.0.as_fd())?).into_owned())
    }
}

impl Proc {
    /// Opens `/proc`.
    pub fn open() -> io::Result<Self> {
        Ok(Self { root: descriptor::open_at(None, c"/proc", libc::O_PATH | libc::O_DIRECTORY, 0)? })
    }

    fn text(&self, path: &str) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&descriptor::read_records_at(self.root.as_fd(), path)?).into_owned())
    }

    /// A file of short records below `/proc`, for instance `self/net/tcp`.
    pub fn table(&self, path: &str) -> io::Result<String> {
        self.text(path)
    }

    /// Opens such a file, to be read again and again with [`Table::read`]: a table of the network that this process is in now, wherever it is later.
    pub fn open_table(&self, path: &str) -> io::Result<Table> {
        Ok(Table(descriptor::open_at(Some(self.root.as_fd()), &std::ffi::CString::new(path)?, libc::O_RDONLY, 0)?))
    }

    /// Any file below `/proc`, for instance `self/mounts`.
    pub fn file(&self, path: &str) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&descriptor::read_file_at(self.root.as_fd(), path)?).into_owned())
    }

    /// Whether the task is off the CPU in one unbroken sleep.
    ///
    /// A number in `/proc/TID/syscall`, rather than `running`, means that the kernel saw it truly off the CPU; state S, or D between a vfork and the
    /// child's exec, that it sleeps and is not merely preempted.
    #[must_use]
    pub fn activity(&self, task: Pid) -> Activity {
        let Ok(call) = self.text(&format!("{task}/syscall")) else { return Activity::Gone };
        let Ok(stat) = self.text(&format!("{task}/stat")) else { return Activity::Gone };
        let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next()).unwrap_or('?');
        if matches!(state, 'Z' | 'X') {
            return Activity::Gone;
        }
        let mut fields = call.split_whitespace();
        let Some(number) = fields.next().and_then(|field| field.parse::<i64>().ok()).and_then(|number| u64::try_from(number).ok()) else {
            return Activity::Running;
        };
        let mut arguments = [0; 6];
        for (argument, field) in arguments.iter_mut().zip(fields) {
            *argument = u64::from_str_radix(field.trim_start_matches("0x"), 16).unwrap_or(0);
        }
        let makes_process = matches!(crate::call::Call::from_number(number), crate::call::Call::Fork);
        let sleeps = if makes_process { matches!(state, 'S' | 'D') && waits_for_exec(task, number, arguments[0]) } else { state == 'S' };
        if !sleeps {
            return Activity::Running;
        }
        Activity::Asleep { number, arguments }
    }

    /// Whether the task is stopped, by a signal or for its tracer.
    #[must_use]
    pub fn is_stopped(&self, task: Pid) -> bool {
        self.text(&format!("{task}/stat")).is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['T', 't'])))
    }

    /// What `/proc` says of a task in raw words, for reports of our own faults: its state and CPU time, the call that it is in, where it sleeps.
    #[must_use]
    pub fn raw_state(&self, task: Pid) -> String {
        let stat = self.text(&format!("{task}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or("?").to_owned();
        let line = |file: &str| self.text(&format!("{task}/{file}")).unwrap_or_default().trim().to_owned();
        format!("state {}, CPU {}+{}, wchan {}, call {}", field(0), field(11), field(12), line("wchan"), line("syscall"))
    }

    /// The process that a task belongs to, and the process's id in its innermost PID namespace.
    pub fn process_of(&self, task: Pid) -> io::Result<(Pid, Pid)> {
        let status = self.text(&format!("{task}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().last().and_then(|id| id.parse().ok())
        };
        let process: Pid = field("Tgid:").ok_or_else(|| io::Error::other("no Tgid in /proc/PID/status"))?;
        Ok((process, field("NStgid:").unwrap_or(process)))
    }

    /// The process that would be told of a process's end; of a thread, its process.
    pub fn parent_of(&self, task: Pid) -> io::Result<Pid> {
        let status = self.text(&format!("{task}/status"))?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name))?.trim().parse::<Pid>().ok();
        let process = field("Tgid:").filter(|process| *process != task);
        process.or_else(|| field("PPid:")).ok_or_else(|| io::Error::other("no PPid in /proc/PID/status"))
    }

    /// Whether the process is dead and not waited for.
    #[must_use]
    pub fn is_zombie(&self, process: Pid) -> bool {
        self.text(&format!("{process}/stat")).is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])))
    }

    /// Whether the process ignores a signal.
    #[must_use]
    pub fn ignores(&self, process: Pid, signal: i32) -> bool {
        self.signal_masks(process).is_some_and(|mask| mask("SigIgn:") >> (signal - 1) & 1 == 1)
    }

    /// Whether a handler takes this signal.
    #[must_use]
    pub fn catches(&self, process: Pid, signal: i32) -> bool {
        self.signal_masks(process).is_some_and(|mask| mask("SigCgt:") >> (signal - 1) & 1 == 1)
    }

    /// The sets of signals of a task, by their names in `/proc/PID/status`, a bit for each; proc(5).
    fn signal_masks(&self, task: Pid) -> Option<impl Fn(&str) -> u64 + use<>> {
        let status = self.text(&format!("{task}/status")).ok()?;
        Some(move |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
        })
    }

    /// Whether signals wait for the task of which none will have an effect: ignored ones, which would never reach a process without a tracer.
    #[must_use]
    pub fn only_ignored_signals_wait(&self, task: Pid) -> bool {
        /// The signals that are ignored by default; signal(7).
        const IGNORED_BY_DEFAULT: [libc::c_int; 4] = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
        let Some(mask) = self.signal_masks(task) else { return false };
        let waiting = (mask("SigPnd:") | mask("ShdPnd:")) & !mask("SigBlk:");
        let by_default = IGNORED_BY_DEFAULT.iter().fold(0, |mask, signal| mask | 1 << (signal - 1));
        waiting != 0 && waiting & !(mask("SigIgn:") | by_default & !mask("SigCgt:")) == 0
    }

    /// Whether a signal waits for the task that a handler of its own will take.
    #[must_use]
    pub fn caught_signal_waits(&self, task: Pid) -> bool {
        let Some(mask) = self.signal_masks(task) else { return false };
        (mask("SigPnd:") | mask("ShdPnd:")) & !mask("SigBlk:") & mask("SigCgt:") != 0
    }

    /// The length of the mapping that begins at an address, in bytes.
    #[must_use]
    pub fn length_of_mapping(&self, process: Pid, start: u64) -> Option<u64> {
        let maps = self.file(&format!("{process}/maps")).ok()?;
        let line = maps.lines().find_map(|line| line.strip_prefix(&format!("{start:x}-")))?;
        Some(u64::from_str_radix(line.split_whitespace().next()?, 16).ok()? - start)
    }

    /// CPU time used by a process, in clock ticks (1/100 s).
    #[must_use]
    pub fn cpu_ticks(&self, process: Pid) -> u64 {
        let Ok(stat) = self.text(&format!("{process}/stat")) else { return 0 };
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // utime and stime are fields 14 and 15 of the whole line, the state being field 3.
        fields.get(11..13).map_or(0, |times| times.iter().filter_map(|time| time.parse::<u64>().ok()).sum())
    }

    /// What a descriptor of a process refers to: the open file and its type.
    pub fn identity(&self, process: Pid, number: i32) -> io::Result<(Identity, u32)> {
        let status = descriptor::status_at(self.root.as_fd(), &format!("{process}/fd/{number}"))?;
        Ok((Identity { device: status.device, inode: status.inode }, status.kind()))
    }

    /// The type of the file that a path names for a process; a relative path starts from `directory`, or from the working directory without one.
    pub fn type_at(&self, process: Pid, directory: Option<i32>, path: &str) -> io::Result<u32> {
        let start = match directory {
            _ if path.starts_with('/') => "root".to_owned(),
            Some(directory) => format!("fd/{directory}"),
            None => "cwd".to_owned(),
        };
        Ok(descriptor::status_at(self.root.as_fd(), &format!("{process}/{start}/{path}"))?.kind())
    }

    /// The path or name of what a descriptor refers to.
    pub fn link(&self, process: Pid, number: i32) -> io::Result<String> {
        Ok(descriptor::read_link_at(self.root.as_fd(), &format!("{process}/fd/{number}"))?.to_string_lossy().into_owned())
    }

    /// All descriptors of a process, in the order of their numbers.
    pub fn descriptors(&self, process: Pid) -> io::Result<Vec<Descriptor>> {
        let names = descriptor::names_at(self.root.as_fd(), &format!("{process}/fd"))?;
        let mut numbers: Vec<i32> = names.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        // A descriptor that is gone by now was closed meanwhile by a task that runs: leave it out.
        Ok(numbers.into_iter().filter_map(|number| self.descriptor(process, number).ok()).collect())
    }

    fn descriptor(&self, process: Pid, number: i32) -> io::Result<Descriptor> {
        let (identity, kind) = self.identity(process, number)?;
        let info = self.text(&format!("{process}/fdinfo/{number}"))?;
        let flags =
            info.lines().find_map(|line| line.strip_prefix("flags:")).and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok()).unwrap_or(0);
        let access = match flags & libc::O_ACCMODE {
            libc::O_RDONLY => Access::Read,
            libc::O_WRONLY => Access::Write,
            _ => Access::Both,
        };
        Ok(Descriptor { number, identity, kind, access, link: self.link(process, number)?, close_on_exec: flags & libc::O_CLOEXEC != 0 })
    }
}
/// Whether a call that makes a process waits until that executes or ends: vfork(2), and clone(2) with CLONE_VFORK. Any other that is in state D waits for
/// the machine, and goes on by itself.
fn waits_for_exec(task: Pid, number: u64, first: u64) -> bool {
    let flags = match &*crate::call::name_of(number) {
        "vfork" => return true,
        "clone" => first,
        // `struct clone_args` begins with the flags.
        "clone3" => {
            let mut flags = [0; 8];
            crate::kernel::ptrace::read_memory(task, first, &mut flags).map_or(0, |_| u64::from_ne_bytes(flags))
        }
        _ => 0,
    };
    flags & libc::CLONE_VFORK as u64 != 0
}
