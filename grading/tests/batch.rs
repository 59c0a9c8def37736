//! `grade run` as a batch: what is the same is done once, what may be the machine's fault is done again alone, late is late, and shards make a whole.

mod course;

use std::fs;
use std::path::{Path, PathBuf};

use course::{Course, told};
use serde_json::Value;
use tempfile::TempDir;

const RIGHT: &str = "fn main() {\n    if std::env::args().len() == 1 { std::process::exit(2) }\n    std::env::args().skip(1).for_each(|word| println!(\"{word}\"));\n}\n";
const WRONG: &str = "fn main() {\n    std::env::args().skip(1).for_each(|word| word.split(' ').for_each(|part| println!(\"{part}\")));\n}\n";

fn prints(word: &str) -> String {
    format!("fn main() {{ println!(\"{word}\") }}\n")
}

struct Class {
    folder: TempDir,
    course: Course,
}

impl Class {
    fn new() -> Self {
        Self::of(Course::new("course", |_| {}))
    }

    fn of(course: Course) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["submissions", "marks"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, course }
    }

    fn hand_in(&self, student: &str, text: &str) -> &Self {
        let folder = self.path("submissions").join(student).join("01-echo/src");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("main.rs"), text).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, what: &str, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.course.grade();
        command.arg(what).arg(self.path("submissions")).arg("--out").arg(self.path("out")).args(arguments);
        told(&command.env("FIXTURE_MARKS", self.path("marks")).output().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        self.command("run", arguments)
    }

    /// How often a check executable was started since this was last asked.
    fn runs(&self) -> usize {
        let runs = self.path("marks/runs");
        let count = fs::read_to_string(&runs).unwrap_or_default().lines().count();
        let _ = fs::remove_file(runs);
        count
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path("out").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn record(&self, student: &str) -> Value {
        serde_json::from_str(&self.read(&format!("records/{student}/01-echo.json"))).unwrap()
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn the_same_sources_are_built_and_checked_once() {
    let class = Class::new();
    class.hand_in("ann", RIGHT).hand_in("bob", RIGHT).hand_in("cid", WRONG).hand_in("dan", RIGHT);
    let (code, stdout, stderr) = class.run(&["--seed", "7"]);
    assert_eq!((code, class.runs()), (0, 2), "{stdout}{stderr}");
    assert_eq!(class.read("grades.csv"), "student,01-echo,total\nann,6,6\nbob,6,6\ncid,2,2\ndan,6,6\n");
    let (mut ann, mut dan) = (class.record("ann"), class.record("dan"));
    assert_eq!((ann["student"].take(), dan["student"].take()), ("ann".into(), "dan".into()));
    assert_eq!(ann, dan);
    // Who comes later with the same gets a record without any work.
    class.hand_in("eve", WRONG);
    assert!(class.run(&[]).1.starts_with("1 graded, 4 kept"));
    assert_eq!((class.runs(), &class.record("eve")["points"]), (0, &2.into()));
}

/// The order of a run's steps may be another each time: it is beside the record and not in it, and shown only if it is of the same submission, lab and seed.
#[test]
fn the_run_that_failed_is_kept_beside_the_record() {
    let class = Class::new();
    class.hand_in("ann", RIGHT).hand_in("bob", WRONG).hand_in("cid", WRONG);
    assert_eq!(class.run(&["--seed", "7"]).0, 0);
    let timelines = |student: &str| class.path("out/timelines").join(student).join("01-echo.json");
    let kept = fs::read(timelines("bob")).unwrap();
    assert!(!timelines("ann").exists() && fs::read(timelines("cid")).unwrap() == kept, "what failed, for each who handed it in");
    let text = String::from_utf8(kept.clone()).unwrap();
    assert!(text.contains("keeps_blanks") && text.contains("writes ") && !text.contains('\u{1b}') && !text.contains("u001b["), "{text}");
    // Who comes later with the same gets the same, and grading again changes them and no record.
    class.hand_in("eve", WRONG);
    class.run(&["--seed", "7"]);
    assert_eq!(fs::read(timelines("eve")).unwrap(), kept);
    let record = class.read("records/bob/01-echo.json");
    class.run(&["--again", "all"]);
    assert_eq!(class.read("records/bob/01-echo.json"), record);
    assert_ne!(fs::read(timelines("bob")).unwrap(), kept);

    let page = |out: &str| {
        let mut grade = class.course.grade();
        grade.arg("report").arg(class.path("out")).arg("--out").arg(class.path(out));
        let (code, _, stderr) = told(&grade.output().unwrap());
        assert_eq!(code, 0, "{stderr}");
        fs::read_to_string(class.path(out).join("students/bob.html")).unwrap()
    };
    let shown = page("pages");
    assert!(shown.contains("The run, step by step") && shown.contains("src=\"data:image/svg+xml;base64,"), "{shown}");
    assert!(shown.contains("In words") && shown.contains("[2Jwrites "), "{shown}");
    fs::write(timelines("bob"), fs::read_to_string(timelines("bob")).unwrap().replace("\"seed\":7", "\"seed\":8")).unwrap();
    assert!(!page("pages").contains("step by step"), "it is of another run");
}

#[test]
fn what_may_be_the_machines_fault_is_done_again_alone_before_it_counts() {
    let class = Class::new();
    class.hand_in("once", &prints("TIME-ONCE")).hand_in("slow", &prints("TIME")).hand_in("ann", RIGHT).hand_in("broken", &prints("BREAK"));
    let (code, stdout, stderr) = class.run(&["--jobs", "2"]);
    assert_eq!(code, 3, "{stdout}{stderr}");
    for student in ["once", "slow", "broken"] {
        assert!(stderr.contains(&format!("{student} 01-echo: not observed clearly; again alone, after the others")), "{stderr}");
    }
    assert!(!stderr.contains("ann 01-echo: not observed clearly"), "{stderr}");
    assert_eq!((&class.record("once")["points"], &class.record("once")["needs_attention"]), (&6.into(), &false.into()));
    let slow = class.record("slow");
    assert_eq!((&slow["points"], &slow["checks"][0]["verdict"], &slow["needs_attention"]), (&0.into(), &"fail".into(), &false.into()));
    assert_eq!(class.record("broken")["needs_attention"], true);
    assert!(stdout.contains("  broken 01-echo: not observed: prints_words"), "{stdout}");
    // One start for ann, two for each of once and slow, three for broken: beside others, alone, and once more.
    assert_eq!(class.runs(), 1 + 2 + 2 + 3);
}

#[test]
fn what_is_to_be_graded_again_can_be_named() {
    let class = Class::new();
    class.hand_in("ann", RIGHT).hand_in("bob", WRONG).hand_in("cid", &prints("x"));
    class.run(&["--seed", "7"]);
    class.runs();
    // Records as a machine at fault would have left them.
    for (student, check, verdict, points) in [("ann", 0, "skipped", 4), ("bob", 2, "pass", 3)] {
        let mut record = class.record(student);
        (record["checks"][check]["verdict"], record["checks"][check]["points"]) = (verdict.into(), 0.into());
        record["points"] = points.into();
        fs::write(class.path(&format!("out/records/{student}/01-echo.json")), record.to_string()).unwrap();
    }
    let (_, stdout, _) = class.run(&["--again", "student=ann"]);
    assert!(stdout.starts_with("1 graded, 2 kept"), "{stdout}");
    assert!(stdout.contains("ann 01-echo: 4 → 6 points (prints_words skipped → pass)"), "{stdout}");
    assert_eq!(class.runs(), 1);
    let (_, stdout, _) = class.run(&["--again", "check=echo/usage"]);
    assert!(stdout.contains("bob 01-echo: 3 → 2 points (usage pass → skipped)"), "{stdout}");
    assert_eq!((class.record("ann")["points"].clone(), class.record("bob")["points"].clone()), (6.into(), 2.into()));
    assert!(class.run(&["--again", "lab=1"]).1.starts_with("3 graded, 0 kept"));
    assert!(class.run(&["--again", "all"]).1.starts_with("3 graded, 0 kept"));
    for (wrong, expected) in [
        ("student=eve", "there is no student `eve` in this batch"),
        ("lab=ecko", "did you mean `echo`?"),
        ("check=echo/usag", "01-echo has no check `usag`; did you mean `usage`?"),
        ("everything", "expected all, student=NAME, lab=LAB or check=LAB/CHECK"),
    ] {
        let (code, _, stderr) = class.run(&["--again", wrong]);
        assert!(code == 2 && stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn another_lab_version_grades_everybody_again_and_says_what_changed() {
    let course = Course::new("course-versions", |_| {});
    let checks = course.root.join("labs/01-echo/checks.rs");
    let class = Class::of(course);
    class.hand_in("ann", RIGHT).hand_in("bob", WRONG);
    assert!(class.run(&["--seed", "7"]).1.starts_with("2 graded"));
    let text = fs::read_to_string(&checks).unwrap();
    fs::write(&checks, text.replace("equal(\"a b\\n\"", "equal(\"a\\nb\\n\"")).unwrap();
    let (_, stdout, _) = class.run(&[]);
    fs::write(&checks, text).unwrap();
    assert!(stdout.starts_with("2 graded, 0 kept"), "{stdout}");
    assert!(stdout.contains("ann 01-echo: 6 → 2 points (keeps_blanks pass → fail, usage pass → skipped)"), "{stdout}");
    assert!(stdout.contains("bob 01-echo: 2 → 5 points (keeps_blanks fail → pass, usage skipped → fail)"), "{stdout}");
}

#[test]
fn a_late_policy_counts_from_the_moment_of_submission_and_grading_again_moves_nothing() {
    let class = Class::new();
    class.hand_in("ann", RIGHT).hand_in("bob", RIGHT).hand_in("cid", WRONG).hand_in("dan", RIGHT);
    fs::create_dir(class.path("submissions/none")).unwrap();
    let times = class
        .file("times.csv", "student,lab,submitted\nann,echo,2026-10-05T21:59:00Z\nbob,echo,2026-10-06T22:00:00Z\ncid,echo,2026-10-20T00:00:00Z\n");
    let policy = class.file("policy.toml", "[default]\ndue = 2026-10-05T23:59:00+02:00\npercent_per_day = 25\nhard_stop_days = 7\n");
    let (code, stdout, stderr) = class.run(&["--times", &times, "--late", &policy, "--seed", "7"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let grades = "student,01-echo,total\nann,6,6\nbob,3,3\ncid,0,0\ndan,6,6\nnone,0,0\n";
    assert_eq!(class.read("grades.csv"), grades);
    assert!(stderr.contains("warning: dan 01-echo: no time is known; nothing is deducted"), "{stderr}");
    assert!(class.read("late.csv").contains("bob,01-echo,2026-10-06T22:00:00Z,2026-10-05T21:59:00Z,2,0,50,6,3,\n"), "{}", class.read("late.csv"));
    assert!(class.read("late.csv").contains("cid,01-echo,2026-10-20T00:00:00Z,2026-10-05T21:59:00Z,15,0,100,2,0,past the hard stop\n"));
    let bob = class.record("bob");
    assert_eq!((&bob["points"], &bob["submitted"]), (&6.into(), &"2026-10-06T22:00:00Z".into()), "a record holds what was earned, and when");
    // Again, without the table and without naming the policy: both are kept.
    let (_, stdout, _) = class.run(&["--again", "all"]);
    assert!(stdout.starts_with("5 graded, 0 kept"), "{stdout}");
    assert_eq!(class.record("bob"), bob);
    assert_eq!(class.read("grades.csv"), grades);
    // A policy that is mended needs no grading.
    let policy = class.file("policy.toml", "[default]\ndue = 2026-10-05T23:59:00+02:00\npercent_per_day = 25\n[[extension]]\nstudent = \"bob\"\ndays = 1\n[lab.echo]\npercent_at_most = 50\n");
    class.runs();
    class.run(&["--late", &policy]);
    assert_eq!((class.read("grades.csv").as_str(), class.runs()), ("student,01-echo,total\nann,6,6\nbob,4.5,4.5\ncid,1,1\ndan,6,6\nnone,0,0\n", 0));
    let wrong = class.file("wrong.toml", "[default]\ndue = 2026-10-05\n");
    let (code, _, stderr) = class.run(&["--late", &wrong]);
    assert!(code == 2 && stderr.contains("wrong.toml:2: expected a time with its offset"), "{stderr}");
}

/// The records of an output folder, by their path.
fn records(out: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for student in fs::read_dir(out.join("records")).unwrap().map(Result::unwrap) {
        for record in fs::read_dir(student.path()).unwrap().map(Result::unwrap) {
            let name = format!("{}/{}", student.file_name().to_string_lossy(), record.file_name().to_string_lossy());
            all.push((name, fs::read(record.path()).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn shards_make_the_same_records_as_one_batch_and_the_coordinator_misses_nothing() {
    let class = Class::new();
    for number in 0..12 {
        class.hand_in(&format!("s{number:02}"), &format!("{}// {}\n", if number % 3 == 0 { WRONG } else { RIGHT }, number / 2));
    }
    assert_eq!(class.run(&["--seed", "7"]).0, 0);
    let (whole, grades) = (records(&class.path("out")), class.read("grades.csv"));
    fs::rename(class.path("out"), class.path("whole")).unwrap();

    let (code, _, stderr) = class.run(&["--shard", "1/3"]);
    assert!(code == 2 && stderr.contains("expected --seed: all shards draw their inputs from the same one"), "{stderr}");
    assert_eq!(class.run(&["--shard", "4/3"]).0, 2);
    for shard in ["1/3", "2/3"] {
        let (code, stdout, stderr) = class.run(&["--shard", shard, "--seed", "7"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
    }
    let third = 12 - ["1-of-3", "2-of-3"].iter().map(|shard| records(&class.path("out/shards").join(shard)).len()).sum::<usize>();
    assert!((1..12).contains(&third), "{third}");
    let (code, stdout, stderr) = class.command("merge", &[]);
    assert_eq!(code, 3, "{stdout}{stderr}");
    assert_eq!(stdout.matches("(shard 3/3): no record").count(), third, "{stdout}");
    assert!(!class.path("out/grades.csv").exists(), "no grades are written for a part");

    // Twice, as a scheduler may do it.
    for _ in 0..2 {
        assert_eq!(class.run(&["--shard", "3/3", "--seed", "7"]).0, 0);
    }
    let (code, stdout, stderr) = class.command("merge", &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.starts_with("12 records, 0 of them delivered more than once"), "{stdout}");
    let students = |out: &str| {
        let names = fs::read_dir(class.path(out).join("timelines")).into_iter().flatten().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    assert!(!students("whole").is_empty() && students("out") == students("whole"), "{:?} {:?}", students("out"), students("whole"));
    assert_eq!((records(&class.path("out")), class.read("grades.csv")), (whole.clone(), grades.clone()));

    // A shard that was delivered under two names, the same both times; then one that differs; then one with another seed; then a stranger.
    let folder = |name: &str| class.path("out/shards").join(name);
    assert!(std::process::Command::new("cp").arg("-r").arg(folder("3-of-3")).arg(folder("copy")).status().unwrap().success());
    let (code, stdout, _) = class.command("merge", &[]);
    assert!(code == 0 && stdout.contains(&format!("12 records, {third} of them delivered more than once")), "{stdout}");
    let (name, bytes) = records(&folder("copy")).remove(0);
    let changed = String::from_utf8(bytes).unwrap().replacen("\"pass\"", "\"fail\"", 1);
    fs::write(folder("copy").join("records").join(&name), changed).unwrap();
    let (code, stdout, _) = class.command("merge", &[]);
    assert!(code == 3 && stdout.contains("two records that differ"), "{stdout}");
    fs::write(folder("copy").join("seed"), "8\n").unwrap();
    let (code, _, stderr) = class.command("merge", &[]);
    assert!(code == 2 && stderr.contains("was graded with seed"), "{stderr}");
    fs::remove_dir_all(folder("copy")).unwrap();

    fs::remove_dir_all(class.path("submissions/s00")).unwrap();
    class.hand_in("s01", "fn main() {}\n");
    let (code, stdout, stderr) = class.command("merge", &[]);
    assert!(code == 3 && stdout.contains("s01 01-echo") && stdout.contains("is of another submission"), "{stdout}{stderr}");
    assert!(stderr.contains("records/s00/01-echo.json is of no submission of this batch"), "{stderr}");
}

#[test]
fn a_shard_that_is_started_twice_at_once_is_done_once() {
    let class = Class::new();
    for number in 0..6 {
        class.hand_in(&format!("s{number}"), &format!("{RIGHT}// {number}\n"));
    }
    let start = || {
        let mut command = class.course.grade();
        command.arg("run").arg(class.path("submissions")).arg("--out").arg(class.path("out")).args(["--shard", "1/1", "--seed", "7"]);
        command.env("FIXTURE_MARKS", class.path("marks")).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let both = [start(), start()].map(|child| told(&child.wait_with_output().unwrap()));
    let mut said: Vec<&str> = both.iter().map(|(_, stdout, _)| stdout.split(',').next().unwrap()).collect();
    said.sort_unstable();
    assert_eq!((both[0].0, both[1].0, said), (0, 0, vec!["0 graded", "6 graded"]), "{both:?}");
    assert!(
        both.iter().any(|(_, _, stderr)| stderr.contains("another `grade run` is at work in") && stderr.contains("waiting for its end")),
        "{both:?}"
    );
    assert_eq!(class.runs(), 6);
    assert!(class.command("merge", &[]).1.starts_with("6 records"));
}
