//! `grade handout`: what a student gets, and what never.

mod course;

use std::fs;
use std::path::Path;
use std::process::Command;

use course::{Course, told};
use harness::manifest::Labs;
use harness::student::{self, Audience, Repository, solutions};

/// All files below a folder, relative to it, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.ends_with(".git") {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { found.push(path.strip_prefix(folder).unwrap().display().to_string()) }
        }
    }
    found.sort();
    found
}

#[test]
fn the_students_workspace_holds_starters_and_no_answers() {
    let course = Course::new("course-for-handout", |_| {});
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new/workspace");
    let (code, stdout, stderr) = told(&course.grade().arg("handout").arg(&target).output().unwrap());
    assert_eq!(code, 0, "{stdout}{stderr}");
    let files = files(&target);
    let expected = [
        ".cargo/config.toml",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-MIT",
        "README.md",
        "docs/src/student.md",
        "harness/Cargo.toml",
        "harness/src/lib.rs",
        "labs/01-echo/Cargo.toml",
        "labs/01-echo/README.md",
        "labs/01-echo/checks.rs",
        "labs/01-echo/lab.toml",
        "labs/01-echo/src/main.rs",
        "labs/02-pair/Cargo.toml",
        "labs/02-pair/README.md",
        "labs/02-pair/checks.rs",
        "labs/02-pair/lab.toml",
        "labs/02-pair/src/bin/left.rs",
        "labs/02-pair/src/bin/right.rs",
    ];
    assert_eq!(files, expected);
    let text = |path: &str| fs::read_to_string(target.join(path)).unwrap();
    assert_eq!(text("labs/02-pair/src/bin/left.rs"), "//! Says left.\n\nfn main() {\n}\n");
    assert!(text("labs/01-echo/src/main.rs").contains("    todo!(\"print the words: {words:?}\");\n}"));
    assert!(!text(".cargo/config.toml").contains("grade") && !text("Cargo.toml").contains("grading") && !text("Cargo.lock").contains("\"grading\""));
    assert!(text("README.md").contains("| [02-pair](labs/02-pair/README.md) | Two programs | `src/bin/left.rs`, `src/bin/right.rs` | 8 |"));
    let built = Command::new("cargo")
        .current_dir(&target)
        .args(["build", "--offline", "--locked", "--workspace"])
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .output();
    assert_eq!(told(&built.unwrap()).0, 0, "the starters build");
}

#[test]
fn a_target_that_holds_files_or_lies_in_what_is_handed_out_is_refused() {
    let course = Course::new("course-for-handout", |_| {});
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "").unwrap();
    let (code, _, stderr) = told(&course.grade().arg("handout").arg(folder.path()).output().unwrap());
    assert!(code == 2 && stderr.contains("expected a new or empty folder"), "{stderr}");
    let (code, _, stderr) = told(&course.grade().arg("handout").arg("labs/out").output().unwrap());
    assert!(code == 2 && stderr.contains("handed out itself"), "{stderr}");
}

#[test]
fn a_wrong_marker_is_an_error_with_its_line_and_nothing_is_handed_out() {
    let course = Course::new("course-with-a-wrong-marker", |root| {
        let path = root.join("labs/02-pair/src/bin/right.rs");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("    // END SOLUTION\n", "")).unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = told(&course.grade().arg("handout").arg(folder.path().join("out")).output().unwrap());
    assert!(code == 2 && stderr.contains("labs/02-pair/src/bin/right.rs:4: `// BEGIN SOLUTION` without"), "{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// What git says in a folder.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(folder).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn the_workspace_is_a_repository_with_one_commit_that_holds_everything() {
    let course = Course::new("course-for-handout", |_| {});
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("workspace");
    // However the machine's git is set up: no name, and a template that would add hooks.
    let mut grade = course.grade();
    grade.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_DIR", folder.path().join("elsewhere"));
    let (code, _, stderr) = told(&grade.arg("handout").arg(&target).output().unwrap());
    assert_eq!((code, &*stderr), (0, ""));
    assert_eq!((git(&target, &["rev-list", "--count", "HEAD"]), git(&target, &["status", "--porcelain"])), ("1".into(), String::new()));
    assert_eq!(git(&target, &["ls-files"]).lines().count(), files(&target).len());
}

#[test]
fn without_git_the_workspace_is_whole_and_that_is_said() {
    let course = Course::new("course-for-handout", |_| {});
    let folder = tempfile::tempdir().unwrap();
    let tools = folder.path().join("tools");
    fs::create_dir(&tools).unwrap();
    let cargo = Path::new(env!("CARGO"));
    for tool in ["cargo", "rustc"] {
        std::os::unix::fs::symlink(cargo.with_file_name(tool), tools.join(tool)).unwrap();
    }
    let target = folder.path().join("workspace");
    let (code, _, stderr) = told(&course.grade().env("PATH", &tools).env("CARGO", cargo).arg("handout").arg(&target).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("warning: git is not installed") && stderr.contains("`git init` there"), "{stderr}");
    assert!(target.join("README.md").is_file() && !target.join(".git").exists());
}

#[test]
fn who_learns_alone_gets_the_solutions_too_but_not_where_they_are_read_by_accident() {
    let course = Course::new("course-for-handout", |_| {});
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("workspace");
    let labs = Labs::find(&course.root).unwrap();
    assert_eq!(student::write(&course.root, &labs.0, &target, Audience::Learner), Ok(Repository::Made));
    assert!(fs::read_to_string(target.join("labs/01-echo/src/main.rs")).unwrap().contains("todo!("), "the starter");
    let kept = solutions::read(&target, &labs.0[0]).unwrap().expect("the solution");
    let solution = &kept[Path::new("src/main.rs")];
    assert!(!solution.contains("todo!(") && !solution.contains("SOLUTION"), "{solution}");
    let words = solution
        .lines()
        .map(str::trim)
        .find(|line| line.len() > 20 && !fs::read_to_string(target.join("labs/01-echo/src/main.rs")).unwrap().contains(*line));
    let words = words.expect("a line that only the solution has");
    for file in files(&target).iter().filter(|file| !file.starts_with(".lab/")) {
        let text = fs::read(target.join(file)).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(words), "{file} holds `{words}`");
    }
    assert_eq!(solutions::read(&course.root, &labs.0[0]), Ok(None));
}
