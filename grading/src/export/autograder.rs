//! Gradescope's autograder, ready to be zipped and uploaded: `setup.sh`, `run_autograder`, and the course with one lab to grade.
//!
//! The course goes along without its answers, as students get it, but with `grading` and hidden checks: should a container be too weak to hide it, a program would
//! find nothing to hand in. All submissions get the same inputs, from the seed that is written into the scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::manifest::LabFolder;
use harness::student::{copy_folder, turn_into_starters};

use crate::failure::Failure;
use crate::whole::Draft;

const SETUP: &str = include_str!("autograder/setup.sh");
const RUN: &str = include_str!("autograder/run_autograder");

/// What the course's folder holds that is not its source.
const NOT_SOURCE: [&str; 2] = ["target", ".git"];

/// Writes the autograder for one lab. `rust` is the version of the toolchain that Gradescope's image gets.
///
/// # Errors
/// A folder that holds something else or cannot be written, and files of the course that cannot be read.
pub fn write(root: &Path, lab: &LabFolder, rust: &str, seed: u64, folder: &Path) -> Result<(), Failure> {
    let absolute = std::path::absolute(folder).map_err(|error| Failure::input("find", folder, &error))?;
    if absolute.starts_with(root) {
        return Err(Failure::BadInput(format!("{} lies in the course, which is copied itself; name a folder outside of it", folder.display())));
    }
    let draft = Draft::new(folder)?;
    let course = draft.path().join("course");
    let left_out = |path: &Path| {
        let inside = path.strip_prefix(root).unwrap_or(path);
        let parts: Vec<_> = inside.iter().collect();
        match parts[..] {
            [top] => NOT_SOURCE.iter().any(|name| top == *name),
            [top, _, last] => top == "labs" && last == "submissions",
            _ => false,
        }
    };
    copy_folder(root, &course, &left_out)?;
    for entry in fs::read_dir(root.join("labs")).map_err(|error| Failure::input("read", &root.join("labs"), &error))? {
        let path = entry.map_err(|error| Failure::input("read", &root.join("labs"), &error))?.path();
        if path.join("src").is_dir() {
            turn_into_starters(&path, &path.join("src"), &course.join("labs").join(path.file_name().unwrap_or_default()))?;
        }
    }
    for (name, script) in [("setup.sh", SETUP), ("run_autograder", RUN)] {
        let text = script.replace("@LAB@", &lab.folder).replace("@SEED@", &seed.to_string()).replace("@RUST@", rust);
        draft.write(Path::new(name), text.as_bytes())?;
        let path = draft.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(|error| Failure::machine("open", &path, &error))?;
    }
    draft.put_in_place()
}
