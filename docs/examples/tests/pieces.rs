//! The small programs of the book: each prints in Rust and in C what `output` says.

mod support;

use std::fs;

use support::{both, compile, examples, headers_installed, names, run, temporary};

/// Programs that are run with arguments by another test.
const PAIRS: [&str; 4] = ["tcp-client", "tcp-server", "udp-client", "udp-server"];

#[test]
fn each_prints_in_both_languages_what_the_book_says() {
    for name in names(&examples().join("output"), ".txt") {
        let expected =
            fs::read_to_string(examples().join("output").join(format!("{name}.txt")))
                .expect("an output");
        for program in both(&name) {
            let ended = run(&program, &[]);
            // What a system may refuse to ordinary users, and a program then says so.
            if ended.stderr.contains("unshare: Operation not permitted")
                || ended.stderr.contains("unshare: No space left on device")
            {
                eprintln!(
                    "skipped: {} needs a user namespace, and this system refuses it: {}",
                    program.display(),
                    ended.stderr.trim()
                );
                continue;
            }
            assert_eq!(ended.stdout, expected, "{}: {}", program.display(), ended.stderr);
            assert_eq!(ended.stderr, "", "{}", program.display());
            assert!(ended.status.success(), "{}: {}", program.display(), ended.status);
        }
    }
}

#[test]
fn every_program_is_there_in_both_languages_and_is_run() {
    let mut expected = names(&examples().join("output"), ".txt");
    expected.extend(PAIRS.map(str::to_owned));
    expected.sort();
    assert_eq!(
        names(&examples().join("src/bin"), ".rs"),
        expected,
        "src/bin, beside the programs that have an output or are a pair"
    );
    assert_eq!(
        names(&examples().join("c"), ".c"),
        expected,
        "c, beside the programs that have an output or are a pair"
    );
}

#[test]
fn signatures_are_those_of_the_c_library() {
    // The Rust side does not compile otherwise, and here it has.
    if !headers_installed() {
        return;
    }
    let source = examples().join("signatures.c");
    let complaints = compile(&source, &["-fsyntax-only".as_ref()]);
    assert!(complaints.is_empty(), "{complaints}");

    // A difference would be seen.
    let wrong = temporary("wrong.c");
    let text = fs::read_to_string(&source)
        .expect("the signatures")
        .replace("int dup2(int from, int to);", "int dup2(int from, long to);");
    fs::write(&wrong, text).expect("a temporary file");
    let complaints = compile(&wrong, &["-fsyntax-only".as_ref()]);
    fs::remove_file(&wrong).expect("our file");
    assert!(complaints.contains("dup2"), "{complaints}");
}
