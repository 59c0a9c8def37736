//! What one submission costs, beside `cargo test` in a fresh clone; and how long a student waits.
//!
//! `cargo bench -p grading --bench one_submission`. Everything is done on copies below the target folder, with the registry's cache as it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The lab that is measured: the first one.
const LAB: &str = "pipe";

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf();
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("one_submission");
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).expect("the target folder can be written");
    let clone = |name: &str| {
        let clone = place.join(name);
        run(Command::new("git").args(["clone", "-q"]).arg(&root).arg(&clone));
        clone
    };

    println!("from a clone to the first verdict, registry warm, nothing built");
    let first = clone("first");
    let start = Instant::now();
    run(cargo(&first).args(["lab", "check", LAB]));
    println!("  {:.1} s (goal: under 40 s)\n", start.elapsed().as_secs_f64());

    println!("the student's loop: cargo lab check {LAB}, warm");
    run(cargo(&first).args(["lab", "check", LAB]));
    println!("  nothing changed: {:.2} s", median(5, || run(cargo(&first).args(["lab", "check", LAB]))).as_secs_f64());
    let source = first.join("labs").join(folder_of(&first)).join("src/main.rs");
    let text = std::fs::read_to_string(&source).expect("the lab's source");
    let mut edits = 0;
    let edited = median(5, || {
        edits += 1;
        std::fs::write(&source, format!("{text}// {edits}\n")).expect("the clone can be written");
        run(cargo(&first).args(["lab", "check", LAB]));
    });
    println!("  after an edit:   {:.2} s (goal: under 1 s)\n", edited.as_secs_f64());
    std::fs::write(&source, &text).expect("the clone can be written");

    println!("one submission: graded, and by cargo test in a fresh clone of the student's workspace");
    run(cargo(&first).args(["build", "--workspace", "--all-targets"]));
    let handout = place.join("handout");
    run(cargo(&first).arg("grade").arg("handout").arg(&handout));
    let folder = folder_of(&first);
    let count = 20;
    let submissions = place.join("submissions");
    for student in 0..=count {
        let target = submissions.join(format!("s{student:02}")).join(&folder).join("src");
        std::fs::create_dir_all(&target).expect("submissions can be made");
        // No two sources are equal.
        std::fs::write(target.join("main.rs"), format!("{text}// student {student}\n")).expect("submissions can be made");
    }
    let one = place.join("one");
    std::fs::create_dir_all(&one).expect("submissions can be made");
    std::fs::rename(submissions.join("s00"), one.join("s00")).expect("submissions can be moved");
    run(cargo(&first).arg("grade").arg("run").arg(&one).arg("--out").arg(place.join("out-one")));
    let start = Instant::now();
    run(cargo(&first).arg("grade").arg("run").arg(&submissions).arg("--out").arg(place.join("out")));
    let graded = start.elapsed() / count;
    let fresh = median(3, || {
        let student = place.join("student");
        let _ = std::fs::remove_dir_all(&student);
        run(Command::new("cp").arg("-r").arg(&handout).arg(&student));
        std::fs::write(student.join("labs").join(&folder).join("src/main.rs"), &text).expect("the handout can be written");
        run(cargo(&student).args(["test", "-p", LAB]));
    });
    println!("  graded, of a batch of {count}: {:.2} s", graded.as_secs_f64());
    println!("  cargo test, fresh clone:  {:.2} s", fresh.as_secs_f64());
    println!("  fresh clone / graded: {:.0} (goal: at least 10)", fresh.as_secs_f64() / graded.as_secs_f64());
    let _ = std::fs::remove_dir_all(&place);
}

/// Cargo in a workspace, with a target folder of the workspace's own.
fn cargo(workspace: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(workspace).env("CARGO_TARGET_DIR", workspace.join("target"));
    command
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}");
}

fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[rounds / 2]
}

/// The folder of the measured lab.
fn folder_of(workspace: &Path) -> String {
    let names = std::fs::read_dir(workspace.join("labs")).expect("labs").flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found: Vec<String> = names.filter(|name| name.ends_with(&format!("-{LAB}"))).collect();
    found.sort();
    found.remove(0)
}
