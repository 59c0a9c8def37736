//! `grade export canvas` and `grade export moodle`: the platforms' own tables, filled in, with everything else left as it is.

mod made;

use std::fs;
use std::path::Path;

use harness::verdict::Word;
use made::{full_marks, grade, labs, with};
use tempfile::TempDir;

/// Records of four students: by login, by address, by a number that an intake knew, and by name; and of one whom no table knows.
fn records() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let labs = labs(&["02-pipe", "10-tcp"]);
    let mut records = Vec::new();
    for (student, wrong) in [("ann1", 0), ("bob@example.org", 1), ("Seven", 2), ("Chloé Durand", 3), ("stranger", 0)] {
        for lab in &labs {
            let ids = if student == "Seven" { vec!["seven@example.edu".into(), "4711".into()] } else { Vec::new() };
            let full_marks = |student: &str, lab| grading::run::record::Record { ids: ids.clone(), ..full_marks(student, lab) };
            records.push((0..wrong).fold(full_marks(student, lab), |record, check| with(record, check, Word::Fail, None, "wrong")));
        }
    }
    made::write(folder.path(), &records);
    folder
}

/// Fills in a table with these arguments: the exit code, the table, what was said.
fn fill(folder: &Path, form: &str, table: &str, arguments: &[&str]) -> (i32, String, String) {
    let (from, to) = (folder.join("export.csv"), folder.join("filled.csv"));
    fs::write(&from, table).unwrap();
    let _ = fs::remove_file(&to);
    let fixed = ["export", form, folder.to_str().unwrap(), "--fill", from.to_str().unwrap(), "--out", to.to_str().unwrap()];
    let (code, stdout, stderr) = grade(&[&fixed, arguments].concat());
    (code, fs::read_to_string(to).unwrap_or_default(), stdout + &stderr)
}

