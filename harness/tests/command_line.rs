//! The command lines of the check executables and of `lab`, from outside: what they print and how they exit.
//!
//! The check executables are the examples `fixture_sound` and `fixture_mixed`, whose sources are in `fixtures/course`; for `lab`, the script
//! `fixtures/course/cargo` stands in for cargo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use harness::record::CheckRecord;
use harness::verdict::Word;

/// The checks of `fixture_mixed`, in the lab's order.
const MIXED: [&str; 10] =
    ["passes", "passes_after", "fails", "after_failure", "after_skip", "unsupported", "panics", "after_panic", "dies", "depends_on_seed"];

/// What a command did.
struct Done {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Done {
    fn records(&self) -> Vec<CheckRecord> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

fn done(mut command: Command) -> Done {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// The folder of the fixtures' executables. They are built here, since `cargo test --test command_line` alone does not.
fn executables() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let mut build = cargo();
        build.args(["build", "--quiet", "--package", "harness", "--examples", "--message-format=json"]);
        let build = done(build);
        assert_eq!(build.status, Some(0), "{}", build.stderr);
        let messages = build.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let executable =
            messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).find(|path| path.ends_with("fixture_mixed"));
        executable.expect("cargo names the executable").parent().unwrap().to_path_buf()
    })
}

fn fixture(name: &str, arguments: &str) -> Command {
    let mut command = Command::new(executables().join(name));
    command.args(arguments.split_whitespace()).env_remove("LAB_SEED").env("LAB_PROGRAMS", executables());
    command
}

fn mixed(arguments: &str) -> Done {
    done(fixture("fixture_mixed", arguments))
}

fn course() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/course")
}

fn lab_command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments.split_whitespace()).current_dir(course().join("labs/01-sound"));
    command.env("CARGO", course().join("cargo")).env("FIXTURE_EXECUTABLES", executables());
    for variable in ["LAB_SEED", "LAB_PROGRAMS", "NO_COLOR", "CLICOLOR_FORCE", "FIXTURE_GIVES_UP_ON"] {
        command.env_remove(variable);
    }
    command
}

fn lab(arguments: &str) -> Done {
    done(lab_command(arguments))
}

/// The lines `test NAME ... RESULT` of libtest's output.
fn results(stdout: &str) -> BTreeMap<&str, &str> {
    stdout.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... ")).map(|(name, result)| (name.trim(), result)).collect()
}

mod check_executable_as_a_test {
    use super::*;

    #[test]
    fn list_names_every_check_in_the_labs_order() {
        let expected: String = MIXED.iter().map(|name| format!("{name}: test\n")).collect();
        for arguments in ["--list", "--list --format terse"] {
            let list = mixed(arguments);
            assert_eq!((list.status, &*list.stdout), (Some(0), &*expected), "{arguments}");
        }
        assert_eq!(mixed("--list --format terse --ignored").stdout, "");
    }

    #[test]
    fn the_first_line_is_the_seed() {
        let given = mixed("passes --exact --seed 42");
        assert_eq!(given.stdout.lines().next(), Some("seed 42"));
        let mut from_environment = fixture("fixture_mixed", "passes --exact");
        from_environment.env("LAB_SEED", "43");
        assert_eq!(done(from_environment).stdout.lines().next(), Some("seed 43"));
        let drawn = mixed("depends_on_seed --exact");
        let seed: u64 = drawn.stdout.lines().next().unwrap().strip_prefix("seed ").unwrap().parse().unwrap();
        assert!(drawn.stdout.contains(&format!("the seed is {seed}\n")), "{}", drawn.stdout);
    }

    #[test]
    fn every_verdict_has_its_result() {
        let all = mixed("--seed 7");
        assert_eq!(all.status, Some(101));
        let results = results(&all.stdout);
        let expected = [
            ("passes", "ok"),
            ("passes_after", "ok"),
            ("fails", "FAILED"),
            ("after_failure", "ignored (fails failed)"),
            ("after_skip", "ignored (after_failure was skipped)"),
            ("unsupported", "ignored (this system has no message queues)"),
            ("panics", "FAILED"),
            ("after_panic", "ignored (panics was broken)"),
            ("dies", "FAILED"),
            ("depends_on_seed", "FAILED"),
        ];
        assert_eq!(results, BTreeMap::from(expected));
    }

