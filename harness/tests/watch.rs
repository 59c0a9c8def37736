//! `cargo lab` alone, in a real terminal: keys, screens, saves, and what is kept.
//!
//! The workspace is a copy of `fixtures/course`; the script `fixtures/course/cargo` stands in for cargo.

mod support {
    pub mod folder;
    pub mod installed;
    pub mod tmux;
}

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use support::tmux::{NEEDS, Terminal};
use support::{folder, installed};

/// The folder of the fixtures' executables, built here, since `cargo test --test watch` alone does not.
fn executables() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let arguments = ["build", "--quiet", "--package", "harness", "--examples", "--message-format=json"];
        let output = Command::new(env!("CARGO")).current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let messages = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let executable =
            messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).find(|path| path.ends_with("fixture_mixed"));
        executable.unwrap().parent().unwrap().to_path_buf()
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { copy(&entry.path(), &target) } else { fs::copy(entry.path(), target).map(drop).unwrap() }
    }
}

/// A student's folder.
struct Workspace(PathBuf);

impl Workspace {
    fn new(name: &str) -> Self {
        let root = folder::empty(name);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/course"), &root);
        Self(root)
    }

    fn watch(&self, rows: usize, arguments: &str) -> Terminal {
        let cargo = self.0.join("cargo").display().to_string();
        let executables = executables().display().to_string();
        let log = self.0.join("builds").display().to_string();
        let variables = [("CARGO", &*cargo), ("FIXTURE_EXECUTABLES", &*executables), ("FIXTURE_LOG", &*log), ("LAB_SEED", "7")];
        Terminal::new(100, rows, &self.0, &variables, &format!("exec {} {arguments}", env!("CARGO_BIN_EXE_lab")))
    }

    fn builds(&self) -> usize {
        fs::read_to_string(self.0.join("builds")).unwrap_or_default().lines().count()
    }

    fn save(&self, path: &str, text: &str) {
        fs::write(self.0.join(path), text).unwrap();
    }

    fn kept(&self) -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(self.0.join(".lab-progress.json")).unwrap()).unwrap()
    }
}

fn can_be_done() -> bool {
    installed::all_installed(&NEEDS)
}

#[test]
fn it_goes_through_labs_by_keys_and_resumes_where_it_was_left() {
    if !can_be_done() {
        return;
    }
    let workspace = Workspace::new("by-keys");
    let terminal = workspace.watch(40, "");
    let screen = terminal.wait_for(&["all pass: 2 checks, 3 of 3 points", "n goes on to 02-mixed", "q quit"]);
    assert!(screen.starts_with("01-sound: ") && screen.contains("so far 2 of 2 checks"), "{screen}");
    terminal.press(&["n"]);
    let screen = terminal.wait_for(&["fail: mixed fails", "2 of 10 checks pass. Watching labs/02-mixed"]);
    assert!(screen.contains("observed  \"\\u{1b}[2Jhullo\\n\"") && screen.contains("promise   It prints hello."), "{screen}");
    assert!(!screen.contains("hint 1"));
    for (step, text) in ["a question", "an idea", "a man page"].iter().enumerate() {
        terminal.press(&["h"]);
        terminal.wait_for(&[&format!("hint {}    {text}", step + 1)]);
    }
    terminal.press(&["h"]);
    terminal.wait_for(&["that was the last hint"]);
    terminal.press(&["c"]);
    let screen = terminal.wait_for(&["skipped  after_failure", "Enter goes back"]);
    assert!(screen.contains("broken   panics") && screen.contains("pass     passes_after"), "{screen}");
    terminal.press(&["l"]);
    let screen = terminal.wait_for(&["Type a lab's number"]);
    assert!(screen.contains("01-sound       2 of 2 checks    done") && screen.contains("02-mixed       2 of 10 checks   here"), "{screen}");
    terminal.press(&["3", "BSpace", "9", "Enter"]);
    terminal.wait_for(&["there is no lab 9"]);
    terminal.press(&["3", "Enter"]);
    let screen = terminal.wait_for(&["it does not compile", "Watching labs/03-uncompiled"]);
    assert!(screen.contains("error: expected `;`, found `}`"), "{screen}");
    terminal.press(&["q"]);
    assert_eq!(terminal.exit_status(), 0);
    assert!(terminal.text().contains("1 of 3 labs done. Progress is kept in .lab-progress.json"), "{}", terminal.text());
    let kept = workspace.kept();
    assert_eq!((&kept["version"], &kept["lab"], &kept["labs"]["mixed"]["hints"]["fails"]), (&1.into(), &"uncompiled".into(), &3.into()));
    let again = workspace.watch(40, "");
    again.wait_for(&["03-uncompiled: ", "it does not compile"]);
}

