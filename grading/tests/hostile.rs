//! Nothing that a submission does changes a mark, its own or another's: the programs of `tests/hostile/programs` are graded with `grade run` beside honest
//! submissions, whose records must stay byte for byte what they are alone, and afterwards nothing of them is left on the machine.
//!
//! Each program begins with what is expected of it: `verdicts:` of the lab's checks, or `build:` with the status of the build; `says:` what a message holds (`says in tier A:` where the run has a memory group),
//! `hides:` what no message may hold. A program that gets through says so itself, and ends in a way that no check passes.

mod hostile {
    pub mod audit;
    pub mod course;
    pub mod submission;
}

use std::collections::BTreeMap;

use hostile::audit::Audit;
use hostile::course::{Batch, Course, User};
use hostile::submission::{self, Hostile};

/// What everybody grades with: what the inputs of one seed are is in no program.
const SEED: &str = "2026";
/// Honest submissions, by the order in which they are graded: first, among the hostile ones, and last.
const SENTINELS: [&str; 3] = ["a_sentinel", "25_sentinel", "z_sentinel"];

#[test]
fn hostile_submissions_have_their_verdicts_and_honest_ones_keep_theirs() {
    corpus(User::Own);
}

#[test]
fn as_an_ordinary_user_too() {
    match User::ordinary() {
        Some(user) => corpus(user),
        None => println!("skipped: the tests are an ordinary user's already, or util-linux is missing (setpriv, unshare)"),
    }
}

fn corpus(user: User) {
    let _one_at_a_time = submission::lock();
    let audit = Audit::before();
    let course = Course::new();
    let mut programs: Vec<Hostile> = submission::all(course.honest());
    assert!(programs.len() > 50);
    // By hand: HOSTILE=44 tries those alone whose names begin so.
    let chosen = std::env::var("HOSTILE").unwrap_or_default();
    programs.retain(|program| program.name.starts_with(&chosen));

    let alone = Batch::new(&course, user);
    SENTINELS.iter().for_each(|name| alone.hand_in(name, course.solution()));
    let told = alone.grade(SEED, 2);
    assert_eq!(told.code, 0, "{told:?}");
    let honest: BTreeMap<&str, Vec<u8>> = SENTINELS.iter().map(|name| (*name, alone.record(name))).collect();
    for (name, record) in &honest {
        assert!(String::from_utf8_lossy(record).contains("\"points\": 6,"), "{name}: {}", String::from_utf8_lossy(record));
    }

    let batch = Batch::new(&course, user);
    SENTINELS.iter().for_each(|name| batch.hand_in(name, course.solution()));
    for program in &programs {
        batch.hand_in(&program.name, &batch.with_places(&program.text));
        batch.add_what_is_never_taken(&program.name);
    }
    let told = batch.grade(SEED, 4);
    let mut wrong: Vec<String> = Vec::new();
    if told.code != 0 {
        wrong.push(format!("expected exit code 0, observed {}: {}{}", told.code, told.stdout, told.stderr));
    }
    for name in SENTINELS {
        if batch.record(name) != honest[name] {
            wrong.push(format!("{name}: another record than alone: {}", String::from_utf8_lossy(&batch.record(name))));
        }
    }
    for program in &programs {
        wrong.extend(program.problems(&batch.record(&program.name)).into_iter().map(|problem| format!("{}: {problem}", program.name)));
    }
    wrong.extend(batch.left_behind());
    drop((alone, batch));
    wrong.extend(audit.left_behind());
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}
