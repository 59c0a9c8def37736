//! `grade run` on folders of submissions: right, wrong, broken, hostile, and interrupted.

mod course;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use course::{Course, told};
use serde_json::Value;
use tempfile::TempDir;

const RIGHT: &str = "fn main() {\n    if std::env::args().len() == 1 { std::process::exit(2) }\n    std::env::args().skip(1).for_each(|word| println!(\"{word}\"));\n}\n";
const WRONG: &str = "fn main() {\n    std::env::args().skip(1).for_each(|word| word.split(' ').for_each(|part| println!(\"{part}\")));\n}\n";

fn course() -> Course {
    Course::new("course", |_| {})
}

/// Runs `grade run` with these arguments after the two folders.
fn grade(course: &Course, submissions: &Path, out: &Path, arguments: &[&str]) -> (i32, String, String) {
    told(&course.grade().arg("run").arg(submissions).arg("--out").arg(out).args(arguments).output().unwrap())
}

/// Submissions and an output folder that go at the end of a test.
struct Batch {
    folder: TempDir,
}

impl Batch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("submissions")).unwrap();
        Self { folder }
    }

    fn submissions(&self) -> PathBuf {
        self.folder.path().join("submissions")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// The path of a student's only program in the first lab; its folder is there.
    fn echo(&self, student: impl AsRef<OsStr>) -> PathBuf {
        let folder = self.submissions().join(student.as_ref()).join("01-echo/src");
        fs::create_dir_all(&folder).unwrap();
        folder.join("main.rs")
    }

    fn hand_in(&self, student: impl AsRef<OsStr>, text: &str) {
        fs::write(self.echo(student), text).unwrap();
    }

    fn record(&self, student: &str, lab: &str) -> Value {
        let path = self.out().join("records").join(student).join(format!("{lab}.json"));
        serde_json::from_slice(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
    }

    fn grades(&self) -> String {
        fs::read_to_string(self.out().join("grades.csv")).unwrap()
    }
}

fn verdicts(record: &Value) -> Vec<&str> {
    record["checks"].as_array().unwrap().iter().map(|check| check["verdict"].as_str().unwrap()).collect()
}

#[test]
fn right_and_wrong_answers_get_their_points_and_messages() {
    let (course, batch) = (course(), Batch::new());
    batch.hand_in("ann", RIGHT);
    batch.hand_in("bob", WRONG);
    let (code, stdout, stderr) = grade(&course, &batch.submissions(), &batch.out(), &["--seed", "7"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(batch.grades(), "student,01-echo,total\nann,6,6\nbob,2,2\n");
    let ann = batch.record("ann", "01-echo");
    assert_eq!(ann["schema"], "ipc-labs/record/1");
    assert_eq!((&ann["points"], &ann["max_points"], &ann["seed"], &ann["tier"]), (&6.into(), &6.into(), &7.into(), &"B".into()));
    assert_eq!(ann["outcome"]["status"], "built");
    let bob = batch.record("bob", "01-echo");
    assert_eq!(verdicts(&bob), ["pass", "fail", "skipped"]);
    let check = &bob["checks"][1];
    assert_eq!((&check["name"], &check["points"], &check["max_points"]), (&"keeps_blanks".into(), &0.into(), &3.into()));
    assert_eq!(check["replay"], "cargo lab check echo keeps_blanks --seed 7");
    let message = check["message"].as_str().unwrap();
    assert!(message.contains("expected \"a b\\n\"") && message.contains("\\u{1b}[2Jother") && !message.contains('\u{1b}'), "{message}");
}

#[test]
fn a_program_that_does_not_compile_gets_the_compilers_message() {
    let (course, batch) = (course(), Batch::new());
    batch.hand_in("ann", "fn main() {\n    let n: u8 = \"x\";\n}\n");
    batch.hand_in("bob", "fn main() { print!(\"{}\", include_str!(\"/etc/passwd\")) }\n");
    assert_eq!(grade(&course, &batch.submissions(), &batch.out(), &[]).0, 0);
    let ann = batch.record("ann", "01-echo");
    assert_eq!((&ann["outcome"]["status"], &ann["points"], &ann["tier"]), (&"compile_error".into(), &0.into(), &Value::Null));
    let message = ann["outcome"]["message"].as_str().unwrap();
    assert!(message.contains("mismatched types") && message.contains("--> src/main.rs:2:17"), "{message}");
    assert!(!message.contains(batch.folder.path().to_str().unwrap()), "{message}");
    assert_eq!(ann["checks"].as_array().unwrap().len(), 3);
    let bob = batch.record("bob", "01-echo");
    assert_eq!(bob["outcome"]["status"], "refused");
    assert!(!bob.to_string().contains("root:"));
}

#[test]
fn links_fifos_folders_devices_and_giants_are_refused_and_never_read() {
    let (course, batch) = (course(), Batch::new());
    batch.hand_in("honest", RIGHT);
    symlink(batch.echo("honest"), batch.echo("file_link")).unwrap();
    assert!(Command::new("mkfifo").arg(batch.echo("fifo")).status().unwrap().success());
    fs::create_dir(batch.echo("folder")).unwrap();
    batch.hand_in("giant", &" ".repeat((1 << 20) + 1));
    batch.hand_in("just_fits", &format!("{RIGHT}{}", " ".repeat((1 << 20) - RIGHT.len())));
    fs::create_dir_all(batch.submissions().join("folder_link/01-echo")).unwrap();
    symlink(batch.submissions().join("honest/01-echo/src"), batch.submissions().join("folder_link/01-echo/src")).unwrap();
    fs::create_dir(batch.submissions().join("lab_link")).unwrap();
    symlink(batch.submissions().join("honest/01-echo"), batch.submissions().join("lab_link/01-echo")).unwrap();
    symlink(batch.submissions().join("honest"), batch.submissions().join("student_link")).unwrap();
    assert!(Command::new("mkfifo").arg(batch.submissions().join("student_fifo")).status().unwrap().success());

    let (code, stdout, stderr) = grade(&course, &batch.submissions(), &batch.out(), &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    for (student, expected) in [
        ("file_link", "src/main.rs is a symbolic link"),
        ("fifo", "src/main.rs is a FIFO"),
        ("folder", "src/main.rs is a folder"),
        ("giant", "src/main.rs is larger than 1048576 bytes"),
        ("folder_link", "src (on the way to src/main.rs) is a symbolic link"),
        ("lab_link", "01-echo is a symbolic link"),
        ("student_link", "the student's folder is a symbolic link"),
        ("student_fifo", "the student's folder is a FIFO"),
    ] {
        let record = batch.record(student, "01-echo");
        assert_eq!(record["outcome"]["status"], "refused", "{student}");
        assert!(record["outcome"]["message"].as_str().unwrap().starts_with(expected), "{record}");
        assert_eq!(record["points"], 0);
    }
    assert_eq!(batch.record("just_fits", "01-echo")["points"], 6);
    assert_eq!(batch.record("honest", "01-echo")["points"], 6);
}

#[test]
fn what_is_missing_is_named() {
    let (course, batch) = (course(), Batch::new());
    fs::create_dir(batch.submissions().join("empty")).unwrap();
    fs::create_dir_all(batch.submissions().join("mistyped/01-ecko")).unwrap();
    let left = batch.submissions().join("half/02-pair/src/bin");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("left.rs"), "fn main() { println!(\"left\") }").unwrap();
    fs::write(batch.submissions().join("notes.txt"), "").unwrap();
    let (code, _, stderr) = grade(&course, &batch.submissions(), &batch.out(), &["--lab", "echo", "--lab", "2"]);
    assert_eq!(code, 0, "{stderr}");
    let message = |student, lab| batch.record(student, lab)["outcome"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message("half", "02-pair"), "expected 02-pair/src/bin/right.rs; it is not there");
    assert_eq!(verdicts(&batch.record("half", "02-pair")), ["skipped", "skipped"]);
    assert_eq!(message("empty", "01-echo"), "expected a folder 01-echo; it is not there");
    assert_eq!(message("mistyped", "01-echo"), "expected a folder 01-echo; it is not there; there is 01-ecko");
    assert!(stderr.contains("warning: mistyped: `01-ecko` is no lab folder; did you mean `01-echo`?"), "{stderr}");
    assert!(stderr.contains("warning: empty: no lab folder is there"), "{stderr}");
    assert!(stderr.contains("warning: notes.txt is not a student's folder"), "{stderr}");
    assert_eq!(batch.grades(), "student,01-echo,02-pair,total\nempty,0,0,0\nhalf,0,0,0\nmistyped,0,0,0\n");
}

#[test]
fn names_that_are_odd_or_alike_are_kept_apart_and_made_harmless() {
    let (course, batch) = (course(), Batch::new());
    for name in [&b"Ann"[..], b"ann", b"=cmd()", b"a\xffb", b"esc\x1b[2J", "Jos\u{e9}".as_bytes(), "Jose\u{301}".as_bytes()] {
        batch.hand_in(OsStr::from_bytes(name), RIGHT);
    }
    let (code, stdout, stderr) = grade(&course, &batch.submissions(), &batch.out(), &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stderr.contains("are alike, and are graded apart: Ann (Ann), ann (ann)"), "{stderr}");
    assert!(!stderr.contains('\u{1b}') && !stdout.contains('\u{1b}'), "{stderr}");
    let grades = batch.grades();
    let students: Vec<&str> = grades.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(students.len(), 7, "{grades}");
    for expected in ["Ann", "ann", "'=cmd()", "a\\xffb", "esc\\u{1b}[2J"] {
        assert!(students.contains(&expected), "{expected}: {grades}");
    }
    let records: Vec<String> = fs::read_dir(batch.out().join("records")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(records.len(), 7);
    assert!(records.contains(&"a%FFb".to_owned()), "{records:?}");
}

#[test]
fn a_batch_goes_on_where_it_stopped_and_makes_anew_what_changed() {
    let (course, batch) = (course(), Batch::new());
    for student in ["ann", "bob", "eve"] {
        batch.hand_in(student, RIGHT);
    }
    let run = |arguments: &[&str]| grade(&course, &batch.submissions(), &batch.out(), arguments).1;
    assert!(run(&[]).starts_with("3 graded, 0 kept from before"));
    let before = fs::read(batch.out().join("records/ann/01-echo.json")).unwrap();
    assert!(run(&[]).starts_with("0 graded, 3 kept from before"));

    fs::write(batch.out().join("records/ann/01-echo.json"), "{\"schema\":").unwrap();
    fs::remove_file(batch.out().join("records/bob/01-echo.json")).unwrap();
    batch.hand_in("eve", WRONG);
    assert!(run(&[]).starts_with("3 graded, 0 kept from before"));
    assert_eq!(fs::read(batch.out().join("records/ann/01-echo.json")).unwrap(), before, "the same submission has the same record");
    assert_eq!(batch.record("eve", "01-echo")["points"], 2);

    let kept: u64 = fs::read_to_string(batch.out().join("seed")).unwrap().trim().parse().unwrap();
    assert!(run(&["--seed", &(kept + 1).to_string()]).starts_with("3 graded, 0 kept from before"));
}

#[test]
fn a_batch_that_is_killed_loses_nothing() {
    let (course, batch) = (course(), Batch::new());
    // The check executables are built before the clock starts.
    batch.hand_in("s00", RIGHT);
    assert_eq!(grade(&course, &batch.submissions(), &batch.folder.path().join("other"), &[]).0, 0);
    for number in 0..20 {
        batch.hand_in(format!("s{number:02}"), RIGHT);
    }
    let mut command = course.grade();
    command.arg("run").arg(batch.submissions()).arg("--out").arg(batch.out()).args(["--jobs", "1"]).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !batch.out().join("records/s01/01-echo.json").exists() {
        assert!(Instant::now() < deadline, "no record was written");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let written = fs::read_dir(batch.out().join("records")).unwrap().count();
    assert!(written < 20, "it was killed too late to test anything");
    let (code, stdout, _) = grade(&course, &batch.submissions(), &batch.out(), &[]);
    let kept: usize = stdout.split(' ').nth(2).unwrap().parse().unwrap();
    assert!(code == 0 && kept >= 2 && kept <= written, "{stdout}");
    assert_eq!(batch.grades().lines().count(), 21);
    let leftovers =
        |folder: &Path| fs::read_dir(folder).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("unfinished")).count();
    assert_eq!(leftovers(&batch.out()), 0);
}

#[test]
fn what_is_broken_is_tried_once_more_and_then_needs_attention() {
    let (course, batch) = (course(), Batch::new());
    batch.hand_in("ann", RIGHT);
    batch.hand_in("once", "fn main() { println!(\"BREAK-ONCE\") }");
    batch.hand_in("twice", "fn main() { println!(\"BREAK\") }");
    batch.hand_in("dies", "fn main() { println!(\"DIE\") }");
    batch.hand_in("unseen", "fn main() { println!(\"SKIP\") }");
    let (code, stdout, stderr) = grade(&course, &batch.submissions(), &batch.out(), &[]);
    assert_eq!(code, 3, "{stdout}{stderr}");
    assert_eq!((&batch.record("ann", "01-echo")["points"], &batch.record("once", "01-echo")["points"]), (&6.into(), &6.into()));
    for (student, expected) in [("twice", ["broken", "skipped", "skipped"]), ("dies", ["broken"; 3]), ("unseen", ["skipped"; 3])] {
        let record = batch.record(student, "01-echo");
        assert_eq!(verdicts(&record), expected);
        assert_eq!((&record["needs_attention"], &record["points"]), (&true.into(), &0.into()));
        assert!(stdout.contains(&format!("  {student} 01-echo: not observed: prints_words")), "{stdout}");
    }
    assert!(!batch.record("once", "01-echo")["needs_attention"].as_bool().unwrap());
    assert!(grade(&course, &batch.submissions(), &batch.out(), &[]).1.starts_with("3 graded, 2 kept"), "what needs attention is graded again");
}

#[test]
fn input_that_cannot_be_used_is_a_clear_error() {
    let (course, batch) = (course(), Batch::new());
    let refused = |submissions: &Path, out: &Path, arguments: &[&str], expected: &str| {
        let (code, _, stderr) = grade(&course, submissions, out, arguments);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    let (submissions, out) = (batch.submissions(), batch.out());
    refused(&submissions.join("none"), &out, &[], "No such file or directory");
    refused(&submissions, &out, &[], "expected one folder for each student");
    let file = batch.folder.path().join("file");
    fs::write(&file, "").unwrap();
    refused(&file, &out, &[], "is neither a zip nor a tar file");
    fs::create_dir_all(submissions.join("ann/01-ecko")).unwrap();
    refused(&submissions, &out, &[], "no student has a lab folder");
    batch.hand_in("ann", RIGHT);
    refused(&submissions, &out, &["--lab", "ecko"], "there is no lab `ecko`; did you mean `echo`?");
    refused(&submissions, &out, &["--jobs", "0"], "expected a number, at least 1");
    refused(&submissions, &submissions.join("out"), &[], "lies inside");
    refused(&submissions, &file.join("out"), &[], "Not a directory");
    refused(&submissions, Path::new("/proc/none"), &[], "write the output in /proc/none");
    assert!(!out.exists(), "nothing was written for input that cannot be used");
}

#[test]
fn an_output_folder_without_write_permission_is_a_clear_error() {
    if rustix::process::geteuid().is_root() {
        eprintln!("not tested: root may write everywhere; /proc stands for it in the test above");
        return;
    }
    let (course, batch) = (course(), Batch::new());
    batch.hand_in("ann", RIGHT);
    fs::create_dir(batch.out()).unwrap();
    fs::set_permissions(batch.out(), fs::Permissions::from_mode(0o555)).unwrap();
    let (code, _, stderr) = grade(&course, &batch.submissions(), &batch.out(), &[]);
    assert!(code == 2 && stderr.contains("Permission denied"), "{stderr}");
}

/// A limit on file sizes stands in for a disk with no room: both end a write half way. 1 block is 512 bytes, less than any record.
#[test]
fn a_full_disk_leaves_no_half_record() {
    let (course, batch) = (course(), Batch::new());
    batch.hand_in("ann", RIGHT);
    assert_eq!(grade(&course, &batch.submissions(), &batch.out(), &[]).0, 0);
    // What has no program to build needs no room but for its record.
    fs::create_dir_all(batch.submissions().join("bob/01-echo")).unwrap();
    let unlimited = course.grade();
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""])
        .arg(unlimited.get_program())
        .arg("run")
        .arg(batch.submissions())
        .arg("--out")
        .arg(batch.out());
    for (key, value) in unlimited.get_envs() {
        limited.env(key, value.unwrap());
    }
    let (code, stdout, stderr) = told(&limited.current_dir(&course.root).output().unwrap());
    assert_eq!(code, 2, "{stdout}{stderr}");
    assert!(stderr.contains("records/bob/01-echo.json: File too large"), "{stderr}");
    assert_eq!(fs::read_dir(batch.out().join("records/bob")).unwrap().count(), 0, "neither a record nor a part of one");
    assert_eq!(batch.record("ann", "01-echo")["points"], 6);
    assert!(grade(&course, &batch.submissions(), &batch.out(), &[]).1.starts_with("1 graded, 1 kept"));
}
