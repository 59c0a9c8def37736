//! The first commit of a student's workspace.
//!
//! The repository does not depend on how the machine's git is set up: it has a name for the author of its own, no signature and no hooks.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// What came of it. A workspace without one is a workspace all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repository {
    /// The workspace is a git repository with one commit.
    Made,
    /// git is not installed.
    NoGit,
    /// git could not do it; its last words.
    Failed(String),
}

impl Repository {
    /// Makes `folder` a repository with everything in it committed.
    #[must_use]
    pub fn make(folder: &Path) -> Self {
        let steps: [&[&str]; 3] =
            [&["init", "--quiet"], &["add", "--all"], &["commit", "--quiet", "--no-verify", "--message", "The labs as they were handed out"]];
        for step in steps {
            match git(folder, step) {
                Ok(()) => {}
                Err(made) => {
                    // Half a repository would be in the way of a whole one.
                    let _ = std::fs::remove_dir_all(folder.join(".git"));
                    return made;
                }
            }
        }
        Self::Made
    }

    /// What to tell whoever made the workspace, where there is no repository.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let later = "the workspace is no git repository; `git init` there makes it one";
        match self {
            Self::Made => None,
            Self::NoGit => Some(format!("git is not installed, so that {later} once it is")),
            Self::Failed(words) => Some(format!("git failed ({words}), so that {later} once that is mended")),
        }
    }
}

fn git(folder: &Path, step: &[&str]) -> Result<(), Repository> {
    let mut command = Command::new("git");
    for setting in [
        "init.defaultBranch=main",
        "user.name=Labs",
        "user.email=labs@localhost",
        "commit.gpgSign=false",
        "core.hooksPath=/dev/null",
        "core.autocrlf=false",
    ] {
        command.args(["-c", setting]);
    }
    // Variables of a caller that is git itself, in a hook for instance, mean another repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_TEMPLATE_DIR"] {
        command.env_remove(variable);
    }
    let output = command.args(step).current_dir(folder).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr);
            Err(Repository::Failed(words.lines().next_back().unwrap_or("without a word").to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Repository::NoGit),
        Err(error) => Err(Repository::Failed(error.to_string())),
    }
}
