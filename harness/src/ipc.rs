//! What is left behind: System V objects, POSIX queues and shared memory, FIFOs, socket paths and files.
//!
//! In namespaces of its own everything that a run finds there is the run's. Without them only what appeared during the run counts.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::kernel::ipc;
use crate::procfs::Proc;

/// Something that outlives the processes that made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leftover {
    /// A System V shared-memory segment, with its id.
    Segment(i32),
    /// A System V semaphore set, with its id.
    SemaphoreSet(i32),
    /// A System V message queue, with its id.
    MessageQueue(i32),
    /// A POSIX message queue, by its name.
    Queue(String),
    /// A POSIX shared-memory object or named semaphore, by its name below `/dev/shm`.
    SharedMemory(String),
    /// A FIFO, by its path.
    Fifo(String),
    /// A Unix socket, by its path.
    Socket(String),
    /// A regular file, by its path.
    File(String),
}

impl std::fmt::Display for Leftover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Segment(_) => f.write_str("a System V shared-memory segment"),
            Self::SemaphoreSet(_) => f.write_str("a System V semaphore set"),
            Self::MessageQueue(_) => f.write_str("a System V message queue"),
            Self::Queue(name) => write!(f, "the POSIX queue {name}"),
            Self::SharedMemory(name) => write!(f, "the shared-memory object /{name}"),
            Self::Fifo(path) => write!(f, "the FIFO {path}"),
            Self::Socket(path) => write!(f, "the socket {path}"),
            Self::File(path) => write!(f, "the file {path}"),
        }
    }
}

/// All that is there now. `directory` is the run's own directory for files.
#[must_use]
pub fn present(proc: &Proc, directory: &Path) -> BTreeSet<Leftover> {
    let mut found = objects(proc);
    files(directory, directory, &mut found);
    found
}

/// The same without files.
#[must_use]
pub fn objects(proc: &Proc) -> BTreeSet<Leftover> {
    let mut found = BTreeSet::new();
    let mut system_v = |table: &str, wrap: fn(i32) -> Leftover| {
        let text = proc.file(&format!("sysvipc/{table}")).unwrap_or_default();
        // The second column is the id.
        found.extend(text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).map(wrap));
    };
    system_v("shm", Leftover::Segment);
    system_v("sem", Leftover::SemaphoreSet);
    system_v("msg", Leftover::MessageQueue);
    found.extend(names(Path::new("/dev/mqueue")).map(|name| Leftover::Queue(format!("/{name}"))));
    found.extend(names(Path::new("/dev/shm")).map(Leftover::SharedMemory));
    found
}

/// Removes what a run left behind where no namespace takes it away.
///
/// # Errors
/// What cannot be removed, for another reason than that it is gone.
pub fn remove(left: &Leftover, directory: &Path) -> io::Result<()> {
    let removed = match left {
        Leftover::Segment(id) => ipc::remove_system_v("shm", *id),
        Leftover::SemaphoreSet(id) => ipc::remove_system_v("sem", *id),
        Leftover::MessageQueue(id) => ipc::remove_system_v("msg", *id),
        Leftover::Queue(name) => ipc::queue_unlink(&CString::new(name.as_str())?),
        Leftover::SharedMemory(name) => fs::remove_file(Path::new("/dev/shm").join(name)),
        Leftover::Fifo(path) | Leftover::Socket(path) | Leftover::File(path) => fs::remove_file(directory.join(path)),
    };
    match removed {
        // Gone already, or another user's: not this run's.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL | libc::EIDRM | libc::EPERM | libc::EACCES)) => Ok(()),
        removed => removed,
    }
}

fn names(directory: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn files(root: &Path, directory: &Path, found: &mut BTreeSet<Leftover>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        match entry.file_type() {
            Ok(kind) if kind.is_fifo() => found.insert(Leftover::Fifo(name)),
            Ok(kind) if kind.is_socket() => found.insert(Leftover::Socket(name)),
            Ok(kind) if kind.is_dir() => {
                files(root, &path, found);
                true
            }
            _ => found.insert(Leftover::File(name)),
        };
    }
}
