//! `grade report`: pages that say what the records say, whatever stands in them, and that a browser shows as they are meant.

mod made;

use std::fs;
use std::path::Path;
use std::process::Command;

use grading::run::record::Visibility;
use harness::verdict::Word;
use made::{HOSTILE, class, full_marks, grade, hostile, labs, with};
use tempfile::TempDir;

/// A class of so many students and a hostile one, with its report.
fn reported(students: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let labs = labs(&["02-pipe", "10-tcp"]);
    let mut records = class(students, &labs);
    records.push(hostile(&labs[0]));
    records.push(with(full_marks("unseen", &labs[0]), 4, Word::Broken, None, "reason:   no memory"));
    made::write(folder.path(), &records);
    let (code, stdout, stderr) = report(folder.path(), &[]);
    assert_eq!(code, 3, "{stdout}{stderr}");
    assert!(
        stdout.starts_with(&format!("{} students: ", students + 2)) && stderr.contains("unseen 02-pipe: not observed: big_input"),
        "{stdout}{stderr}"
    );
    folder
}

fn report(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let out = folder.join("html");
    grade(&[&["report", folder.to_str().unwrap(), "--out", out.to_str().unwrap()], arguments].concat())
}

fn page(folder: &Path, name: &str) -> String {
    let path = folder.join("html").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All pages with their names.
fn pages(folder: &Path) -> Vec<(String, String)> {
    let students = fs::read_dir(folder.join("html/students")).unwrap().map(|entry| format!("students/{}", entry.unwrap().file_name().display()));
    students.chain(["class.html".to_owned()]).map(|name| (name.clone(), page(folder, &name))).collect()
}

#[test]
fn what_a_student_wrote_is_text_on_every_page() {
    let folder = reported(3);
    let mut seen = 0;
    for (name, page) in pages(folder.path()) {
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{name}");
        assert!(!page.contains('\u{202e}') && !page.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{name}");
        assert_eq!(page.matches("<script>").count(), usize::from(name == "class.html"), "{name}");
        assert_eq!((page.matches("</html>").count(), page.matches("</body>").count(), page.matches("</style>").count()), (1, 1, 1), "{name}");
        seen += page.matches("&lt;script&gt;alert('x')&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;&quot;'&amp;amp;]]&gt;").count();
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn a_page_loads_nothing_and_allows_nothing_but_its_own() {
    let folder = reported(3);
    for (name, page) in pages(folder.path()) {
        assert!(page.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-"), "{name}");
        for fetched in
            [" src=", "<link", "<iframe", "<object", "<embed", "<base", "url(", "@import", " style=", " onclick=", "javascript:", "unsafe-inline"]
        {
            assert!(
                !page.replace(&HOSTILE.replace('<', "&lt;").replace('>', "&gt;"), "").replace("&lt;img src=x", "").contains(fetched),
                "{name}: {fetched}"
            );
        }
        let links: Vec<&str> = page.split(" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(links.iter().all(|link| link.starts_with('#') || link.starts_with("students/")), "{name}: {links:?}");
    }
}

#[test]
fn every_link_leads_to_a_page() {
    let folder = reported(3);
    let class = page(folder.path(), "class.html");
    let mut targets = 0;
    for link in class.split(" href=\"students/").skip(1).map(|rest| rest.split(['"', '#']).next().unwrap()) {
        assert!(folder.path().join("html/students").join(link.replace("%25", "%")).is_file(), "{link}");
        targets += 1;
    }
    assert!(targets >= 10);
    for part in class.split(" href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(class.contains(&format!(" id=\"{part}\"")), "{part}");
    }
}

#[test]
fn a_student_sees_the_finding_with_its_lines_and_hints() {
    let folder = tempfile::tempdir().unwrap();
    let lab = &labs(&["02-pipe"])[0];
    let finding = made::deadlock(4);
    let message = made::message(&finding);
    made::write(folder.path(), &[with(full_marks("ann", lab), 1, Word::Fail, Some(finding), &message)]);
    assert_eq!(report(folder.path(), &[]).0, 0);
    let page = page(folder.path(), "students/ann.html");
    assert!(page.contains("<strong>20 of 22 points</strong>"), "{page}");
    assert!(page.contains("deadlock: all processes wait") && page.contains("close descriptor 4 there before the read"));
    assert!(page.contains("<mark>read</mark>(words[0], &amp;mut buf);") && page.contains("↑ the child waits here, for pipe A"));
    assert!(
        page.contains(&lab.manifest.checks[1].hints[0]) && !page.contains(&lab.manifest.checks[2].hints[0]),
        "hints of what failed, and of nothing else"
    );
    assert!(page.contains("The child reads until <code>read</code> returns 0"), "the handout's promise");
}

#[test]
fn what_a_student_must_not_see_is_on_no_page_of_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let lab = &labs(&["02-pipe"])[0];
    let mut record = full_marks("ann", lab);
    for (check, visibility, word) in [(1, Visibility::Hidden, "plugh"), (2, Visibility::AfterPublished, "xyzzy")] {
        let finding = made::output(word);
        let message = made::message(&finding);
        record = with(record, check, Word::Fail, Some(finding), &message);
        record.checks[check].visibility = visibility;
    }
    record = with(record, 4, Word::Skipped, None, "reason:   reader_sees_eof failed\n");
    made::write(folder.path(), &[record]);
    assert_eq!(report(folder.path(), &[]).0, 0);
    let before = page(folder.path(), "students/ann.html");
    assert!(!before.contains("plugh") && !before.contains("xyzzy") && !before.contains("reader_sees_eof"), "{before}");
    assert!(before.contains("a check that is not shown failed") && before.contains("Other checks"), "{before}");
    assert!(page(folder.path(), "class.html").contains("plugh"), "the instructor sees everything");
    assert_eq!(report(folder.path(), &["--released"]).0, 0);
    let released = page(folder.path(), "students/ann.html");
    assert!(!released.contains("plugh") && released.contains("xyzzy") && released.contains("Other checks"), "{released}");
}

#[test]
fn common_mistakes_come_first_and_the_same_records_give_the_same_bytes() {
    let folder = reported(40);
    let (before, class) = (pages(folder.path()), page(folder.path(), "class.html"));
    let counts: Vec<usize> = class
        .split("<td>")
        .filter_map(|cell| {
            cell.split(" student").next().filter(|_| cell.starts_with(|c: char| c.is_ascii_digit()) && cell.contains(" student"))?.parse().ok()
        })
        .collect();
    assert!(counts.len() > 5 && counts.is_sorted_by(|a, b| a >= b) && counts[0] > 2, "{counts:?}");
    assert_eq!(report(folder.path(), &[]).0, 3);
    assert_eq!(pages(folder.path()), before);
}

#[test]
fn records_of_a_lab_that_the_course_does_not_have_are_reported_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let lab = &labs(&["02-pipe"])[0];
    let mut record = full_marks("ann", lab);
    record.lab = "77-gone".into();
    made::write(folder.path(), &[record]);
    assert_eq!(report(folder.path(), &[]).0, 0);
    assert!(page(folder.path(), "class.html").contains("Checks of 77-gone") || page(folder.path(), "class.html").contains("77-gone"));
    assert!(page(folder.path(), "students/ann.html").contains("22 of 22"));
}

/// Chromium on a page of the report: what it answers, and what it complained of. None if it is not installed, which is said.
fn chromium(folder: &Path, address: &str, arguments: &[&str]) -> Option<String> {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=10000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(format!("file://{}/html/{address}", folder.display()))
        .output();
    match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("not tested: chromium is not installed");
            None
        }
        other => {
            let output = other.unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            assert!(!said.contains("CONSOLE") && !said.contains("Security Policy"), "{said}");
            Some(String::from_utf8(output.stdout).unwrap())
        }
    }
}

