//! Forced schedules: what chance hides for years is found at once, what is right stays right, and the same seed does the same again.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::check::Programs;
use harness::lab::Lab;
use harness::manifest::Manifest;
use harness::run::prints;
use harness::verdict::{Unpassed, Verdict};

/// A lab whose one program is this C source, compiled with the linker's own compiler.
fn lab(name: &str, source: &str, seed: u64) -> Lab {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("schedule").join(name);
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let file = folder.join("program.c");
    std::fs::write(&file, source).expect("the source can be written");
    let status = Command::new("cc").arg("-g").arg("-o").arg(folder.join(name)).arg(&file).status();
    assert!(status.is_ok_and(|status| status.success()), "cc compiles {name}");
    let manifest =
        format!("title = \"t\"\nsummary = \"s\"\nlevel = 1\ncalls = []\ncheck = []\n[[program]]\nname = \"{name}\"\nsource = \"s\"\nusage = \"u\"\n");
    Lab::new(Manifest::parse(&manifest, Path::new("test")).expect("a manifest"), Programs::new(Some(folder), "test"), seed, name)
}

/// One schedule of the program; its output is to be this.
fn under(lab: &Lab, name: &str, schedule: u64, output: &str) -> Verdict {
    lab.session(|session| {
        session.schedule_by(schedule);
        let program = session.program(name).start()?;
        session.exit(program)?;
        session.all_end()?;
        prints(session, program, output.as_bytes())?;
        session.pass()
    })
}

fn first_failure(lab: &Lab, name: &str, schedules: u64, output: &str) -> Option<(u64, String)> {
    (0..schedules).find_map(|schedule| match under(lab, name, schedule, output) {
        Ok(_) => None,
        Err(Unpassed::Fail(finding)) => Some((schedule, finding.kind)),
        Err(other) => panic!("{name}, schedule {schedule}: {other:?}"),
    })
}

/// Two processes take two semaphores in opposite orders.
const TWO_SEMAPHORES: &str = r#"
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    int set = semget(IPC_PRIVATE, 2, 0600);
    struct sembuf take[2] = {{0, -1, 0}, {1, -1, 0}}, give[2] = {{0, 1, 0}, {1, 1, 0}};
    semctl(set, 0, SETVAL, 1);
    semctl(set, 1, SETVAL, 1);
    int other = ORDER && fork() == 0 ? 1 : 0;
    if (!ORDER && fork() == 0) other = 2;
    int first = other == 1;
    semop(set, &take[first], 1);
    semop(set, &take[!first], 1);
    semop(set, &give[!first], 1);
    semop(set, &give[first], 1);
    if (other) _exit(0);
    wait(0);
    semctl(set, 0, IPC_RMID);
    return 0;
}
"#;

/// A file is read after a sleep that is thought to be long enough.
const SLEEP_AS_SYNCHRONISATION: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    if (fork() == 0) {
        int file = open("file", O_CREAT | O_WRONLY, 0600);
        write(file, "hi", 2);
        _exit(0);
    }
    if (WAITS) wait(0); else sleep(1);
    char text[3] = {0};
    int file = open("file", O_RDONLY);
    dprintf(1, "%d %s\n", file < 0 ? -1 : (int)read(file, text, 2), text);
    if (!WAITS) wait(0);
    return 0;
}
"#;

#[test]
fn a_deadlock_of_two_semaphores_is_found_within_ten_schedules() {
    let lab = lab("opposite", &TWO_SEMAPHORES.replace("ORDER", "1"), 1);
    let (schedule, kind) = first_failure(&lab, "opposite", 50, "").expect("a deadlock");
    assert_eq!(kind, "deadlock");
    assert!(schedule < 10, "found in schedule {schedule}");
}

#[test]
fn two_semaphores_in_one_order_never_deadlock() {
    let lab = lab("same_order", &TWO_SEMAPHORES.replace("ORDER", "0"), 1);
    assert_eq!(first_failure(&lab, "same_order", 200, ""), None);
}

#[test]
fn a_sleep_does_not_pass_for_synchronisation() {
    let lab = lab("sleeps", &SLEEP_AS_SYNCHRONISATION.replace("WAITS", "0"), 1);
    let (schedule, kind) = first_failure(&lab, "sleeps", 200, "2 hi\n").expect("the file is not there yet");
    assert_eq!(kind, "output");
    assert!(schedule < 100, "found in schedule {schedule}");
}

#[test]
fn waiting_for_the_child_is_right_under_every_schedule() {
    let lab = lab("waits", &SLEEP_AS_SYNCHRONISATION.replace("WAITS", "1"), 1);
    assert_eq!(first_failure(&lab, "waits", 200, "2 hi\n"), None);
}

#[test]
fn the_same_seed_gives_the_same_schedule() {
    let lab = lab("repeated", &TWO_SEMAPHORES.replace("ORDER", "0"), 1);
    let fingerprint = |schedule: u64| {
        let told = lab.session(|session| {
            session.schedule_by(schedule);
            let program = session.program("repeated").start()?;
            session.exit(program)?;
            session.all_end()?;
            Err(Unpassed::Skipped(session.fingerprint().to_string()))
        });
        match told {
            Err(Unpassed::Skipped(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    let expected: Vec<String> = (0..4).map(fingerprint).collect();
    assert_ne!(expected[0], expected[1], "different seeds give different schedules");
    for _ in 0..25 {
        assert_eq!((0..4).map(fingerprint).collect::<Vec<_>>(), expected);
    }
}
