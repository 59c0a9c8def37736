//! Whatever comes in: no crash, and nothing outside of the output folder.
//!
//! PROPTEST_CASES sets how many cases of each kind are tried.

mod packing;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use grading::intake::entry::{self, Caps, ONE_STUDENT, Stop, Thing};
use grading::intake::layout::Detector;
use grading::intake::{self, container, gradescope, ledger::Ledger, people};
use grading::late::Policy;
use grading::run::again::Again;
use grading::run::record::Record;
use grading::run::shard::Shard;
use harness::manifest::{LabFolder, Manifest};
use packing::{TarFile, ZipFile};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const LAB: &str = "title = \"t\"\nsummary = \"s\"\nlevel = 1\ncalls = [\"read\"]\n[[program]]\nname = \"p\"\nsource = \"src/main.rs\"\nusage = \"p\"\n[[check]]\nname = \"c\"\npoints = 1\nhints = [\"a\", \"b\", \"c\"]\n[limits]\nwall_seconds = 60\n";

fn lab() -> LabFolder {
    let manifest = Manifest::parse(LAB, Path::new("lab.toml")).unwrap();
    LabFolder { path: "labs/01-x".into(), folder: "01-x".into(), name: "x".into(), manifest }
}

/// Parts of names that have meant something to somebody.
fn part() -> impl Strategy<Value = String> {
    let known = select(vec![
        "..",
        ".",
        "",
        "src",
        "main.rs",
        "01-x",
        "ann",
        "submission_1",
        "submission_metadata.yml",
        "~",
        "C:",
        "CON",
        "__MACOSX",
        "-rf",
        "a\\..\\b",
        "intake.json",
        "a_1_2_main.rs",
        "Ann_1_assignsubmission_file_",
        "\u{202e}",
        "%2e%2e",
        "sources",
        ".lock",
        "x.zip",
        "x.tar.gz",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "[ -~]{0,12}", 1 => "\\PC{0,6}"]
}

fn name() -> impl Strategy<Value = String> {
    (any::<bool>(), vec(part(), 1..6)).prop_map(|(absolute, parts)| format!("{}{}", if absolute { "/" } else { "" }, parts.join("/")))
}

/// Bytes with a few of them changed.
fn damaged(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    (vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), any::<prop::sample::Index>(), any::<bool>()).prop_map(move |(changes, end, cut)| {
        let mut bytes = bytes.clone();
        for (place, byte) in changes {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        if cut && !bytes.is_empty() {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    })
}

/// An archive with odd names, whole or damaged.
fn archive() -> impl Strategy<Value = Vec<u8>> {
    let files = vec((name(), vec(any::<u8>(), 0..40)), 0..6);
    (files, 0..3_u8).prop_flat_map(|(files, kind)| {
        let mut seen = BTreeSet::new();
        // What the writer itself refuses is left out: it is made by damage.
        let files = files.into_iter().filter(move |(name, _)| !name.ends_with('/') && !name.is_empty() && seen.insert(name.clone()));
        let bytes = match kind {
            0 => files.fold(ZipFile::new(), |zip, (name, bytes)| zip.file(&name, bytes)).done(),
            _ => {
                let tar = files.fold(TarFile::new(), |tar, (name, _)| tar.raw_bytes(&name.as_bytes()[..name.len().min(99)]));
                if kind == 1 { tar.done() } else { tar.gzip() }
            }
        };
        damaged(bytes)
    })
}

/// Everything below a folder, links not followed.
fn below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        all.insert(entry.path());
        if entry.file_type().unwrap().is_dir() {
            all.extend(below(&entry.path()));
        }
    }
    all
}

