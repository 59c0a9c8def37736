//! The sandbox: namespaces of a run's own, a root of its own, and a small reaper as PID 1.
//!
//! Theory of operation: [`Sandbox::enter`] turns the calling process, a fresh fork with one thread, into the supervisor of one run. As root it first becomes
//! an unprivileged user, another one for each run; then one unshare(2) gives it user, mount, IPC, UTS, network and PID namespaces, in which it is user 1000 and has all
//! capabilities. It builds a root from read-only binds of the system's folders and fresh tmpfs, forks the reaper (PID 1, since a program that is PID 1
//! does not die of SIGPIPE and reaps strangers), and pivots. Programs that it executes keep user 1000 and lose all capabilities but those that
//! `lab.toml` names, which hold for these namespaces only. Everything ends with the
//! supervisor: PID 1 dies with it, and with PID 1 all processes, mounts and IPC objects.
//!
//! A [`group::Group`] bounds the memory of all programs together, where the system lets one be made.
//!
//! Where the system refuses any step, the error names the step and the mend, and the run falls back to [`Tier::Confined`], which is stamped on the result.

pub mod enclosure;
pub mod group;

use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::kernel::descriptor::{self, c_path};
use crate::kernel::landlock::{self, Access};
use crate::kernel::{namespace, process};
use crate::procfs::Proc;

/// How strong a sandbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// A: namespaces of its own, and a memory group.
    Bounded,
    /// B: namespaces of its own.
    Namespaces,
    /// C: resource limits, the trace and a private folder; IPC objects and network are the system's, and where the kernel has no Landlock its files.
    Confined,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bounded => "A",
            Self::Namespaces => "B",
            Self::Confined => "C",
        })
    }
}

impl Tier {
    /// Whether a run has namespaces of its own.
    #[must_use]
    pub fn has_namespaces(self) -> bool {
        self != Self::Confined
    }
}

/// A step of the set-up that the system refused.
#[derive(Debug)]
pub struct Refused {
    /// What was tried.
    pub step: &'static str,
    /// What the kernel said.
    pub error: io::Error,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the system refuses to {}: {}; {}", self.step, self.error, mend(&self.error))
    }
}

/// The exact mend for a system that refuses namespaces, from what it says about itself.
pub(crate) fn mend(error: &io::Error) -> String {
    let setting = |path: &str| fs::read_to_string(path).ok().map(|value| value.trim().to_owned());
    if setting("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        return "as root: sysctl -w user.max_user_namespaces=10000".into();
    }
    if setting("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return "as root: sysctl -w kernel.unprivileged_userns_clone=1".into();
    }
    if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0".into();
    }
    if error.raw_os_error() == Some(libc::ENOSPC) {
        return "as root: raise the limits below /proc/sys/user/".into();
    }
    if Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists() {
        return "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
            .into();
    }
    "allow unprivileged user namespaces (user_namespaces(7)) for this user or container".into()
}

/// The environment variable that asks for a weaker tier, to try the fall-back: `namespaces` uses no memory group, `none` no namespaces.
pub const SANDBOX_VARIABLE: &str = "LAB_SANDBOX";

/// The user and group that programs see themselves as.
const INSIDE: u32 = 1000;
/// The users that root becomes outside: this number and the supervisor's process id, which is below 2^22. No two runs share one, since the kernel counts
/// pipe buffers, pending signals and keys for each user of the machine, whatever namespaces there are.
const FIRST_OUTSIDE: u32 = 0x5000_0000;
/// The one that all runs share where a container does not have those numbers.
const NOBODY: u32 = 65534;

/// The folder of the system's that programs need, if they are there.
const SYSTEM_FOLDERS: [&str; 8] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix"];
/// Files of `/etc` that the loader and libc read.
const SYSTEM_FILES: [&str; 4] = ["ld.so.cache", "alternatives", "protocols", "services"];
/// Files of `/etc` that a run with namespaces has of its own.
const OWN_FILES: [&str; 3] = ["passwd", "group", "hosts"];
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// The sandbox of one run, entered.
pub struct Sandbox {
    /// How strong it is.
    pub tier: Tier,
    /// Why it is not stronger.
    pub refused: Option<String>,
    /// The run's own folder for files, as programs see it; their working directory.
    pub directory: PathBuf,
    /// Where each program of the run is, by the order given.
    pub programs: Vec<PathBuf>,
    /// PID 1 of the run's PID namespace.
    pub(crate) reaper: Option<process::Pid>,
}