#[test]
fn a_save_is_checked_and_one_without_a_change_is_not() {
    if !can_be_done() {
        return;
    }
    let workspace = Workspace::new("saves");
    let terminal = workspace.watch(30, "");
    terminal.wait_for(&["all pass", "q quit"]);
    assert_eq!(workspace.builds(), 1);
    let source = fs::read_to_string(workspace.0.join("labs/01-sound/src/main.rs")).unwrap();
    workspace.save("labs/01-sound/src/main.rs", &source);
    workspace.save("labs/01-sound/src/.main.rs.swp", "an editor's");
    // A save that counts comes after those that do not: had they counted, there would be one build more.
    thread::sleep(Duration::from_millis(200));
    workspace.save("labs/01-sound/src/main.rs", &format!("{source}\n// changed\n"));
    terminal.wait_until(|_| workspace.builds() >= 2, "a build");
    terminal.wait_for(&["all pass", "q quit"]);
    assert_eq!(workspace.builds(), 2);
}

#[test]
fn a_newer_save_ends_the_check_of_an_older_one() {
    if !can_be_done() {
        return;
    }
    let workspace = Workspace::new("newer");
    let terminal = workspace.watch(30, "");
    terminal.wait_for(&["all pass", "q quit"]);
    // The build that sees this file takes an hour.
    workspace.save("hold", "");
    workspace.save("labs/01-sound/src/main.rs", "// older\n");
    terminal.wait_until(|_| workspace.builds() == 2, "the older build");
    let process = fs::read_to_string(workspace.0.join("builds")).unwrap().lines().last().unwrap().to_owned();
    fs::remove_file(workspace.0.join("hold")).unwrap();
    let begin = Instant::now();
    workspace.save("labs/01-sound/src/main.rs", "// newer\n");
    terminal.wait_until(|_| workspace.builds() == 3, "the newer build");
    terminal.wait_until(|screen| screen.contains("all pass") && !screen.contains("checking:") && !screen.contains("building"), "the newer verdict");
    assert!(begin.elapsed() < Duration::from_secs(60));
    assert!(!Path::new("/proc").join(process).exists(), "the older build has ended");
}

#[test]
fn a_plain_screen_is_only_written_on_and_says_everything_in_words() {
    if !can_be_done() {
        return;
    }
    let workspace = Workspace::new("plain");
    fs::write(workspace.0.join(".lab-progress.json"), "{\"lab\":\"mixed\",\"colour\":\"none\"}").unwrap();
    let terminal = workspace.watch(60, "--plain");
    let before = terminal.wait_for(&["fail: mixed fails", "2 of 10 checks pass", "q quit"]);
    assert_eq!(before.matches("fail: mixed fails").count(), 1, "said once: {before}");
    terminal.press(&["h"]);
    let after = terminal.wait_for(&["hint 1: a question"]);
    assert!(after.starts_with(&before), "what was there stays as it was:\n{before}\n---\n{after}");
    terminal.press(&["C-c"]);
    assert_eq!(terminal.exit_status(), 0);
    assert_eq!(workspace.kept()["colour"], "none", "what this version does not know is kept");
}

#[test]
fn a_journal_that_cannot_be_read_is_an_error_and_stays() {
    if !can_be_done() {
        return;
    }
    let workspace = Workspace::new("journal");
    let path = workspace.0.join(".lab-progress.json");
    fs::write(&path, "{\n  \"labs\": [\n").unwrap();
    let terminal = workspace.watch(20, "");
    assert_eq!(terminal.exit_status(), 2);
    let told = terminal.text().replace('\n', "");
    assert!(told.contains(".lab-progress.json:2: expected the progress"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\n  \"labs\": [\n");
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    if !can_be_done() {
        return;
    }
    let workspace = Workspace::new("signal");
    let lab = env!("CARGO_BIN_EXE_lab");
    let cargo = workspace.0.join("cargo").display().to_string();
    let executables = executables().display().to_string();
    let variables = [("CARGO", &*cargo), ("FIXTURE_EXECUTABLES", &*executables)];
    let script = format!("stty -a > before; sh -c 'echo $$ > process; exec {lab}'; echo ended $?; stty -a > after; cat");
    let terminal = Terminal::new(100, 30, &workspace.0, &variables, &script);
    terminal.wait_for(&["all pass", "q quit"]);
    let process: i32 = fs::read_to_string(workspace.0.join("process")).unwrap().trim().parse().unwrap();
    // SAFETY: the call takes two numbers.
    unsafe { libc::kill(process, libc::SIGTERM) };
    terminal.wait_for(&["ended 143"]);
    terminal.wait_until(|_| fs::read_to_string(workspace.0.join("after")).is_ok_and(|text| text.contains("icanon")), "the settings");
    let read = |name: &str| fs::read_to_string(workspace.0.join(name)).unwrap();
    assert_eq!(read("before"), read("after"));
}
