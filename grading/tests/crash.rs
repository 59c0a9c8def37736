//! The grader is killed at random moments, started again each time, and in the end nothing is lost and nothing is there twice.
//!
//! CRASH_ROUNDS sets how often it is killed (20 if it is not set), CRASH_SEED the seed of the moments.

mod course;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use course::{Course, told};

/// Right or wrong, and no two alike but every fifth.
fn source(number: usize) -> String {
    let right = "fn main() {\n    if std::env::args().len() == 1 { std::process::exit(2) }\n    std::env::args().skip(1).for_each(|word| println!(\"{word}\"));\n}\n";
    let text = match number % 4 {
        0 => right.replace("exit(2)", "exit(3)"),
        1 => "fn main() { let n: u8 = \"\"; }\n".to_owned(),
        _ => right.to_owned(),
    };
    format!("{text}// {}\n", if number.is_multiple_of(5) { 0 } else { number })
}

fn class(folder: &Path, students: usize) {
    for number in 0..students {
        let lab = folder.join(format!("s{number:02}/01-echo/src"));
        fs::create_dir_all(&lab).unwrap();
        fs::write(lab.join("main.rs"), source(number)).unwrap();
    }
}

/// All files below a folder with what they hold, without those that a run in progress leaves.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            // A compiler may outlive its grader for a moment, and is at work in there.
            if entry.file_name().to_string_lossy().starts_with(".unfinished-") {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(folder).unwrap().to_path_buf();
                let bytes = fs::read(entry.path()).unwrap();
                all.insert(path.clone(), if path.starts_with("timelines") { whole_timeline(&bytes) } else { bytes });
            }
        }
    }
    all
}

/// A timeline is of one run, and another run of the same may differ in it, unlike in the record: here it counts that it is all of one.
fn whole_timeline(bytes: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    b"whole".to_vec()
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: expected a number; observed {text}")))
}

/// Pseudorandom numbers from 0 to 1.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }
}

/// Whether the child ended by itself before the time was over; it is killed if not.
fn killed_after(child: &mut Child, time: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < time {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// Kills `command` up to `rounds` times at moments drawn up to twice the time that an undisturbed run takes from `start`, then lets it end. When a run ends
/// before it is killed, the output is taken away and it goes on from nothing: the result must be the same each time. How often it was killed.
fn tormented(
    command: &mut dyn FnMut() -> Command,
    out: &Path,
    rounds: u64,
    draws: &mut Draws,
    usual: Duration,
    expected: &BTreeMap<PathBuf, Vec<u8>>,
) -> u64 {
    let (mut killed, mut whole, mut there) = (0, 0, 0);
    while killed < rounds {
        let mut child = command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if killed_after(&mut child, usual.mul_f64(draws.next() * 0.8)) {
            killed += 1;
            let now = whole_files(out, expected);
            assert!(now >= there, "{there} files were there before, and {now} after {killed} kills");
            there = now;
            continue;
        }
        assert_eq!(&files(out), expected, "after {killed} kills and {whole} ends");
        (whole, there) = (whole + 1, 0);
        fs::remove_dir_all(out).unwrap();
    }
    let (code, stdout, stderr) = told(&command().output().unwrap());
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(&files(out), expected, "after {killed} kills and {whole} ends");
    assert_eq!(unfinished(out), 0, "what was left unfinished is swept away");
    eprintln!("killed {killed} times, {whole} runs ended between");
    killed
}

fn unfinished(out: &Path) -> usize {
    fs::read_dir(out).unwrap().filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".unfinished-")).count()
}

/// What is there under the name of a record or a table is all of it, at every moment. How many there are.
fn whole_files(out: &Path, expected: &BTreeMap<PathBuf, Vec<u8>>) -> usize {
    if !out.is_dir() {
        return 0;
    }
    let mut count = 0;
    let there = files(out).into_iter().filter(|(path, _)| path.extension().is_some_and(|ending| ending == "json" || ending == "csv"));
    for (path, bytes) in there {
        assert_eq!(expected.get(&path), Some(&bytes), "{}", path.display());
        count += 1;
    }
    count
}

#[test]
fn a_grader_that_is_killed_at_random_moments_gives_the_records_of_one_that_is_not() {
    let course = Course::new("course", |_| {});
    let folder = tempfile::tempdir().unwrap();
    let submissions = folder.path().join("submissions");
    class(&submissions, 12);
    let mut draws = Draws(number("CRASH_SEED", 1));
    let grade = |out: &Path| {
        let mut command = course.grade();
        command.arg("run").arg(&submissions).arg("--out").arg(out).args(["--seed", "7", "--jobs", "2"]);
        command
    };
    // The check executables are built before the clock starts.
    assert_eq!(told(&grade(&folder.path().join("first")).output().unwrap()).0, 0);
    let undisturbed = folder.path().join("undisturbed");
    let start = Instant::now();
    assert_eq!(told(&grade(&undisturbed).output().unwrap()).0, 0);
    let usual = start.elapsed();
    let expected = files(&undisturbed);
    assert_eq!(expected.keys().filter(|path| path.starts_with("records")).count(), 12);
    let out = folder.path().join("out");
    let rounds = number("CRASH_ROUNDS", 20);
    assert_eq!(tormented(&mut || grade(&out), &out, rounds, &mut draws, usual, &expected), rounds);
}

#[test]
fn an_intake_that_is_killed_at_random_moments_gives_the_ledger_of_one_that_is_not() {
    let course = Course::new("course", |_| {});
    let folder = tempfile::tempdir().unwrap();
    let submissions = folder.path().join("submissions");
    class(&submissions, 60);
    let mut draws = Draws(number("CRASH_SEED", 1) + 1);
    let take = |out: &Path| {
        let mut command = course.grade();
        command.arg("intake").arg(&submissions).arg("--out").arg(out);
        command
    };
    let undisturbed = folder.path().join("undisturbed");
    let start = Instant::now();
    assert_eq!(told(&take(&undisturbed).output().unwrap()).0, 0);
    let usual = start.elapsed();
    let expected = files(&undisturbed);
    assert_eq!(expected.keys().filter(|path| path.starts_with("sources")).count(), 51, "60 students, of whom 12 are alike in 3 ways");
    let out = folder.path().join("out");
    let rounds = number("CRASH_ROUNDS", 20);
    assert_eq!(tormented(&mut || take(&out), &out, rounds, &mut draws, usual, &expected), rounds);
}
