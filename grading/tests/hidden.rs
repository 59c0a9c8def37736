//! Hidden checks: graded like all others, given to nobody, and told as their visibility says.

mod course;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use course::{Course, told};
use serde_json::Value;

/// What no student may come across: the check's name, its inputs, its hint.
const SECRETS: [&str; 4] = ["other_words", "plugh", "xyzzy", "Think of caves."];

/// A program that is right for the inputs of the checks that students have, and for no others.
const HARD_CODED: &str = "fn main() {\n    let words: Vec<String> = std::env::args().skip(1).collect();\n    match &*words.join(\" \") {\n        \"one two\" => println!(\"one\\ntwo\"),\n        \
    \"a b\" => println!(\"a b\"),\n        _ => std::process::exit(2),\n    }\n}\n";

const HIDDEN: &str = r#"//! A hidden check.

use harness::{Verdict, equal, run};

#[path = "../checks.rs"]
mod checks;

fn main() {
    harness::main("echo", &[checks::CHECKS, &[("other_words", 4, "prints_words", other_words)]].concat());
}

/// The program prints words that it cannot know.
fn other_words(programs: &std::path::Path) -> Verdict {
    equal("plugh\nxyzzy\n", &run(programs, "echo", &["plugh", "xyzzy"])?.0)
}
"#;

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    fs::write(path, change(fs::read_to_string(path).unwrap())).unwrap();
}

/// The fixture with a hidden check in its first lab, shown when `visibility` says.
fn course(visibility: &str) -> Course {
    Course::new(&format!("course-hidden-{visibility}"), |root| {
        let lab = root.join("labs/01-echo");
        fs::create_dir_all(lab.join("checks/hidden")).unwrap();
        fs::write(lab.join("checks/hidden.rs"), HIDDEN).unwrap();
        fs::write(lab.join("checks/hidden/inputs.txt"), "plugh xyzzy\n").unwrap();
        edit(&lab.join("Cargo.toml"), |text| text.replace("path = \"checks.rs\"", "path = \"checks/hidden.rs\""));
        edit(&lab.join("lab.toml"), |text| {
            text + &format!(
                "\n# The word is plugh.\n[[check]]\nname = \"other_words\"\npoints = 4\nafter = [\"prints_words\"]\nhidden = true\nvisibility = \"{visibility}\"\n\
                 hints = [\"Think of caves.\", \"b\", \"c\"]\n"
            )
        });
        let rejected = lab.join("submissions/rejected/other_words");
        fs::create_dir(&rejected).unwrap();
        fs::write(rejected.join("hard_coded.rs"), format!("//! Mistake: the answers are written down.\n\n{HARD_CODED}")).unwrap();
    })
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Asserts that no file below a folder holds what is secret; git's own are packed, and are of the others.
#[track_caller]
fn assert_no_secret(folder: &Path) {
    for path in files(folder) {
        let bytes = fs::read(&path).unwrap();
        for secret in SECRETS {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{} holds `{secret}`", path.display());
        }
    }
}

#[test]
fn a_student_is_given_nothing_of_a_hidden_check() {
    let course = course("hidden");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("workspace");
    let (code, _, stderr) = told(&course.grade().arg("handout").arg(&target).output().unwrap());
    assert_eq!((code, &*stderr), (0, ""));
    assert!(!target.join("labs/01-echo/checks").join("hidden.rs").exists() && !target.join("labs/01-echo/checks/hidden").exists());
    let text = |path: &str| fs::read_to_string(target.join(path)).unwrap();
    assert!(text("README.md").contains("| `src/main.rs` | 6 |"), "the points are of what is there: {}", text("README.md"));
    assert!(text("labs/01-echo/lab.toml").contains("usage") && text("labs/01-echo/Cargo.toml").contains("path = \"checks.rs\""));
    assert_no_secret(&target);
    let built = folder.path().join("target");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&target).args(["test", "--no-run", "--offline", "--locked", "--workspace"]).env("CARGO_TARGET_DIR", &built);
    assert_eq!(told(&cargo.output().unwrap()).0, 0, "it builds");
    assert!(files(&built).iter().any(|path| path.file_name().unwrap().to_string_lossy().starts_with("checks-")));
    assert_no_secret(&built);
}

