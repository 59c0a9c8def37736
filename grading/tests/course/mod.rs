//! A course of two small labs and the command `grade` in it.
//!
//! The fixture is copied once for each purpose to a place below the target folder, so that cargo builds its check executables once; its Cargo.lock is this
//! workspace's, so that no other version of a crate is asked for, and nothing is downloaded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::fs::{FlockOperation, flock};

/// A copy of the fixture.
pub struct Course {
    pub root: PathBuf,
}

impl Course {
    /// The copy called `name`; `change` is done to a fresh one. Tests that run at the same time, in this process or another, share it.
    pub fn new(name: &str, change: impl FnOnce(&Path)) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(root.parent().unwrap()).unwrap();
        let lock = fs::File::create(root.with_extension("lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/course");
        let draft = root.with_extension("draft");
        let _ = fs::remove_dir_all(&draft);
        copy(&fixture, &draft);
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"), draft.join("Cargo.lock")).unwrap();
        change(&draft);
        // Only what differs is put in place: another test may be reading, and cargo builds again what is newer.
        put_in_place(&draft, &root);
        Self { root }
    }

    /// `grade` in this course.
    pub fn grade(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grade"));
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", self.root.join("target")).env("CARGO_NET_OFFLINE", "true").env("NO_COLOR", "1");
        command
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn put_in_place(draft: &Path, place: &Path) {
    fs::create_dir_all(place).unwrap();
    let names = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    for name in names(place) {
        let gone = place.join(&name);
        if !draft.join(&name).exists() && name != "target" {
            if gone.is_dir() { fs::remove_dir_all(gone).unwrap() } else { fs::remove_file(gone).unwrap() }
        }
    }
    for name in names(draft) {
        let (from, to) = (draft.join(&name), place.join(&name));
        if from.is_dir() {
            put_in_place(&from, &to);
        } else if name == "Cargo.lock" && to.exists() {
            // Cargo has taken out what this course does not use.
        } else if fs::read(&from).ok() != fs::read(&to).ok() {
            fs::rename(from, to).unwrap();
        }
    }
}

/// The exit code and both outputs of a command that has ended by itself.
pub fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("it exits"), text(&output.stdout), text(&output.stderr))
}
