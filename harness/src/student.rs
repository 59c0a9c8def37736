//! The student's workspace: the course without its answers.
//!
//! Theory of operation: what a student gets is named here, and nothing else is copied, so that a new file of the instructor's stays at home unless
//! someone decides otherwise. In a lab it is the other way round: everything is handed out except submissions and [`hidden`] checks, and every Rust
//! source below `src` goes through [`crate::starter`]. The workspace is written beside its place and renamed into it when it is whole.

pub mod hidden;
mod repository;
pub mod solutions;

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

pub use self::repository::Repository;
use crate::failure::Failure;
use crate::manifest::LabFolder;
use crate::starter::starter;

/// The file at a workspace's root in which what the student has reached is kept.
pub const PROGRESS_FILE: &str = ".lab-progress.json";

/// The members of the student's workspace, where they exist; `docs/examples` is the book's programs.
const STUDENTS_MEMBERS: [&str; 3] = ["harness", "labs/*", "docs/examples"];

/// Files and folders of the course that a student gets as they are, where they exist.
const AS_THEY_ARE: [&str; 7] = ["harness", "docs", ".devcontainer", "Cargo.lock", "rustfmt.toml", "rust-toolchain.toml", "clippy.toml"];

/// Folders that are left out wherever they are: what is built, and the course's own history.
const NEVER: [&str; 4] = ["target", ".git", "book", "node_modules"];

/// What of a lab is the instructor's.
const NOT_FOR_STUDENTS: [&str; 3] = ["submissions", hidden::FILE, hidden::FOLDER];

/// Whom a workspace is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A class, which hands in and is graded.
    Class,
    /// Somebody who learns alone and gets the solutions too, to be seen when a lab is done.
    Learner,
}

/// Writes the student's workspace, and makes it a git repository.
///
/// # Errors
/// A target that holds something already or cannot be written; markers that are wrong; files of the course that cannot be read.
pub fn write(root: &Path, labs: &[LabFolder], target: &Path, audience: Audience) -> Result<Repository, Failure> {
    refuse_unless_free(target)?;
    let target = std::path::absolute(target).map_err(|error| Failure::input("find", target, &error))?;
    let parent = target.parent().ok_or_else(|| Failure::BadInput(format!("{} is no place for a workspace", target.display())))?;
    for folder in ["labs", "harness", "docs"] {
        if target.starts_with(root.join(folder)) {
            return Err(Failure::BadInput(format!("{} lies in a folder that is handed out itself; name one outside of {folder}/", target.display())));
        }
    }
    fs::create_dir_all(parent).map_err(|error| Failure::input("make", parent, &error))?;
    let draft = Draft(parent.join(format!(".handout-{}", std::process::id())));
    fs::create_dir(&draft.0).map_err(|error| Failure::input("make", &draft.0, &error))?;
    fill(root, labs, &draft.0, audience)?;
    let repository = Repository::make(&draft.0);
    fs::rename(&draft.0, &target).map_err(|error| Failure::input("write", &target, &error))?;
    Ok(repository)
}

/// A workspace that is not whole yet: it goes when something fails.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // It has its own name by now where all went well.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn refuse_unless_free(target: &Path) -> Result<(), Failure> {
    match fs::read_dir(target) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => {
                Err(Failure::BadInput(format!("expected a new or empty folder; {} holds files. Name another, or empty it first", target.display())))
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::input("read", target, &error)),
    }
}

fn fill(root: &Path, labs: &[LabFolder], workspace: &Path, audience: Audience) -> Result<(), Failure> {
    for name in AS_THEY_ARE {
        let from = root.join(name);
        if from.is_dir() {
            copy_folder(&from, &workspace.join(name), &|_| false)?;
        } else if from.is_file() {
            copy_file(&from, &workspace.join(name))?;
        }
    }
    for entry in fs::read_dir(root).map_err(|error| Failure::input("read", root, &error))? {
        let name = entry.map_err(|error| Failure::input("read", root, &error))?.file_name();
        if name.to_string_lossy().starts_with("LICENSE") {
            copy_file(&root.join(&name), &workspace.join(&name))?;
        }
    }
    for lab in labs {
        let instructors =
            |path: &Path| path.strip_prefix(&lab.path).is_ok_and(|inside| NOT_FOR_STUDENTS.iter().any(|name| inside == Path::new(name)));
        let folder = workspace.join("labs").join(&lab.folder);
        copy_folder(&lab.path, &folder, &instructors)?;
        turn_into_starters(&lab.path, &lab.path.join("src"), &folder)?;
        hidden::cut(lab, workspace)?;
        if audience == Audience::Learner {
            solutions::keep(lab, workspace)?;
        }
    }
    ignore_file(root, workspace)?;
    let manifest = student_manifest(root)?;
    put(&workspace.join("Cargo.toml"), &manifest)?;
    let alias = "[alias]\nlab = \"run --quiet --package harness --bin lab --\"\n";
    fs::create_dir_all(workspace.join(".cargo")).map_err(|error| Failure::machine("make", &workspace.join(".cargo"), &error))?;
    put(&workspace.join(".cargo/config.toml"), alias)?;
    put(&workspace.join("README.md"), &readme(labs, audience))?;
    prune_lock(workspace)
}

