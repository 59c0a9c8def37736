//! `grade export gradescope-autograder`: the folder is whole, holds no answers, and its script leaves results whatever happens.

mod course;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use course::{Course, told};
use serde_json::Value;
use tempfile::TempDir;

const RIGHT: &str = "fn main() {\n    if std::env::args().len() == 1 { std::process::exit(2) }\n    std::env::args().skip(1).for_each(|word| println!(\"{word}\"));\n}\n";

/// Gradescope's folders, with the autograder for the first lab of the fixture course in them.
struct Gradescope {
    root: TempDir,
    course: Course,
}

impl Gradescope {
    fn new() -> Self {
        let course = Course::new("course", |_| {});
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("source");
        let output = course.grade().args(["export", "gradescope-autograder", "--lab", "echo", "--seed", "7", "--out"]).arg(&source).output().unwrap();
        let (code, stdout, stderr) = told(&output);
        assert!(code == 0 && stdout.contains("autograder for 01-echo") && stdout.contains("zip -qr"), "{stdout}{stderr}");
        fs::create_dir(root.path().join("submission")).unwrap();
        Self { root, course }
    }

    fn source(&self, path: &str) -> PathBuf {
        self.root.path().join("source").join(path)
    }

    /// Runs `run_autograder` with a `cargo` that knows `cargo grade`, as the course's alias does; with `broken` that command fails.
    fn run(&self, broken: bool) -> Value {
        let bin = self.root.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        let command = if broken { "exit 3".to_owned() } else { format!("shift; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_grade")) };
        let shim = bin.join("cargo");
        fs::write(&shim, format!("#!/bin/sh\n[ \"$1\" = grade ] && {{ {command}; }}\nexec \"$REAL_CARGO\" \"$@\"\n")).unwrap();
        fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        // The shim is found first by what runs it, and cargo itself by its own path.
        let output = Command::new(self.source("run_autograder"))
            .env("AUTOGRADER_ROOT", self.root.path())
            .env("HOME", self.root.path())
            .env("PATH", path)
            .env("REAL_CARGO", env!("CARGO"))
            .env("CARGO", env!("CARGO"))
            .env("CARGO_HOME", std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap())))
            .env("RUSTUP_HOME", std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{}/.rustup", std::env::var("HOME").unwrap())))
            .env("CARGO_TARGET_DIR", self.course.root.join("target/autograder"))
            .env("CARGO_NET_OFFLINE", "true")
            .output()
            .unwrap();
        let results = fs::read(self.root.path().join("results/results.json")).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        serde_json::from_slice(&results).unwrap()
    }

    fn hand_in(&self, path: &str, text: &str) {
        let file = self.root.path().join("submission").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

fn all_text(folder: &Path) -> String {
    let mut text = String::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            text.push_str(&all_text(&path));
        } else {
            text.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
        }
    }
    text
}

#[test]
fn the_folder_has_its_scripts_and_the_course_without_answers() {
    let gradescope = Gradescope::new();
    for script in ["setup.sh", "run_autograder"] {
        let mode = fs::metadata(gradescope.source(script)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert!(Command::new("bash").arg("-n").arg(gradescope.source(script)).status().unwrap().success());
        let text = fs::read_to_string(gradescope.source(script)).unwrap();
        assert!(text.contains("--lab '01-echo'") && text.contains("--seed '7'"), "{text}");
        assert!(!["@LAB@", "@SEED@", "@RUST@"].iter().any(|place| text.contains(place)), "{text}");
    }
    assert!(fs::read_to_string(gradescope.source("setup.sh")).unwrap().contains("--default-toolchain '1."));
    let labs = gradescope.source("course/labs");
    assert!(labs.join("01-echo/checks.rs").is_file() && labs.join("02-pair/lab.toml").is_file());
    assert!(!labs.join("01-echo/submissions").exists() && !gradescope.source("course/target").exists());
    let text = all_text(&labs);
    assert!(!text.contains("BEGIN SOLUTION") && text.contains("todo!(\"print the words"), "starters stand in the place of solutions");
}

#[test]
fn a_submission_gets_results_and_a_fault_of_ours_is_told_as_such() {
    let gradescope = Gradescope::new();
    gradescope.hand_in("main.rs", RIGHT);
    let results = gradescope.run(false);
    assert_eq!(
        (&results["score"], &results["extra_data"]["seed"], &results["tests"][0]["status"]),
        (&6.into(), &7.into(), &"passed".into()),
        "{results}"
    );

    let results = gradescope.run(true);
    assert_eq!((&results["score"], &results["extra_data"]["needs_attention"]), (&0.into(), &true.into()), "{results}");
    assert!(results["output"].as_str().unwrap().contains("through no fault of the submission"), "results of the run before are not shown again");
}

#[test]
fn a_submission_that_cannot_be_graded_gets_results_that_say_so() {
    let gradescope = Gradescope::new();
    gradescope.hand_in("notes.txt", "no program");
    let results = gradescope.run(false);
    assert_eq!(results["score"], 0, "{results}");
    assert!(results["output"].as_str().unwrap().contains("There is no program to check: "), "{results}");
    symlink("/etc/passwd", gradescope.root.path().join("submission/main.rs")).unwrap();
    let results = gradescope.run(false);
    assert!(results["score"] == 0 && !results.to_string().contains("root:"), "{results}");
    gradescope.hand_in("src/main.rs", "fn main() {");
    let results = gradescope.run(false);
    assert!(results["score"] == 0, "{results}");
}
