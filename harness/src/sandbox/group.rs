//! The memory group of a run: a control group that bounds what all processes of the run have in memory together, whatever kind of memory it is.
//!
//! Theory of operation: [`Place::find`] looks where this process may make groups (cgroups(7)): below its own group of version 1's memory hierarchy, or, in
//! version 2, in a subtree that was delegated to this user. [`Group::make`] makes one for a run and writes its limits; the supervisor puts each program into
//! it before that executes, so that neither the supervisor's memory nor the check's counts. The kernel kills a process where the group has no more, and the
//! group's counters tell that from the machine's own want of memory. Whoever made a group removes it after the run.
//!
//! A group is locked (flock(2)) for as long as its maker or its supervisor lives: one that can be locked is left over from a run that was killed, and the next
//! run removes it. Process ids would not do, since whoever shares the folder may have other ones.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::kernel::descriptor;
use crate::kernel::process::{self, Pid};

/// How the names of runs' groups begin.
const BEGINNING: &str = "lab-run-";
/// The group into which a delegated group's own processes go, since in version 2 a group with processes cannot have groups with limits below it.
const OWN: &str = "lab-own";
/// How many bytes may be left where a group is at its limit: what was wanted is not always one page.
const NEARLY: u64 = 4 << 20;
/// How many names are tried for a group before it is given up.
const MOST_NAMES: usize = 1000;
/// How often processes are moved before a group that is never empty is given up.
const ROUNDS: usize = 50;

/// The version of the control groups that have the memory controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A folder in which groups with a limit of memory can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
    version: Version,
}

/// Why no memory group can be made here, with the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoGroup(String);

impl fmt::Display for NoGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NoGroup {
    fn new(reason: impl fmt::Display) -> Self {
        let user = if process::is_root() { "" } else { "--user " };
        Self(format!(
            "{reason}; where systemd runs version 2 of the control groups, start the command with: systemd-run {user}--scope -p Delegate=yes"
        ))
    }
}

impl Place {
    /// Where this process may make groups, made ready: what earlier runs left there is removed, and in version 2 the processes of the delegated group are moved
    /// into one of their own.
    ///
    /// # Errors
    /// Why there is no such place.
    pub fn find() -> Result<Self, NoGroup> {
        let place = Self::look()?;
        place.make_ready().map_err(|error| NoGroup::new(format!("{} cannot be used: {error}", place.folder.display())))?;
        place.remove_stale();
        Ok(place)
    }