    #[test]
    fn a_failure_tells_promise_expected_observed_next_and_replay() {
        let failed = mixed("fails --exact --seed 7");
        assert_eq!(failed.status, Some(101));
        for line in [
            "promise:  It prints hello.",
            "expected: \"hello\\n\" on standard output",
            "observed: \"\\u{1b}[2Jhullo\\n\"",
            "          the child wrote 6 bytes",
            "next:     compare the two; see write(2)",
            "replay:   cargo lab check mixed fails --seed 7",
        ] {
            assert!(failed.stdout.lines().any(|printed| printed == line), "{line}\n{}", failed.stdout);
        }
        assert!(!failed.stdout.contains('\x1b'));
    }

    #[test]
    fn a_panic_and_a_death_are_broken_with_their_reason() {
        let panicked = mixed("panics --exact");
        assert!(panicked.stdout.contains("broken: "), "{}", panicked.stdout);
        assert!(panicked.stdout.contains("checks.rs:") && panicked.stdout.contains("the check lost its way"), "{}", panicked.stdout);
        let died = mixed("dies --exact");
        assert!(died.stdout.contains("broken: ") && died.stdout.contains("exit status: 7"), "{}", died.stdout);
        assert!(died.stdout.contains("I cannot go on"), "{}", died.stdout);
    }

    #[test]
    fn filters_exact_and_skip_choose_checks() {
        let names = |arguments: &str| results(&mixed(arguments).stdout).into_keys().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(names("passes"), ["passes", "passes_after"]);
        assert_eq!(names("passes --exact"), ["passes"]);
        assert_eq!(names("passes --skip after"), ["passes"]);
        assert_eq!(mixed("passes").status, Some(0));
        assert_eq!(mixed("no_such_check").status, Some(0));
    }

    #[test]
    fn a_prerequisite_runs_once_and_before() {
        let log = own_file("prerequisites");
        let mut command = fixture("fixture_mixed", "after --test-threads 4");
        command.env("FIXTURE_LOG", &log);
        done(command);
        let ran = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        let mut ran: Vec<&str> = ran.lines().collect();
        let place = |name: &str| ran.iter().position(|ran| *ran == name).unwrap();
        assert!(place("passes") < place("passes_after") && place("passes") < place("fails"));
        ran.sort_unstable();
        assert_eq!(ran, ["fails", "panics", "panics", "passes", "passes_after"], "a broken check, and only that, is done once more");
    }

    #[test]
    fn json_events_have_standard_output_for_themselves() {
        let json = mixed("passes --exact --seed 5 --format json -Z unstable-options");
        assert_eq!(json.status, Some(0));
        assert!(json.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{}", json.stdout);
        assert_eq!(json.stderr, "seed 5\n");
    }

    #[test]
    fn wrong_usage_is_an_error_with_exit_code_2() {
        for (arguments, named) in [("--seed x", "`x`"), ("--seed", "--seed"), ("--no-such-option", "--no-such-option")] {
            let wrong = mixed(arguments);
            assert_eq!(wrong.status, Some(2), "{arguments}");
            assert!(wrong.stderr.contains(named), "{arguments}: {}", wrong.stderr);
        }
    }

    /// What nextest does, with its own command lines.
    #[test]
    fn nextest_runs_every_check() {
        let mut version = cargo();
        version.args(["nextest", "--version"]);
        if done(version).status != Some(0) {
            eprintln!("skipped: cargo-nextest is not installed");
            return;
        }
        let mut nextest = cargo();
        nextest.args(["nextest", "run", "--package", "harness", "--example", "fixture_mixed", "--no-fail-fast", "--color", "never"]);
        // This test may itself be run by nextest, whose choices are not meant for the run inside it.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("NEXTEST")) {
            nextest.env_remove(name);
        }
        nextest.env("LAB_PROGRAMS", executables()).env_remove("LAB_SEED");
        let nextest = done(nextest);
        // nextest exits with 100 when tests failed.
        assert_eq!(nextest.status, Some(100), "{}", nextest.stderr);
        for line in ["10 tests run: 6 passed, 4 failed, 0 skipped", "expected: \"hello\\n\" on standard output"] {
            assert!(nextest.stderr.contains(line), "{line}\n{}", nextest.stderr);
        }
    }
}

mod check_executable_for_the_course {
    use super::*;

