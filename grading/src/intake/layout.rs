//! How a download is laid out: whose is which file.
//!
//! Theory of operation: each learning platform packs a class in its own way, and each way shows in the names. All names are looked at once to tell which it
//! is; then each name says to which group it belongs: a student, or what a platform numbers and its manifest maps to students.
//!
//! | Layout | Names |
//! | --- | --- |
//! | plain | `<student>/…`, or `<student>.zip` |
//! | Gradescope | `submission_<n>/…`, and `submission_metadata.yml` beside them |
//! | Canvas | `<name>_[LATE_]<user>_<submission>_<file>`, all in one folder |
//! | Moodle | `<name>_<participant>_assignsubmission_file/…`, or with the file's name behind |

use std::collections::BTreeSet;

use super::container::{archive_stem, other_stem};

/// Gradescope's manifest.
pub const GRADESCOPE_MANIFEST: &str = "submission_metadata.yml";

/// What Moodle puts behind a participant's number.
const MOODLE_MARK: &str = "_assignsubmission_";

/// Whose work this is, in the words of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Platform {
    /// One folder or archive for each student.
    Plain,
    /// Gradescope's "Download Submissions".
    Gradescope,
    /// Canvas's "Download Submissions".
    Canvas,
    /// Moodle's "Download all submissions".
    Moodle,
}

/// A layout that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Whose.
    pub platform: Platform,
    /// The folder around everything, with a slash behind it; empty if there is none.
    pub wrapper: String,
}

/// Where a file belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    /// What tells this group from all others.
    pub group: String,
    /// What the name says about who it is; empty where a manifest says it.
    pub name: String,
    /// The number that the platform knows the student, the participant or the submission by; empty if there is none.
    pub id: String,
    /// The path inside the group; empty for the group itself.
    pub inner: &'a str,
    /// Whether the name says that it came late.
    pub late: bool,
}

impl Place<'_> {
    /// The same of the group as a whole.
    #[must_use]
    pub fn owned(self) -> Place<'static> {
        Place { group: self.group, name: self.name, id: self.id, inner: "", late: self.late }
    }
}

/// Looks at names and tells the layout.
#[derive(Debug, Default)]
pub struct Detector {
    manifest: Option<String>,
    moodle: BTreeSet<String>,
    canvas: usize,
    top_files: usize,
    tops: BTreeSet<String>,
}

impl Detector {
    /// One more name.
    pub fn see(&mut self, path: &str) {
        let (wrapper, name) = match path.split_once('/') {
            Some((first, rest)) => (format!("{first}/"), rest),
            None => (String::new(), path),
        };
        if path == GRADESCOPE_MANIFEST || name == GRADESCOPE_MANIFEST {
            // The manifest that lies highest is the download's own; a student may have handed in a file of that name.
            let wrapper = if path == GRADESCOPE_MANIFEST { String::new() } else { wrapper.clone() };
            if self.manifest.as_ref().is_none_or(|other| wrapper.len() < other.len()) {
                self.manifest = Some(wrapper);
            }
        }
        let top = path.split('/').next().unwrap_or_default();
        if self.tops.len() < 2 && !top.starts_with('.') && top != "__MACOSX" {
            self.tops.insert(top.to_owned());
        }
        if moodle_name(path.split('/').next().unwrap_or_default()).is_some() {
            self.moodle.insert(String::new());
        } else if moodle_name(name.split('/').next().unwrap_or_default()).is_some() {
            self.moodle.insert(wrapper);
        }
        if !path.contains('/') {
            self.top_files += 1;
            self.canvas += usize::from(canvas_name(path).is_some());
        }
    }

    /// The layout that all names together have.
    /// What lies in a folder tells it only if that folder is all there is: in a class of folders it is what one student called a file.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let around_all = |wrapper: &&String| wrapper.is_empty() || self.tops.len() == 1;
        if let Some(wrapper) = self.manifest.as_ref().filter(around_all) {
            Layout { platform: Platform::Gradescope, wrapper: wrapper.clone() }
        } else if let Some(wrapper) = self.moodle.first().filter(around_all) {
            Layout { platform: Platform::Moodle, wrapper: wrapper.clone() }
        } else if self.canvas > 0 && 2 * self.canvas > self.top_files {
            Layout { platform: Platform::Canvas, wrapper: String::new() }
        } else {
            Layout { platform: Platform::Plain, wrapper: String::new() }
        }
    }
}

