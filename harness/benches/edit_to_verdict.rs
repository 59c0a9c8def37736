//! From a save to the verdict, as a student sees it: `cargo lab` in a terminal, with cargo, the compiler and the checks as they are.
//!
//! `cargo bench -p harness --bench edit_to_verdict [-- LAB]`. Saves of a right and of an unfinished program take turns; the time ends when the screen shows what
//! came out. The first build is not counted. Without tmux nothing is measured.

#[path = "../tests/support/installed.rs"]
mod installed;
#[path = "../tests/support/tmux.rs"]
mod tmux;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::manifest::Labs;
use harness::student::{self, Audience, solutions};
use tmux::{NEEDS, Terminal};

/// Saves of each kind, after one that is not counted.
const ROUNDS: usize = 9;

fn main() {
    if !installed::all_installed(&NEEDS) {
        return;
    }
    let name = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_else(|| "2".into());
    let course = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let labs = Labs::find(course).expect("labs");
    let lab = labs.get(&name).expect("the lab");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edit-to-verdict");
    let workspace = place.join("workspace");
    // It is not there the first time.
    let _ = fs::remove_dir_all(&workspace);
    student::write(course, &labs.0, &workspace, Audience::Learner).expect("a workspace");
    fs::write(workspace.join(student::PROGRESS_FILE), format!("{{\"lab\":\"{}\"}}", lab.name)).expect("the progress");
    let folder = workspace.join("labs").join(&lab.folder);
    let solution = solutions::read(&workspace, lab).expect("the solution").expect("the solution");
    let source = &lab.manifest.programs[0].source;
    let starter = fs::read_to_string(folder.join(source)).expect("the starter");
    for (path, text) in &solution {
        fs::write(folder.join(path), text).expect("a file");
    }
    let target = place.join("target").display().to_string();
    let terminal = Terminal::new(110, 60, &workspace, &[("CARGO_TARGET_DIR", &*target), ("LAB_SEED", "7")], "cargo lab").with_patience(1200);
    terminal.wait_for(&["all pass", "q quit"]);
    let wrong = format!("fail: {} ", lab.name);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..=ROUNDS {
        let mut measure = |kind: usize, text: String, until: &dyn Fn(&str) -> bool| {
            let begin = Instant::now();
            fs::write(folder.join(source), text).expect("a file");
            terminal.wait_until(until, "the verdict");
            if round > 0 {
                times[kind].push(begin.elapsed());
            }
        };
        measure(0, format!("{starter}\n// {round}\n"), &|screen| screen.contains(&wrong));
        terminal.wait_for(&[&wrong, "Watching"]);
        measure(1, format!("{}\n// {round}\n", solution[source]), &|screen| screen.contains("all pass"));
        measure(2, format!("{starter}\nfn unfinished(\n// {round}\n"), &|screen| screen.contains("it does not compile"));
    }
    println!("from a save to the verdict on {}, a warm target folder, {ROUNDS} saves of each kind", lab.folder);
    for (what, mut times) in ["the first check that fails is explained", "all checks pass", "the compiler's message"].into_iter().zip(times) {
        times.sort();
        let shown = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        println!("  {what:<42} median {}, fastest {}, slowest {}", shown(times[times.len() / 2]), shown(times[0]), shown(times[times.len() - 1]));
    }
}
