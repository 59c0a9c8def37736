//! A program cannot tell, from what it may do, that it runs in a session: `tests/programs/probe.c` natively against sandboxed and traced, with equal output
//! and exit status. Only what the sandbox is there to keep away differs, and is looked at inside alone.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
}

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};

use harness::prelude::*;
use support::isolated::{self, tests};
use support::subject::{Subject, assert_passes};
use support::{deadline, folder};

fn main() -> ExitCode {
    isolated::main(tests![
        signals_have_their_default_effects,
        own_children_are_reaped_and_no_others,
        descriptors_environment_and_mask_are_clean,
        loopback_carries_connections,
        posix_objects_work,
        locks_and_fifos_work,
        system_v_objects_work,
        an_ignored_signal_interrupts_no_call,
        deaths_and_statuses_are_the_same,
        the_hosts_files_and_processes_are_out_of_sight,
    ])
}

const SECONDS: u64 = 20;

/// The probe as any parent would start it.
fn natively(subject: &Subject, arguments: &[&str]) -> (Exit, String) {
    let folder = folder::empty(&format!("native/{}", subject.name));
    // SAFETY: descriptors stay as they are for this process; only programs that it executes from now on do not get them.
    let set = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    assert_eq!(set, 0, "close_range: {}", std::io::Error::last_os_error());
    // As from a terminal: whoever runs the tests may have been started with signals ignored, as nohup does.
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal").arg(subject.executable()).args(arguments).current_dir(&folder).env_clear();
    command.envs([("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8")]).env("HOME", &folder);
    let output = deadline::output_within(SECONDS, &mut command);
    let exit = output.status.signal().map_or_else(|| Exit::Status(output.status.code().unwrap_or(-1)), Exit::Signal);
    (exit, String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The probe must say the same in a session, and end the same way.
#[track_caller]
fn assert_same_inside(arguments: &[&str]) -> String {
    let subject = Subject::new("probe");
    let (exit, printed) = natively(&subject, arguments);
    let expected = printed.clone();
    let verdict = subject.session(|session, name| {
        session.needs_namespaces()?;
        let program = session.program(name).args(arguments.iter().copied()).start()?;
        let observed = session.exit(program)?;
        session.all_end()?;
        assert_eq!(lines(&String::from_utf8_lossy(session.stdout(program))), lines(&expected));
        assert_eq!(observed, exit);
        session.pass()
    });
    if let Err(Unpassed::Skipped(reason)) = &verdict {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "not skipped where CI=true: {reason}");
        println!("skipped: {reason}");
        return printed;
    }
    assert_passes(verdict);
    subject.assert_nothing_is_left();
    printed
}

/// The environment's variables have no order.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// No line of the probe may say no: natively it would mean that the probe asks for what this machine does not have.
#[track_caller]
fn assert_all_hold(printed: &str) {
    assert!(!printed.is_empty() && !printed.contains(": no\n"), "{printed}");
}

fn signals_have_their_default_effects() {
    let printed = assert_same_inside(&["signals"]);
    assert_all_hold(&printed);
    assert!(printed.contains("SIGPIPE kills: 141\nSIGTERM to itself kills: 143\n"), "{printed}");
}

fn own_children_are_reaped_and_no_others() {
    let printed = assert_same_inside(&["family"]);
    assert_all_hold(&printed);
    assert!(printed.contains("children reaped: 3, then ECHILD"), "{printed}");
}

fn descriptors_environment_and_mask_are_clean() {
    let printed = assert_same_inside(&["tables"]);
    assert_all_hold(&printed);
    assert_eq!(printed.matches("environment: ").count(), 3, "{printed}");
}

fn loopback_carries_connections() {
    assert_all_hold(&assert_same_inside(&["loopback"]));
}

fn posix_objects_work() {
    assert_all_hold(&assert_same_inside(&["posix", &format!("/probe{}", std::process::id())]));
}

fn locks_and_fifos_work() {
    assert_all_hold(&assert_same_inside(&["files"]));
}

fn system_v_objects_work() {
    assert_all_hold(&assert_same_inside(&["system_v"]));
}

/// A tracee is woken by signals that it ignores; what it waits in must not fail with EINTR for that.
fn an_ignored_signal_interrupts_no_call() {
    assert_all_hold(&assert_same_inside(&["undisturbed"]));
}

fn deaths_and_statuses_are_the_same() {
    for way in ["sigpipe", "sigterm", "abort", "status"] {
        assert_eq!(assert_same_inside(&[way]), "");
    }
}

fn the_hosts_files_and_processes_are_out_of_sight() {
    let subject = Subject::new("probe");
    let secret = folder::empty(&format!("secret/{}", subject.name)).join("secret");
    std::fs::write(&secret, "the host's").unwrap_or_else(|error| panic!("{}: {error}", secret.display()));
    let verdict = subject.session(|session, name| {
        session.needs_namespaces()?;
        let program = session.program(name).arg("walls").arg(secret.to_string_lossy()).start()?;
        session.all_end()?;
        let printed = String::from_utf8_lossy(session.stdout(program)).into_owned();
        assert!(!printed.contains(": no\n"), "{printed}");
        // PID 1 and itself.
        assert!(printed.ends_with("processes in sight: 2\n"), "{printed}");
        session.pass()
    });
    if let Err(Unpassed::Skipped(reason)) = &verdict {
        println!("skipped: {reason}");
        return;
    }
    assert_passes(verdict);
    subject.assert_nothing_is_left();
}