/// The course's `.gitignore`; what a student has reached is not ignored, so that it is kept with the rest.
fn ignore_file(root: &Path, workspace: &Path) -> Result<(), Failure> {
    let path = root.join(".gitignore");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let kept: String = text.lines().filter(|line| !line.ends_with(PROGRESS_FILE)).map(|line| format!("{line}\n")).collect();
            put(&workspace.join(".gitignore"), &kept)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::input("read", &path, &error)),
    }
}

/// Every Rust source below `folder` of a lab goes through the markers, whether a program names it or not, and is written at its place in `out`.
///
/// # Errors
/// A wrong marker, and files that cannot be read or written.
pub fn turn_into_starters(lab: &Path, folder: &Path, out: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(|error| Failure::input("read", folder, &error))? {
        let path = entry.map_err(|error| Failure::input("read", folder, &error))?.path();
        if path.is_dir() {
            turn_into_starters(lab, &path, out)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let solution = fs::read_to_string(&path).map_err(|error| Failure::input("read", &path, &error))?;
            let text = starter(&solution, &path).map_err(|bad| Failure::BadInput(bad.to_string()))?;
            let inside = path.strip_prefix(lab).unwrap_or(&path);
            put(&out.join(inside), &text)?;
        }
    }
    Ok(())
}

/// The course's `Cargo.toml` with the student's members; all else, with its comments, stays.
fn student_manifest(root: &Path) -> Result<String, Failure> {
    let path = root.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|error| Failure::input("read", &path, &error))?;
    let own = STUDENTS_MEMBERS.into_iter().filter(|member| member.contains('*') || root.join(member).join("Cargo.toml").is_file());
    let own: Vec<String> = own.map(str::to_owned).collect();
    let changed = without_package_profiles(&with_members(&text, &own));
    let members: Vec<String> = toml::from_str::<toml::Table>(&changed)
        .ok()
        .and_then(|table| table.get("workspace")?.get("members")?.clone().try_into().ok())
        .unwrap_or_default();
    if members == own {
        Ok(changed)
    } else {
        Err(Failure::BadInput(format!(
            "{}: expected a line `members = [` in [workspace]; the student's members cannot be put in its place",
            path.display()
        )))
    }
}