impl Sandbox {
    /// Makes the calling process the supervisor of a run in a sandbox of its own; returns it with `/proc` of outside. With a reason in `refused` it does not
    /// try namespaces again. `bounded` says that the run has a memory group.
    ///
    /// # Errors
    /// [`NotEntered::Refused`] where the system refuses namespaces: the process is then good for nothing but to say so.
    pub fn enter(programs: &[PathBuf], refused: Option<String>, bounded: bool) -> Result<(Self, Proc), NotEntered> {
        let proc = Proc::open()?;
        process::pin_to_this_cpu()?;
        let opened: Vec<File> = programs.iter().map(|path| open_program(path)).collect::<io::Result<_>>()?;
        if let Some(refused) = refused {
            process::become_subreaper()?;
            let (directory, programs) = confine(opened, programs)?;
            return Ok((Self { tier: Tier::Confined, refused: Some(refused), directory, programs, reaper: None }, proc));
        }
        let (programs, reaper) = set_up(opened, programs)?;
        let tier = if bounded { Tier::Bounded } else { Tier::Namespaces };
        Ok((Self { tier, refused: None, directory: PathBuf::from("/tmp"), programs, reaper: Some(reaper) }, proc))
    }
}

impl Sandbox {
    /// What programs can do with files, where no mount namespace decides that: nothing outside of their own folder but to read what is in sight with namespaces
    /// too. Shared memory and queues are the machine's.
    pub(crate) fn files_in_reach(&self) -> io::Result<Option<OwnedFd>> {
        let Some(queues) = queues().filter(|_| !self.tier.has_namespaces()) else { return Ok(None) };
        let below = |root: &str, names: &[&str]| -> Vec<PathBuf> { names.iter().map(|name| Path::new(root).join(name)).collect() };
        let read =
            [below("/", &SYSTEM_FOLDERS), below("/etc", &SYSTEM_FILES), below("/etc", &OWN_FILES), below("/", &["proc"]), self.programs.clone()]
                .concat();
        let write = below("/dev", &DEVICES);
        let all = [below("/dev", &["shm"]), vec![queues, self.directory.clone()]].concat();
        let rules = [(read, Access::Read), (write, Access::Write), (all, Access::All)];
        let rules: Vec<(PathBuf, Access)> = rules.into_iter().flat_map(|(paths, access)| paths.into_iter().map(move |path| (path, access))).collect();
        landlock::ruleset(&rules)
    }
}

/// Why the files of the machine are in reach for programs without namespaces; `None` where they are not.
#[must_use]
pub fn files_not_confined() -> Option<&'static str> {
    if landlock::version().is_none() {
        Some("the kernel has no Landlock")
    } else {
        queues()
            .is_none()
            .then_some("with Landlock there would be no POSIX queues, for want of their file system: as root, mount -t mqueue none /dev/mqueue")
    }
}

/// Where the file system of POSIX queues is: Landlock takes opening a queue for opening a file of it.
fn queues() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let place = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let place = fields.next()?;
        (fields.next()? == "mqueue").then(|| PathBuf::from(place))
    };
    mounts.lines().find_map(place)
}

/// Why a process is in no sandbox.
#[derive(Debug)]
pub enum NotEntered {
    /// The system refuses namespaces.
    Refused(Refused),
    /// Something else failed.
    Failed(io::Error),
}

