//! `grade export`: every form is read back by its own reader, and says what the records say.

mod made;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use grading::run::record::{Record, Status, Visibility};
use harness::verdict::Word;
use made::{class, full_marks, grade, hostile, labs, not_built, with};
use serde_json::Value;
use tempfile::TempDir;

/// A folder of records of all kinds: a class, a hostile student, one with hidden checks, one that was not built, one that is broken.
fn records() -> (TempDir, Vec<Record>) {
    let folder = tempfile::tempdir().unwrap();
    let labs = labs(&["02-pipe", "10-tcp"]);
    let mut records = class(5, &labs);
    records.push(hostile(&labs[0]));
    let mut secret = with(full_marks("secret", &labs[0]), 2, Word::Fail, Some(made::output("secret word")), "the secret word is plugh");
    secret.checks[2].visibility = Visibility::Hidden;
    secret.checks[3].visibility = Visibility::AfterPublished;
    records.push(secret);
    records.push(not_built(full_marks("torn", &labs[0]), Status::CompileError, "error: this file contains an unclosed delimiter"));
    records.push(with(full_marks("unseen", &labs[0]), 4, Word::Broken, None, "reason:   no memory"));
    made::write(folder.path(), &records);
    (folder, records)
}

/// Runs `grade export` on the folder; what is broken in it makes the exit code 3.
fn export(folder: &Path, form: &str, arguments: &[&str]) -> String {
    let all: Vec<&str> = ["export", form, folder.to_str().unwrap()].into_iter().chain(arguments.iter().copied()).collect();
    let (code, stdout, stderr) = grade(&all);
    assert_eq!(code, 3, "{stdout}{stderr}");
    assert!(stderr.contains("records need attention") && stderr.contains("unseen 02-pipe: not observed: big_input"), "{stderr}");
    stdout
}

/// Whether a Python module is there; if not, what is not tested for want of it is said.
fn has_python(module: &str, package: &str) -> bool {
    let there =
        Command::new("python3").args(["-c", &format!("import {module}")]).stderr(std::process::Stdio::null()).status().is_ok_and(|s| s.success());
    if !there {
        eprintln!("not tested: {package} is not installed");
    }
    there
}

#[test]
fn json_lines_hold_every_record_as_it_is() {
    let (folder, records) = records();
    let text = export(folder.path(), "jsonl", &[]);
    let read: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), records.len());
    assert!(records.iter().all(|record| read.contains(record)));
    assert_eq!(text, export(folder.path(), "jsonl", &[]), "the same records give the same bytes");
    let file = folder.path().join("out/all.jsonl");
    export(folder.path(), "jsonl", &["--out", file.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(file).unwrap(), text);
}

/// All keys that a schema names, at any depth.
fn named(schema: &Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        keys.extend(properties.keys().cloned());
    }
    if let Some(parts) = schema.as_object() {
        parts.values().for_each(|part| named(part, keys));
    }
}

/// All keys of a value, at any depth.
fn used(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(parts) => parts.iter().for_each(|(key, part)| {
            keys.insert(key.clone());
            used(part, keys);
        }),
        Value::Array(items) => items.iter().for_each(|item| used(item, keys)),
        _ => {}
    }
}

#[test]
fn the_schema_names_the_keys_of_records_and_no_others() {
    let (code, schema, _) = grade(&["export", "schema"]);
    assert_eq!(code, 0);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let (mut expected, mut observed) = (BTreeSet::new(), BTreeSet::new());
    named(&schema, &mut expected);
    let mut all = records().1;
    // What only an intake from a learning platform says.
    (all[0].ids, all[0].submitted, all[0].marked_late) = (vec!["7".into()], Some("2026-10-05T21:59:00Z".into()), true);
    all.iter().for_each(|record| used(&serde_json::to_value(record).unwrap(), &mut observed));
    assert_eq!(expected, observed);
}

