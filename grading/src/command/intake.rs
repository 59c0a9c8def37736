//! `grade intake`, and the options by which `grade run` takes in what is packed.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::escape::shown;
use crate::failure::Failure;
use crate::intake::layout::Platform;
use crate::intake::{self, Request};
use crate::workspace;

/// What `grade intake` takes.
#[derive(Debug, Args)]
pub struct IntakeArguments {
    /// A folder, a zip or a tar.gz file: one folder or archive for each student, or a download of Gradescope, Canvas or Moodle
    download: PathBuf,
    /// The folder for intake.json and the sources; a further intake adds to it
    #[arg(long)]
    out: PathBuf,
    /// The lab that the download is for, by folder, package or number [default: what lies in a lab's folder]
    #[arg(long)]
    lab: Option<String>,
    #[command(flatten)]
    tables: TableArguments,
}

/// What says more than the download.
#[derive(Debug, Clone, Args)]
pub struct TableArguments {
    /// Who takes part: Canvas's gradebook, Moodle's grading worksheet, or a CSV file with the columns name, id, email
    #[arg(long)]
    pub roster: Option<PathBuf>,
    /// When something was handed in: a CSV file with the columns student, lab, submitted
    #[arg(long)]
    pub times: Option<PathBuf>,
    /// How the submissions are laid out [default: told by the names]
    #[arg(long)]
    pub layout: Option<Platform>,
}

/// Takes in a download, and says what was refused.
///
/// # Errors
/// As [`intake::take`].
pub fn take(root: &Path, arguments: IntakeArguments) -> Result<u8, Failure> {
    let IntakeArguments { download, out, lab, tables } = arguments;
    let labs = workspace::labs(root, &[])?;
    let only = match lab {
        Some(name) => {
            let folder = workspace::labs(root, &[name])?.remove(0).folder;
            labs.iter().position(|lab| lab.folder == folder)
        }
        None => None,
    };
    let request = Request { download, out, roster: tables.roster, times: tables.times, platform: tables.layout, replace: false };
    let taken = intake::take(&labs, only, &request)?;
    for line in taken.warnings.iter().map(|warning| format!("warning: {warning}")).chain(taken.refused.iter().map(|line| format!("refused: {line}")))
    {
        anstream::eprintln!("{}", shown(&line));
    }
    let platform = format!("{:?}", taken.platform).to_lowercase();
    anstream::println!(
        "{} students, {} labs taken in, {} refused, {} warnings ({platform}); next: cargo grade run {} --out DIR",
        taken.students,
        taken.taken,
        taken.refused.len(),
        taken.warnings.len(),
        request.out.display()
    );
    if taken.taken == 0 && only.is_none() {
        return Err(Failure::BadInput(
            "expected files in the labs' folders; there is none. If the download is for one lab, name it: --lab LAB".into(),
        ));
    }
    Ok(0)
}