fn with_members(manifest: &str, members: &[String]) -> String {
    let mut out = String::new();
    let mut in_members = false;
    for line in manifest.lines() {
        if line.replace(' ', "").starts_with("members=") {
            out.push_str(&format!("members = {members:?}\n"));
            in_members = !line.contains(']');
        } else if in_members {
            in_members = !line.contains(']');
        } else if !line.starts_with("grading ") && !line.starts_with("grading=") {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Without the profiles of single packages, and the comments above them: they are for what the instructor's commands use, and cargo warns of those that a
/// workspace does not have.
fn without_package_profiles(manifest: &str) -> String {
    let (mut out, mut comments) = (String::new(), String::new());
    let mut left_out = false;
    for line in manifest.lines() {
        if line.starts_with('#') {
            comments.push_str(line);
            comments.push('\n');
            continue;
        }
        if line.starts_with('[') {
            left_out = line.starts_with("[profile.dev.package.");
        }
        let comments = std::mem::take(&mut comments);
        if !left_out {
            out.push_str(&comments);
            out.push_str(line);
            out.push('\n');
        }
    }
    out + &comments
}

fn readme(labs: &[LabFolder], audience: Audience) -> String {
    let mut text = String::from(
        "# Labs on interprocess communication\n\nEach lab is a folder. Read its README.md, write what is missing in its sources, and see what is still wrong:\n\n\
         ```console\n$ cargo lab                     the lab you are at, checked again at each save\n$ cargo lab list                what there is\n",
    );
    if let Some(lab) = labs.first() {
        text.push_str(&format!(
            "$ cargo lab check {0:<13} what is wrong with {0}, and why\n$ cargo test -p {0:<16} the same, as cargo and editors show it\n",
            lab.name
        ));
        if audience == Audience::Learner {
            text.push_str(&format!("$ cargo lab solution {0:<10} the course's solution, once {0} passes\n", lab.name));
        }
    }
    text.push_str("```\n\nThe first build fetches what the harness needs; from then on nothing needs the network.\n");
    let hand_in = if audience == Audience::Class { "Hand in" } else { "Write" };
    text.push_str(&format!("\n| Lab | Title | {hand_in} | Points |\n| --- | --- | --- | --- |\n"));
    for lab in labs {
        let files: Vec<String> = lab.manifest.programs.iter().map(|program| format!("`{}`", program.source.display())).collect();
        text.push_str(&format!(
            "| [{0}](labs/{0}/README.md) | {1} | {2} | {3} |\n",
            lab.folder,
            lab.manifest.title,
            files.join(", "),
            lab.manifest.handed_out().map(|check| check.points).sum::<u32>()
        ));
    }
    text.push_str(match audience {
        Audience::Class => {
            "\nHand in the files that the table names, in their lab's folder. Changes to any other file are not graded. More is in `docs/src/`.\n"
        }
        Audience::Learner => "\nMore is in `docs/src/`.\n",
    });
    text
}

/// Has cargo take out of `Cargo.lock` what only the instructor needs, which also proves that the workspace is one. Only the workspace's own packages are
/// looked at: every other version stays as the course has it, and nothing is downloaded (`cargo metadata` would ask for other platforms' crates).
fn prune_lock(workspace: &Path) -> Result<(), Failure> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace)
        .args(["update", "--workspace", "--offline", "--quiet"])
        .output()
        .map_err(|error| Failure::Broken(format!("start cargo: {error}")))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(Failure::Broken(format!("cargo does not take the student's workspace for one:\n{}", String::from_utf8_lossy(&output.stderr).trim_end())))
    }
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::machine("write", path, &error))
}

fn copy_file(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to).map(drop).map_err(|error| Failure::machine("copy", from, &error))
}

/// Copies regular files and folders, without what is built and the course's own history; anything else is an error, since a link could lead out of the course.
///
/// # Errors
/// Something that is neither, and files that cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path, left_out: &dyn Fn(&Path) -> bool) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(|error| Failure::machine("make", to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| Failure::input("read", from, &error))? {
        let entry = entry.map_err(|error| Failure::input("read", from, &error))?;
        let (path, target): (PathBuf, PathBuf) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(|error| Failure::input("read", &path, &error))?;
        let never = matches!(path.components().next_back(), Some(Component::Normal(name)) if NEVER.iter().any(|never| name == *never));
        if left_out(&path) || (never && kind.is_dir()) {
            continue;
        }
        if kind.is_dir() {
            copy_folder(&path, &target, left_out)?;
        } else if kind.is_file() {
            copy_file(&path, &target)?;
        } else {
            return Err(Failure::BadInput(format!(
                "{}: expected files and folders; this is a link or a special file, which is not handed out",
                path.display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_the_students_and_the_rest_stays() {
        let manifest = "# c\n[workspace]\nmembers = [\n  \"harness\",\n  \"grading\",\n]\nresolver = \"3\"\n";
        let own = ["harness", "labs/*"].map(str::to_owned);
        assert_eq!(with_members(manifest, &own), "# c\n[workspace]\nmembers = [\"harness\", \"labs/*\"]\nresolver = \"3\"\n");
        assert_eq!(with_members("members = [\"grading\"]\nx = 1\n", &own), "members = [\"harness\", \"labs/*\"]\nx = 1\n");
    }

    #[test]
    fn profiles_of_single_packages_are_the_instructors() {
        let manifest = "[a]\n# kept\n[profile.dev]\ndebug = 1\n\n# gone\n[profile.dev.package.x]\nopt-level = 2\n[profile.dev.package.y]\nopt-level = 2\n\n# of z\n[z]\n";
        assert_eq!(without_package_profiles(manifest), "[a]\n# kept\n[profile.dev]\ndebug = 1\n\n# of z\n[z]\n");
    }
}
