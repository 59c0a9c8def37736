//! Submissions laid out for a detector of similar programs, such as JPlag or copydetect.
//!
//! For each lab a folder `submissions` with a folder for each student, and a folder `starter` with what everybody was given: both detectors leave out of a
//! comparison what they find there (JPlag's `--base-code`, copydetect's `-b`). Sources are taken as they are for grading, and no link is followed.

use std::path::Path;

use harness::manifest::LabFolder;

use crate::failure::Failure;
use crate::run::collect::{self, Collected};
use crate::run::roster;
use crate::sources::{self, Source};
use crate::starter::starter;
use crate::whole::Draft;

/// What was laid out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Laid {
    /// The labs that there is a submission of.
    pub labs: Vec<String>,
    /// How many submissions there are.
    pub submissions: usize,
    /// Student and lab of those that are the starter, unchanged: there is nothing to compare.
    pub unchanged: Vec<String>,
    /// Student and lab of those that could not be taken, with the reason.
    pub left_out: Vec<String>,
}

/// Lays out the submissions of these labs in `folder`, which is new, empty, or was written by this command.
///
/// # Errors
/// Submissions that cannot be read, a solution with a wrong marker, a folder that cannot be written, and nothing to compare.
pub fn lay_out(submissions: &Path, labs: &[LabFolder], known: &[LabFolder], folder: &Path) -> Result<Laid, Failure> {
    let roster = roster::read(submissions, known)?;
    let draft = Draft::new(folder)?;
    let mut laid = Laid::default();
    for lab in labs {
        let given = starters(lab)?;
        let mut count = 0;
        for student in roster.students.iter().filter(|student| student.labs.contains(&lab.folder)) {
            let who = format!("{} {}", student.name, lab.folder);
            match collect::collect(submissions, student, lab) {
                Collected::Sources(handed_in) if same(&handed_in, &given) => laid.unchanged.push(who),
                Collected::Sources(handed_in) => {
                    put(&draft, &Path::new(&lab.folder).join("submissions").join(&student.record_name), &handed_in)?;
                    count += 1;
                }
                Collected::Missing(reason) | Collected::Refused(reason) | Collected::Unreadable(reason) => {
                    laid.left_out.push(format!("{who}: {reason}"));
                }
            }
        }
        if count > 0 {
            put(&draft, &Path::new(&lab.folder).join("starter"), &given)?;
            laid.labs.push(lab.folder.clone());
            laid.submissions += count;
        }
    }
    if laid.submissions == 0 {
        return Err(Failure::BadInput(format!(
            "expected submissions to compare in {}; there is none that differs from its starter",
            submissions.display()
        )));
    }
    draft.put_in_place()?;
    Ok(laid)
}

/// What a student was given: the starter of each program.
fn starters(lab: &LabFolder) -> Result<Vec<Source>, Failure> {
    let given = |source: Source| {
        let text = String::from_utf8_lossy(&source.text).into_owned();
        let text = starter(&text, &lab.path.join(&source.path)).map_err(|bad| Failure::BadInput(bad.to_string()))?;
        Ok(Source { text: text.into_bytes(), ..source })
    };
    sources::solution(lab)?.into_iter().map(given).collect()
}

/// Whether the sources are the same but for white space.
fn same(a: &[Source], b: &[Source]) -> bool {
    let words = |source: &Source| source.text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>();
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| words(a) == words(b))
}

fn put(draft: &Draft, folder: &Path, sources: &[Source]) -> Result<(), Failure> {
    sources.iter().try_for_each(|source| draft.write(&folder.join(&source.path), &source.text))
}
