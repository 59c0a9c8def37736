//! `grade export`: what it takes, and what it says.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::escape::shown;
use crate::export::table::Rows;
use crate::export::{autolab, classroom50, github, gradescope, jsonl, junit, table};
use crate::failure::Failure;
use crate::records::Records;
use crate::run::record::Record;
use crate::whole::{self, Draft};

/// How many records that need attention are listed.
const LISTED: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 all is written; 1 all is written, and some marks have no row to go to; 2 usage or bad input; \
                        3 all is written, and some records need attention.")]
pub struct ExportArguments {
    #[command(subcommand)]
    form: Form,
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

impl From {
    fn read(&self) -> Result<Records, Failure> {
        let mut records = Records::read(&self.records)?;
        records.keep_labs(&self.labs)?;
        records.keep_students(&self.students)?;
        Ok(records)
    }
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
        anstream::println!("{} files: {}", records.all().count(), folder.display());
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
    let records = match &arguments.form {
        Form::Schema => return put(None, jsonl::SCHEMA.as_bytes()).map(|()| 0),
        Form::Jsonl { from, .. }
        | Form::Csv { from, .. }
        | Form::Junit { from, .. }
        | Form::Gradescope { from, .. }
        | Form::Github { from, .. }
        | Form::Classroom50 { from, .. }
        | Form::Autolab { from, .. } => from.read()?,
    };
    match &arguments.form {
        Form::Schema => {}
        Form::Jsonl { out, .. } => put(out.as_deref(), jsonl::lines(&records)?.as_bytes())?,
        Form::Csv { rows, out, .. } => put(out.as_deref(), &table::csv(&records, *rows)?)?,
        Form::Junit { out, .. } => put(out.as_deref(), junit::report(&records)?.as_bytes())?,
        Form::Gradescope { to, .. } => to.write(&records, ".json", gradescope::results)?,
        Form::Github { to, .. } => to.write(&records, ".env", github::variables)?,
        Form::Autolab { to, .. } => to.write(&records, ".txt", autolab::feedback)?,
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

/// Lists the records that somebody must look at; the exit code that goes with it.
pub fn tell_attention(records: &Records) -> u8 {
    let attention = records.attention();
    if attention.is_empty() {
        return 0;
    }
    anstream::eprintln!(
        "{} records need attention: what could not be observed is counted as 0 points. Start `grade run` again to grade them again:",
        attention.len()
    );
    attention.iter().take(LISTED).for_each(|line| anstream::eprintln!("  {}", shown(line)));
    if attention.len() > LISTED {
        anstream::eprintln!("  and {} more", attention.len() - LISTED);
    }
    3
}
