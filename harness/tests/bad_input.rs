//! What `lab trace` and `lab doctor` say of programs that cannot be run, cannot be followed, or are too much: a clear word, in bounded time and memory.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod installed;
}

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{compiled, deadline, folder};

/// How `lab WORDS… -- COMMAND…` ends, and what it says.
fn lab(seconds: u64, words: &[&str], command: &[&str]) -> (Option<i32>, String) {
    let output = deadline::output_within(seconds, Command::new(env!("CARGO_BIN_EXE_lab")).args(words).arg("--").args(command));
    (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

const BOTH: [&[&str]; 2] = [&["trace", "-o", "/dev/null"], &["doctor"]];

#[track_caller]
fn assert_refused(path: &str, words: &str) {
    for task in BOTH {
        let (status, text) = lab(20, task, &[path]);
        assert!(status == Some(2) && text.contains(words) && text.contains(path), "{task:?}: {status:?} {text}");
    }
}

fn file(name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = folder::empty(&format!("bad_input/{name}")).join(name);
    std::fs::write(&path, content).unwrap_or_else(|error| panic!("{error}"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap_or_else(|error| panic!("{error}"));
    path
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn a_program_that_is_not_there() {
    assert_refused("/nonexistent/program", "No such file");
    for task in BOTH {
        let (status, text) = lab(20, task, &["no-such-program-anywhere"]);
        assert!(status == Some(2) && text.contains("there is no such program in PATH"), "{text}");
    }
}

#[test]
fn a_folder_and_a_file_without_permission() {
    assert_refused("/usr", "is a folder");
    assert_refused(&text_of(&file("plain", b"#!/bin/sh\n", 0o644)), "may not be executed");
}

#[test]
fn a_file_of_no_known_format_and_a_script_without_its_interpreter() {
    assert_refused(&text_of(&file("noise", b"no program\n", 0o755)), "cannot be executed");
    assert_refused(&text_of(&file("orphan", b"#!/nonexistent/shell\n", 0o755)), "cannot be executed");
}

/// By the 32-bit way calls have other numbers: they are never told by the wrong names.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_call_by_the_32_bit_way() {
    let path = text_of(&compiled::c_program("foreign_call"));
    for task in BOTH {
        let (status, text) = lab(20, task, &[&path]);
        assert!(status != Some(0) && text.contains("foreign ABI (32-bit or x32)"), "{status:?} {text}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_32_bit_program() {
    let folder = folder::empty("bad_input/elf32");
    let (source, path) = (folder.join("t.s"), folder.join("t32"));
    std::fs::write(&source, ".globl _start\n_start:\n movl $1, %eax\n xorl %ebx, %ebx\n int $0x80\n").unwrap_or_else(|error| panic!("{error}"));
    let made = Command::new("cc").args(["-m32", "-nostdlib", "-static", "-o"]).arg(&path).arg(&source).output();
    if !made.is_ok_and(|made| made.status.success()) {
        println!("skipped: the C compiler makes no 32-bit programs; package gcc-multilib");
        return;
    }
    for task in BOTH {
        let (status, text) = lab(20, task, &[&text_of(&path)]);
        // Some kernels do not know the format at all.
        assert!(status != Some(0) && (text.contains("32-bit") || text.contains("cannot be executed")), "{status:?} {text}");
    }
}

#[test]
fn a_static_program_and_one_without_debug_information() {
    let folder = folder::empty("bad_input/forms");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/waits.c");
    for (name, option) in [("static", "-static"), ("stripped", "-s")] {
        let path = folder.join(name);
        let made = Command::new("cc").args(["-pthread", option, "-o"]).arg(&path).arg(&source).output();
        if !made.is_ok_and(|made| made.status.success()) {
            println!("skipped {name}: the C compiler does not make it; package libc6-dev");
            continue;
        }
        let (status, text) = lab(60, &["doctor"], &[&text_of(&path), "itself"]);
        assert!(status == Some(1) && text.contains("finding: deadlock") && text.contains("waits in read"), "{name}: {status:?} {text}");
        let (status, text) = lab(60, &["doctor", "--schedules", "1"], &[&text_of(&path), "sleeps"]);
        assert_eq!(status, Some(0), "{name}: {text}");
    }
}

#[test]
fn a_program_that_traces_others_is_told_why_it_cannot() {
    let path = text_of(&compiled::c_program("ailing"));
    let (status, text) = lab(60, &["doctor"], &[&path, "traces"]);
    assert!(status == Some(0) && text.contains("it traces programs itself, which nobody can who is traced"), "{status:?} {text}");
    let (status, text) = lab(60, &["trace", "-o", "/dev/null"], &[&path, "traces"]);
    assert!(status == Some(1) && text.contains("ptrace: Operation not permitted"), "{status:?} {text}");
}

#[test]
fn a_program_that_never_ends_is_ended() {
    for script in ["sleep 1000", "while :; do :; done", "while :; do sleep 0.01; done", "yes"] {
        let (status, text) = lab(60, &["doctor", "--seconds", "2"], &["sh", "-c", script]);
        assert!(status == Some(0) && text.contains("it was ended after 2 seconds"), "{script}: {status:?} {text}");
    }
}

#[test]
fn five_hundred_processes() {
    let path = text_of(&compiled::c_program("ailing"));
    for task in BOTH {
        let (status, text) = lab(120, task, &[&path, "forks", "500"]);
        assert_eq!(status, Some(0), "{task:?}: {text}");
    }
}

/// So many calls, in 128 MiB: `CALLS` asks for more, ten million in a nightly run.
#[test]
fn very_many_calls() {
    let calls: u64 = std::env::var("CALLS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let path = text_of(&compiled::c_program("ailing"));
    let most = "ulimit -d 131072 && exec \"$@\"";
    let limited = |words: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", most, "sh", env!("CARGO_BIN_EXE_lab")]).args(words).args(["--", &path, "calls", &calls.to_string()]);
        let output = deadline::output_within(400 + calls / 2_000, &mut command);
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let (status, text) = limited(&["trace", "-o", "/dev/null"]);
    assert_eq!(status, Some(0), "{text}");
    let (status, text) = limited(&["doctor", "--seconds", "600", "--calls", "50000"]);
    assert!(status == Some(3) && text.contains("at most 50000 calls"), "{status:?} {text}");
}