/// The rows of a table in the browser's own words: names in their order, without those that are hidden.
fn rows(dom: &str, table: usize) -> Vec<String> {
    let body = dom.split("<tbody>").nth(table).unwrap().split("</tbody>").next().unwrap();
    let shown = body.split("<tr").skip(1).filter(|row| !row.split('>').next().unwrap().contains("hidden"));
    shown.map(|row| row.split("<bdi>").nth(1).unwrap().split("</bdi>").next().unwrap().to_owned()).collect()
}

#[test]
fn a_browser_runs_the_script_and_sorts_and_filters() {
    for students in [3, 500] {
        let folder = reported(students);
        let Some(dom) = chromium(folder.path(), "class.html", &["--dump-dom"]) else { return };
        let all = students + 2;
        assert!(dom.contains(&format!("{all} of {all} students shown</output>")), "the script has run under its policy");
        assert!(!dom.contains("<button type=\"button\" disabled"), "what sorts can be pressed");
        // The first table of the page is that of the mistakes, the second is all labs.
        assert_eq!(rows(&dom, 2).len(), all);

        let dom = chromium(folder.path(), "class.html?find=ANN&show=less&sort=0", &["--dump-dom"]).unwrap();
        let found = rows(&dom, 2);
        assert!(!found.is_empty() && found.iter().all(|name| name.contains("ann")), "{found:?}");
        let numbers: Vec<u32> = found.iter().map(|name| name.trim_start_matches("ann").parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "names are sorted as people count: {found:?}");
        assert_eq!(rows(&chromium(folder.path(), "class.html?show=attention", &["--dump-dom"]).unwrap(), 2).last().unwrap(), "unseen");
    }
}

#[test]
fn a_browser_draws_the_pages_light_and_dark_wide_and_narrow() {
    let folder = reported(3);
    let mut pictures = Vec::new();
    for (scheme, width, page) in [(1, 1400, "class.html"), (0, 1400, "class.html"), (1, 500, "class.html"), (1, 900, "students/ann0.html")] {
        let file = folder.path().join(format!("{}.png", pictures.len()));
        let (screenshot, size) = (format!("--screenshot={}", file.display()), format!("--window-size={width},1200"));
        let arguments = [&*screenshot, &*size, &*format!("--blink-settings=preferredColorScheme={scheme}")];
        if chromium(folder.path(), page, &arguments).is_none() {
            return;
        }
        pictures.push(fs::read(file).unwrap());
    }
    for (place, picture) in pictures.iter().enumerate() {
        // An empty page of this size has about 10 KB.
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 30_000, "picture {place} has {} bytes", picture.len());
        assert!(pictures[..place].iter().all(|other| other != picture), "picture {place} is another one");
    }
}

#[test]
fn input_that_cannot_be_used_is_a_clear_error_and_nothing_is_lost() {
    let folder = reported(3);
    let (code, _, stderr) = grade(&["report", "/nowhere", "--out", "/tmp/never"]);
    assert!(code == 2 && stderr.contains("read the records in /nowhere"), "{stderr}");
    let (code, _, stderr) = grade(&["report", folder.path().to_str().unwrap(), "--out", folder.path().to_str().unwrap()]);
    assert!(code == 2 && stderr.contains("holds something else"), "{stderr}");
    let record = folder.path().join("records/unseen/02-pipe.json");
    fs::write(&record, "{").unwrap();
    let (code, _, stderr) = report(folder.path(), &[]);
    assert!(code == 2 && stderr.contains("records/unseen/02-pipe.json:1:1: EOF"), "{stderr}");
    assert!(folder.path().join("html/students/unseen.html").is_file(), "the report from before is still there");
}
