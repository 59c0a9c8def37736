//! Walking around in a network: a shell or a command on one of its hosts, and commands on the others from there.
//!
//! Theory of operation: three processes. The one that was called waits. Its child enters namespaces (user, unless it is root anyway; mount, network, UTS and
//! PID), and waits. That one's child is PID 1 there: it mounts `/proc`, builds the network and starts the command on its host. When the command ends, PID 1 ends,
//! and the kernel ends all that was started in the network, wherever it is. [`enter`] is how a command gets to another host: PID 1 holds the namespaces, and the
//! environment says by which descriptors.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::{self, Network};
use super::topology::Topology;
use crate::kernel::descriptor::{self, c_path};
use crate::kernel::process::{self, Change, Waited};
use crate::kernel::{named, namespace};
use crate::sandbox::Refused;

/// The environment variable that says where the namespaces are: `NAME=DESCRIPTOR` of PID 1, separated by spaces.
pub const VARIABLE: &str = "LAB_NETWORK";

/// Why there is no walk.
#[derive(Debug)]
pub enum NoWalk {
    /// The system refuses a step; the text has the mend.
    Refused(String),
    /// The command cannot be started.
    Command(io::Error),
    /// Something else failed.
    Failed(io::Error),
}

impl From<io::Error> for NoWalk {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for NoWalk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) => f.write_str(text),
            Self::Command(error) => write!(f, "failed to start the command: {error}"),
            Self::Failed(error) => write!(f, "failed to build the network: {error}"),
        }
    }
}

fn refused(step: &'static str) -> impl FnOnce(io::Error) -> NoWalk {
    move |error| NoWalk::Refused(Refused { step, error }.to_string())
}

/// How a command in the network ended, as the process that stands for it exits: its own status, or 128 and the signal.
const SHELLS_OFFSET: i32 = 128;

/// Builds the network, runs the command on the host, and takes the network down. `greet` is called once it is up. The caller has one thread.
///
/// Returns the command's exit status, 128 + S where signal S ended it, or what went wrong, as [`NoWalk`] tells it.
///
/// # Errors
/// What the system refuses, and a command that cannot be started.
pub fn walk(topology: Topology, host: &str, command: &[String], greet: impl FnOnce()) -> Result<i32, NoWalk> {
    let folder = std::env::temp_dir().join(format!("lab-network-{}", process::own_pid()));
    fs::create_dir(&folder).map_err(|error| named(&folder.display().to_string(), &error))?;
    let result = walk_with(&folder, topology, host, command, greet);
    // Nothing was written below it but what went with the mount namespace.
    let _ = fs::remove_dir(&folder);
    result
}

fn walk_with(folder: &Path, topology: Topology, host: &str, command: &[String], greet: impl FnOnce()) -> Result<i32, NoWalk> {
    process::outlive_the_terminals_signals()?;
    let (problem, tell) = descriptor::pipe()?;
    let Some(child) = process::fork()? else {
        drop(problem);
        let told = |result: Result<i32, NoWalk>| {
            result.unwrap_or_else(|no_walk| {
                let kind = match no_walk {
                    NoWalk::Refused(_) => 'r',
                    NoWalk::Command(_) => 'c',
                    NoWalk::Failed(_) => 'f',
                };
                // Who cannot be told sees the exit status.
                let _ = descriptor::write(tell.as_fd(), format!("{kind}{no_walk}").as_bytes());
                1
            })
        };
        let status = told((|| {
            process::die_with_parent()?;
            enter_namespaces()?;
            match process::fork()? {
                Some(init) => status_of(init),
                None => {
                    process::die_with_parent()?;
                    // Nothing that is open here is of use to the command, and it could keep a terminal or a pipe of somebody's open.
                    process::exit_now(told(as_init(folder, topology, host, command, greet)))
                }
            }
        })());
        process::exit_now(status)
    };
    drop(tell);
    let status = status_of(child)?;
    let mut text = String::new();
    io::Read::read_to_string(&mut fs::File::from(problem), &mut text)?;
    let mut characters = text.chars();
    match characters.next() {
        None => Ok(status),
        Some('r') => Err(NoWalk::Refused(characters.collect())),
        Some('c') => Err(NoWalk::Command(io::Error::other(characters.as_str().trim_start_matches("failed to start the command: ").to_owned()))),
        Some(_) => Err(NoWalk::Failed(io::Error::other(characters.as_str().trim_start_matches("failed to build the network: ").to_owned()))),
    }
}

