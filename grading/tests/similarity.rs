//! `grade export --similarity`: submissions beside the starter that a detector leaves out.

mod course;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use course::{Course, told};

const LEFT: &str = "//! Says left.\n\nfn main() {\n    print!(\"le\");\n    println!(\"ft\");\n}\n";

/// All files below a folder, relative to it, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path.strip_prefix(folder).unwrap().display().to_string()) }
        }
    }
    found.sort();
    found
}

fn hand_in(submissions: &Path, student: &str, left: &str, right: &str) {
    let folder = submissions.join(student).join("02-pair/src/bin");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("left.rs"), left).unwrap();
    fs::write(folder.join("right.rs"), right).unwrap();
    fs::write(folder.join("notes.txt"), "not taken").unwrap();
}

#[test]
fn submissions_are_laid_out_beside_the_starter() {
    let course = Course::new("course", |_| {});
    let folder = tempfile::tempdir().unwrap();
    let (submissions, out) = (folder.path().join("submissions"), folder.path().join("out"));
    let starter = "//! Says left.\n\nfn main() {\n}\n";
    hand_in(&submissions, "ann", LEFT, LEFT);
    hand_in(&submissions, "b ob", LEFT, starter);
    hand_in(&submissions, "idle", starter, &starter.replace("left", "right").replace("{\n}", "{\n\n}"));
    hand_in(&submissions, "link", LEFT, LEFT);
    let linked = submissions.join("link/02-pair/src/bin/left.rs");
    fs::remove_file(&linked).unwrap();
    symlink("/etc/passwd", &linked).unwrap();

    let lay_out = || told(&course.grade().arg("export").arg("--similarity").arg(&out).arg(&submissions).output().unwrap());
    let (code, stdout, stderr) = lay_out();
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stdout.starts_with("2 submissions laid out: ") && stdout.contains("jplag.jar -l rust -bc ") && stdout.contains("copydetect -t "),
        "{stdout}"
    );
    assert!(stderr.contains("the starter, unchanged, and so left out (1):\n  idle 02-pair\n"), "{stderr}");
    assert!(stderr.contains("could not be taken (1):\n  link 02-pair: src/bin/left.rs is a symbolic link"), "{stderr}");
    let expected = [
        ".written-by-grade",
        "02-pair/starter/src/bin/left.rs",
        "02-pair/starter/src/bin/right.rs",
        "02-pair/submissions/ann/src/bin/left.rs",
        "02-pair/submissions/ann/src/bin/right.rs",
        "02-pair/submissions/b%20ob/src/bin/left.rs",
        "02-pair/submissions/b%20ob/src/bin/right.rs",
    ];
    assert_eq!(files(&out), expected);
    assert_eq!(fs::read_to_string(out.join("02-pair/starter/src/bin/left.rs")).unwrap(), starter);
    assert_eq!(fs::read_to_string(out.join("02-pair/submissions/ann/src/bin/left.rs")).unwrap(), LEFT);

    fs::remove_dir_all(submissions.join("b ob")).unwrap();
    assert_eq!(lay_out().0, 0, "what this command wrote may be written anew");
    assert!(!out.join("02-pair/submissions/b%20ob").exists());
}

#[test]
fn input_that_cannot_be_used_is_a_clear_error() {
    let course = Course::new("course", |_| {});
    let folder = tempfile::tempdir().unwrap();
    let submissions = folder.path().join("submissions");
    fs::create_dir(&submissions).unwrap();
    let refused = |arguments: &[&std::ffi::OsStr], expected: &str| {
        let (code, _, stderr) = told(&course.grade().arg("export").args(arguments).output().unwrap());
        assert!(code == 2 && stderr.contains(expected), "{code} {stderr}");
    };
    let out = folder.path().join("out");
    refused(&["--similarity".as_ref(), out.as_ref()], "SUBMISSIONS");
    refused(&["--similarity".as_ref(), out.as_ref(), submissions.as_ref()], "expected one folder for each student");
    fs::create_dir_all(submissions.join("ann/02-pair")).unwrap();
    refused(&["--similarity".as_ref(), out.as_ref(), submissions.as_ref()], "there is none that differs from its starter");
    refused(&["--similarity".as_ref(), submissions.join("out").as_ref(), submissions.as_ref()], "lies inside");
    refused(&["--similarity".as_ref(), out.as_ref(), submissions.as_ref(), "--lab".as_ref(), "par".as_ref()], "did you mean `pair`?");
    fs::write(folder.path().join("all.zip"), "PK").unwrap();
    refused(&["--similarity".as_ref(), out.as_ref(), folder.path().join("all.zip").as_ref()], "take it in first with `cargo grade intake`");
    assert!(!out.exists());
}