/// The cells of a table, by rows.
fn cells(table: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(table.trim_start_matches('\u{feff}').as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The cells that differ, as row, column and what stands there now.
fn changed(before: &str, after: &str, delimiter: u8) -> Vec<(usize, usize, String)> {
    let (before, after) = (cells(before, delimiter), cells(after, delimiter));
    assert_eq!(before.len(), after.len());
    let mut found = Vec::new();
    for (row, (before, after)) in before.iter().zip(&after).enumerate() {
        for column in 0..before.len().max(after.len()) {
            if before.get(column) != after.get(column) {
                found.push((row, column, after[column].clone()));
            }
        }
    }
    found
}

const CANVAS: &str = "\u{feff}Student,ID,SIS User ID,SIS Login ID,Section,Words through a pipe (812),tcp (813),Essay (9),Current Score\r\n\
    ,,,,,Manual Posting,,,\r\n\
    \"    Points Possible\",,,,,22,28,100,(read only)\r\n\
    \"Lee, Ann\",12,u12,ann1,\"Lab, Monday\",,,88,50\r\n\
    \"Marley, Bob\",13,u13,bob@example.org,Lab,5,,=1+1,\r\n\
    \"Durand, Chloé\",14,u14,cd,Lab,,,,\r\n\
    \"Nobody, Ned\",15,u15,ned,Lab,3,,,\r\n\
    \"Four, Seven\",4711,u16,fs,Lab,,,,\r\n\
    \"Student, Test\",99,,abc,Lab,,,,\r\n";

#[test]
fn canvas_gets_its_own_table_back_with_the_marks_filled_in() {
    let folder = records();
    let (code, table, said) = fill(folder.path(), "canvas", CANVAS, &[]);
    assert_eq!(code, 1, "the stranger has no row: {said}");
    assert!(
        table.starts_with('\u{feff}')
            && table.lines().count() == CANVAS.lines().count()
            && table.matches("\r\n").count() == CANVAS.matches("\r\n").count()
    );
    let text = |cell: &str| cell.to_owned();
    assert_eq!(
        changed(CANVAS, &table, b','),
        [
            (3, 5, text("22")),
            (3, 6, text("28")),
            (4, 5, text("20")),
            (4, 6, text("27")),
            (5, 5, text("16")),
            (5, 6, text("24")),
            (7, 5, text("18")),
            (7, 6, text("25")),
        ]
    );
    assert!(said.contains("8 marks filled in"), "{said}");
    assert!(
        said.contains("rows without a record, which stay as they are (1):\n") && said.contains("export.csv:7: ned, u15, 15, Nobody, Ned"),
        "{said}"
    );
    assert!(said.contains("records without a row: these marks are in no cell (2):\n  stranger 02-pipe\n  stranger 10-tcp\n"), "{said}");
    assert!(said.contains("cells that held another mark before (1):\n  bob@example.org: 02-pipe from 5 to 20\n"), "{said}");
    assert!(!said.contains("Student, Test"), "{said}");
}

#[test]
fn what_canvas_would_take_wrongly_is_refused_before_anything_is_written() {
    let folder = records();
    let refused = |table: &str, arguments: &[&str], expected: &str| {
        let (code, filled, said) = fill(folder.path(), "canvas", table, arguments);
        assert!(code == 2 && filled.is_empty() && said.contains(expected), "{code} {said}");
    };
    refused(
        &CANVAS.replace("tcp (813)", "Sockets (813)"),
        &[],
        "export.csv:1: there is no column for 10-tcp; there are: Words through a pipe (812), Sockets (813), Essay (9). Name it: --column 10-tcp=",
    );
    refused(&CANVAS.replace("Essay (9)", "pipe (9)"), &[], "2 columns could be that of 02-pipe");
    refused(&CANVAS.replace(",22,28,", ",100,28,"), &[], "expected 22 points for 02-pipe, as the lab has; the platform gives 100");
    refused(&CANVAS.replace(",22,28,", ",(read only),28,"), &[], "`Words through a pipe (812)` is read only");
    refused(CANVAS, &["--column", "fifo=x"], "--column fifo=…: there is no record of such a lab");
    refused(CANVAS, &["--match", "Passport"], "there is no column `Passport`; there are: Student, ID,");
    refused("a,b\n1,2\n", &[], "expected Canvas's gradebook export");
    refused("", &[], "expected a table with titles");
    let (code, table, said) = fill(
        folder.path(),
        "canvas",
        &CANVAS.replace("tcp (813)", "Sockets (813)").replace(",22,28,", ",100,9,"),
        &["--column", "tcp=Sockets (813)", "--scale"],
    );
    assert_eq!(code, 1, "{said}");
    assert_eq!((&*cells(&table, b',')[4][5], &*cells(&table, b',')[4][6]), ("90.91", "8.68"), "20 of 22 and 27 of 28");
}

#[test]
fn rows_that_could_be_anybodys_are_nobodys() {
    let folder = records();
    let twice = CANVAS.replace(",15,u15,ned,", ",15,u15,ann1,");
    let (code, table, said) = fill(folder.path(), "canvas", &twice, &["--lab", "pipe"]);
    assert!(code == 1 && said.contains("  ann1 02-pipe: several rows fit\n"), "{said}");
    assert_eq!((&*cells(&table, b',')[3][5], &*cells(&table, b',')[6][5]), ("", "3"));
    // One row that fits two students.
    let both = CANVAS.replace("\"Lee, Ann\",12,", "\"Lee, Ann\",4711,").replace("\"Four, Seven\",4711", "\"Four, Seven\",16");
    let (code, table, said) = fill(folder.path(), "canvas", &both, &["--lab", "pipe"]);
    assert!(
        code == 1 && said.contains("  ann1 02-pipe: its row fits another record as well\n") && said.contains("  Seven 02-pipe: its row"),
        "{said}"
    );
    assert_eq!(&*cells(&table, b',')[3][5], "");
}

#[test]
fn what_was_not_observed_is_not_a_mark() {
    let folder = records();
    let lab = &labs(&["02-pipe"])[0];
    made::write(folder.path(), &[with(full_marks("ann1", lab), 0, Word::Broken, None, "reason:   no memory")]);
    let (code, table, said) = fill(folder.path(), "canvas", CANVAS, &["--lab", "pipe"]);
    assert_eq!(code, 3, "{said}");
    assert_eq!(cells(&table, b',')[3][5], "");
    assert!(
        said.contains("records left out, since something was not observed; start `grade run` again (1)")
            && said.contains("  ann1 02-pipe: not observed: words_arrive"),
        "{said}"
    );
}

const MOODLE: &str = "Identifier;\"Full name\";\"Email address\";Status;Grade;\"Maximum Grade\";\"Grade can be changed\";\"Last modified (grade)\"\n\
    \"Participant 4711\";\"Seven Four\";seven@example.org;Submitted;-;22;Yes;-\n\
    \"Participant 4712\";\"Bob Marley\";BOB@example.org;Submitted;;22;Yes;\"Monday, 1 June 2026, 10:00 AM\"\n\
    \"Participant 4713\";\"Chloé Durand\";cd@example.org;\"No submission\";-;22;Yes;-\n\
    \"Participant 4714\";\"Ned Nobody\";ned@example.org;;-;22;Yes;-\n";

#[test]
fn moodle_gets_its_worksheet_back_with_the_grades_filled_in() {
    let folder = records();
    let (code, table, said) = fill(folder.path(), "moodle", MOODLE, &["--lab", "pipe"]);
    assert_eq!(code, 1, "{said}");
    assert_eq!(changed(MOODLE, &table, b';'), [(1, 4, "18".to_owned()), (2, 4, "20".to_owned()), (3, 4, "16".to_owned())]);
    assert!(said.contains("export.csv:5: ned@example.org, Participant 4714, Ned Nobody") && said.contains("ann1 02-pipe\n"), "{said}");
    // In another language the columns are named.
    let german =
        MOODLE.replace("Grade;\"Maximum Grade\"", "Bewertung;Bestwertung").replace("\"Email address\"", "E-Mail-Adresse").replace("Identifier", "ID");
    let (code, _, said) = fill(folder.path(), "moodle", &german, &["--lab", "pipe"]);
    assert!(code == 2 && said.contains("expected Moodle's grading worksheet with the column `Identifier`; there are: ID, Full name"), "{said}");
    let named = ["--lab", "pipe", "--grade-column", "Bewertung", "--match", "ID", "--match", "E-Mail-Adresse", "--match", "Full name"];
    let (code, table, said) = fill(folder.path(), "moodle", &german, &named);
    assert_eq!((code, changed(&german, &table, b';').len()), (1, 3), "{said}");
}

#[test]
fn moodle_takes_one_lab_and_the_labs_own_points() {
    let folder = records();
    let (code, _, said) = fill(folder.path(), "moodle", MOODLE, &[]);
    assert!(code == 2 && said.contains("a worksheet is of one assignment; there are records of 02-pipe, 10-tcp. Choose with --lab"), "{said}");
    let hundred = MOODLE.replace(";22;", ";100,00;");
    let (code, _, said) = fill(folder.path(), "moodle", &hundred, &["--lab", "pipe"]);
    assert!(code == 2 && said.contains("the platform gives 100. Change it there and export again, or give --scale"), "{said}");
    let (code, table, said) = fill(folder.path(), "moodle", &hundred, &["--lab", "pipe", "--scale"]);
    assert_eq!(code, 1, "{said}");
    assert_eq!(&*cells(&table, b';')[2][4], "90.91");
}

#[test]
fn a_table_in_another_encoding_is_an_error_with_its_line() {
    let folder = records();
    let file = folder.path().join("latin1.csv");
    fs::write(&file, b"Student,ID,Section\nChlo\xe9,1,A\n").unwrap();
    let (code, _, stderr) = grade(&["export", "canvas", folder.path().to_str().unwrap(), "--fill", file.to_str().unwrap(), "--out", "/tmp/never"]);
    assert!(code == 2 && stderr.contains("latin1.csv:2: expected text in UTF-8"), "{stderr}");
}

#[test]
fn the_late_policy_of_the_batch_counts() {
    let folder = tempfile::tempdir().unwrap();
    let labs = labs(&["02-pipe", "10-tcp"]);
    let submitted = |lab, time: &str| grading::run::record::Record { submitted: Some(time.into()), ..full_marks("ann1", lab) };
    // A day of grace, spent at the first lab, whether that one is exported or not.
    made::write(folder.path(), &[submitted(&labs[0], "2026-10-06T10:00:00Z"), submitted(&labs[1], "2026-10-06T10:00:00Z")]);
    fs::write(folder.path().join("late.toml"), "grace_days_in_all = 1\n[default]\ndue = 2026-10-05T23:59:00Z\npercent_per_day = 10\n").unwrap();
    for arguments in [&[][..], &["--lab", "tcp"]] {
        let (code, table, said) = fill(folder.path(), "canvas", CANVAS, arguments);
        assert_eq!(code, 0, "{said}");
        assert_eq!(cells(&table, b',')[3][6], "25.2", "28 points less 10 %");
    }
    assert_eq!(cells(&fill(folder.path(), "canvas", CANVAS, &["--scale"]).1, b',')[3][5], "22");
    let (_, csv, _) = grade(&["export", "csv", folder.path().to_str().unwrap()]);
    assert!(csv.contains("ann1,10-tcp,28,28,2026-10-06T10:00:00Z,1,10,25.2,built,"), "{csv}");
    let out = folder.path().join("html");
    assert_eq!(grade(&["report", folder.path().to_str().unwrap(), "--out", out.to_str().unwrap()]).0, 0);
    let page = fs::read_to_string(out.join("students/ann1.html")).unwrap();
    assert!(
        page.contains("<strong>47.2 of 50 points</strong>")
            && page.contains("Handed in 1 day late: 10 % are deducted, and <strong>25.2 of 28 points</strong> count."),
        "{page}"
    );
    fs::write(folder.path().join("late.toml"), "[default]\ndue = tomorrow\n").unwrap();
    let (code, _, said) = fill(folder.path(), "canvas", CANVAS, &[]);
    assert!(code == 2 && said.contains("late.toml:2:"), "{said}");
}
