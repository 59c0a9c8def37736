//! `grade export`: what it takes, and what it says.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::compile::Compiler;
use crate::escape::shown;
use crate::export::gradebook::{self, Sheet};
use crate::export::table::Rows;
use crate::export::{autograder, autolab, canvas, classroom50, github, gradescope, jsonl, junit, moodle, similarity, table};
use crate::failure::Failure;
use crate::intake::{self, ledger};
use crate::late::{self, Policy};
use crate::records::Records;
use crate::report::page::counted;
use crate::run::record::Record;
use crate::run::store;
use crate::whole::{self, Draft};
use crate::workspace;

/// How many records that need attention are listed.
const LISTED: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 all is written; 1 all is written, and some marks have no row to go to; 2 usage or bad input; \
                        3 all is written, and some records need attention.")]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct ExportArguments {
    #[command(subcommand)]
    form: Option<Form>,
    /// Lay submissions out in this folder for JPlag or copydetect, beside the starter that they leave out
    #[arg(long, value_name = "DIR", requires = "submissions")]
    similarity: Option<PathBuf>,
    /// With --similarity: the submissions, as for `grade run`
    #[arg(requires = "similarity")]
    submissions: Option<PathBuf>,
    /// With --similarity: a lab, by folder, package or number; may be repeated [default: all]
    #[arg(long = "lab", requires = "similarity")]
    labs: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Form {
    /// JSON Lines: one record a line
    Jsonl {
        #[command(flatten)]
        from: From,
        /// The file to write [default: standard output]
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// The JSON Schema of a record
    Schema,
    /// Comma-separated values (RFC 4180)
    Csv {
        #[command(flatten)]
        from: From,
        /// What a row stands for
        #[arg(long, value_enum, default_value = "lab")]
        rows: Rows,
        /// The file to write [default: standard output]
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// JUnit XML
    Junit {
        #[command(flatten)]
        from: From,
        /// The file to write [default: standard output]
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Gradescope: results.json
    Gradescope {
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        to: Each,
    },
    /// Gradescope: a folder with setup.sh and run_autograder, to be zipped and uploaded
    GradescopeAutograder {
        /// The lab, by folder, package or number
        #[arg(long)]
        lab: String,
        /// The folder to write
        #[arg(long)]
        out: PathBuf,
        /// The seed that inputs are drawn from, for all submissions [default: drawn from the clock]
        #[arg(long)]
        seed: Option<u64>,
    },
    /// GitHub classroom's reporter: environment variables
    Github {
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        to: Each,
    },
    /// Classroom 50: result.json
    Classroom50 {
        #[command(flatten)]
        from: From,
        /// The file to write
        #[arg(long)]
        file: PathBuf,
        #[command(flatten)]
        submission: classroom50::Submission,
    },
    /// Canvas: fills in its own gradebook export
    Canvas {
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        table: Table,
        /// A lab's column where it is not titled as the lab is: LAB=TITLE; may be repeated
        #[arg(long = "column", value_parser = lab_and_title)]
        columns: Vec<(String, String)>,
    },
    /// Moodle: fills in its own grading worksheet, with one lab
    Moodle {
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        table: Table,
        /// The title of the column of grades, where the site's language is not English
        #[arg(long)]
        grade_column: Option<String>,
    },
    /// Autolab: feedback with the scores on the last line
    Autolab {
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        to: Each,
    },
}

/// The records to export.
#[derive(Debug, Args)]
struct From {
    /// The folder that `grade run` wrote
    records: PathBuf,
    /// Only this lab, by folder, package or number; may be repeated
    #[arg(long = "lab")]
    labs: Vec<String>,
    /// Only this student; may be repeated
    #[arg(long = "student")]
    students: Vec<String>,
}

/// Where forms go that hold one record each.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Each {
    /// The folder to write: a file `<student>/<lab>` for each record
    #[arg(long)]
    out: Option<PathBuf>,
    /// The file to write, if there is exactly one record
    #[arg(long)]
    file: Option<PathBuf>,
}

/// A platform's table, and how it is filled in.
#[derive(Debug, Args)]
struct Table {
    /// The table as the platform exported it
    #[arg(long)]
    fill: PathBuf,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
    /// The title of a column that tells people apart; may be repeated [default: the platform's own]
    #[arg(long = "match")]
    people: Vec<String>,
    /// Scale points to what the platform gives at most
    #[arg(long)]
    scale: bool,
}

fn lab_and_title(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(lab, title)| (lab.to_owned(), title.to_owned())).ok_or_else(|| "expected LAB=TITLE".into())
}

impl From {
    fn read(&self) -> Result<Records, Failure> {
        let mut records = read(&self.records)?;
        records.keep_labs(&self.labs)?;
        records.keep_students(&self.students)?;
        Ok(records)
    }
}

/// Reads the records of a folder, and marks them by the late policy that is kept there, if one is.
pub fn read(folder: &Path) -> Result<Records, Failure> {
    let mut records = Records::read(folder)?;
    let path = folder.join(late::FILE_NAME);
    if path.is_file() {
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::input("read", &path, &error))?;
        records.apply(&Policy::parse(&text, &path, &workspace::labs(&super::root()?, &[])?)?);
    }
    Ok(records)
}