    #[test]
    fn a_run_prints_every_record_in_the_labs_order() {
        let run = mixed("--lab-run --seed 11 --jobs 3");
        assert_eq!(run.status, Some(0));
        let records = run.records();
        assert_eq!(records.iter().map(|record| &*record.check).collect::<Vec<_>>(), MIXED);
        use Word::{Broken, Fail, Pass, Skipped};
        let verdicts: Vec<Word> = records.iter().map(|record| record.verdict).collect();
        assert_eq!(verdicts, [Pass, Pass, Fail, Skipped, Skipped, Skipped, Broken, Skipped, Broken, Fail]);
        assert_eq!(records.iter().map(|record| record.points).collect::<Vec<_>>(), [2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(records.iter().map(|record| record.max_points).sum::<u32>(), 13);
        assert!(records.iter().all(|record| record.seed == 11 && record.lab == "mixed"));
        assert_eq!(records[2].replay, "cargo lab check mixed fails --seed 11");
        assert_eq!(records[2].promise, "It prints hello.");
        assert_eq!(records[4].reason.as_deref(), Some("after_failure was skipped"));
    }

    #[test]
    fn a_failed_check_leaves_the_timeline_of_the_run_that_it_failed_in() {
        let folder = std::env::temp_dir().join(format!("timelines-of-a-run-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let records = mixed(&format!("--lab-run passes fails --seed 1 --timelines {}", folder.display())).records();
        assert_eq!(records.iter().map(|record| record.verdict).collect::<Vec<_>>(), [Word::Pass, Word::Fail]);
        let left = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let (passed, failed) = (left("passes"), left("fails"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(passed, "");
        let timeline: harness::timeline::Timeline = serde_json::from_str(&failed).unwrap_or_else(|error| panic!("{error}: {failed}"));
        assert!(failed.lines().count() == 1 && timeline.steps.iter().any(|step| step.text.starts_with("_exit")), "{timeline:?}");
    }

    #[test]
    fn prerequisites_run_without_a_record_unless_asked_for() {
        let skipped = mixed("--lab-run after_failure --seed 1").records();
        assert_eq!(skipped.len(), 1);
        assert_eq!((&*skipped[0].check, skipped[0].reason.as_deref()), ("after_failure", Some("fails failed")));
        let both = mixed("--lab-run passes_after passes --seed 1").records();
        assert_eq!(both.iter().map(|record| &*record.check).collect::<Vec<_>>(), ["passes", "passes_after"]);
    }

    #[test]
    fn the_seed_is_the_same_for_all_checks() {
        let records = mixed("--lab-run").records();
        let seed = records[0].seed;
        assert!(records.iter().all(|record| record.seed == seed));
        let observed = &records.last().unwrap().finding.as_ref().unwrap().observed;
        assert_eq!(*observed, format!("the seed is {seed}"));
    }

    #[test]
    fn an_unknown_check_is_an_error_with_the_nearest_name() {
        for arguments in ["--lab-run fials", "--lab-check fials"] {
            let unknown = mixed(arguments);
            assert_eq!((unknown.status, &*unknown.stdout), (Some(2), ""), "{arguments}");
            assert!(unknown.stderr.contains("did you mean `fails`?"), "{}", unknown.stderr);
        }
    }

    #[test]
    fn one_check_in_one_process_prints_one_record() {
        let records = mixed("--lab-check panics --seed 3").records();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].verdict, records[0].seed), (Word::Broken, 3));
        let died = mixed("--lab-check dies --seed 3");
        assert_eq!((died.status, &*died.stdout), (Some(7), ""));
    }
}

mod lab_command {
    use super::*;

    #[test]
    fn list_shows_every_lab() {
        let list = lab("list");
        assert_eq!(list.status, Some(0));
        let rows: Vec<Vec<&str>> = list.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["no", "name", "title", "level", "checks", "points"]);
        assert_eq!(rows[2], ["02", "mixed", "One", "check", "of", "each", "kind", "2", "10", "13"]);
        assert!(lab("list --long").stdout.contains("sound WORD…"));
        let json = lab("list --json").json();
        assert_eq!(json["labs"][1]["checks"][3]["after"], serde_json::json!(["passes", "fails"]));
    }

    #[test]
    fn a_lab_that_passes_exits_0() {
        for name in ["sound", "1", "01-sound", "labs/01-sound/"] {
            let check = lab(&format!("check {name} --seed 5"));
            assert_eq!((check.status, &*check.stderr), (Some(0), ""), "{name}");
            assert!(check.stdout.starts_with("seed 5\n\nsound  3/3 points, 2 of 2 checks\n  pass     words_arrive    2/2\n"), "{}", check.stdout);
        }
    }

    #[test]
    fn a_failure_is_explained_and_exits_1() {
        let check = lab("check mixed fails --seed 5");
        assert_eq!(check.status, Some(1));
        let expected = "fail: mixed fails\n  promise   It prints hello.\n  expected  \"hello\\n\" on standard output\n  observed  \"\\u{1b}[2Jhullo\\n\"\n  \
                        evidence  the child wrote 6 bytes\n  next      compare the two; see write(2)\n  hint      cargo lab hint mixed fails\n  \
                        replay    cargo lab check mixed fails --seed 5\n";
        assert!(check.stdout.contains(expected), "{}", check.stdout);
        assert!(!check.stdout.contains("passes"), "prerequisites that passed are not reported: {}", check.stdout);
    }

    #[test]
    fn what_stands_in_the_way_of_a_check_is_reported_with_it() {
        let check = lab("check mixed after_skip --json");
        assert_eq!(check.status, Some(1));
        let json = check.json();
        let checks: Vec<&str> = json["labs"][0]["checks"].as_array().unwrap().iter().map(|check| check["check"].as_str().unwrap()).collect();
        assert_eq!(checks, ["fails", "after_failure", "after_skip"]);
    }

    #[test]
    fn a_check_that_this_system_cannot_do_is_no_failure() {
        let check = lab("check mixed unsupported");
        assert_eq!(check.status, Some(0));
        assert!(check.stdout.contains("skipped  unsupported    0/1  this system has no message queues"), "{}", check.stdout);
        assert!(check.stdout.contains("0 passed, 1 skipped"), "{}", check.stdout);
    }

    #[test]
    fn a_broken_check_exits_3_whatever_else_failed() {
        assert_eq!(lab("check mixed panics").status, Some(3));
        assert_eq!(lab("check mixed").status, Some(3));
    }

    #[test]
    fn a_lab_that_does_not_compile_stops_no_other() {
        let check = lab("check uncompiled");
        assert_eq!(check.status, Some(1));
        assert_eq!(check.stderr, "error: expected `;`, found `}`\n");
        assert!(check.stdout.contains("uncompiled  does not compile, 0/4 points"), "{}", check.stdout);
        let all = lab("check --json --seed 9");
        assert_eq!(all.status, Some(3));
        let json = all.json();
        assert_eq!(json["seed"], 9);
        assert_eq!(json["labs"].as_array().unwrap().len(), 3);
        assert_eq!((&json["labs"][0]["points"], &json["labs"][2]["compiles"]), (&3.into(), &false.into()));
    }

    #[test]
    fn a_check_executable_that_cannot_work_is_broken() {
        let mut command = lab_command("check sound");
        command.env("FIXTURE_EXECUTABLES", "/no/such/folder");
        let check = done(command);
        assert_eq!(check.status, Some(3));
        assert!(check.stdout.contains("failed to start /no/such/folder/fixture_sound"), "{}", check.stdout);
    }

    #[test]
    fn cargo_giving_up_on_everything_is_bad_input() {
        let mut command = lab_command("check");
        command.env("FIXTURE_GIVES_UP_ON", "all");
        let check = done(command);
        assert_eq!((check.status, &*check.stdout), (Some(2), ""));
        assert_eq!(check.stderr.matches("error: cannot read a manifest\n").count(), 1, "{}", check.stderr);
    }

    #[test]
    fn cargo_giving_up_on_one_lab_stops_no_other() {
        let mut command = lab_command("check");
        command.env("FIXTURE_GIVES_UP_ON", "mixed");
        let check = done(command);
        assert_eq!(check.status, Some(1));
        for line in ["sound  3/3 points, 2 of 2 checks", "mixed  does not compile, 0/13 points"] {
            assert!(check.stdout.contains(line), "{line}\n{}", check.stdout);
        }
        assert!(check.stderr.contains("error: cannot read a manifest\n"), "{}", check.stderr);
    }

    #[test]
    fn unknown_names_are_errors_with_the_nearest_one() {
        for (arguments, nearest) in
            [("check suond", "`sound`"), ("check mixed fials", "`fails`"), ("hint mixed pases", "`passes`"), ("hint mxed fails", "`mixed`")]
        {
            let unknown = lab(arguments);
            assert_eq!((unknown.status, &*unknown.stdout), (Some(2), ""), "{arguments}");
            assert!(unknown.stderr.contains(&format!("did you mean {nearest}?")), "{arguments}: {}", unknown.stderr);
        }
    }

    #[test]
    fn wrong_usage_exits_2() {
        for arguments in ["chekc", "check --jobs 0", "check --seed -1", "hint mixed fails --step 4"] {
            assert_eq!(lab(arguments).status, Some(2), "{arguments}");
        }
    }

    #[test]
    fn outside_a_workspace_there_is_a_clear_error() {
        let mut command = lab_command("list");
        command.current_dir("/");
        let outside = done(command);
        assert_eq!(outside.status, Some(2));
        assert!(outside.stderr.contains("expected a workspace of labs"), "{}", outside.stderr);
    }

    #[test]
    fn colours_are_for_terminals_and_for_who_forces_them() {
        let with = |variable: &str, arguments: &str| {
            let mut command = lab_command(arguments);
            command.env(variable, "1");
            done(command).stdout
        };
        assert!(!lab("check sound").stdout.contains('\x1b'));
        assert!(!with("NO_COLOR", "check sound").contains('\x1b'));
        assert!(with("CLICOLOR_FORCE", "check sound").contains("\x1b[32mpass"));
        assert!(!with("CLICOLOR_FORCE", "check sound --plain").contains('\x1b'));
        assert!(!with("CLICOLOR_FORCE", "check sound --json").contains('\x1b'));
    }

    #[test]
    fn the_seed_of_the_environment_is_taken() {
        let mut command = lab_command("check sound");
        command.env("LAB_SEED", "77");
        assert!(done(command).stdout.starts_with("seed 77\n"));
        let mut wrong = lab_command("check sound");
        wrong.env("LAB_SEED", "many");
        let wrong = done(wrong);
        assert_eq!(wrong.status, Some(2));
        assert!(wrong.stderr.contains("LAB_SEED is `many`"), "{}", wrong.stderr);
    }

    #[test]
    fn hints_come_one_step_at_a_time() {
        assert_eq!(lab("hint sound child_reaped").stdout.lines().nth(1), Some("  Who waits?"));
        let last = lab("hint sound child_reaped --step 3");
        assert_eq!((last.status, &*last.stdout), (Some(0), "sound child_reaped, hint 3 of 3\n  waitpid(2)\n"));
    }

    #[test]
    fn watching_needs_a_terminal_and_says_what_does_not() {
        let alone = lab("");
        assert_eq!((alone.status, &*alone.stdout), (Some(2), ""));
        assert!(alone.stderr.contains("watching needs a terminal") && alone.stderr.contains("`cargo lab check`"), "{}", alone.stderr);
        let help = lab("--help");
        assert_eq!(help.status, Some(0));
        assert!(help.stdout.contains("Usage: cargo lab"), "{}", help.stdout);
    }

    #[test]
    fn pages_are_listed_and_shown_and_an_unknown_one_names_the_nearest() {
        let list = lab("explain");
        assert_eq!((list.status, list.stdout.lines().count()), (Some(0), 17));
        assert!(list.stdout.contains("\nend-of-file        End-of-file that never comes\n"), "{}", list.stdout);
        let page = lab("explain end-of-file");
        assert!(
            page.stdout.starts_with("End-of-file that never comes\n\nWhat happened\n\n") && page.stdout.contains("    fn main() {\n"),
            "{}",
            page.stdout
        );
        let unknown = lab("explain deadlok");
        assert_eq!((unknown.status, &*unknown.stderr), (Some(2), "error: there is no page `deadlok`; did you mean `deadlock`?\n"));
    }

    #[test]
    fn a_solution_is_shown_once_the_lab_passes() {
        let root = own_file("learner");
        copy(&course(), &root);
        std::fs::create_dir_all(root.join(".lab/solutions")).unwrap();
        for name in ["sound", "mixed", "uncompiled"] {
            std::fs::write(root.join(format!(".lab/solutions/{name}.json")), r#"{"src/main.rs":"fn main() { right() }\n"}"#).unwrap();
        }
        let solution = |name: &str| {
            let mut command = lab_command(&format!("solution {name}"));
            command.current_dir(&root);
            done(command)
        };
        let sound = solution("sound");
        assert_eq!(sound.status, Some(0), "{}", sound.stderr);
        assert!(sound.stdout.starts_with("labs/01-sound/src/main.rs\n\nfn main() { right() }\n"), "{}", sound.stdout);
        for (name, reason) in [("mixed", "fails fails"), ("uncompiled", "it does not compile")] {
            let not_yet = solution(name);
            assert_eq!((not_yet.status, &*not_yet.stdout), (Some(1), ""), "{name}");
            let expected = format!("the solution is shown once {name} passes all its checks; {reason}. `cargo lab check {name}` says more");
            assert!(not_yet.stderr.contains(&expected), "{}", not_yet.stderr);
        }
        std::fs::write(root.join(".lab/solutions/sound.json"), "{\n1").unwrap();
        let bad = solution("sound");
        assert_eq!(bad.status, Some(2));
        assert!(bad.stderr.contains("sound.json:2: expected a solution"), "{}", bad.stderr);
        std::fs::remove_dir_all(&root).unwrap();
        let none = lab("solution sound");
        assert_eq!(none.status, Some(2));
        assert!(none.stderr.contains("handed out without solutions"), "{}", none.stderr);
        assert!(lab("init /tmp/never").stderr.contains("expected the course itself"));
    }

    #[test]
    fn shells_and_man_get_what_they_want() {
        for shell in ["bash", "zsh", "fish"] {
            let script = lab(&format!("completions {shell}"));
            assert_eq!(script.status, Some(0), "{}", script.stderr);
            assert!(script.stdout.contains("timeline"), "{shell}: subcommands are not completed");
            // fish is not told of what stands alone.
            let names = ["uncompiled", "lost-wakeup"].iter().all(|name| script.stdout.contains(name));
            assert_eq!(names, shell != "fish", "{shell}: names of labs and pages");
        }
        let folder = own_file("man");
        let written = lab(&format!("man {}", folder.display()));
        assert_eq!(written.status, Some(0), "{}", written.stderr);
        let page = std::fs::read_to_string(folder.join("lab-check.1")).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains("does not compile"), "{page}");
        std::fs::remove_dir_all(&folder).unwrap();
        let nowhere = lab("man /proc/none/man");
        assert_eq!(nowhere.status, Some(2));
        assert!(nowhere.stderr.contains("/proc/none/man"), "{}", nowhere.stderr);
    }

    #[test]
    fn a_timeline_shows_what_the_processes_did() {
        let drawn = lab("timeline sound words_arrive --seed 5");
        assert_eq!(drawn.status, Some(0), "{}", drawn.stderr);
        assert!(drawn.stdout.starts_with("sound words_arrive: pass (run 1 of 1, seed 5)\n"), "{}", drawn.stdout);
        assert!(drawn.stdout.contains("ends: exit status 0"), "{}", drawn.stdout);
    }

    #[test]
    fn a_timeline_becomes_a_picture_by_the_files_ending() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, beginning) in [("run.svg", "<svg "), ("run.html", "<!doctype html>")] {
            let file = folder.join(name);
            let written = lab(&format!("timeline sound --output {}", file.display()));
            assert_eq!((written.status, &*written.stdout), (Some(0), ""), "{}", written.stderr);
            assert!(std::fs::read_to_string(&file).unwrap().starts_with(beginning));
        }
        let other = lab("timeline sound --output run.gif");
        assert_eq!(other.status, Some(2));
        assert!(other.stderr.contains(".svg or .html"), "{}", other.stderr);
    }

    #[test]
    fn a_timeline_of_what_is_not_there_names_what_is() {
        assert!(lab("timeline sound words_arive").stderr.contains("words_arrive"));
        let beyond = lab("timeline sound words_arrive --run 9");
        assert_eq!(beyond.status, Some(2));
        assert!(beyond.stderr.contains("1 run"), "{}", beyond.stderr);
    }
}

/// A file name of this test's own.
fn own_file(test: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { copy(&entry.path(), &target) } else { std::fs::copy(entry.path(), target).map(drop).unwrap() }
    }
}