#[test]
fn a_hidden_check_that_the_handout_names_is_refused_with_the_line() {
    let course = Course::new("course-hidden-mentioned", |root| {
        let lab = root.join("labs/01-echo");
        edit(&lab.join("lab.toml"), |text| text + "\n[[check]]\nname = \"other_words\"\npoints = 4\nhidden = true\nhints = [\"\", \"\", \"\"]\n");
        edit(&lab.join("README.md"), |text| text + "\nThe check other_words is hidden.\n");
    });
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = told(&course.grade().arg("handout").arg(folder.path().join("out")).output().unwrap());
    assert!(code == 2 && stderr.contains("labs/01-echo/README.md:10: names the hidden check `other_words`"), "{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_course_with_hidden_checks_proves_itself() {
    let (code, stdout, stderr) = told(&course("hidden").grade().args(["prove", "echo", "--seed", "7"]).output().unwrap());
    assert!(code == 0 && stdout.contains("rejected   7 of 7"), "{stdout}{stderr}");
}

/// What a form says to a student, decoded.
fn form(course: &Course, graded: &Path, form: &str, folder: &Path) -> String {
    let out = folder.join(form);
    let mut grade = course.grade();
    grade.args(["export", form]).arg(graded);
    match form {
        "classroom50" => {
            let words = "--classroom c --assignment a --owner o --submission submit/1 --commit x --release x --datetime 2026-06-01T14:32:05Z";
            grade.arg("--file").arg(&out).args(words.split(' '));
        }
        _ => {
            grade.arg("--out").arg(&out);
        }
    }
    let (code, stdout, stderr) = told(&grade.output().unwrap());
    assert_eq!(code, 0, "{form}: {stdout}{stderr}");
    let mut text: String = if out.is_dir() { files(&out) } else { vec![out] }.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for line in text.clone().lines().filter_map(|line| line.split_once("_RESULTS=")) {
        text.push_str(&String::from_utf8(base64::engine::general_purpose::STANDARD.decode(line.1).unwrap()).unwrap());
    }
    text
}

#[test]
fn what_students_get_follows_the_visibility() {
    for (visibility, before, after) in [("hidden", false, false), ("after_due_date", false, true), ("visible", true, true)] {
        let course = course(visibility);
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("submissions/ann/01-echo/src");
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("main.rs"), HARD_CODED).unwrap();
        let graded = folder.path().join("graded");
        let mut grade = course.grade();
        grade.arg("run").arg(folder.path().join("submissions")).arg("--out").arg(&graded).args(["--seed", "7"]);
        let (code, stdout, stderr) = told(&grade.output().unwrap());
        assert_eq!(code, 0, "{stdout}{stderr}");

        let record: Value = serde_json::from_slice(&fs::read(graded.join("records/ann/01-echo.json")).unwrap()).unwrap();
        let check = &record["checks"][3];
        assert_eq!((&record["points"], &record["max_points"]), (&6.into(), &10.into()));
        assert_eq!((&check["name"], &check["verdict"], &check["hidden"]), (&"other_words".into(), &"fail".into(), &true.into()));
        assert!(check["message"].as_str().unwrap().contains("plugh"), "the instructor sees everything");

        let in_form = |text: &str, shown: bool| {
            assert_eq!(text.contains("other_words"), shown, "{visibility}: {text}");
            assert!(!text.contains("plugh") && !text.contains("xyzzy"), "what it was given is told in no form: {text}");
        };
        for name in ["github", "autolab", "classroom50"] {
            let text = form(&course, &graded, name, folder.path());
            in_form(&text, before);
            assert!(before || text.contains("not_shown"), "{name}: the points that are missing have a name: {text}");
        }
        for (released, shown) in [(false, before), (true, after)] {
            let pages = folder.path().join(format!("pages-{released}"));
            let mut grade = course.grade();
            grade.arg("report").arg(&graded).arg("--out").arg(&pages).args(released.then_some("--released"));
            assert_eq!(told(&grade.output().unwrap()).0, 0);
            let page = fs::read_to_string(pages.join("students/ann.html")).unwrap();
            in_form(&page, shown);
            assert!(page.contains("6 of 10 points") && page.contains("Other checks") != shown, "{page}");
            assert!(!page.contains("step by step"), "the run is not shown where the finding is not");
            assert!(shown == page.contains("words that it cannot know") && shown == page.contains("Think of caves."), "{page}");
            assert!(fs::read_to_string(pages.join("class.html")).unwrap().contains("other_words"));
        }
        form(&course, &graded, "gradescope", folder.path());
        // Gradescope keeps back itself what is to be kept back; only who sees the test at last must not see what it was given.
        let results: Value = serde_json::from_slice(&fs::read(folder.path().join("gradescope/ann/01-echo.json")).unwrap()).unwrap();
        let test = &results["tests"][3];
        assert_eq!((&test["visibility"], &test["max_score"]), (&visibility.into(), &4.into()));
        assert_eq!(test["output"].as_str().unwrap().contains("plugh"), visibility == "hidden");
    }
}

#[test]
fn the_order_of_checks_tells_nothing_of_a_hidden_one() {
    let refused = |name: &str, more: &str, expected: &str| {
        let course = Course::new(name, |root| edit(&root.join("labs/01-echo/lab.toml"), |text| text + more));
        let (code, stdout, stderr) = told(&course.grade().args(["prove", "echo"]).output().unwrap());
        assert!(code == 2 && stdout.contains(expected), "{code} {stdout}{stderr}");
    };
    let check = |name: &str, more: &str| format!("\n[[check]]\nname = \"{name}\"\npoints = 1\nhints = [\"\", \"\", \"\"]\n{more}\n");
    let hidden = check("secret", "hidden = true");
    refused(
        "course-hidden-first",
        &format!("{hidden}{}", check("later", "after = [\"secret\"]")),
        "check `later` is handed out and comes after `secret`, which is hidden",
    );
    let late = check("late", "visibility = \"after_due_date\"");
    refused(
        "course-shown-first",
        &format!("{late}{}", check("later", "after = [\"late\"]")),
        "check `later` (visible) is shown sooner than `late` (after_due_date), which it comes after",
    );
}
