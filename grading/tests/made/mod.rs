//! Records made up for tests: a class of any size at the course's own labs, the same every time, and one student whose every text is hostile.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use grading::run::record::{Build, Check, Record, SCHEMA, Status};
use grading::sources::digest;
use harness::finding::{Finding, Label};
use harness::manifest::{LabFolder, Labs};
use harness::source::Place;
use harness::verdict::Word;

/// What breaks out of HTML, XML, CSV and terminals, where it is not escaped.
pub const HOSTILE: &str = "</script></style></title><script>alert('x')</script><img src=x onerror=alert(2)>\"'&amp;]]>\n=cmd()|\u{202e}`${x}`";

/// The course itself.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The course's labs with these folder names.
pub fn labs(folders: &[&str]) -> Vec<LabFolder> {
    Labs::find(&root()).unwrap().0.into_iter().filter(|lab| folders.contains(&&*lab.folder)).collect()
}

/// Numbers that look drawn, and are the same every time.
pub struct Draws(u64);

impl Draws {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A record with all checks passed.
pub fn full_marks(student: &str, lab: &LabFolder) -> Record {
    let check = |entry: &harness::manifest::CheckEntry| Check {
        name: entry.name.clone(),
        verdict: Word::Pass,
        points: entry.points,
        max_points: entry.points,
        message: String::new(),
        finding: None,
        replay: format!("cargo lab check {} {} --seed 7", lab.name, entry.name),
        hidden: entry.hidden,
        visibility: entry.visibility(),
    };
    Record {
        schema: SCHEMA.into(),
        student: student.into(),
        ids: Vec::new(),
        lab: lab.folder.clone(),
        lab_version: digest([lab.folder.as_bytes()]),
        submission: digest([student.as_bytes(), lab.folder.as_bytes()]),
        submitted: None,
        marked_late: false,
        tier: Some("B".into()),
        seed: 7,
        points: lab.manifest.points(),
        max_points: lab.manifest.points(),
        needs_attention: false,
        outcome: Build { status: Status::Built, message: String::new() },
        checks: lab.manifest.checks.iter().map(check).collect(),
    }
}

/// The record with another verdict on one check.
pub fn with(mut record: Record, check: usize, verdict: Word, finding: Option<Finding>, message: &str) -> Record {
    let entry = &mut record.checks[check];
    record.points -= entry.points;
    (entry.verdict, entry.points, entry.finding, entry.message) = (verdict, 0, finding, message.into());
    record.needs_attention |= verdict == Word::Broken;
    record
}

/// The record of a program that was not built.
pub fn not_built(record: Record, status: Status, message: &str) -> Record {
    let count = record.checks.len();
    let all = |record, check| with(record, check, Word::Skipped, None, "not checked: there is no program to run, see the outcome of the build");
    let record = (0..count).fold(record, all);
    Record { outcome: Build { status, message: message.into() }, tier: None, ..record }
}

/// The deadlock that the README shows.
pub fn deadlock(descriptor: u32) -> Finding {
    Finding::new(
        "deadlock",
        "pipe ends",
        "deadlock: all processes wait, and nothing can wake them",
        format!("the child waits for an end-of-file that it prevents itself: it holds the last write end of pipe A; close descriptor {descriptor} there before the read; pipe(7)"),
    )
    .with([
        "the parent waits in read on descriptor 5, pipe B; its write end is held by the child as descriptor 6".to_owned(),
        "the child waits in read on descriptor 3, pipe A; its write end is held by the child as descriptor 4".to_owned(),
    ])
    .at([
        label(86, 17, "the child waits here, for pipe A", "        let n = read(words[0], &mut buf);"),
        label(23, 17, "pipe A is made here: descriptor 3 is its read end, 4 its write end", "    if unsafe { libc::pipe(fds.as_mut_ptr()) } == -1 {"),
        label(121, 24, "the child is forked here, with a copy of every descriptor", "    let pid = unsafe { libc::fork() };"),
    ])
}

/// An output that is not the expected one.
pub fn output(word: &str) -> Finding {
    Finding::new(
        "output",
        format!("standard output \"{word}\\n14 bytes\\n\""),
        format!("standard output \"{word}\\n13 bytes\\n\""),
        "count what read returned, with the marks between words; read(2), RETURN VALUE",
    )
    .at([label(64, 9, "written here", "        write_all(1, line.as_bytes());")])
}

fn label(line: u32, column: u32, what: &str, text: &str) -> Label {
    Label { place: Place { file: "labs/02-pipe/src/main.rs".into(), path: String::new(), line, column }, what: what.into(), text: text.into() }
}

/// The message as a record has it.
pub fn message(finding: &Finding) -> String {
    format!(
        "promise:  The promise.\nexpected: {}\nobserved: {}\n{}next:     {}\n",
        finding.expected,
        finding.observed,
        finding.evidence.iter().map(|line| format!("          {line}\n")).collect::<String>(),
        finding.next
    )
}

/// A class of so many students at these labs: some perfect, some lost, some with the mistakes that everybody makes.
pub fn class(students: usize, labs: &[LabFolder]) -> Vec<Record> {
    let mut draws = Draws(42);
    let mut records = Vec::new();
    for number in 0..students {
        let name = format!("{}{}", ["ann", "bob", "chloé", "dmitri", "eve", "fatima", "gé", "hana"][number % 8], number);
        let skill = draws.below(100);
        for lab in labs {
            let mut record = full_marks(&name, lab);
            match draws.below(40) {
                0 => record = not_built(record, Status::MissingFile, &format!("expected a folder {}; it is not there", lab.folder)),
                1 => {
                    record = not_built(
                        record,
                        Status::CompileError,
                        "error[E0308]: mismatched types\n --> src/main.rs:2:17\n  |\n2 |     let n: u8 = \"x\";\n  |            --   ^^^ expected `u8`, found `&str`",
                    )
                }
                _ => {}
            }
            if record.tier.is_some() {
                for check in 0..record.checks.len() {
                    let after: Option<&str> = lab.manifest.checks[check].after.iter().find_map(|name| {
                        record.checks.iter().find(|earlier| earlier.name == *name && earlier.verdict != Word::Pass).map(|earlier| &*earlier.name)
                    });
                    if let Some(after) = after {
                        let reason = format!("reason:   {after} failed\n");
                        record = with(record, check, Word::Skipped, None, &reason);
                    } else if draws.below(100) >= 55 + skill / 2 + 12 {
                        let finding = if draws.below(3) == 0 { deadlock(4 + u32::try_from(draws.below(3)).unwrap()) } else { output("hello world") };
                        let text = message(&finding);
                        record = with(record, check, Word::Fail, Some(finding), &text);
                    } else if draws.below(900) == 0 {
                        record = with(
                            record,
                            check,
                            Word::Broken,
                            None,
                            "reason:   fork: Resource temporarily unavailable\nnext:     this is a fault of the harness or of the machine, not of the program; run it again, then report it\n",
                        );
                    }
                }
            }
            records.push(record);
        }
    }
    records
}

/// A student whose name, and whatever else a program or a source can put into a record, is hostile.
pub fn hostile(lab: &LabFolder) -> Record {
    let mut finding = Finding::new(HOSTILE, HOSTILE, HOSTILE, HOSTILE).with([HOSTILE.to_owned()]).at([label(3, 1, HOSTILE, HOSTILE)]);
    finding.labels[0].place.file = HOSTILE.into();
    let mut record = with(full_marks(HOSTILE, lab), 0, Word::Fail, Some(finding), HOSTILE);
    record = with(record, 1, Word::Skipped, None, HOSTILE);
    record.checks[0].replay = HOSTILE.into();
    record
}

/// Writes the records below `folder`, as `grade run` does.
pub fn write(folder: &Path, records: &[Record]) {
    for record in records {
        let name = grading::run::names::record_name(record.student.as_ref());
        let place = folder.join("records").join(name);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(format!("{}.json", record.lab)), serde_json::to_string_pretty(record).unwrap()).unwrap();
    }
}

/// `grade` with these arguments, in the course's folder: exit code, standard output, standard error.
pub fn grade(arguments: &[&str]) -> (i32, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_grade")).current_dir(root()).args(arguments).env("NO_COLOR", "1").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("it exits"), text(&output.stdout), text(&output.stderr))
}