    /// The same without changing anything, to say what is missing.
    ///
    /// # Errors
    /// Why there is no such place.
    pub fn look() -> Result<Self, NoGroup> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self::of(&own, &mounts, is_delegated)
    }

    /// The folder that groups are made in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The place of a process with these files `cgroup` and `mountinfo` (proc(5)).
    fn of(own: &str, mounts: &str, is_delegated: impl Fn(&Path) -> bool) -> Result<Self, NoGroup> {
        let mut lines = own.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            Some((fields.next()?, fields.next()?))
        });
        if let Some((_, path)) = lines.clone().find(|(controllers, _)| controllers.split(',').any(|name| name == "memory")) {
            let folder = mounted_at(mounts, path, |kind, options| kind == "cgroup" && options.split(',').any(|option| option == "memory"));
            let folder = folder.ok_or_else(|| NoGroup::new("the memory hierarchy of the control groups is not mounted"))?;
            return if descriptor::may_write(&folder) {
                Ok(Self { folder, version: Version::One })
            } else {
                Err(NoGroup::new(
                    "the memory hierarchy of the control groups (version 1) cannot be written to: it is root's alone, and containers have it read-only",
                ))
            };
        }
        let (_, path) = lines.find(|(controllers, _)| controllers.is_empty()).ok_or_else(|| NoGroup::new("the kernel has no control groups"))?;
        let own = mounted_at(mounts, path, |kind, _| kind == "cgroup2").ok_or_else(|| NoGroup::new("the control groups are not mounted"))?;
        let folder = if own.ends_with(OWN) { own.parent().unwrap_or(&own).to_path_buf() } else { own.clone() };
        if !has_memory(&folder.join("cgroup.controllers")) {
            return Err(NoGroup::new("this process's control group has no memory controller"));
        }
        let writable = [folder.clone(), folder.join("cgroup.procs"), folder.join("cgroup.subtree_control")];
        if !writable.iter().all(|path| descriptor::may_write(path)) {
            return Err(NoGroup::new("this process's control group cannot be written to"));
        }
        // Who owns a group may still not be the one who arranges it: systemd does, unless it was asked to delegate it. A container's own root is the container's.
        let arranged = has_memory(&folder.join("cgroup.subtree_control")) || own != folder;
        if arranged || path == "/" || is_delegated(&folder) {
            Ok(Self { folder, version: Version::Two })
        } else {
            Err(NoGroup::new("this process's control group is not delegated"))
        }
    }

    /// Version 2: groups below get the memory controller, for which the group itself must have no processes.
    fn make_ready(&self) -> io::Result<()> {
        let control = self.folder.join("cgroup.subtree_control");
        if self.version == Version::One || has_memory(&control) {
            return Ok(());
        }
        let own = self.folder.join(OWN);
        make_folder(&own)?;
        let mut last = Ok(());
        for _ in 0..ROUNDS {
            for pid in fs::read_to_string(self.folder.join("cgroup.procs"))?.lines() {
                // It may have ended meanwhile.
                let _ = write_to(&own.join("cgroup.procs"), pid);
            }
            last = write_to(&control, "+memory");
            match &last {
                // Others start processes at the same time.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                _ => return last,
            }
        }
        last
    }

    /// Removes the groups of runs that were killed with everything that could have removed them.
    fn remove_stale(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(BEGINNING)
                && File::open(entry.path()).is_ok_and(|folder| descriptor::lock(folder.as_fd()).is_ok())
            {
                // Where processes of it are only just ending the next run does it.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

/// The memory group of one run. It is removed when this is dropped.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
    version: Version,
    /// The folder, open and locked.
    _lock: File,
    members: File,
    counters: Vec<File>,
    bytes: u64,
}

/// What a group's counters say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Nobody was refused any.
    Enough,
    /// The run came to its own limit.
    Limit,
    /// The machine, or a group above, had no more.
    Machine,
}

impl Group {
    /// A group that may have so many bytes.
    ///
    /// # Errors
    /// What the kernel refused; nothing of the group is left then.
    pub fn make(place: &Place, bytes: u64) -> io::Result<Self> {
        let mut number = 0;
        loop {
            let folder = place.folder.join(format!("{BEGINNING}{}-{number}", process::own_pid()));
            number += 1;
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let lock = File::open(&folder);
            match lock.and_then(|lock| descriptor::lock(lock.as_fd()).map(|()| lock)) {
                // Another run has taken it for a left-over one, and removes it.
                Err(_) if number < MOST_NAMES => {}
                lock => match Self::set_up(place.version, &folder, bytes, lock?) {
                    // As above, a moment before.
                    Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() && number < MOST_NAMES => {}
                    Err(error) => {
                        let _ = fs::remove_dir(&folder);
                        return Err(error);
                    }
                    made => return made,
                },
            }
        }
    }

