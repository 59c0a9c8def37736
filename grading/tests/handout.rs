//! `grade handout`: what a student gets, and what never.

mod course;

use std::fs;
use std::path::Path;
use std::process::Command;

use course::{Course, told};

/// All files below a folder, relative to it, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
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
