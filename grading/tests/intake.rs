//! `grade intake` and `grade run` on archives and on what learning platforms give for download.

mod course;
mod packing;

use std::fs;
use std::path::{Path, PathBuf};

use course::{Course, told};
use packing::{TarFile, ZipFile};
use serde_json::Value;
use tempfile::TempDir;

const RIGHT: &str = "fn main() {\n    if std::env::args().len() == 1 { std::process::exit(2) }\n    std::env::args().skip(1).for_each(|word| println!(\"{word}\"));\n}\n";
const WRONG: &str = "fn main() {\n    std::env::args().skip(1).for_each(|word| word.split(' ').for_each(|part| println!(\"{part}\")));\n}\n";
const LEFT: &str = "fn main() { println!(\"left\") }\n";

/// A download, and what came of it.
struct Download {
    folder: TempDir,
    course: Course,
}

impl Download {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("download")).unwrap();
        Self { folder, course: Course::new("course", |_| {}) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("download")
    }

    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn take_from(&self, download: &Path, arguments: &[&str]) -> (i32, String, String) {
        let out = self.folder.path().join("taken");
        told(&self.course.grade().arg("intake").arg(download).arg("--out").arg(out).args(arguments).output().unwrap())
    }

    fn take(&self, arguments: &[&str]) -> (i32, String, String) {
        self.take_from(&self.path(), arguments)
    }

    fn ledger(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("taken/intake.json")).unwrap()).unwrap()
    }

    /// What was taken of a student's only program in the first lab, or why it was refused.
    fn echo(&self, student: &str) -> Result<String, String> {
        let ledger = self.ledger();
        let person = &ledger["students"][student];
        assert!(person.is_object(), "{student}: {ledger}");
        let handed = &person["labs"]["01-echo"];
        match handed["sources"].as_str() {
            Some(digest) => {
                let path = self.folder.path().join("taken/sources").join(digest).join("01-echo/src/main.rs");
                Ok(fs::read_to_string(path).unwrap())
            }
            None => Err(handed["refused"].as_str().or(person["refused"].as_str()).or(person["remark"].as_str()).unwrap_or_default().to_owned()),
        }
    }

    /// Everything that lies below the output folder, and nothing may lie beside it.
    fn nothing_outside(&self) {
        let names: Vec<String> =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        assert!(names.iter().all(|name| ["download", "taken", "out", "class.zip", "class.tar.gz"].contains(&&**name)), "{names:?}");
    }
}