impl Layout {
    /// Where the file at `path` belongs; none if it is nobody's.
    #[must_use]
    pub fn place<'a>(&self, path: &'a str) -> Option<Place<'a>> {
        let path = path.strip_prefix(&*self.wrapper)?;
        let (first, inner) = path.split_once('/').unwrap_or((path, ""));
        match self.platform {
            Platform::Gradescope => {
                let id = first.strip_prefix("submission_").filter(|id| is_number(id))?;
                Some(Place { group: first.to_owned(), name: String::new(), id: id.to_owned(), inner, late: false })
            }
            Platform::Moodle => {
                let (name, id, file) = moodle_name(first)?;
                let inner = if inner.is_empty() { file } else { inner };
                Some(Place { group: format!("{name}_{id}"), name: name.to_owned(), id: id.to_owned(), inner, late: false })
            }
            Platform::Canvas if inner.is_empty() => {
                let (name, id, file, late) = canvas_name(first)?;
                Some(Place { group: format!("{name}_{id}"), name: name.to_owned(), id: id.to_owned(), inner: file, late })
            }
            Platform::Canvas => None,
            Platform::Plain if inner.is_empty() => match archive_stem(first).or_else(|| other_stem(first)) {
                Some(stem) => Some(Place { group: stem.to_owned(), name: stem.to_owned(), id: String::new(), inner: first, late: false }),
                // A file is nobody's; what was refused in the place of a student's folder is the student's.
                None => Some(Place { group: first.to_owned(), name: first.to_owned(), id: String::new(), inner: "", late: false }),
            },
            Platform::Plain => Some(Place { group: first.to_owned(), name: first.to_owned(), id: String::new(), inner, late: false }),
        }
    }
}

/// `<name>_[LATE_]<user>_<submission>_<file>`: name, user, file, and whether it came late.
fn canvas_name(name: &str) -> Option<(&str, &str, &str, bool)> {
    let mut at = 0;
    for part in name.split('_') {
        let rest = &name[at..];
        if at > 0 {
            let (late, numbers) = rest.strip_prefix("LATE_").map_or((false, rest), |numbers| (true, numbers));
            let mut parts = numbers.splitn(3, '_');
            if let (Some(user), Some(submission), Some(file)) = (parts.next(), parts.next(), parts.next())
                && is_number(user)
                && is_number(submission)
                && !file.is_empty()
            {
                return Some((&name[..at - 1], user, file, late));
            }
        }
        at += part.len() + 1;
    }
    None
}

/// `<name>_<participant>_assignsubmission_file[_<file>]`: name, participant, file.
fn moodle_name(name: &str) -> Option<(&str, &str, &str)> {
    let (who, what) = name.split_once(MOODLE_MARK)?;
    let (name, id) = who.rsplit_once('_').filter(|(name, id)| !name.is_empty() && is_number(id))?;
    let file = what.strip_prefix("file").or_else(|| what.strip_prefix("onlinetext"))?;
    Some((name, id, file.strip_prefix('_').unwrap_or(file)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(names: &[&str]) -> Layout {
        let mut detector = Detector::default();
        names.iter().for_each(|name| detector.see(name));
        detector.layout()
    }

    #[test]
    fn each_platform_is_recognised_by_its_names() {
        for (names, platform, wrapper) in [
            (&["ann/02-pipe/src/main.rs", "bob.zip"][..], Platform::Plain, ""),
            (&["submission_1/main.rs", "submission_metadata.yml"], Platform::Gradescope, ""),
            (
                &["assignment_9_export/submission_1/submission_metadata.yml", "assignment_9_export/submission_metadata.yml"],
                Platform::Gradescope,
                "assignment_9_export/",
            ),
            (&["annexample_12_34_main.rs", "bobexample_LATE_13_35_main-1.rs"], Platform::Canvas, ""),
            (&["Ann Example_77_assignsubmission_file/main.rs"], Platform::Moodle, ""),
            (&["pipe/Ann Example_77_assignsubmission_file_/main.rs"], Platform::Moodle, "pipe/"),
        ] {
            assert_eq!(layout(names), Layout { platform, wrapper: wrapper.into() }, "{names:?}");
        }
    }

    #[test]
    fn what_one_student_calls_a_file_does_not_tell_the_layout_of_the_class() {
        for name in ["submission_metadata.yml", "Bob_1_assignsubmission_file/main.rs", "bob_1_2_main.rs"] {
            let layout = layout(&["ann/02-pipe/src/main.rs", &format!("bob/{name}"), "eve.zip"]);
            assert_eq!(layout, Layout { platform: Platform::Plain, wrapper: String::new() }, "{name}");
        }
    }

    #[test]
    fn names_say_whose_a_file_is() {
        assert_eq!(canvas_name("annexample_LATE_12_34_my_main.rs"), Some(("annexample", "12", "my_main.rs", true)));
        assert_eq!(canvas_name("van_der_berg_12_34_main.rs"), Some(("van_der_berg", "12", "main.rs", false)));
        assert_eq!(canvas_name("main_2_rs"), None);
        assert_eq!(moodle_name("Ann Example_77_assignsubmission_file_main.rs"), Some(("Ann Example", "77", "main.rs")));
        assert_eq!(moodle_name("Ann_Example_77_assignsubmission_file"), Some(("Ann_Example", "77", "")));
        assert_eq!(moodle_name("assignsubmission_file"), None);
    }
}
