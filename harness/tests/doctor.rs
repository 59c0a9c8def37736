//! The doctor on programs that nobody here wrote, where it must find nothing, and on classic mistakes, each of which it must find.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod installed;
}

use std::path::Path;
use std::process::{Command, Output};

use support::{compiled, deadline, folder, installed};

/// `lab doctor` with these options, on a command in a folder of its own.
fn doctor(name: &str, options: &[&str], command: &[&str]) -> (Option<i32>, String) {
    let folder = folder::empty(&format!("doctor/{name}"));
    let output = in_folder(&folder, options, command);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

fn in_folder(folder: &Path, options: &[&str], command: &[&str]) -> Output {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    lab.arg("doctor").args(options).arg("--").args(command).current_dir(folder);
    deadline::output_within(300, &mut lab)
}

#[track_caller]
fn assert_found(name: &str, options: &[&str], program: &str, way: &str, kind: &str, words: &str) {
    let path = compiled::c_program(program);
    let (status, text) = doctor(name, options, &[&path.to_string_lossy(), way]);
    assert!(status == Some(1) && text.contains(&format!("finding: {kind}\n")) && text.contains(words), "{status:?} {text}");
    // A kind that has a page names it.
    if harness::finding::pages::of_kind(kind).is_some() {
        assert!(text.contains("  explain   cargo lab explain "), "{text}");
    }
    // The line of the source is named.
    assert!(text.contains(&format!("{program}.c:")), "{text}");
}

#[test]
fn a_process_that_waits_for_itself_is_deadlocked() {
    assert_found("itself", &[], "waits", "itself", "deadlock", "pipe A; its write end is held by");
}

#[test]
fn a_process_that_asks_again_and_again_is_busy() {
    assert_found("busy", &[], "waits", "asks_again", "busy-waiting", "calls in a row did nothing");
}

#[test]
fn dead_children_are_found() {
    assert_found("zombies", &[], "ailing", "zombies", "zombie", "3 children that had ended");
}

#[test]
fn an_object_left_behind_is_found_and_stays_where_it_is() {
    let count = || std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let before = count();
    assert_found("leaves", &[], "ailing", "leaves", "left-behind", "a System V shared-memory segment");
    let new: Vec<String> = count().lines().filter(|line| !before.contains(*line)).map(str::to_owned).collect();
    for line in &new {
        let id = line.split_whitespace().nth(1).and_then(|id| id.parse::<i32>().ok()).unwrap_or(-1);
        // SAFETY: the call takes two numbers and a pointer that IPC_RMID does not look at.
        unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
    assert!(!new.is_empty(), "it was taken away: what a program makes where it stands is not the doctor's");
}

#[test]
fn a_pipe_that_another_program_inherits_is_found() {
    assert_found("inherits", &[], "ailing", "inherits", "descriptor-inherited", "executes /bin/true with descriptor 4, a write end of pipe A");
}

#[test]
fn a_descriptor_of_minus_one_is_found() {
    assert_found("uses_failure", &[], "ailing", "uses-failure", "failure-unseen", "open of ailing failed with ENOENT");
}

#[test]
fn an_interrupted_read_that_passes_for_the_end_is_found() {
    let path = compiled::c_program("ailing");
    let folder = folder::empty("doctor/reads_once");
    std::fs::write(folder.join("input"), "x".repeat(100)).unwrap_or_else(|error| panic!("{error}"));
    let script = format!("exec {} doctor --faults -- {} reads-once <input", env!("CARGO_BIN_EXE_lab"), path.display());
    let output = deadline::output_within(120, Command::new("sh").args(["-c", &script]).current_dir(&folder));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && text.contains("finding: interruption\n") && text.contains("when read fails with EINTR"), "{text}");
}

#[test]
fn a_write_that_nobody_asks_after_is_found() {
    assert_found_with_faults("prints-unseen", "failure-unseen", "when write fails with ENOSPC");
}

/// The signal itself is never sent: it would end every process of this user.
#[test]
fn a_signal_to_everyone_is_found_and_refused() {
    assert_found_with_faults("kills", "kills-everyone", "when fork fails with");
}

#[track_caller]
fn assert_found_with_faults(way: &str, kind: &str, words: &str) {
    let path = compiled::c_program("ailing");
    let (status, text) = doctor(way, &["--faults"], &[&path.to_string_lossy(), way]);
    assert!(status == Some(1) && text.contains(&format!("finding: {kind}\n")) && text.contains(words), "{status:?} {text}");
}

#[test]
fn a_data_race_is_found_under_schedules() {
    let path = compiled::c_program("counter");
    let (status, text) = doctor("race", &["--schedules", "3"], &[&path.to_string_lossy(), "none", "2", "1"]);
    assert!(status == Some(1) && text.contains("finding: data-race\n") && text.contains("--schedules 1 --seed 0"), "{status:?} {text}");
}

/// Nothing may be found: these are right.
#[track_caller]
fn assert_healthy(name: &str, needs: &[(&str, &str)], options: &[&str], command: &[&str]) {
    if !installed::all_installed(needs) {
        return;
    }
    let (status, text) = doctor(name, options, command);
    println!("{text}");
    assert!(status == Some(0) && text.contains("nothing found"), "{status:?} {text}");
}

const ALL: [&str; 3] = ["--faults", "--schedules", "2"];

#[test]
fn right_programs_of_our_own_are_healthy() {
    for (program, arguments) in [("copies", &["well"][..]), ("hand_over", &[]), ("counter", &["semop", "2", "1"]), ("medley", &["1"])] {
        let path = compiled::c_program(program);
        let command: Vec<&str> = std::iter::once(path.to_str().unwrap_or_default()).chain(arguments.iter().copied()).collect();
        assert_healthy(program, &[], &["--schedules", "3"], &command);
    }
}

#[test]
fn coreutils_are_healthy() {
    let needs = [("sort", "coreutils")];
    assert_healthy("sort", &needs, &ALL, &["sort", "-n", "/etc/passwd"]);
    assert_healthy("ls", &needs, &ALL, &["ls", "-l", "/usr"]);
    assert_healthy("wc", &needs, &ALL, &["wc", "/etc/passwd"]);
    assert_healthy("timeout", &needs, &[], &["timeout", "5", "true"]);
}

#[test]
fn pipelines_of_the_shell_are_healthy() {
    assert_healthy("pipeline", &[("sort", "coreutils")], &["--schedules", "2"], &["sh", "-c", "seq 300 | sort -rn | tail -n 2 | cat"]);
    assert_healthy("background", &[], &[], &["sh", "-c", "sleep 0.1 & sleep 0.2; wait; (exit 3); echo $?"]);
}

#[test]
fn interpreters_are_healthy() {
    let code = "import multiprocessing as m\nc = m.get_context('fork')\nq = c.Queue()\np = c.Process(target=q.put, args=(7,))\np.start()\nprint(q.get())\np.join()";
    assert_healthy("python", &[("python3", "python3")], &[], &["python3", "-I", "-c", code]);
    let code = "pipe(R,W) or die; defined($p=fork) or die; if (!$p) { syswrite W, 'x'; exit 0 } waitpid($p,0); sysread R,$b,9; print qq($b\\n)";
    assert_healthy("perl", &[("perl", "perl")], &ALL, &["perl", "-e", code]);
}

#[test]
fn socat_and_make_are_healthy() {
    assert_healthy("socat", &[("socat", "socat")], &[], &["socat", "-u", "EXEC:seq 3", "-"]);
    let folder = folder::empty("doctor/make");
    std::fs::write(folder.join("Makefile"), "all: a b\n\tcat a b\na b:\n\techo $@ >$@\n").unwrap_or_else(|error| panic!("{error}"));
    if installed::all_installed(&[("make", "make")]) {
        let output = in_folder(&folder, &[], &["make", "-s", "-j2"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// A server waits for clients: that is no deadlock.
#[test]
fn servers_are_healthy() {
    assert_healthy(
        "redis",
        &[("redis-server", "redis-server")],
        &["--seconds", "3"],
        &["redis-server", "--port", "0", "--unixsocket", "s", "--save", ""],
    );
    let nginx = ["nginx", "-p", ".", "-e", "log", "-g", "daemon off; master_process off; pid p;"];
    assert_healthy("nginx", &[("nginx", "nginx")], &["--seconds", "3"], &nginx);
    assert_healthy("listener", &[("socat", "socat")], &["--seconds", "3"], &["socat", "UNIX-LISTEN:s", "-"]);
}