/// With Python's jsonschema: every record is valid, and a record is not once a key is taken out, added, or of another type.
#[test]
fn records_are_valid_under_the_schema_and_what_is_no_record_is_not() {
    if !has_python("jsonschema", "python3-jsonschema") {
        return;
    }
    let (folder, _) = records();
    let valid = export(folder.path(), "jsonl", &[]);
    let record: Value = serde_json::from_str(valid.lines().find(|line| line.contains("\"labels\"")).unwrap()).unwrap();
    let mut invalid = Vec::new();
    for key in record.as_object().unwrap().keys() {
        let mut changed = record.clone();
        changed.as_object_mut().unwrap().remove(key);
        invalid.push(changed);
        let mut changed = record.clone();
        changed[key] = serde_json::json!({});
        invalid.push(changed);
    }
    for (pointer, wrong) in
        [("/checks/0/verdict", "maybe"), ("/checks/0/name", "a b"), ("/outcome/status", "fine"), ("/submission", "x"), ("/tier", "E")]
    {
        let mut changed = record.clone();
        *changed.pointer_mut(pointer).unwrap() = wrong.into();
        invalid.push(changed);
    }
    let mut changed = record.clone();
    changed["checks"][0]["extra"] = true.into();
    invalid.push(changed);
    let (_, schema, _) = grade(&["export", "schema"]);
    fs::write(folder.path().join("schema"), schema).unwrap();
    fs::write(folder.path().join("valid"), &valid).unwrap();
    fs::write(folder.path().join("invalid"), invalid.iter().map(|record| format!("{record}\n")).collect::<String>()).unwrap();
    let script = "import json, jsonschema\n\
        schema = json.load(open('schema'))\n\
        jsonschema.Draft202012Validator.check_schema(schema)\n\
        validator = jsonschema.Draft202012Validator(schema)\n\
        for line in open('valid', newline='\\n'):\n    validator.validate(json.loads(line))\n\
        wrong = [line for line in open('invalid', newline='\\n') if validator.is_valid(json.loads(line))]\n\
        assert not wrong, wrong\n";
    let output = Command::new("python3").current_dir(folder.path()).args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn csv_is_read_back_cell_by_cell_and_holds_no_formula() {
    let (folder, records) = records();
    let text = export(folder.path(), "csv", &[]);
    assert!(
        text.starts_with(
            "student,lab,points,max_points,submitted,days_late,deduction_percent,mark,status,message,needs_attention,tier,seed,submission\r\n"
        ),
        "{text}"
    );
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), records.len());
    let find = |student: &str| rows.iter().find(|row| &row[0] == student).unwrap();
    let points = records.iter().find(|record| record.student == "unseen").unwrap().points.to_string();
    assert_eq!((&find("unseen")[2], &find("unseen")[10], &find("torn")[8]), (&*points, "yes", "compile_error"));
    let checks = export(folder.path(), "csv", &["--rows", "check"]);
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(checks.as_bytes()).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), records.iter().map(|record| record.checks.len()).sum::<usize>());
    assert!(rows.iter().any(|row| &row[0] == made::HOSTILE && &row[7] == made::HOSTILE));
    assert!(rows.iter().all(|row| row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r']))));
}

/// With the reader of the crate that nextest itself uses.
#[test]
fn junit_tells_failures_from_our_own_faults() {
    let (folder, records) = records();
    let report = quick_junit::Report::deserialize_from_str(&export(folder.path(), "junit", &[])).unwrap();
    let count = |verdict| records.iter().flat_map(|record| &record.checks).filter(|check| check.verdict == verdict).count();
    let not_built = records.iter().filter(|record| record.outcome.status != Status::Built).count();
    assert_eq!(report.test_suites.len(), records.len());
    assert_eq!(report.failures, count(Word::Fail) + not_built);
    assert_eq!(report.errors, count(Word::Broken));
    assert_eq!(report.tests, records.iter().map(|record| record.checks.len() + 1).sum::<usize>());
    let torn = report.test_suites.iter().find(|suite| suite.name.as_str() == "torn 02-pipe").unwrap();
    let checks = records.iter().find(|record| record.student == "torn").unwrap().checks.len();
    assert_eq!((torn.failures, torn.skipped), (1, checks));
    assert_eq!(torn.test_cases[0].name.as_str(), "build");
}

#[test]
fn gradescope_records_the_points_of_the_record() {
    let (folder, records) = records();
    let out = folder.path().join("gradescope");
    export(folder.path(), "gradescope", &["--out", out.to_str().unwrap()]);
    for record in &records {
        let name = grading::run::names::record_name(record.student.as_ref());
        let results: Value = serde_json::from_slice(&fs::read(out.join(name).join(format!("{}.json", record.lab))).unwrap()).unwrap();
        let tests = results["tests"].as_array().unwrap();
        assert_eq!(results["score"], record.points);
        assert_eq!(tests.iter().map(|test| test["score"].as_u64().unwrap()).sum::<u64>(), u64::from(record.points));
        assert_eq!(tests.iter().map(|test| test["max_score"].as_u64().unwrap()).sum::<u64>(), u64::from(record.max_points));
        let top =
            ["score", "output", "output_format", "test_output_format", "test_name_format", "visibility", "stdout_visibility", "tests", "extra_data"];
        assert_eq!(
            results.as_object().unwrap().keys().map(|key| &**key).collect::<BTreeSet<_>>(),
            BTreeSet::from(top),
            "no other key is Gradescope's"
        );
        for (test, check) in tests.iter().zip(&record.checks) {
            assert_eq!(test["status"], if check.verdict == Word::Pass { "passed" } else { "failed" });
            assert!(["visible", "hidden", "after_due_date", "after_published"].contains(&test["visibility"].as_str().unwrap()));
        }
    }
    let secret: Value = serde_json::from_slice(&fs::read(out.join("secret/02-pipe.json")).unwrap()).unwrap();
    assert_eq!((&secret["tests"][2]["visibility"], &secret["tests"][3]["visibility"]), (&"hidden".into(), &"after_published".into()));
    let torn: Value = serde_json::from_slice(&fs::read(out.join("torn/02-pipe.json")).unwrap()).unwrap();
    assert!(torn["output"].as_str().unwrap().contains("unclosed delimiter"));
}

/// As the reporter's own code reads it: a runner's share of passed tests times its `max_score` is printed, the sum of the tests' scores is reported.
#[test]
fn the_github_reporter_prints_and_reports_the_same_points() {
    let (folder, records) = records();
    let out = folder.path().join("github");
    export(folder.path(), "github", &["--out", out.to_str().unwrap()]);
    for record in &records {
        let name = grading::run::names::record_name(record.student.as_ref());
        let text = fs::read_to_string(out.join(name).join(format!("{}.env", record.lab))).unwrap();
        let variable = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
        let (mut printed, mut reported, mut possible) = (0.0, 0, 0);
        for runner in variable("RUNNERS").split(',') {
            let json = base64::engine::general_purpose::STANDARD.decode(variable(&format!("{}_RESULTS", runner.trim().to_uppercase()))).unwrap();
            let results: Value = serde_json::from_slice(&json).unwrap();
            let tests = results["tests"].as_array().unwrap();
            let passed = tests.iter().filter(|test| test["status"] == "pass").count();
            printed += passed as f64 / tests.len() as f64 * results["max_score"].as_f64().unwrap();
            reported += tests.iter().map(|test| test["score"].as_u64().unwrap()).sum::<u64>();
            possible += results["max_score"].as_u64().unwrap();
        }
        assert_eq!((printed, reported, possible), (f64::from(record.points), u64::from(record.points), u64::from(record.max_points)));
    }
}

#[test]
fn autolab_finds_the_scores_on_the_last_line() {
    let (folder, records) = records();
    let out = folder.path().join("autolab");
    export(folder.path(), "autolab", &["--out", out.to_str().unwrap()]);
    for record in &records {
        let name = grading::run::names::record_name(record.student.as_ref());
        let text = fs::read_to_string(out.join(name).join(format!("{}.txt", record.lab))).unwrap();
        let last: Value = serde_json::from_str(text.lines().rfind(|line| !line.trim().is_empty()).unwrap()).unwrap();
        let scores = last["scores"].as_object().unwrap();
        assert_eq!(scores.values().map(|score| score.as_u64().unwrap()).sum::<u64>(), u64::from(record.points));
        let shown = record.checks.iter().filter(|check| check.visibility == Visibility::Visible).count();
        let total = usize::from(shown < record.checks.len());
        assert!(scores.len() == shown + total && scores.keys().all(|name| !name.contains(':')));
    }
}

#[test]
fn what_a_student_must_not_see_is_in_no_form_that_cannot_hide_it() {
    let (folder, _) = records();
    for (form, ending) in [("github", "env"), ("autolab", "txt")] {
        let out = folder.path().join(form);
        export(folder.path(), form, &["--out", out.to_str().unwrap()]);
        let mut text = fs::read_to_string(out.join(format!("secret/02-pipe.{ending}"))).unwrap();
        for line in text.clone().lines().filter_map(|line| line.split_once("_RESULTS=")) {
            text.push_str(&String::from_utf8(base64::engine::general_purpose::STANDARD.decode(line.1).unwrap()).unwrap());
        }
        assert!(!text.contains("plugh") && !text.contains("count_comes_back") && text.contains("not_shown"), "{form}: {text}");
    }
}

const CLASSROOM50: [&str; 14] = [
    "--classroom",
    "cs",
    "--assignment",
    "pipe",
    "--owner",
    "ann",
    "--submission",
    "submit/2026-06-01T14-32-05Z-a1b2c3d",
    "--commit",
    "https://example.org/c",
    "--release",
    "https://example.org/r",
    "--datetime",
    "2026-06-01T14:32:05Z",
];

/// The rules of `classroom50/result/v1`.
#[test]
fn classroom_50_gets_its_fields_and_no_others() {
    let (folder, records) = records();
    let file = folder.path().join("result.json");
    let from = ["--student", "secret", "--file", file.to_str().unwrap()];
    let all: Vec<&str> = ["export", "classroom50", folder.path().to_str().unwrap()].into_iter().chain(from).chain(CLASSROOM50).collect();
    let (code, _, stderr) = grade(&all);
    assert_eq!(code, 0, "{stderr}");
    let result: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let record = records.iter().find(|record| record.student == "secret").unwrap();
    let keys = [
        "schema",
        "classroom",
        "assignment",
        "assignment_type",
        "owner",
        "submission",
        "commit",
        "release",
        "review",
        "datetime",
        "score",
        "max-score",
        "tests",
    ];
    assert_eq!(result.as_object().unwrap().keys().map(|key| &**key).collect::<BTreeSet<_>>(), BTreeSet::from(keys));
    assert_eq!((&result["schema"], &result["assignment_type"]), (&"classroom50/result/v1".into(), &"individual".into()));
    assert_eq!((&result["score"], &result["max-score"]), (&record.points.into(), &record.max_points.into()));
    assert_eq!(result["review"], result["commit"]);
    let tests = result["tests"].as_array().unwrap();
    assert_eq!(tests.iter().map(|test| test["score"].as_u64().unwrap()).sum::<u64>(), u64::from(record.points));
    assert!(tests.iter().all(|test| test["passed"].is_boolean() && test["score"].as_u64() <= test["max-score"].as_u64()));
    assert!(!result.to_string().contains("plugh") && result.to_string().contains("not_shown"));
}

#[test]
fn input_that_cannot_be_used_is_a_clear_error() {
    let (folder, _) = records();
    let path = folder.path().to_str().unwrap();
    let refused = |arguments: &[&str], expected: &str| {
        let (code, _, stderr) = grade(&[&["export"], arguments].concat());
        assert!(code == 2 && stderr.contains(expected), "{arguments:?}: {stderr}");
    };
    refused(&["jsonl", "/nowhere"], "read the records in /nowhere: No such file or directory");
    refused(&["jsonl", path, "--lab", "fifo"], "there is no record of a lab `fifo`");
    refused(&["jsonl", path, "--lab", "tpc"], "there are: 02-pipe, 10-tcp");
    refused(&["jsonl", path, "--student", "secrte"], "there is no record of a student `secrte`; did you mean `secret`?");
    refused(&["gradescope", path, "--file", "/tmp/x"], "expected one record for one file");
    refused(&["gradescope", path], "required");
    refused(&["gradescope", path, "--out", path], "holds something else");
    refused(&[&["classroom50", path, "--file", "/tmp/x"], &CLASSROOM50[..12], &["--datetime", "yesterday"]].concat(), "expected a moment in UTC");
    let record = folder.path().join("records/secret/02-pipe.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("\"needs_attention\": false", "\"needs_attention\": no")).unwrap();
    refused(&["csv", path], "records/secret/02-pipe.json:11:23: expected ident");
    fs::write(&record, text.replace("record/1", "record/9")).unwrap();
    refused(&["csv", path], "expected a record with schema ipc-labs/record/1; observed \"ipc-labs/record/9\"");
    fs::write(&record, text.replace("\"seed\"", "\"sead\"")).unwrap();
    refused(&["csv", path], "unknown field `sead`");
}

/// Not a test: writes a class into `MADE_CLASS`, to look at with one's own eyes.
#[test]
#[ignore = "writes a class to look at: MADE_CLASS=folder MADE_STUDENTS=500 cargo test -p grading --test export -- --ignored"]
fn a_class_to_look_at() {
    let folder = std::env::var("MADE_CLASS").expect("MADE_CLASS names a folder");
    let students = std::env::var("MADE_STUDENTS").map_or(3, |number| number.parse().unwrap());
    let labs = harness::manifest::Labs::find(&made::root()).unwrap().0;
    let mut records = class(students, &labs[..labs.len().min(if students > 10 { labs.len() } else { 3 })]);
    records.push(hostile(&labs[1]));
    made::write(Path::new(&folder), &records);
}