/// Waits for the end of a child; what else ends meanwhile is reaped.
fn status_of(child: process::Pid) -> Result<i32, NoWalk> {
    loop {
        match process::wait(-1, true)? {
            Waited::Change(pid, Change::Exited(status)) if pid == child => return Ok(status),
            Waited::Change(pid, Change::Killed(signal)) if pid == child => return Ok(SHELLS_OFFSET + signal),
            Waited::NoChild => return Err(NoWalk::Failed(io::Error::other("a child that nobody waited for is gone"))),
            _ => {}
        }
    }
}

fn enter_namespaces() -> Result<(), NoWalk> {
    if process::is_root() && namespace::unshare_for_network(false).is_ok() {
        return Ok(());
    }
    let (user, group) = process::identity();
    namespace::unshare_for_network(true).map_err(refused("make namespaces (unshare)"))?;
    fs::write("/proc/self/setgroups", "deny").map_err(refused("write /proc/self/setgroups"))?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1")).map_err(refused("write /proc/self/uid_map"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1")).map_err(refused("write /proc/self/gid_map"))
}

/// The life of PID 1.
fn as_init(folder: &Path, topology: Topology, host: &str, command: &[String], greet: impl FnOnce()) -> Result<i32, NoWalk> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    namespace::mount(c"none", c"/", c"", libc::MS_REC | libc::MS_PRIVATE, c"").map_err(refused("make mounts private"))?;
    namespace::mount(c"proc", c"/proc", c"proc", flags | libc::MS_NOEXEC, c"").map_err(refused("mount /proc in the new PID namespace"))?;
    namespace::mount(c"tmpfs", &c_path(folder)?, c"tmpfs", flags, c"mode=755,size=1m").map_err(refused("mount a tmpfs"))?;
    namespace::set_host_name(host).map_err(refused("set the host name"))?;
    let names = folder.join("hosts");
    fs::write(&names, build::hosts(&topology))?;
    if Path::new("/etc/hosts").exists() {
        namespace::mount(&c_path(&names)?, c"/etc/hosts", c"", libc::MS_BIND, c"").map_err(refused("bind /etc/hosts"))?;
    }
    write_script(&folder.join("on"))?;
    let network = Network::build(topology).map_err(|refused| NoWalk::Refused(refused.to_string()))?;
    let place = network.namespace(host).ok_or_else(|| NoWalk::Failed(io::Error::other(format!("there is no host {host}"))))?;
    let pairs = network.topology().nodes.iter().zip(network.namespaces());
    let where_they_are: Vec<String> = pairs.map(|(node, namespace)| format!("{}={}", node.name, namespace.as_raw_fd())).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&path));
    let mut to_start = Command::new(&command[0]);
    to_start.args(&command[1..]).env(VARIABLE, where_they_are.join(" "));
    to_start.env("PATH", std::env::join_paths(paths).unwrap_or(path));
    greet();
    let started = network.inside(place, || to_start.spawn())?.map_err(|error| NoWalk::Command(named(&command[0], &error)))?;
    status_of(started.id().cast_signed())
}

/// `on`: what a shell on one host has to reach another.
fn write_script(path: &Path) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let quoted = program.to_string_lossy().replace('\'', "'\\''");
    fs::write(path, format!("#!/bin/sh\nexec '{quoted}' network on \"$@\"\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Goes to another host of the network that this process is in.
///
/// # Errors
/// A text that says why not: this process is in no such network, or there is no such host.
pub fn enter(host: &str) -> Result<(), String> {
    let known = std::env::var(VARIABLE).map_err(|_| "this is no network of `cargo lab network up`; start one first".to_owned())?;
    let places: Vec<(&str, &str)> = known.split(' ').filter_map(|pair| pair.split_once('=')).collect();
    let names: Vec<&str> = places.iter().map(|(name, _)| *name).collect();
    let (_, number) = places
        .iter()
        .find(|(name, _)| *name == host)
        .ok_or_else(|| format!("there is no host or router `{host}`{}", crate::manifest::did_you_mean(host, &names)))?;
    let path = PathBuf::from(format!("/proc/1/fd/{number}"));
    let go = || namespace::enter_network(fs::File::open(&path)?.as_fd());
    go().map_err(|error: io::Error| format!("failed to go to {host}: {error}; `on` works inside `cargo lab network up` only"))
}
