//! What a batch could leave on the machine: processes, mounts, IPC objects, control groups.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The machine before a batch.
pub struct Audit {
    mounts: String,
    objects: BTreeSet<String>,
    groups: BTreeSet<PathBuf>,
    descriptors: BTreeSet<String>,
}

impl Audit {
    /// Looks at the machine, and takes in every process that loses its parent from now on: none can hide.
    pub fn before() -> Self {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
        Self { mounts: mounts(), objects: objects(), groups: groups(), descriptors: descriptors() }
    }

    /// What is there now and was not before.
    pub fn left_behind(&self) -> Vec<String> {
        let mut left: Vec<String> = children().into_iter().map(|process| format!("a process is left: {process}")).collect();
        if mounts() != self.mounts {
            left.push(format!("mounts are left: {}", mounts()));
        }
        left.extend(objects().difference(&self.objects).map(|object| format!("an object is left: {object}")));
        left.extend(groups().difference(&self.groups).map(|group| format!("a control group is left: {}", group.display())));
        left.extend(descriptors().difference(&self.descriptors).map(|descriptor| format!("a descriptor is left open: {descriptor}")));
        left
    }
}

/// The control groups of runs, of all hierarchies, that nobody holds: others run labs on the machine at the same time, and have theirs locked.
fn groups() -> BTreeSet<PathBuf> {
    let mut left = unlocked_groups();
    // Whoever makes or removes one has it unlocked for a moment; one that is left stays. Looking is all that is waited for.
    for _ in 0..200 {
        if left.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        let still = unlocked_groups();
        left.retain(|group| still.contains(group));
    }
    left
}

fn unlocked_groups() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink())
        {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lab-run-")) {
                found.insert(path.clone());
            }
            open.push(path);
        }
    }
    // A line of it: `1: FLOCK  ADVISORY  WRITE 4711 00:20:99 0 EOF`.
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let is_locked = |path: &PathBuf| fs::metadata(path).is_ok_and(|metadata| locks.contains(&format!(":{} 0 EOF", metadata.ino())));
    found.retain(|path| !is_locked(path) && path.exists());
    found
}

/// What the descriptors of this process refer to: all of a batch's work is done by its children, and what they leave here would be an output of theirs.
fn descriptors() -> BTreeSet<String> {
    let links = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    // The folder itself is open while it is read.
    links.map(|link| link.to_string_lossy().into_owned()).filter(|link| !link.starts_with("/proc/")).collect()
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

/// The children of this process, zombies included.
fn children() -> Vec<String> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let stat = |pid: &String| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    processes
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|pid| stat(&pid))
        .filter(|stat| {
            // A zombie is nothing but its status, which this process has not asked for.
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().take(2).collect();
            fields.get(1) == Some(&&*own) && fields[0] != "Z"
        })
        .collect()
}

/// Objects that only the hostile programs make, and groups that only a sandbox makes.
fn objects() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for table in ["shm", "sem", "msg"] {
        let text = fs::read_to_string(Path::new("/proc/sysvipc").join(table)).unwrap_or_default();
        let of_ours = |line: &&str| line.split_whitespace().next().and_then(|key| key.parse::<i64>().ok()).is_some_and(|key| key >> 16 == 0x686f);
        found.extend(text.lines().filter(of_ours).map(|line| format!("{table} {line}")));
    }
    for folder in ["/dev/shm", "/dev/mqueue"] {
        let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        found.extend(
            names.filter(|name| ["hostile", "big", "d0"].iter().any(|beginning| name.starts_with(beginning))).map(|name| format!("{folder}/{name}")),
        );
    }
    found
}