/// What an intake may write.
fn is_expected(path: &Path) -> bool {
    let parts: Vec<String> = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match parts.iter().map(|part| &**part).collect::<Vec<_>>()[..] {
        [] | ["intake.json" | ".lock" | "sources"] => true,
        ["sources", folder, ref rest @ ..] => digest(folder) && ["01-x", "src", "main.rs"].starts_with(rest),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_path_never_leads_out(name in vec(any::<u8>(), 0..60), odd in name()) {
        for name in [&*name, odd.as_bytes()] {
            if let Ok(path) = entry::path(name, 24) {
                let only_plain = Path::new(&path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
                prop_assert!(only_plain && !path.contains('\\') && !path.chars().any(char::is_control), "{path:?}");
            }
            let _ = entry::shown_path(name);
        }
    }

    #[test]
    fn an_archive_gives_plain_paths_and_no_more_than_its_caps(bytes in archive(), noise in vec(any::<u8>(), 0..600)) {
        let caps = Caps { entries: 4, bytes: 100, ..ONE_STUDENT };
        for bytes in [bytes, noise] {
            let (mut files, mut read) = (0, 0);
            let _ = container::each_in_bytes(&bytes, &caps, &mut |entry| {
                if let Thing::File(reader) = entry.thing {
                    assert!(Path::new(&entry.path).components().all(|part| matches!(part, std::path::Component::Normal(_))), "{:?}", entry.path);
                    files += 1;
                    read += entry::read_at_most(reader, 1 << 20).ok().flatten().map_or(0, |bytes| bytes.len());
                }
                Ok::<(), Stop>(())
            });
            prop_assert!(files <= 4 && read <= 100 + 4 * 512, "{files} files, {read} bytes");
        }
    }

    #[test]
    fn an_intake_writes_below_its_folder_and_nowhere_else(bytes in archive(), student in part(), nested in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let download = if nested {
            // A student's archive in a folder of submissions; in place of a name that no folder can have, another.
            let student = if student.is_empty() || student.starts_with('.') || student.contains(['/', '\0']) { "ann".to_owned() } else { student };
            fs::create_dir_all(folder.path().join("class").join(&student)).unwrap();
            fs::write(folder.path().join("class").join(student).join("work.zip"), &bytes).unwrap();
            folder.path().join("class")
        } else {
            fs::write(folder.path().join("class.zip"), &bytes).unwrap();
            folder.path().join("class.zip")
        };
        let before = below(folder.path());
        let out = folder.path().join("out");
        let request = intake::Request { download, out: out.clone(), roster: None, times: None, platform: None, replace: false };
        let taken = intake::take(&[lab()], Some(0), &request);
        for path in below(folder.path()).difference(&before) {
            match path.strip_prefix(&out) {
                Ok(inner) => prop_assert!(is_expected(inner), "{inner:?}"),
                Err(_) => prop_assert!(false, "{path:?} is outside"),
            }
        }
        if taken.is_ok() {
            let ledger = Ledger::find(&out).unwrap();
            prop_assert!(ledger.is_some(), "an intake that ends well has a ledger that can be read");
        }
    }

    #[test]
    fn a_layout_is_told_from_any_names(names in vec(name(), 0..20)) {
        let names: Vec<String> = names.iter().filter_map(|name| entry::path(name.as_bytes(), 24).ok()).collect();
        let mut detector = Detector::default();
        names.iter().for_each(|name| detector.see(name));
        let layout = detector.layout();
        for name in &names {
            if let Some(place) = layout.place(name) {
                prop_assert!(name.ends_with(place.inner));
            }
        }
    }

    #[test]
    fn a_lab_toml_is_read_or_its_fault_has_a_line(text in damaged(LAB.as_bytes().to_vec()), noise in "\\PC{0,80}") {
        for text in [String::from_utf8_lossy(&text).into_owned(), noise] {
            match Manifest::parse(&text, Path::new("lab.toml")) {
                Ok(manifest) => prop_assert!(manifest.programs.iter().all(|program| program.source.is_relative())),
                Err(error) => {
                    let line = error.0.strip_prefix("lab.toml:").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
                    prop_assert!(line.is_some_and(|line| line >= 1 && line <= text.lines().count() + 1), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_late_policy_is_read_or_refused(
        text in damaged(b"grace_days_in_all = 3\n[default]\ndue = 2026-10-05T23:59:00+02:00\npercent_per_day = 10\nhard_stop_days = 7\n[lab.x]\ngrace_days = 1\n".to_vec()),
        submitted in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    ) {
        if let Ok(policy) = Policy::parse(&String::from_utf8_lossy(&text), Path::new("late.toml"), &[lab()]) {
            let earned = grading::late::Earned {
                student: "a".into(), record_name: "a".into(), ids: Vec::new(), lab: "01-x".into(), points: 7, submitted: Some(submitted), marked_late: false, handed_in: true,
            };
            let mark = policy.marks(&[earned]).remove(0);
            prop_assert!(mark.hundredths <= 700 && mark.percent <= 100 && mark.days_late >= 0 && mark.grace_days <= mark.days_late, "{mark:?}");
        }
    }

    #[test]
    fn manifests_and_tables_of_platforms_are_read_or_refused(
        yaml in damaged(b"---\nsubmission_1:\n  :submitters:\n  - :name: Ann\n    :sid: '1'\n    :email: a@b\n  :created_at: 2026-10-05 23:50:06 +02:00\n  :results: !ruby/hash {}\n  :history: &1 []\nx: *1\n".to_vec()),
        table in damaged(b"Student,ID,SIS Login ID\n\"Ann, B\",1,ann\n,,\n".to_vec()),
        times in damaged(b"student,lab,submitted\nann,x,2026-10-05T23:59:00+02:00\n".to_vec()),
    ) {
        let _ = gradescope::read(&String::from_utf8_lossy(&yaml));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), table).unwrap();
        if let Ok(roster) = people::Roster::read(file.path()) {
            prop_assert!(roster.0.iter().all(|listed| !listed.key.is_empty()));
        }
        fs::write(file.path(), times).unwrap();
        let _ = people::times(file.path());
    }

    #[test]
    fn ledgers_and_records_are_read_or_refused(
        ledger in damaged(format!(r#"{{"schema":"ipc-labs/intake/1","students":{{"ann":{{"name":"Ann","ids":["1"],"labs":{{"01-x":{{"sources":"{}"}}}}}}}}}}"#, "a".repeat(64)).into_bytes()),
        record in damaged(br#"{"schema":"ipc-labs/record/1","student":"ann","lab":"01-x","lab_version":"v","submission":"s","tier":"B","seed":7,"points":1,"max_points":1,"needs_attention":false,"outcome":{"status":"built","message":""},"checks":[]}"#.to_vec()),
        words in "\\PC{0,20}",
    ) {
        if let Ok(ledger) = Ledger::parse(&ledger) {
            let digests = ledger.students.values().flat_map(|person| person.labs.values().filter_map(|handed| handed.sources.as_ref()));
            prop_assert!(digests.into_iter().all(|digest| digest.len() == 64 && !digest.contains(['/', '.'])));
        }
        if let Ok(record) = serde_json::from_slice::<Record>(&record) {
            prop_assert!(serde_json::to_vec(&record).is_ok());
        }
        let _ = (Again::parse(&words), Shard::parse(&words), Shard::named(&words));
    }
}
