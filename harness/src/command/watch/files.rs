//! What was saved.
//!
//! Theory of operation: notifications of the file system only say when to look. Whether there is something new is told by the files' contents, so that
//! an editor's temporary files, a save without a change and the build's own reading start nothing. Where there are no notifications (some mounts of a
//! virtual machine or container have none), a look once a second does instead.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// Folders of a lab that its build does not read.
const NOT_BUILT: [&str; 2] = ["submissions", "target"];

/// The files of one lab, under watch.
pub struct Watched {
    folder: PathBuf,
    contents: BTreeMap<PathBuf, u64>,
    /// Notifications go on for as long as it lives.
    _watcher: Option<RecommendedWatcher>,
}

impl Watched {
    /// Watches the files of a lab; `stirred` is called whenever one of them may have changed.
    pub fn new(folder: &Path, stirred: impl Fn() + Send + 'static) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| may_change(event.kind)) {
                stirred();
            }
        });
        let watcher = watcher.and_then(|mut watcher| watcher.watch(folder, RecursiveMode::Recursive).map(|()| watcher)).ok();
        Self { folder: folder.to_path_buf(), contents: contents(folder), _watcher: watcher }
    }

    /// Whether a file differs from what it was at the last look.
    pub fn changed(&mut self) -> bool {
        let now = contents(&self.folder);
        let changed = now != self.contents;
        self.contents = now;
        changed
    }
}

fn may_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// The files that the lab's build reads, with a number for what is in each.
fn contents(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !name.starts_with('.') && !NOT_BUILT.contains(&&*name) {
                folders.push(path);
            } else if !kind.is_dir() && (name.ends_with(".rs") || name.ends_with(".toml")) {
                // A file that is gone between the two calls is as good as one that was never there.
                let Ok(bytes) = fs::read(&path) else { continue };
                let mut hasher = DefaultHasher::new();
                hasher.write(&bytes);
                found.insert(path, hasher.finish());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_change_of_what_is_built_counts() {
        let folder = std::env::temp_dir().join(format!("watched-{}", std::process::id()));
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::create_dir_all(folder.join("submissions")).unwrap();
        let source = folder.join("src/main.rs");
        fs::write(&source, "fn main() {}").unwrap();
        let (sender, stirred) = mpsc::channel();
        let mut watched = Watched::new(&folder, move || sender.send(()).unwrap_or(()));
        assert!(!watched.changed());
        fs::write(folder.join("src/.main.rs.swp"), "x").unwrap();
        fs::write(folder.join("submissions/other.rs"), "x").unwrap();
        fs::write(&source, "fn main() {}").unwrap();
        assert!(!watched.changed(), "nothing that is built has changed");
        // As editors do: a new file in the old one's place.
        fs::write(folder.join("src/new"), "fn main() { todo!() }").unwrap();
        fs::rename(folder.join("src/new"), &source).unwrap();
        assert!(stirred.recv_timeout(Duration::from_secs(30)).is_ok());
        assert!(watched.changed());
        assert!(!watched.changed());
        fs::remove_dir_all(&folder).unwrap();
    }
}
