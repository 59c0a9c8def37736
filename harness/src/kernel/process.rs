//! Processes: fork(2), the set-up of a traced program between fork and exec, wait(2), signals and the tick.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use super::descriptor::pipe;
use super::seccomp::Instruction;
use super::{checked, retried};

/// A process or thread id, as the caller's PID namespace numbers it.
pub type Pid = libc::pid_t;

/// fork(2): `None` in the child.
///
/// The caller has one thread: a child of a process with several may only do what signal-safety(7) permits.
pub fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the harness forks only from processes with a single thread (checks run in a process of their own).
    let pid = checked(unsafe { libc::fork() })?;
    Ok((pid != 0).then_some(pid))
}

/// Ends the process at once, without destructors and `atexit` handlers; _exit(2).
pub fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` has no precondition.
    unsafe { libc::_exit(status) }
}

/// All that a traced program needs, prepared before fork so that the child allocates nothing.
pub struct Launch {
    /// The executable, as the sandbox sees it.
    pub path: CString,
    /// The arguments, the first being the program's name.
    pub arguments: Vec<CString>,
    /// The whole environment.
    pub environment: Vec<CString>,
    /// The working directory.
    pub directory: CString,
    /// Descriptors 0, 1 and 2; those that are none are closed.
    pub stdio: [Option<OwnedFd>; 3],
    /// Resource limits (soft and hard alike); setrlimit(2).
    pub limits: Vec<(libc::__rlimit_resource_t, u64)>,
    /// The seccomp filter.
    pub filter: Vec<Instruction>,
    /// The capabilities that the program keeps, by their numbers; those of the caller's that it does not name are lost at exec, where the user is not root.
    pub capabilities: Vec<u32>,
    /// The file with which the program puts itself into a control group: `tasks` of version 1 of cgroups(7).
    pub group: Option<OwnedFd>,
    /// Which files the program can reach, where it cannot reach all: see [`super::landlock`].
    pub files: Option<OwnedFd>,
    /// Whether the program is put into a session of its own.
    pub own_session: bool,
    /// Whether the kernel takes this program first where memory runs out.
    pub expendable: bool,
    /// Whether every signal gets its default disposition and none is blocked; else the program inherits them as from a shell.
    pub fresh_signals: bool,
}

/// The exit status of a child that could not be set up before exec.
pub const SET_UP_FAILED: i32 = 126;

/// The exit status of one that could not put itself into its control group.
pub const GROUP_REFUSED: i32 = 125;

/// A program that was forked and waits for [`Launched::go`] before it is set up and executed.
pub struct Launched {
    /// Its id.
    pub pid: Pid,
    gate: OwnedFd,
}

impl Launched {
    /// Lets the child go on: the tracer has attached.
    pub fn go(self) -> io::Result<()> {
        let byte = [1u8];
        // SAFETY: the buffer is one byte long.
        retried(|| unsafe { libc::write(self.gate.as_raw_fd(), byte.as_ptr().cast(), 1) }).map(drop)
    }
}

/// Forks a program that will execute `launch` once [`Launched::go`] is called.
pub fn launch(launch: &Launch) -> io::Result<Launched> {
    let (wait, gate) = pipe()?;
    let pointers =
        |strings: &[CString]| -> Vec<*const libc::c_char> { strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect() };
    let (arguments, environment) = (pointers(&launch.arguments), pointers(&launch.environment));
    match fork()? {
        Some(pid) => Ok(Launched { pid, gate }),
        None => {
            become_program(launch, &arguments, &environment, wait.as_raw_fd(), gate.as_raw_fd());
            exit_now(SET_UP_FAILED)
        }
    }
}

/// Where the set of rules for files is until the child has put it on itself.
const FILES: i32 = 3;

/// Runs in the child: async-signal-safe calls only. Returns only if something failed.
fn become_program(launch: &Launch, arguments: &[*const libc::c_char], environment: &[*const libc::c_char], wait: i32, gate: i32) {
    let mut byte = 0u8;
    // SAFETY: `gate` is the child's own copy of the descriptor and used by nothing else here.
    unsafe { libc::close(gate) };
    // SAFETY: the buffer is one byte long.
    let opened = unsafe { libc::read(wait, (&raw mut byte).cast(), 1) };
    if opened != 1 {
        return;
    }
    if let Some(group) = &launch.group {
        // SAFETY: pointer and length are the string's; 0 stands for the writer.
        if unsafe { libc::write(group.as_raw_fd(), c"0".as_ptr().cast(), 1) } != 1 {
            exit_now(GROUP_REFUSED);
        }
    }
    if launch.own_session {
        // SAFETY: no precondition; a fresh child leads no process group.
        unsafe { libc::setsid() };
    }
    for (target, descriptor) in launch.stdio.iter().enumerate() {
        let Some(descriptor) = descriptor else {
            // SAFETY: 0 to 2 are not used otherwise from here on; one that is closed already stays so.
            unsafe { libc::close(target as i32) };
            continue;
        };
        // SAFETY: both are numbers of open descriptors of this process; 0 to 2 are not used otherwise from here on.
        if unsafe { libc::dup2(descriptor.as_raw_fd(), target as i32) } == -1 {
            return;
        }
    }
    let mut first_unused = 3;
    if let Some(files) = &launch.files {
        // SAFETY: both are numbers, the first of an open descriptor; what 3 was before is not used any more, unless it is the same.
        if unsafe { libc::dup2(files.as_raw_fd(), FILES) } == -1 {
            return;
        }
        first_unused = FILES + 1;
    }
    // SAFETY: nothing in this child uses these descriptors any more.
    unsafe { libc::syscall(libc::SYS_close_range, first_unused, u32::MAX, 0) };
    if launch.fresh_signals {
        reset_signals();
    } else {
        // SAFETY: SIG_DFL is a disposition for SIGPIPE. The Rust runtime ignores it in this process, and exec would pass that on.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    }
    // SAFETY: the path is a NUL-terminated string.
    if unsafe { libc::chdir(launch.directory.as_ptr()) } == -1 {
        return;
    }
    // SAFETY: no precondition; the modes of what the program makes do not depend on who runs it.
    unsafe { libc::umask(0o022) };
    // SAFETY: no precondition; addresses that do not vary make runs alike.
    unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
    if launch.expendable {
        // SAFETY: the path is NUL-terminated.
        let file = unsafe { libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
        // SAFETY: pointer and length are the string's; where the file is not there the descriptor is none, and nothing is lost.
        unsafe { libc::write(file, c"1000".as_ptr().cast(), 4) };
        // SAFETY: nothing else uses the descriptor.
        unsafe { libc::close(file) };
    }
    for (resource, value) in &launch.limits {
        // Processor time: a signal that says so comes first, and then SIGKILL.
        let after = if *resource == libc::RLIMIT_CPU { 1 } else { 0 };
        let limit = libc::rlimit { rlim_cur: *value, rlim_max: value.saturating_add(after) };
        // SAFETY: the structure is read during the call only.
        if unsafe { libc::setrlimit(*resource, &raw const limit) } == -1 {
            return;
        }
    }
    if !launch.capabilities.is_empty() && !keep_over_exec(&launch.capabilities) {
        return;
    }
    // SAFETY: PR_SET_NO_NEW_PRIVS takes integers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } == -1 {
        return;
    }
    if launch.files.is_some() {
        if !super::landlock::restrict(FILES) {
            return;
        }
        // SAFETY: nothing else uses the descriptor.
        unsafe { libc::close(FILES) };
    }
    let program = libc::sock_fprog { len: launch.filter.len() as u16, filter: launch.filter.as_ptr().cast_mut() };
    // SAFETY: the program's pointer and length describe the vector, which the kernel copies.
    if unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) } == -1 {
        return;
    }
    // SAFETY: path and both vectors are NUL-terminated, as are the strings that they point to.
    unsafe { libc::execve(launch.path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
}

/// Makes these capabilities inheritable and ambient, so that they survive exec; capabilities(7). False if the kernel refuses.
fn keep_over_exec(capabilities: &[u32]) -> bool {
    /// `_LINUX_CAPABILITY_VERSION_3`: two structures of three words (effective, permitted, inheritable), for capabilities 0 to 31 and from 32 on.
    const VERSION: u32 = 0x2008_0522;
    let mut header = [VERSION, 0];
    let mut sets = [0u32; 6];
    // SAFETY: header and data are as long as this version says.
    if unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) } == -1 {
        return false;
    }
    for capability in capabilities {
        sets[(*capability / 32 % 2) as usize * 3 + 2] |= 1 << (capability % 32);
    }
    // SAFETY: as above; the kernel only reads them.
    if unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) } == -1 {
        return false;
    }
    capabilities.iter().all(|capability| {
        // SAFETY: PR_CAP_AMBIENT takes integers.
        unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, libc::c_ulong::from(*capability), 0, 0) != -1 }
    })
}

/// Gives every signal its default disposition and unblocks all: the Rust runtime ignores SIGPIPE, and exec would pass that on.
fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL is a disposition for every signal; the kernel refuses those that cannot be changed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut empty = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set that it is given.
    unsafe { libc::sigemptyset(empty.as_mut_ptr()) };
    // SAFETY: the set was initialised just now.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, empty.as_ptr(), std::ptr::null_mut()) };
}

/// What waitpid(2) told of a child or tracee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It exited with this status.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
    /// It is in a ptrace-stop: the signal, and the event (0 for none).
    Stopped {
        /// The stop signal; SIGTRAP | 0x80 at a call.
        signal: i32,
        /// A `PTRACE_EVENT_` number, or 0.
        event: i32,
    },
}

/// What [`wait`] came back with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// A child or tracee changed.
    Change(Pid, Change),
    /// Nothing to tell yet (only without blocking).
    Nothing,
    /// A signal came first: the tick.
    Interrupted,
    /// There is no child.
    NoChild,
}

/// waitpid(2) with `__WALL`: for one process, or for all with -1.
pub fn wait(pid: Pid, block: bool) -> io::Result<Waited> {
    let mut status = 0;
    let flags = libc::__WALL | if block { 0 } else { libc::WNOHANG };
    // SAFETY: the status pointer is valid for the call.
    match checked(unsafe { libc::waitpid(pid, &raw mut status, flags) }) {
        Ok(0) => Ok(Waited::Nothing),
        Ok(pid) if libc::WIFEXITED(status) => Ok(Waited::Change(pid, Change::Exited(libc::WEXITSTATUS(status)))),
        Ok(pid) if libc::WIFSIGNALED(status) => Ok(Waited::Change(pid, Change::Killed(libc::WTERMSIG(status)))),
        Ok(pid) => Ok(Waited::Change(pid, Change::Stopped { signal: libc::WSTOPSIG(status), event: status >> 16 })),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Waited::Interrupted),
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(Waited::NoChild),
        Err(error) => Err(error),
    }
}

/// kill(2).
pub fn kill(pid: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: no precondition.
    checked(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// The kernel kills this process when its parent ends; prctl(2).
pub fn die_with_parent() -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number.
    checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).map(drop)
}

/// Orphans below this process become its children; prctl(2).
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: PR_SET_CHILD_SUBREAPER takes an integer.
    checked(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }).map(drop)
}

static TICKS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count_tick(_signal: libc::c_int) {
    TICKS.fetch_add(1, Ordering::Relaxed);
}

/// Ticks so far. Ticks that come while this process gets no CPU fall together into one: on a busy machine they last longer.
#[must_use]
pub fn ticks() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// From now on a signal interrupts blocking calls every `milliseconds`; setitimer(2). 0 ends it.
pub fn tick_every(milliseconds: i64) -> io::Result<()> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    let handler: extern "C" fn(libc::c_int) = count_tick;
    // SAFETY: the pointer is valid and aligned; writing a field of zeroed plain data needs no initialised whole.
    unsafe { (*action.as_mut_ptr()).sa_sigaction = handler as usize };
    // SAFETY: zeroed, with a handler: a valid structure; without SA_RESTART, so that the signal interrupts.
    checked(unsafe { libc::sigaction(libc::SIGALRM, action.as_ptr(), std::ptr::null_mut()) })?;
    let every = libc::timeval { tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: the structure is read during the call only.
    checked(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) }).map(drop)
}

/// What a clock shows, in nanoseconds; clock_gettime(2). 0 for one that the kernel does not have.
#[must_use]
pub fn clock(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is written during the call only.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } == -1 { 0 } else { time.tv_sec * 1_000_000_000 + time.tv_nsec }
}

/// Keeps this process and its future children on the CPU that it runs on now; sched_setaffinity(2).
pub fn pin_to_this_cpu() -> io::Result<()> {
    // SAFETY: no precondition.
    let cpu = checked(unsafe { libc::sched_getcpu() })?;
    let mut set = std::mem::MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: a zeroed set is the empty set.
    let set = unsafe { set.assume_init_mut() };
    // SAFETY: the kernel's CPU numbers lie inside the set's range.
    unsafe { libc::CPU_SET(cpu as usize, set) };
    // SAFETY: the size is that of the set.
    checked(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set) }).map(drop)
}

/// Whether this process runs as the superuser of the machine (or of its user namespace).
#[must_use]
pub fn is_root() -> bool {
    // SAFETY: no precondition.
    unsafe { libc::geteuid() == 0 }
}

/// The effective user and group.
#[must_use]
pub fn identity() -> (u32, u32) {
    // SAFETY: no precondition.
    let user = unsafe { libc::geteuid() };
    // SAFETY: no precondition.
    let group = unsafe { libc::getegid() };
    (user, group)
}

/// Gives up root for this user and group and forgets all others; setresuid(2). The process stays readable in `/proc`.
pub fn become_user(user: u32, group: u32) -> io::Result<()> {
    // SAFETY: an empty list is given with length 0.
    checked(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: no precondition.
    checked(unsafe { libc::setresgid(group, group, group) })?;
    // SAFETY: no precondition.
    checked(unsafe { libc::setresuid(user, user, user) })?;
    // SAFETY: PR_SET_DUMPABLE takes an integer.
    checked(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) }).map(drop)
}

/// Takes away this process's limit of a resource; setrlimit(2).
pub fn unlimit(resource: libc::__rlimit_resource_t) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the structure is read during the call only.
    checked(unsafe { libc::setrlimit(resource, &raw const limit) }).map(drop)
}

extern "C" fn do_nothing(_signal: libc::c_int) {}

/// What the terminal's keys send (SIGINT, SIGQUIT) does not end this process from now on. A program that it executes gets the default again: a handler does not
/// survive exec, and an ignored signal would.
pub fn outlive_the_terminals_signals() -> io::Result<()> {
    let handler: extern "C" fn(libc::c_int) = do_nothing;
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        // SAFETY: the handler does nothing, which is safe at any moment.
        if unsafe { libc::signal(signal, handler as libc::sighandler_t) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Takes away what other processes could see of this one, a fork that executes nothing: its command line and environment, its name, its memory; proc(5).
pub fn become_faceless() {
    // SAFETY: the name is NUL-terminated and at most 16 bytes long; prctl(2), PR_SET_NAME.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"init".as_ptr()) };
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<usize> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    // Fields 48 to 51 of the whole line: where the arguments and the environment begin and end; the state is field 3.
    if let Some(&[arguments, arguments_end, environment, environment_end]) = fields.get(45..49) {
        for (start, end) in [(arguments, arguments_end), (environment, environment_end)] {
            if start != 0 && start < end {
                // SAFETY: the kernel says that the process's own strings lie there, on its stack; this process reads them no more, and has one thread.
                unsafe { std::ptr::write_bytes(start as *mut u8, 0, end - start) };
            }
        }
    }
    // SAFETY: PR_SET_DUMPABLE takes an integer.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
}

/// Gives every signal its default disposition, and blocks all that can be blocked.
pub fn block_signals() {
    reset_signals();
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigfillset` initialises the set that it is given.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set was initialised just now.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut()) };
}

/// The hard limit of a resource; getrlimit(2).
#[must_use]
pub fn hard_limit(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure has room for the answer.
    unsafe { libc::getrlimit(resource, &raw mut limit) };
    limit.rlim_max
}

/// Closes every descriptor; close_range(2).
pub fn close_everything() {
    // SAFETY: the caller is a process that uses no descriptor from here on.
    unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
}

/// Children that end are never zombies from now on, orphans that become children included; wait(2), NOTES.
pub fn ignore_children() {
    // SAFETY: SIG_IGN is a disposition for SIGCHLD.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// Waits until a signal has been handled; pause(2).
pub fn wait_for_signal() {
    // SAFETY: no precondition.
    unsafe { libc::pause() };
}

/// This process's id.
#[must_use]
pub fn own_pid() -> Pid {
    // SAFETY: no precondition.
    unsafe { libc::getpid() }
}