impl Each {
    /// Writes every record with `form`, as `<student>/<lab>` and the ending, or the only one as the file.
    fn write(&self, records: &Records, ending: &str, form: impl Fn(&Record) -> Result<String, Failure>) -> Result<(), Failure> {
        if let Some(file) = &self.file {
            return whole::write(file, form(only(records)?)?.as_bytes());
        }
        let folder = self.out.as_deref().unwrap_or(Path::new("."));
        let draft = Draft::new(folder)?;
        for (student, record) in records.all() {
            draft.write(&Path::new(&student.folder).join(format!("{}{ending}", record.lab)), form(record)?.as_bytes())?;
        }
        draft.put_in_place()?;
        anstream::println!("{}: {}", counted(records.all().count(), "file"), folder.display());
        Ok(())
    }
}

/// The only record.
fn only(records: &Records) -> Result<&Record, Failure> {
    let mut all = records.all();
    match (all.next(), all.next()) {
        (Some((_, record)), None) => Ok(record),
        _ => Err(Failure::BadInput(format!(
            "expected one record for one file; there are {}. Choose with --lab and --student, or write them all with --out",
            records.all().count()
        ))),
    }
}

/// Does what `grade export` asks for; the exit code.
pub fn export(arguments: &ExportArguments) -> Result<u8, Failure> {
    let form = match (&arguments.form, &arguments.similarity, &arguments.submissions) {
        (Some(form), ..) => form,
        (None, Some(folder), Some(submissions)) => return lay_out(submissions, &arguments.labs, folder),
        _ => return Err(Failure::BadInput("expected a form, or --similarity DIR and the submissions; see `cargo grade export --help`".into())),
    };
    let records = match form {
        Form::Schema => return put(None, jsonl::SCHEMA.as_bytes()).map(|()| 0),
        Form::GradescopeAutograder { lab, out, seed } => return write_autograder(lab, out, seed.unwrap_or_else(store::drawn)),
        Form::Jsonl { from, .. }
        | Form::Csv { from, .. }
        | Form::Junit { from, .. }
        | Form::Gradescope { from, .. }
        | Form::Github { from, .. }
        | Form::Classroom50 { from, .. }
        | Form::Canvas { from, .. }
        | Form::Moodle { from, .. }
        | Form::Autolab { from, .. } => from.read()?,
    };
    match form {
        Form::Schema | Form::GradescopeAutograder { .. } => {}
        Form::Jsonl { out, .. } => put(out.as_deref(), jsonl::lines(&records)?.as_bytes())?,
        Form::Csv { rows, out, .. } => put(out.as_deref(), &table::csv(&records, *rows)?)?,
        Form::Junit { out, .. } => put(out.as_deref(), junit::report(&records)?.as_bytes())?,
        Form::Gradescope { to, .. } => to.write(&records, ".json", gradescope::results)?,
        Form::Github { to, .. } => to.write(&records, ".env", github::variables)?,
        Form::Autolab { to, .. } => to.write(&records, ".txt", autolab::feedback)?,
        Form::Canvas { table, columns, .. } => {
            let sheet = Sheet::read(&table.fill)?;
            let columns = canvas::columns(&sheet, &wanted(&records, columns)?, &table.people)?;
            return fill(&sheet, &columns, &records, table);
        }
        Form::Moodle { table, grade_column, .. } => {
            let sheet = Sheet::read(&table.fill)?;
            let labs = records.labs();
            let [lab] = labs[..] else {
                return Err(Failure::BadInput(format!(
                    "a worksheet is of one assignment; there are records of {}. Choose with --lab",
                    labs.join(", ")
                )));
            };
            let columns = moodle::columns(&sheet, lab, grade_column.as_deref(), &table.people)?;
            return fill(&sheet, &columns, &records, table);
        }
        Form::Classroom50 { file, submission, .. } => whole::write(file, classroom50::result(only(&records)?, submission)?.as_bytes())?,
    }
    Ok(tell_attention(&records))
}

/// To a file, whole or not at all, or to standard output.
fn put(out: Option<&Path>, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    match out {
        Some(path) => whole::write(path, bytes),
        None => match std::io::stdout().lock().write_all(bytes) {
            // Whoever reads has read enough, as `head` does.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| Failure::BadInput(format!("write to standard output: {error}"))),
        },
    }
}

