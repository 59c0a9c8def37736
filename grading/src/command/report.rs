//! `grade report`: what it takes, and what it says.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::report::page::counted;
use crate::report::{self, Course};
use crate::workspace;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 all is written; 2 usage or bad input; 3 all is written, and some records need attention.")]
pub struct ReportArguments {
    /// The folder that `grade run` wrote
    records: PathBuf,
    /// The folder to write: class.html, and a page for each student in students/
    #[arg(long)]
    out: PathBuf,
    /// Only this lab, by folder, package or number; may be repeated
    #[arg(long = "lab")]
    labs: Vec<String>,
    /// The marks are released: students see what waits for that
    #[arg(long)]
    released: bool,
}

/// Does what `grade report` asks for; the exit code.
pub fn report(arguments: &ReportArguments) -> Result<u8, Failure> {
    let mut records = super::export::read(&arguments.records)?;
    records.keep_labs(&arguments.labs)?;
    // Outside of a course there are no titles, promises and hints. A course with a fault in it is told: its texts would be missed.
    let course = match super::root() {
        Ok(root) => Course::of(&workspace::labs(&root, &[])?),
        Err(_) => Course::default(),
    };
    report::write(&records, &arguments.records, &course, arguments.released, &arguments.out)?;
    anstream::println!("{}: {}", counted(records.students.len(), "student"), arguments.out.join("class.html").display());
    Ok(super::export::tell_attention(&records))
}
