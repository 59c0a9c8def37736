//! `grade prove` on labs that keep their promises, and on labs that do not.

mod course;

use std::fs;
use std::path::Path;

use course::{Course, told};
use serde_json::Value;

/// The problems of a lab as `place: observed`, from the JSON report.
fn problems(report: &Value, lab: &str) -> Vec<String> {
    let lab = report["labs"].as_array().unwrap().iter().find(|report| report["lab"] == lab).unwrap();
    let text = |problem: &Value, key: &str| problem[key].as_str().unwrap().to_owned();
    lab["problems"].as_array().unwrap().iter().map(|problem| format!("{}: {}", text(problem, "place"), text(problem, "observed"))).collect()
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn labs_that_keep_their_promises_are_proved_every_time() {
    let course = Course::new("course-to-prove", |_| {});
    let (code, stdout, stderr) = told(&course.grade().args(["prove", "--seed", "7", "--repeat", "3", "--no-skips"]).output().unwrap());
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("rejected   6 of 6 fail the check that they are named for") && stdout.ends_with("2 of 2 labs proved\n"), "{stdout}");
    let (code, stdout, _) = told(&course.grade().args(["prove", "2", "--json"]).output().unwrap());
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, report["labs"].as_array().unwrap().len()), (0, 1));
}

#[test]
fn an_unknown_lab_is_an_error_with_the_nearest_name() {
    let course = Course::new("course-to-prove", |_| {});
    let (code, _, stderr) = told(&course.grade().args(["prove", "pear"]).output().unwrap());
    assert!(code == 2 && stderr.contains("there is no lab `pear`; did you mean `pair`?"), "{stderr}");
}

#[test]
fn every_broken_promise_is_found() {
    let course = Course::new("course-of-broken-promises", |root| {
        let echo = root.join("labs/01-echo/submissions");
        // Fails an earlier check; passes; does not build; is named after nothing; accepted but wrong.
        fs::rename(echo.join("rejected/prints_words/joined_a.rs"), echo.join("rejected/usage/joined_a.rs")).unwrap();
        fs::copy(echo.join("accepted/a.rs"), echo.join("rejected/usage/silent_a.rs")).unwrap();
        fs::write(echo.join("rejected/usage/silent_b.rs"), "//! Broken.\nfn main() {").unwrap();
        fs::create_dir(echo.join("rejected/usages")).unwrap();
        fs::rename(echo.join("rejected/keeps_blanks/split_a.rs"), echo.join("accepted/b.rs")).unwrap();
        // No rejected submission for one check, a starter that fails nothing, and a list that differs.
        let pair = root.join("labs/02-pair");
        fs::remove_dir_all(pair.join("submissions/rejected/right_speaks")).unwrap();
        for program in ["left", "right"] {
            replace(&pair.join(format!("src/bin/{program}.rs")), "    // BEGIN SOLUTION\n", "");
            replace(&pair.join(format!("src/bin/{program}.rs")), "    // END SOLUTION\n", "");
        }
        replace(&pair.join("checks.rs"), "(\"right_speaks\", 4", "(\"right_talks\", 4");
        replace(&pair.join("README.md"), "prints `right`", "prints right");
    });
    let (code, stdout, stderr) = told(&course.grade().args(["prove", "--json"]).output().unwrap());
    assert_eq!(code, 3, "records of a check that lab.toml does not have are the harness's fault: {stdout}{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let expect = |lab: &str, beginnings: &[&str]| {
        let found = problems(&report, lab);
        for beginning in beginnings {
            assert!(found.iter().any(|problem| problem.starts_with(beginning)), "{beginning} is not in {found:#?}");
        }
    };
    expect(
        "01-echo",
        &[
            "submissions/rejected/usage/joined_a.rs: it fails prints_words first",
            "submissions/rejected/usage/silent_a.rs: it passes",
            "submissions/rejected/usage/silent_b.rs: error: this file contains an unclosed delimiter",
            "submissions/rejected/usages: `usages` is no check of this lab; did you mean `usage`?",
            "submissions/accepted/b.rs, keeps_blanks: fail",
            "submissions/rejected: 5",
        ],
    );
    expect(
        "02-pair",
        &[
            "submissions/rejected/right_speaks: none",
            "checks.rs: the check executable lists: left_speaks, right_talks",
            "checks.rs, right_speaks: The right program prints `right`.",
        ],
    );
}

#[test]
fn a_starter_that_fails_nothing_is_found_and_luck_too() {
    let course = Course::new("course-of-luck", |root| {
        let pair = root.join("labs/02-pair");
        for program in ["left", "right"] {
            replace(&pair.join(format!("src/bin/{program}.rs")), "    // BEGIN SOLUTION\n", "");
            replace(&pair.join(format!("src/bin/{program}.rs")), "    // END SOLUTION\n", "");
        }
        // Right the first time only.
        let lucky = "//! Right once.\nfn main() {\n    let mark = std::env::current_exe().unwrap().with_extension(\"mark\");\n    if !mark.exists() {\n        \
            std::fs::write(mark, \"\").unwrap();\n        println!(\"left\");\n    }\n}\n";
        fs::write(pair.join("submissions/accepted/a/left.rs"), lucky).unwrap();
    });
    let (code, stdout, stderr) = told(&course.grade().args(["prove", "pair", "--repeat", "4", "--json"]).output().unwrap());
    assert_eq!(code, 1, "{stdout}{stderr}");
    let found = problems(&serde_json::from_str(&stdout).unwrap(), "02-pair");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(found[0], "the starter: it fails none");
    assert!(found[1].starts_with("submissions/accepted/a, left_speaks: pass at first, fail in repetition 2; 3 differ"), "{found:#?}");
}

#[test]
fn a_bad_manifest_is_an_error_with_its_line_and_the_other_labs_are_proved() {
    let course = Course::new("course-with-a-bad-manifest", |root| replace(&root.join("labs/01-echo/lab.toml"), "level = 1", "levle = 1"));
    let (code, stdout, _) = told(&course.grade().arg("prove").output().unwrap());
    assert_eq!(code, 2, "{stdout}");
    assert!(stdout.contains("labs/01-echo/lab.toml:3: unknown field `levle`") && stdout.ends_with("1 of 2 labs proved\n"), "{stdout}");
}