impl From<io::Error> for NotEntered {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refused> for NotEntered {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Where the files of a run without namespaces are, by its supervisor's process id.
#[must_use]
pub fn private_folder(supervisor: process::Pid) -> PathBuf {
    let passable = |folder: &Path| fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 1 == 1);
    let folder = std::env::temp_dir();
    // Another user than root has to come there.
    let folder = if process::is_root() && !folder.ancestors().all(passable) { PathBuf::from("/tmp") } else { folder };
    folder.join(format!("lab-run-{supervisor}"))
}

/// The user that root becomes for a run: one that this user namespace has, or none.
fn outside() -> Option<u32> {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_there = |user: &u32| {
        map.lines().any(|line| {
            let numbers: Vec<u32> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
            matches!(numbers[..], [first, _, count] if *user >= first && user - first < count)
        })
    };
    [FIRST_OUTSIDE + process::own_pid().unsigned_abs(), NOBODY].into_iter().find(is_there)
}

/// Makes the folder of a run without namespaces; as root also copies the programs to where the user that root becomes can reach them, and becomes that user.
/// The working directory, and where the programs are.
fn confine(opened: Vec<File>, programs: &[PathBuf]) -> io::Result<(PathBuf, Vec<PathBuf>)> {
    let folder = private_folder(process::own_pid());
    let directory = folder.join("files");
    fs::create_dir_all(&directory)?;
    let Some(user) = outside().filter(|_| process::is_root()) else { return Ok((directory, programs.to_vec())) };
    let mut copies = Vec::new();
    for (mut file, path) in opened.into_iter().zip(programs) {
        let place = folder.join(copies.len().to_string());
        fs::create_dir(&place)?;
        let place = place.join(path.file_name().unwrap_or_default());
        let mut copy = File::create(&place)?;
        io::copy(&mut file, &mut copy)?;
        copy.set_permissions(fs::Permissions::from_mode(0o755))?;
        copies.push(place);
    }
    std::os::unix::fs::chown(&directory, Some(user), Some(user))?;
    process::become_user(user, user)?;
    Ok((directory, copies))
}

/// The reason not to try namespaces, where the environment asks for it.
#[must_use]
pub fn asked_for_none() -> Option<String> {
    asked_for("none")
}

/// The reason not to make a memory group, where the environment asks for it.
#[must_use]
pub fn asked_for_no_group() -> Option<String> {
    asked_for("namespaces").or_else(asked_for_none)
}

/// Why runs of this process have no memory group, with the mend; `None` where they have one.
#[must_use]
pub fn no_group() -> Option<String> {
    asked_for_no_group().or_else(|| group::Place::look().err().map(|reason| reason.to_string()))
}

fn asked_for(tier: &str) -> Option<String> {
    let asked = std::env::var_os(SANDBOX_VARIABLE).is_some_and(|value| value == tier);
    asked.then(|| format!("asked for by {SANDBOX_VARIABLE}={tier}"))
}

fn open_program(path: &Path) -> io::Result<File> {
    File::open(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// All steps, in their order. On success the process is inside, and the programs are at the paths returned.
fn set_up(opened: Vec<File>, programs: &[PathBuf]) -> Result<(Vec<PathBuf>, process::Pid), Refused> {
    // Programs may lie below /tmp, which the new root is built upon: they are bound aside first.
    let aside = || Ok(programs.iter().map(|path| detached_copy(path)).collect());
    let inside = in_new_root("mode=755,size=64m,nr_inodes=4096", aside, |bound: Vec<Option<OwnedFd>>| add_programs(opened, bound, programs))?;
    let step = |step: &'static str| move |error: io::Error| Refused { step, error };
    // Only the folders for files can be written to from here on.
    namespace::make_only_this_read_only(c"/").map_err(step("make the root read-only"))?;
    namespace::change_directory(c"/tmp").map_err(step("enter /tmp"))?;
    Ok(inside)
}

/// Enters namespaces and a root of their own: a tmpfs with these options, with the system's folders in it. `aside` takes what is needed of the old root, and
/// `fill` puts it into the new one, which is the working directory then. What `fill` returned, and PID 1.
fn in_new_root<Aside, Filled>(
    options: &str,
    aside: impl FnOnce() -> io::Result<Aside>,
    fill: impl FnOnce(Aside) -> io::Result<Filled>,
) -> Result<(Filled, process::Pid), Refused> {
    let step = |step: &'static str| move |error: io::Error| Refused { step, error };
    if process::is_root() {
        // A user namespace takes this limit over for all runs of the user together. Where it cannot be raised, runs at the same time share it.
        let _ = process::unlimit(libc::RLIMIT_MSGQUEUE);
        let user = outside().unwrap_or(NOBODY);
        process::become_user(user, user).map_err(step("become an unprivileged user"))?;
    }
    let (user, group) = process::identity();
    namespace::unshare_all().map_err(step("make namespaces (unshare)"))?;
    fs::write("/proc/self/setgroups", "deny").map_err(step("write /proc/self/setgroups"))?;
    fs::write("/proc/self/uid_map", format!("{INSIDE} {user} 1")).map_err(step("write /proc/self/uid_map"))?;
    fs::write("/proc/self/gid_map", format!("{INSIDE} {group} 1")).map_err(step("write /proc/self/gid_map"))?;
    // No more user namespaces inside this one: they would give programs all capabilities in there. Where the setting cannot be written they stay.
    let _ = fs::write("/proc/sys/user/max_user_namespaces", "0");
    namespace::set_host_name("lab").map_err(step("set the host name"))?;
    namespace::loopback_up().map_err(step("switch the loopback interface on"))?;
    namespace::mount(c"none", c"/", c"", libc::MS_REC | libc::MS_PRIVATE, c"").map_err(step("make mounts private"))?;
    let aside = aside().map_err(step("bind what is needed aside"))?;
    mount_tmpfs(c"/tmp", options).map_err(step("mount a tmpfs"))?;
    namespace::change_directory(c"/tmp").map_err(step("enter the new root"))?;
    populate_root().map_err(step("build the new root"))?;
    let filled = fill(aside).map_err(step("bring in what is needed"))?;
    let reaper = start_reaper().map_err(step("mount /proc in the new PID namespace"))?;
    namespace::pivot_to_working_directory().map_err(step("change the root (pivot_root)"))?;
    Ok((filled, reaper))
}

/// A mount of one file, not yet anywhere; `None` where this user may not reach it or may not execute it.
fn detached_copy(path: &Path) -> Option<OwnedFd> {
    let open_to_us = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o5 == 0o5);
    let mount = if open_to_us { namespace::open_tree(&c_path(path).ok()?).ok()? } else { return None };
    namespace::make_detached_read_only(mount.as_fd()).ok()?;
    Some(mount)
}

fn mount_tmpfs(target: &CStr, options: &str) -> io::Result<()> {
    namespace::mount(c"tmpfs", target, c"tmpfs", libc::MS_NOSUID | libc::MS_NODEV, &CString::new(options)?)
}

fn bind(source: &Path, target: &Path) -> io::Result<()> {
    namespace::mount(&c_path(source)?, &c_path(target)?, c"", libc::MS_BIND | libc::MS_REC, c"")
}

/// Fills the working directory, which becomes the root.
fn populate_root() -> io::Result<()> {
    for folder in SYSTEM_FOLDERS {
        let original = Path::new("/").join(folder);
        match fs::symlink_metadata(&original) {
            Ok(metadata) if metadata.is_symlink() => std::os::unix::fs::symlink(fs::read_link(&original)?, folder)?,
            Ok(metadata) if metadata.is_dir() => {
                fs::create_dir(folder)?;
                bind(&original, Path::new(folder))?;
                namespace::make_read_only(&c_path(Path::new(folder))?)?;
            }
            _ => {}
        }
    }
    fs::create_dir("etc")?;
    for file in SYSTEM_FILES {
        let original = Path::new("/etc").join(file);
        let target = Path::new("etc").join(file);
        match fs::metadata(&original) {
            Ok(metadata) if metadata.is_dir() => fs::create_dir(&target)?,
            Ok(_) => fs::write(&target, "")?,
            Err(_) => continue,
        }
        bind(&original, &target)?;
    }
    fs::write("etc/passwd", format!("student:x:{INSIDE}:{INSIDE}::/tmp:/bin/sh\n"))?;
    fs::write("etc/group", format!("student:x:{INSIDE}:\n"))?;
    fs::write("etc/hosts", "127.0.0.1 localhost lab\n")?;
    fs::create_dir("dev")?;
    for device in DEVICES {
        let target = Path::new("dev").join(device);
        fs::write(&target, "")?;
        bind(&Path::new("/dev").join(device), &target)?;
    }
    std::os::unix::fs::symlink("/proc/self/fd", "dev/fd")?;
    for folder in ["dev/shm", "dev/mqueue", "proc", "tmp", "lab"] {
        fs::create_dir(folder)?;
    }
    mount_tmpfs(c"dev/shm", "mode=1777,size=64m,nr_inodes=1024")?;
    mount_tmpfs(c"tmp", "mode=1777,size=256m,nr_inodes=16384")?;
    namespace::mount(c"mqueue", c"dev/mqueue", c"mqueue", libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC, c"")
}

fn add_programs(opened: Vec<File>, bound: Vec<Option<OwnedFd>>, programs: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut places = Vec::new();
    for ((mut file, mount), path) in opened.into_iter().zip(bound).zip(programs) {
        let folder = Path::new("lab").join(places.len().to_string());
        fs::create_dir(&folder)?;
        let target = folder.join(path.file_name().unwrap_or_default());
        let mut place = File::create(&target)?;
        if let Some(mount) = mount {
            namespace::move_mount(mount.as_fd(), &c_path(&target)?)?;
        } else {
            io::copy(&mut file, &mut place)?;
            place.set_permissions(fs::Permissions::from_mode(0o755))?;
        }
        places.push(Path::new("/").join(target));
    }
    Ok(places)
}

/// Forks PID 1: it mounts `/proc` (which only a process inside the PID namespace can), and then waits for orphans for ever.
fn start_reaper() -> io::Result<process::Pid> {
    let (ready, write) = descriptor::pipe()?;
    let Some(reaper) = process::fork()? else {
        let _ = process::die_with_parent();
        let mounted = namespace::mount(c"proc", c"proc", c"proc", libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC, c"");
        let errno = mounted.err().and_then(|error| error.raw_os_error()).unwrap_or(0);
        let _ = descriptor::write(write.as_fd(), &errno.to_ne_bytes());
        drop(write);
        process::become_faceless();
        reap_for_ever();
    };
    drop(write);
    let mut answer = [0; 4];
    if descriptor::read(ready.as_fd(), &mut answer)? != 4 {
        return Err(io::Error::other("PID 1 ended"));
    }
    match i32::from_ne_bytes(answer) {
        0 => Ok(reaper),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn reap_for_ever() -> ! {
    process::close_everything();
    process::block_signals();
    process::ignore_children();
    loop {
        process::wait_for_signal();
    }
}