    fn set_up(version: Version, folder: &Path, bytes: u64, lock: File) -> io::Result<Self> {
        let at = |name: &str| folder.join(name);
        let counters: &[&str] = match version {
            Version::One => {
                write_to(&at("memory.limit_in_bytes"), &bytes.to_string())?;
                // What is in memory and what is on a disk together; where the kernel does not count that, nothing of the group goes to a disk by itself.
                if write_to(&at("memory.memsw.limit_in_bytes"), &bytes.to_string()).is_err() {
                    let _ = write_to(&at("memory.swappiness"), "0");
                }
                // Not memory.failcnt: Linux 6.18 leaves it at 0.
                &["memory.oom_control", "memory.max_usage_in_bytes"]
            }
            Version::Two => {
                write_to(&at("memory.max"), &bytes.to_string())?;
                // A kernel without swapping does not have the one, an old one not the other: then all the run's processes do not go at once.
                let _ = write_to(&at("memory.swap.max"), "0");
                let _ = write_to(&at("memory.oom.group"), "1");
                &["memory.events"]
            }
        };
        let open = |name: &&str| File::open(at(name));
        let members = File::options().write(true).open(at(if version == Version::One { "tasks" } else { "cgroup.procs" }))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            version,
            _lock: lock,
            members,
            counters: counters.iter().map(open).collect::<io::Result<_>>()?,
            bytes,
        })
    }

    /// Version 1: the file with which a process of one thread puts itself into the group ([`process::Launch::group`]). That takes some 30 microseconds; another
    /// process that is put into one waits for a grace period of the kernel's, some 10 ms. Version 2 does not have that way in for memory.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn entrance(&self) -> io::Result<Option<OwnedFd>> {
        (self.version == Version::One).then(|| Ok(self.members.try_clone()?.into())).transpose()
    }

    /// Puts a process into the group that has not done so itself. The files were opened when the group was made, and the kernel asks what the user of that moment may do.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn take_in(&self, pid: Pid) -> io::Result<()> {
        match self.version {
            Version::One => Ok(()),
            Version::Two => (&self.members).write_all(pid.to_string().as_bytes()),
        }
    }

    /// What the counters say now.
    ///
    /// # Errors
    /// Counters that cannot be read.
    pub fn memory(&self) -> io::Result<Memory> {
        let texts: Vec<String> = self
            .counters
            .iter()
            .map(|file| Ok(String::from_utf8_lossy(&descriptor::read_records(file.as_fd())?).into_owned()))
            .collect::<io::Result<_>>()?;
        Ok(match self.version {
            // A process of the group was killed, and the group had come to its own limit, or not.
            Version::One if counter(&texts[0], "oom_kill") == 0 => Memory::Enough,
            Version::One if texts[1].trim().parse::<u64>().is_ok_and(|most| most + NEARLY >= self.bytes) => Memory::Limit,
            Version::Two if counter(&texts[0], "oom") != 0 => Memory::Limit,
            Version::Two if counter(&texts[0], "oom_kill") == 0 => Memory::Enough,
            _ => Memory::Machine,
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // One in which a process is only just ending is removed by the next run.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The value of a line `NAME VALUE`; 0 where there is none.
fn counter(text: &str, name: &str) -> u64 {
    text.lines().filter_map(|line| line.split_once(' ')).find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

/// Whether a file that lists controllers lists that of memory.
fn has_memory(list: &Path) -> bool {
    fs::read_to_string(list).is_ok_and(|text| text.split_whitespace().any(|name| name == "memory"))
}

/// systemd marks the groups that it leaves to somebody else.
fn is_delegated(folder: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| descriptor::attribute(folder, name).is_ok_and(|value| value == b"1"))
}

/// Where a group's folder is, by the first file system of the control groups that is wanted; `mountinfo` of proc(5).
fn mounted_at(mounts: &str, path: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let below = Path::new(path).strip_prefix(root).ok().filter(|_| wanted(kind, options))?;
        // Folders above the mount's own are not in sight.
        (!path.contains("/..")).then(|| Path::new(&point.replace("\\040", " ")).join(below))
    })
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Writes to a file of the kernel's that is there.
fn write_to(path: &Path, text: &str) -> io::Result<()> {
    File::options().write(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder for one test, with these files; it is removed when this is dropped.
    struct Fake(PathBuf);

    impl Fake {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let folder = std::env::temp_dir().join(format!("group-{}-{name}", process::own_pid()));
            let fake = Self(folder);
            files.iter().for_each(|(path, text)| fake.put(path, text));
            fake
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn text(&self, path: &str) -> String {
            fs::read_to_string(self.0.join(path)).unwrap()
        }

        /// Lines of `mountinfo`: something else, and the hierarchy at this folder.
        fn mounts(&self, root: &str, kind: &str, options: &str) -> String {
            format!(
                "24 29 0:22 / /proc rw shared:13 - proc proc rw\n30 29 0:26 {root} {} rw,relatime shared:4 - {kind} {kind} {options}\n",
                self.0.display()
            )
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn delegated(folder: &str) -> [(String, &'static str); 3] {
        let file = |name: &str| format!("{folder}/{name}");
        [(file("cgroup.controllers"), "cpu memory pids\n"), (file("cgroup.procs"), "12\n13\n"), (file("cgroup.subtree_control"), "")]
    }

    fn reason(place: Result<Place, NoGroup>) -> String {
        place.unwrap_err().to_string()
    }

    #[test]
    fn version_1_has_a_hierarchy_for_memory() {
        let fake = Fake::new("one", &[("a/b/cgroup.procs", ""), ("b/cgroup.procs", "")]);
        let own = "9:name=systemd:/x\n4:cpu,memory:/a/b\n0::/z\n";
        let place = Place::of(own, &fake.mounts("/", "cgroup", "rw,cpu,memory"), |_| false).unwrap();
        assert_eq!(place, Place { folder: fake.0.join("a/b"), version: Version::One });
        // A container sees its own part.
        let place = Place::of(own, &fake.mounts("/a", "cgroup", "rw,memory"), |_| false).unwrap();
        assert_eq!(place.folder, fake.0.join("b"));
        assert!(reason(Place::of(own, &fake.mounts("/", "cgroup", "rw,cpu"), |_| false)).contains("is not mounted"));
        assert!(reason(Place::of(own, &fake.mounts("/", "cgroup2", "rw"), |_| false)).contains("is not mounted"));
    }

    #[test]
    fn version_2_needs_a_subtree_that_was_delegated() {
        let files = delegated("user/scope");
        let fake = Fake::new("two", &files.each_ref().map(|(path, text)| (&**path, *text)));
        let mounts = fake.mounts("/", "cgroup2", "rw,nsdelegate");
        let of = |own: &str, is_delegated: bool| Place::of(own, &mounts, |_| is_delegated);
        let place = Place { folder: fake.0.join("user/scope"), version: Version::Two };
        assert_eq!(of("0::/user/scope\n", true), Ok(place.clone()));
        let reason = reason(of("0::/user/scope\n", false));
        assert!(reason.starts_with("this process's control group is not delegated; ") && reason.contains("--scope -p Delegate=yes"), "{reason}");
        // Another process was there before: it has moved this one with the others.
        assert_eq!(of("0::/user/scope/lab-own\n", false), Ok(place.clone()));
        assert!(of("0::/nowhere\n", true).is_err());
        assert!(of("0::/../scope\n", true).is_err());
        fake.put("user/scope/cgroup.controllers", "cpu pids\n");
        assert!(self::reason(of("0::/user/scope\n", true)).contains("has no memory controller"));
        assert!(self::reason(Place::of("", &mounts, |_| true)).contains("the kernel has no control groups"));
    }

    #[test]
    fn a_delegated_groups_own_processes_go_into_one_of_their_own() {
        let files = delegated("scope");
        let fake = Fake::new("ready", &files.each_ref().map(|(path, text)| (&**path, *text)));
        fake.put("scope/lab-own/cgroup.procs", "");
        let place = Place { folder: fake.0.join("scope"), version: Version::Two };
        place.make_ready().unwrap();
        // The kernel takes one process with each write; a file has them one over the other.
        assert_eq!((fake.text("scope/lab-own/cgroup.procs"), fake.text("scope/cgroup.subtree_control")), ("13".into(), "+memory".into()));
        // Once it is so, nobody is moved.
        fake.put("scope/cgroup.subtree_control", "memory\n");
        fake.put("scope/lab-own/cgroup.procs", "");
        place.make_ready().unwrap();
        assert_eq!(fake.text("scope/lab-own/cgroup.procs"), "");
    }

    #[test]
    fn a_group_of_version_2_has_its_limits_and_its_counters() {
        let events = |oom: u32, kill: u32| format!("low 0\nhigh 0\nmax {kill}\noom {oom}\noom_kill {kill}\noom_group_kill 0\n");
        let files = [
            ("g/memory.max", "max"),
            ("g/memory.swap.max", "max"),
            ("g/memory.oom.group", "0"),
            ("g/cgroup.procs", ""),
            ("g/memory.events", &events(0, 0)),
        ];
        let fake = Fake::new("counters", &files);
        let group = Group::set_up(Version::Two, &fake.0.join("g"), 1 << 30, File::open(fake.0.join("g")).unwrap()).unwrap();
        assert_eq!(
            (fake.text("g/memory.max"), fake.text("g/memory.swap.max"), fake.text("g/memory.oom.group")),
            ("1073741824".into(), "0ax".into(), "1".into())
        );
        assert!(group.entrance().unwrap().is_none());
        group.take_in(4711).unwrap();
        assert_eq!(fake.text("g/cgroup.procs"), "4711");
        for (oom, kill, memory) in [(0, 0, Memory::Enough), (1, 1, Memory::Limit), (1, 0, Memory::Limit), (0, 1, Memory::Machine)] {
            fake.put("g/memory.events", &events(oom, kill));
            assert_eq!(group.memory().unwrap(), memory, "oom {oom}, oom_kill {kill}");
        }
    }

    #[test]
    fn a_group_of_version_1_has_its_limits_and_its_counters() {
        let control = |kill: u32| format!("oom_kill_disable 0\nunder_oom 0\noom_kill {kill}\n");
        let files =
            [("g/memory.limit_in_bytes", "0"), ("g/tasks", ""), ("g/memory.oom_control", &control(0)), ("g/memory.max_usage_in_bytes", "0\n")];
        let fake = Fake::new("counters1", &files);
        // No kernel of these counts swap; only what is there is written to.
        let group = Group::set_up(Version::One, &fake.0.join("g"), 1 << 30, File::open(fake.0.join("g")).unwrap()).unwrap();
        assert_eq!(fake.text("g/memory.limit_in_bytes"), "1073741824");
        // The process itself writes there.
        assert!(group.entrance().unwrap().is_some());
        group.take_in(4711).unwrap();
        assert_eq!(fake.text("g/tasks"), "");
        let (all, half) = ("1073737728\n", "536870912\n");
        for (most, kill, memory) in [(half, 0, Memory::Enough), (all, 1, Memory::Limit), (all, 0, Memory::Enough), (half, 1, Memory::Machine)] {
            fake.put("g/memory.oom_control", &control(kill));
            fake.put("g/memory.max_usage_in_bytes", most);
            assert_eq!(group.memory().unwrap(), memory, "at most {most}, oom_kill {kill}");
        }
    }

    #[test]
    fn a_group_that_is_locked_is_in_use() {
        let fake = Fake::new("locked", &[]);
        let place = Place { folder: fake.0.clone(), version: Version::One };
        [0, 1].iter().for_each(|number| fs::create_dir_all(fake.0.join(format!("lab-run-1-{number}"))).unwrap());
        fs::create_dir(fake.0.join("another")).unwrap();
        let lock = File::open(fake.0.join("lab-run-1-1")).unwrap();
        descriptor::lock(lock.as_fd()).unwrap();
        place.remove_stale();
        let names = || {
            fs::read_dir(&fake.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names().into_iter().collect::<Vec<_>>(), ["another", "lab-run-1-1"]);
        drop(lock);
        place.remove_stale();
        assert_eq!(names().into_iter().collect::<Vec<_>>(), ["another"]);
    }

    #[test]
    fn a_group_whose_limit_cannot_be_written_is_none() {
        let fake = Fake::new("none", &[("g/tasks", "")]);
        assert!(Group::set_up(Version::One, &fake.0.join("g"), 1 << 30, File::open(fake.0.join("g")).unwrap()).is_err());
        // In a folder that is no control group nothing is left of the attempt.
        let place = Place { folder: fake.0.clone(), version: Version::Two };
        assert!(Group::make(&place, 1 << 30).is_err());
        assert_eq!(fs::read_dir(&fake.0).unwrap().count(), 1);
    }
}