/// Writes Gradescope's autograder, and says how it is uploaded.
fn write_autograder(lab: &str, folder: &Path, seed: u64) -> Result<u8, Failure> {
    let root = super::root()?;
    let labs = workspace::labs(&root, std::slice::from_ref(&lab.to_owned()))?;
    let [lab] = &labs[..] else { return Err(Failure::BadInput(format!("expected one lab; `{lab}` names {}", labs.len()))) };
    // The same compiler as here, since its messages are in the records: `rustc 1.95.0 (…)`.
    let version = Compiler::find(&root)?.version;
    let rust = version.split(' ').nth(1).unwrap_or("stable");
    autograder::write(&root, lab, rust, seed, folder)?;
    anstream::println!("autograder for {}, Rust {rust}, seed {seed}: {}", lab.folder, folder.display());
    anstream::println!("upload it as a zip file: (cd {} && zip -qr ../autograder.zip .)", folder.display());
    Ok(0)
}

/// Lays submissions out for a detector, and says how one is called.
fn lay_out(submissions: &Path, labs: &[String], folder: &Path) -> Result<u8, Failure> {
    let root = super::root()?;
    if !submissions.join(ledger::FILE_NAME).is_file() && (!submissions.is_dir() || intake::is_packed(submissions)?) {
        return Err(Failure::BadInput(format!(
            "{} is packed; take it in first with `cargo grade intake`, or name the folder `intake` that `grade run` left in its --out",
            submissions.display()
        )));
    }
    store::refuse_overlap(submissions, folder)?;
    let laid = similarity::lay_out(submissions, &workspace::labs(&root, labs)?, &workspace::labs(&root, &[])?, folder)?;
    anstream::println!("{} laid out: {}", counted(laid.submissions, "submission"), folder.display());
    list("the starter, unchanged, and so left out", &laid.unchanged);
    list("could not be taken", &laid.left_out);
    let lab = folder.join(laid.labs.first().map_or("", |lab| lab));
    let (submissions, starter) = (lab.join("submissions"), lab.join("starter"));
    anstream::println!("JPlag:      java -jar jplag.jar -l rust -bc {} {}", starter.display(), submissions.display());
    anstream::println!("copydetect: copydetect -t {} -b {} -e rs", submissions.display(), starter.display());
    Ok(0)
}

/// For each lab the titles that its column may have: the one that was named, else the lab's folder, package and title.
fn wanted(records: &Records, named: &[(String, String)]) -> Result<Vec<canvas::Wanted>, Failure> {
    let course = super::root().map_or_else(|_| Ok(Vec::new()), |root| workspace::labs(&root, &[]))?;
    let labs = records.labs();
    let package = |lab: &str| lab.split_once('-').map_or_else(|| lab.to_owned(), |(_, package)| package.to_owned());
    if let Some((unknown, _)) = named.iter().find(|(name, _)| !labs.iter().any(|lab| lab == name || package(lab) == *name)) {
        return Err(Failure::BadInput(format!("--column {unknown}=…: there is no record of such a lab; there are: {}", labs.join(", "))));
    }
    let wanted = |lab: &&str| {
        let titles = match named.iter().find(|(name, _)| lab == name || package(lab) == *name) {
            Some((_, title)) => vec![title.clone()],
            None => {
                let title = course.iter().find(|known| known.folder == **lab).map(|known| known.manifest.title.clone());
                [(*lab).to_owned(), package(lab)].into_iter().chain(title).collect()
            }
        };
        canvas::Wanted { lab: (*lab).to_owned(), titles }
    };
    Ok(labs.iter().map(wanted).collect())
}

/// Fills in a platform's table and says what has no place in it; the exit code.
fn fill(sheet: &Sheet, columns: &gradebook::Columns, records: &Records, table: &Table) -> Result<u8, Failure> {
    let outcome = sheet.fill(columns, records, table.scale)?;
    whole::write(&table.out, &outcome.table)?;
    anstream::println!("{} filled in: {}", counted(outcome.filled, "mark"), table.out.display());
    list("cells that held another mark before", &outcome.changed);
    list("rows without a record, which stay as they are", &outcome.rows_without_record);
    list("records without a row: these marks are in no cell", &outcome.records_without_row);
    list("records left out, since something was not observed; start `grade run` again", &outcome.not_observed);
    Ok(match (outcome.not_observed.is_empty(), outcome.records_without_row.is_empty()) {
        (false, _) => 3,
        (true, false) => 1,
        (true, true) => 0,
    })
}

/// Every line is listed: each is a person whom a mark belongs to, or does not.
fn list(what: &str, lines: &[String]) {
    if !lines.is_empty() {
        anstream::eprintln!("{what} ({}):", lines.len());
        lines.iter().for_each(|line| anstream::eprintln!("  {}", shown(line)));
    }
}

/// Lists the records that somebody must look at; the exit code that goes with it.
pub fn tell_attention(records: &Records) -> u8 {
    let attention = records.attention();
    if attention.is_empty() {
        return 0;
    }
    anstream::eprintln!(
        "records need attention ({}): what could not be observed is counted as 0 points. Start `grade run` again to grade them again:",
        attention.len()
    );
    attention.iter().take(LISTED).for_each(|line| anstream::eprintln!("  {}", shown(line)));
    if attention.len() > LISTED {
        anstream::eprintln!("  and {} more", attention.len() - LISTED);
    }
    3
}