#[test]
fn archives_of_students_are_taken_in_whatever_folder_is_around_the_lab() {
    let download = Download::new();
    download
        .put("zip.zip", ZipFile::new().file("01-echo/src/main.rs", RIGHT).done())
        .put("deep.tar.gz", TarFile::new().file("work-main/labs/01-echo/src/main.rs", RIGHT).file("work-main/README.md", "").gzip())
        .put("tar.tar", TarFile::new().file("./01-echo/src/main.rs", WRONG).done())
        .put("folder/01-echo/src/main.rs", RIGHT)
        .put("inside/01-echo.zip", ZipFile::new().file("01-echo\\src\\main.rs", RIGHT).done())
        .put("contents/01-echo.zip", ZipFile::new().file("src/main.rs", RIGHT).done())
        .put("within/01-echo/work.zip", ZipFile::new().file("src/main.rs", RIGHT).done())
        .put("__MACOSX/zip/._main.rs", "")
        .put("notes.txt", "");
    fs::create_dir(download.path().join("absent")).unwrap();
    let (code, stdout, stderr) = download.take(&[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(download.ledger()["students"].as_object().unwrap().len(), 8, "who handed in nothing is a student too");
    assert!(stdout.starts_with("7 students, 7 labs taken in, 0 refused, 1 warnings (plain)"), "{stdout}{stderr}");
    assert!(stderr.contains("warning: notes.txt belongs to no student"), "{stderr}");
    for (student, text) in
        [("zip", RIGHT), ("deep", RIGHT), ("tar", WRONG), ("folder", RIGHT), ("inside", RIGHT), ("contents", RIGHT), ("within", RIGHT)]
    {
        assert_eq!(download.echo(student).as_deref(), Ok(text), "{student}");
    }
    let kept = fs::read_dir(download.folder.path().join("taken/sources")).unwrap().count();
    assert_eq!(kept, 2, "the same sources are kept once");
    download.nothing_outside();
}

#[test]
fn a_batch_grades_archives_and_names_what_it_refused() {
    let download = Download::new();
    download
        .put("ann.zip", ZipFile::new().file("01-echo/src/main.rs", RIGHT).done())
        .put("bob.zip", ZipFile::new().file("01-echo/src/main.rs", RIGHT).file("../../outside.rs", RIGHT).done())
        .put("eve.zip", "PK\x03\x04 this is no zip file")
        .put("sue.rar", "Rar!")
        .put("kim.zip", ZipFile::new().file("notes.md", "").done());
    let out = download.folder.path().join("out");
    let run = || told(&download.course.grade().arg("run").arg(download.path()).arg("--out").arg(&out).args(["--seed", "7"]).output().unwrap());
    let (code, stdout, stderr) = run();
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(fs::read_to_string(out.join("grades.csv")).unwrap(), "student,01-echo,total\nann,6,6\nbob,0,0\neve,0,0\nkim,0,0\nsue,0,0\n");
    let outcome = |student: &str| {
        let path = out.join("records").join(student).join("01-echo.json");
        serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap()["outcome"].clone()
    };
    assert_eq!(outcome("bob")["status"], "refused");
    assert!(outcome("bob")["message"].as_str().unwrap().starts_with("bob.zip: ../../outside.rs leads out of its archive"), "{}", outcome("bob"));
    assert!(outcome("eve")["message"].as_str().unwrap().starts_with("eve.zip is no zip file that can be read"), "{}", outcome("eve"));
    assert_eq!(outcome("kim")["status"], "missing_file");
    assert!(outcome("kim")["message"].as_str().unwrap().ends_with("; there is kim.zip: notes.md"), "{}", outcome("kim"));
    assert!(
        outcome("sue")["message"].as_str().unwrap().starts_with("sue.rar is not unpacked; expected the sources themselves"),
        "{}",
        outcome("sue")
    );
    assert!(stderr.contains("warning: refused: bob: bob.zip: ../../outside.rs"), "{stderr}");
    assert!(run().1.starts_with("0 graded, 5 kept"), "what was refused once is not graded again");
    download.nothing_outside();
}

/// One way to break out, to fill the disk or to hide something in an archive; each must be refused with its name, and leave the next student alone.
#[test]
fn hostile_archives_are_refused_by_name() {
    let good = || ZipFile::new().file("01-echo/src/main.rs", RIGHT);
    let tar = || TarFile::new().file("01-echo/src/main.rs", RIGHT);
    let many = |count: usize| (0..count).fold(TarFile::new(), |tar, number| tar.file(&format!("f{number}"), ""));
    let blanks = vec![b' '; 66 << 20];
    let deep = "d/".repeat(30);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("up.zip", good().file("a/../../x", "").done(), "leads out of its archive"),
        ("absolute.zip", good().file("/etc/cron.d/x", "").done(), "has an absolute name"),
        ("drive.zip", good().file("C:\\x", "").done(), "has an absolute name"),
        ("twice.zip", good().file("01-echo/src/main.rX", WRONG).renamed("main.rX", "main.rs").done(), "main.rs is there twice"),
        ("link.zip", ZipFile::new().link("01-echo/src/main.rs", "/etc/passwd").done(), "01-echo/src/main.rs is a symbolic link"),
        ("folder_link.zip", ZipFile::new().link("01-echo/src", "/etc").done(), "01-echo/src is a symbolic link"),
        ("bomb.zip", good().file("01-echo/bomb", &blanks).done(), "unpacks to more than 64 MiB"),
        ("ratio.zip", good().file("01-echo/bomb", &blanks[..30 << 20]).done(), "unpacks to more than 200 times its size"),
        ("up.tar.gz", tar().raw_name("../../x").gzip(), "leads out of its archive"),
        ("absolute.tar", tar().raw_name("/etc/x").done(), "has an absolute name"),
        ("twice.tar", tar().file("01-echo/src/main.rs", WRONG).done(), "main.rs is there twice"),
        ("link.tar", TarFile::new().special("01-echo/src/main.rs", tar::EntryType::Symlink).done(), "is a symbolic link"),
        ("hard.tar", TarFile::new().special("01-echo/src/main.rs", tar::EntryType::Link).done(), "is a hard link"),
        ("fifo.tar", TarFile::new().special("01-echo/src/main.rs", tar::EntryType::Fifo).done(), "is a FIFO"),
        ("device.tar", TarFile::new().special("01-echo/src/main.rs", tar::EntryType::Char).done(), "is a device"),
        ("bomb.tar.gz", tar().file("01-echo/bomb", &blanks).gzip(), "unpacks to more than"),
        ("many.tar.gz", many(10_001).gzip(), "has more than 10000 entries"),
        ("deep.tar", TarFile::new().file(&format!("{deep}01-echo/src/main.rs"), RIGHT).done(), "lies deeper than 24 folders"),
        ("latin.tar", TarFile::new().raw_bytes(b"01-echo/src/m\xe4in.rs").done(), "has a name that is not UTF-8"),
        (
            "short.tar.gz",
            {
                let whole = tar().gzip();
                whole[..whole.len() / 2].to_vec()
            },
            "is no tar file that can be read",
        ),
        ("giant.zip", ZipFile::new().file("01-echo/src/main.rs", vec![b' '; (1 << 20) + 1]).done(), "is larger than 1048576 bytes"),
        ("nested.zip", ZipFile::new().file("inner.zip", good().done()).done(), "inner.zip is not unpacked"),
        ("what.zip", b"\x7fELF".to_vec(), "is neither a zip nor a tar file"),
        ("rar.zip", b"Rar!".to_vec(), "is neither a zip nor a tar file"),
    ];
    let download = Download::new();
    for (name, bytes, _) in &cases {
        download.put(&format!("{}/{name}", name.replace('.', "_")), bytes);
    }
    download.put("honest.zip", good().done());
    // Just below the limits.
    download.put("below/below.zip", good().file("01-echo/blanks", &blanks[..15 << 20]).done());
    download.put("below_tar/below.tar.gz", many(9_999).file("01-echo/src/main.rs", RIGHT).gzip());
    download.put("below_size.zip", ZipFile::new().file("01-echo/src/main.rs", vec![b' '; 1 << 20]).done());
    let (code, stdout, stderr) = download.take(&[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    for (name, _, expected) in &cases {
        let refused = download.echo(&name.replace('.', "_")).expect_err(name);
        assert!(refused.contains(expected), "{name}: expected {expected}; observed {refused}");
        assert!(refused.contains(name), "{name}: the archive is not named in: {refused}");
    }
    for student in ["honest", "below", "below_tar"] {
        assert_eq!(download.echo(student).as_deref(), Ok(RIGHT), "{student}");
    }
    assert_eq!(download.echo("below_size").map(|text| text.len()), Ok(1 << 20));
    download.nothing_outside();
}

#[test]
fn a_hostile_name_in_a_class_archive_stops_nobody_else() {
    let download = Download::new();
    let class = download.folder.path().join("class.zip");
    let bytes = ZipFile::new()
        .file("ann/01-echo/src/main.rs", RIGHT)
        .file("bob/01-echo/src/main.rs", RIGHT)
        .file("bob/../../../etc/x", "")
        .file("../../x", "");
    fs::write(&class, bytes.done()).unwrap();
    let (code, stdout, stderr) = download.take_from(&class, &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(download.echo("ann").as_deref(), Ok(RIGHT));
    assert!(download.echo("bob").is_err_and(|reason| reason.contains("../../../etc/x leads out of its archive")));
    assert!(stderr.contains("warning: ../../x leads out of its archive, and belongs to no student; it is left out"), "{stderr}");
    assert_eq!(download.ledger()["students"].as_object().unwrap().len(), 2);
    download.nothing_outside();
}

#[test]
fn what_may_be_two_things_is_refused_and_what_is_twice_the_same_is_taken() {
    let download = Download::new();
    download
        .put("differ/a/main.rs", RIGHT)
        .put("differ/b/main.rs", WRONG)
        .put("same/a/main.rs", RIGHT)
        .put("same/b/main.rs", RIGHT)
        .put("nearer/src/main.rs", RIGHT)
        .put("nearer/old/main.rs", WRONG)
        .put("other/02-pair/src/main.rs", WRONG)
        .put("rar/work.rar", "Rar!");
    let (code, stdout, stderr) = download.take(&["--lab", "echo"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(download.echo("differ"), Err("two files may be src/main.rs: a/main.rs and b/main.rs; expected one".into()));
    assert_eq!(download.echo("same").as_deref(), Ok(RIGHT));
    assert_eq!(download.echo("nearer").as_deref(), Ok(RIGHT));
    assert_eq!(download.echo("other"), Err("; there is 02-pair/src/main.rs".into()));
    assert!(download.echo("rar").is_err_and(|reason| reason.contains("work.rar is not unpacked")));
}

#[test]
fn gradescope_maps_names_and_times_by_its_manifest() {
    let manifest = "---\nsubmission_11:\n  :submitters:\n  - :name: Ann Example\n    :sid: '7'\n    :email: ann@example.edu\n  - :name: Bob\n    :sid:\n    :email: bob@example.edu\n  :created_at: 2026-10-05 23:50:06.5 +02:00\n  :results: !ruby/object:Hash {}\nsubmission_12:\n  :submitters:\n  - :name: Eve\n    :sid: '8'\n    :email: eve@example.edu\n  :created_at: 2026-10-06 08:00:00 Z\n";
    let class = |wrapper: &str| {
        let at = |path: &str| format!("{wrapper}{path}");
        ZipFile::new()
            .file(&at("submission_11/main.rs"), RIGHT)
            .file(&at("submission_12/work.zip"), ZipFile::new().file("src/main.rs", WRONG).done())
            .file(&at("submission_13/main.rs"), RIGHT)
            .file(&at("submission_metadata.yml"), manifest)
            .done()
    };
    for wrapper in ["", "assignment_99_export/"] {
        let download = Download::new();
        let path = download.folder.path().join("class.zip");
        fs::write(&path, class(wrapper)).unwrap();
        let (code, stdout, stderr) = download.take_from(&path, &["--lab", "1"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!(stdout.contains("(gradescope)"), "{stdout}");
        for student in ["ann@example.edu", "bob@example.edu", "submission_13"] {
            assert_eq!(download.echo(student).as_deref(), Ok(RIGHT));
        }
        assert_eq!(download.echo("eve@example.edu").as_deref(), Ok(WRONG));
        assert!(stderr.contains("warning: submission_13 is not in submission_metadata.yml"), "{stderr}");
        let ann = &download.ledger()["students"]["ann@example.edu"];
        assert_eq!((&ann["name"], &ann["ids"]), (&"Ann Example".into(), &serde_json::json!(["ann@example.edu", "7"])));
        assert_eq!(ann["labs"]["01-echo"]["submitted"], "2026-10-05T21:50:06.5Z");
    }
}

#[test]
fn canvas_maps_names_by_its_file_names_and_the_roster() {
    let download = Download::new();
    let roster = download.folder.path().join("taken-roster.csv");
    fs::write(
        &roster,
        "Student,ID,SIS Login ID\n    Points Possible,,\n\"Example, Ann\",12,ann1\n\"Example, Bob\",13,bob1\n\"Silent, Sue\",14,sue1\n",
    )
    .unwrap();
    download
        .put("exampleann_12_900_main.rs", RIGHT)
        .put("examplebob_LATE_13_901_main-1.rs", WRONG)
        .put("unknown_99_902_src.tar.gz", TarFile::new().file("src/main.rs", RIGHT).gzip());
    let (code, stdout, stderr) = download.take(&["--lab", "echo", "--roster", roster.to_str().unwrap()]);
    fs::remove_file(roster).unwrap();
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("(canvas)"), "{stdout}");
    assert_eq!(download.echo("ann1").as_deref(), Ok(RIGHT));
    assert_eq!(download.echo("bob1").as_deref(), Ok(WRONG));
    assert_eq!(download.echo("unknown_99").as_deref(), Ok(RIGHT));
    assert!(stderr.contains("warning: unknown_99 is not on the roster"), "{stderr}");
    let ledger = download.ledger();
    assert_eq!(ledger["students"]["bob1"]["labs"]["01-echo"]["marked_late"], true);
    assert_eq!(ledger["students"]["sue1"]["labs"], serde_json::json!({}), "who handed in nothing is a student too");
}

#[test]
fn moodle_maps_names_by_its_folders_and_the_worksheet_and_labs_come_one_by_one() {
    let download = Download::new();
    let (worksheet, times) = (download.folder.path().join("taken.csv"), download.folder.path().join("out.csv"));
    fs::write(&worksheet, "Identifier,\"Full name\",\"Email address\",Grade\n\"Participant 77\",\"Ann Example\",ann@example.edu,-\n").unwrap();
    fs::write(&times, "student,lab,submitted\nann@example.edu,echo,2026-10-05T23:59:00+02:00\nnobody,,2026-10-05T23:59:00Z\n").unwrap();
    download.put("Ann Example_77_assignsubmission_file_/main.rs", RIGHT).put("Bob_78_assignsubmission_file_main.rs", WRONG);
    let tables = ["--lab", "echo", "--roster", worksheet.to_str().unwrap(), "--times", times.to_str().unwrap()];
    let (code, stdout, stderr) = download.take(&tables);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("(moodle)") && stderr.contains("the table of times names nobody"), "{stdout}{stderr}");
    assert_eq!(download.echo("ann@example.edu").as_deref(), Ok(RIGHT));
    assert_eq!(download.echo("Bob_78").as_deref(), Ok(WRONG));
    assert_eq!(download.ledger()["students"]["ann@example.edu"]["labs"]["01-echo"]["submitted"], "2026-10-05T21:59:00Z");

    let second = download.folder.path().join("out");
    fs::create_dir_all(second.join("Ann Example_501_assignsubmission_file_/src/bin")).unwrap();
    fs::write(second.join("Ann Example_501_assignsubmission_file_/src/bin/left.rs"), LEFT).unwrap();
    fs::write(&worksheet, "Identifier,\"Full name\",\"Email address\"\n\"Participant 501\",\"Ann Example\",ann@example.edu\n").unwrap();
    let (code, stdout, stderr) = download.take_from(&second, &["--lab", "pair", "--roster", worksheet.to_str().unwrap()]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let labs = download.ledger()["students"]["ann@example.edu"]["labs"].clone();
    assert_eq!(labs.as_object().unwrap().keys().collect::<Vec<_>>(), ["01-echo", "02-pair"], "the first intake is still there");
}

#[test]
fn a_download_that_cannot_be_used_is_a_clear_error() {
    let download = Download::new();
    let refused = |path: &Path, arguments: &[&str], expected: &str| {
        let (code, _, stderr) = download.take_from(path, arguments);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    refused(&download.path().join("none"), &[], "No such file or directory");
    refused(&download.path(), &[], "expected submissions in");
    download.put("ann/main.rs", RIGHT);
    refused(&download.path(), &[], "If the download is for one lab, name it: --lab LAB");
    refused(&download.path(), &["--lab", "ecko"], "did you mean `echo`?");
    refused(&download.path(), &["--roster", "/none.csv"], "read /none.csv");
    let class = download.folder.path().join("class.zip");
    fs::write(&class, "hello").unwrap();
    refused(&class, &[], "is neither a zip nor a tar file");
    fs::write(&class, ZipFile::new().file("submission_1/main.rs", RIGHT).file("submission_metadata.yml", "a: [").done()).unwrap();
    refused(&class, &["--lab", "echo"], "has a submission_metadata.yml that is no YAML: line ");
}
