//! The pages on findings are true: each example gives the finding whose page it stands on, and its mended twin gives none.

mod support {
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
}

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use harness::check::Programs;
use harness::check::programs::Places;
use harness::finding::pages::PAGES;
use harness::lab::Lab;
use harness::manifest::Manifest;
use harness::prelude::*;
use harness::run::{Run, closes_unused_ends};
use support::isolated;

fn main() -> ExitCode {
    isolated::main(isolated::tests![
        every_page_has_a_case,
        the_book_has_every_page,
        each_example_gives_its_finding,
        no_mended_example_gives_a_finding,
    ])
}

/// How an example is run, and what is asked of it; its name is the page's.
type Case = (&'static str, fn(&Lab, &str) -> Verdict);

const CASES: [Case; 16] = [
    ("deadlock", |lab, example| run(lab, example).exits(0).verdict()),
    ("end-of-file", |lab, example| run(lab, example).exits(0).verdict()),
    ("leaked-descriptor", |lab, example| run(lab, example).exits(0).expect(closes_unused_ends).verdict()),
    ("zombie", |lab, example| run(lab, example).exits(0).reaps_its_children().verdict()),
    ("left-behind", |lab, example| run(lab, example).exits(0).leaves_nothing().verdict()),
    ("data-race", |lab, example| run(lab, example).prints("2\n").under_every_schedule(8).without_races().verdict()),
    ("lost-wakeup", |lab, example| run(lab, example).exits(0).under_every_schedule(8).verdict()),
    ("busy-waiting", waits_for_a_slow_child),
    ("sleep", |lab, example| run(lab, example).prints("42\n").under_every_schedule(8).without_races().verdict()),
    ("short-transfer", |lab, example| run(lab, example).prints("hello, world\n").inject(short(Write, 1).on_standard_output().every()).verdict()),
    ("interrupted-call", |lab, example| run(lab, example).prints("hello\n").inject(fail(Read, libc::EINTR)).verdict()),
    ("ignored-failure", |lab, example| run(lab, example).inject(fail(Pipe, libc::EMFILE)).complains(&["pipe: "]).exits(1).verdict()),
    ("message-size", |lab, example| run(lab, example).exits(0).verdict()),
    ("byte-order", connects),
    ("sigpipe", |lab, example| run(lab, example).exits(0).verdict()),
    ("stale-pid", |lab, example| run(lab, example).exits(0).verdict()),
];

fn run<'lab>(lab: &'lab Lab, example: &str) -> Run<'lab> {
    lab.run("findings").arg(example)
}

/// The child is held at its work until its parent sleeps.
fn waits_for_a_slow_child(lab: &Lab, example: &str) -> Verdict {
    lab.session(|session| {
        let held = session.arm(hold_at(Sleep).by(Who::Children));
        let program = session.program("findings").arg(example).start()?;
        session.until_asleep("the parent sleeps until its child has ended")?;
        session.release(held)?;
        session.exit(program)?;
        session.pass()
    })
}

/// A client of the server for port 4660.
fn connects(lab: &Lab, example: &str) -> Verdict {
    lab.session(|session| {
        let server = session.program("findings").arg(example).start()?;
        session.until_asleep("the server waits for a client")?;
        let _connection = session.connect(4660)?;
        session.exit(server)?;
        session.pass()
    })
}

/// The folder of the examples' program, which cargo builds here, since `cargo test --test explain` alone does not.
fn executables() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(["build", "--quiet", "--package", "harness", "--example", "findings", "--message-format=json"]);
    let output = build.output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let executable = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).find(|path| path.ends_with("findings"));
    executable.expect("cargo names the executable").parent().expect("a folder").to_path_buf()
}

fn lab(executables: &Path) -> Lab {
    let text =
        "title = \"t\"\nsummary = \"s\"\nlevel = 1\ncalls = []\ncheck = []\n[[program]]\nname = \"findings\"\nsource = \"s.rs\"\nusage = \"u\"\n";
    let mut manifest = Manifest::parse(text, Path::new("lab.toml")).unwrap_or_else(|error| panic!("{error}"));
    // Who waits busily is found by it.
    manifest.limits.cpu_seconds = 1;
    Lab::new(manifest, Programs::new(Places::folder(executables), "test"), 1, "test")
}

/// The page that explains the finding of an example; nothing for a pass.
fn page(lab: &Lab, case: &Case, example: &str) -> Option<String> {
    match case.1(lab, example) {
        Ok(_) => None,
        Err(Unpassed::Fail(finding)) => Some(finding.page.clone().unwrap_or_else(|| format!("no page: {finding:?}"))),
        Err(other) => panic!("{example}: {other:?}"),
    }
}

fn every_page_has_a_case() {
    let cases: Vec<&str> = CASES.iter().map(|(name, _)| *name).collect();
    let pages: Vec<&str> = PAGES.iter().map(|page| page.name).collect();
    assert_eq!(cases, pages);
}

fn the_book_has_every_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src");
    let files: BTreeSet<String> = fs::read_dir(docs.join("findings"))
        .expect("docs/src/findings")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let expected: BTreeSet<String> = PAGES
        .iter()
        .flat_map(|page| ["", "-mended"].map(|end| format!("{}{end}.rs", page.name)).into_iter().chain([format!("{}.md", page.name)]))
        .collect();
    assert_eq!(files, expected);
    for file in ["SUMMARY.md", "findings.md"] {
        let text = fs::read_to_string(docs.join(file)).expect(file);
        for page in PAGES {
            assert!(text.contains(&format!("(findings/{}.md)", page.name)), "{file} lacks {}", page.name);
        }
    }
}

fn each_example_gives_its_finding() {
    let executables = executables();
    let lab = lab(&executables);
    for case in &CASES {
        assert_eq!(page(&lab, case, case.0), Some(case.0.to_owned()));
    }
}

fn no_mended_example_gives_a_finding() {
    let executables = executables();
    let lab = lab(&executables);
    for case in &CASES {
        assert_eq!(page(&lab, case, &format!("{}-mended", case.0)), None, "{}", case.0);
    }
}
