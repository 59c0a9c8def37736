//! Which file of a submission is which source of which lab.
//!
//! Theory of operation: students hand in a single file, a `src` folder, a lab's folder, or their whole workspace packed into something. A path is compared from its
//! end: the more of the lab's own path it has, the better it fits, and of two that fit equally well the one that lies higher. A file that has another lab's
//! folder on its way belongs to that lab alone. Two files that fit equally well are a question for the student, not for us: see [`super::hand`].

use harness::manifest::LabFolder;

/// How well a path fits: smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It ends with the lab's folder and the source's path in it.
    InLabFolder,
    /// It ends with the source's path.
    SamePath,
    /// It has the source's file name.
    SameName,
    /// It has the source's file name, and a number that a platform put behind it for a second upload (`main-1.rs`).
    Numbered,
}

/// A source that a path may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The lab, in the list of labs.
    pub lab: usize,
    /// The program, in the lab's manifest.
    pub program: usize,
    /// How well it fits.
    pub fit: Fit,
    /// How many folders are on the way.
    pub depth: usize,
}

/// What `path` may be. `only` is the lab that the download is for, if it is for one: then a file need not lie in a lab's folder.
#[must_use]
pub fn place(path: &str, labs: &[LabFolder], only: Option<usize>) -> Option<Placed> {
    let depth = path.matches('/').count();
    if path.split('/').any(|part| matches!(part, "target" | ".git" | "__MACOSX" | "node_modules")) {
        return None;
    }
    for (lab, folder) in labs.iter().enumerate() {
        for (program, source) in folder.manifest.programs.iter().enumerate() {
            if ends_with(path, &format!("{}/{}", folder.folder, source.source.display())) {
                return Some(Placed { lab, program, fit: Fit::InLabFolder, depth });
            }
        }
    }
    let lab = only?;
    let other_lab = |part: &str| labs.iter().enumerate().any(|(index, other)| index != lab && other.folder == part);
    if path.split('/').any(other_lab) {
        return None;
    }
    let programs = &labs.get(lab)?.manifest.programs;
    let sources: Vec<String> = programs.iter().map(|program| program.source.display().to_string()).collect();
    if let Some(program) = sources.iter().position(|source| ends_with(path, source)) {
        return Some(Placed { lab, program, fit: Fit::SamePath, depth });
    }
    let file_name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let names: Vec<String> = sources.iter().map(|source| file_name(source)).collect();
    // A file name says nothing where two programs have it.
    let only_one = |name: &str| names.iter().filter(|other| *other == name).count() == 1;
    let name = file_name(path);
    for (name, fit) in [(name.clone(), Fit::SameName), (without_number(&name), Fit::Numbered)] {
        if only_one(&name) {
            return names.iter().position(|other| *other == name).map(|program| Placed { lab, program, fit, depth });
        }
    }
    None
}

/// Whether `path` is `end`, or ends with it behind a slash.
fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// `main-1.rs` without its number.
fn without_number(name: &str) -> String {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    match stem.rsplit_once('-') {
        Some((stem, number)) if !stem.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{stem}.{ending}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use harness::manifest::Manifest;

    use super::*;

    fn lab(folder: &str, sources: &[&str]) -> LabFolder {
        let programs: String =
            sources.iter().enumerate().map(|(i, source)| format!("[[program]]\nname = \"p{i}\"\nsource = \"{source}\"\nusage = \"p\"\n")).collect();
        let text = format!(
            "title = \"t\"\nsummary = \"s\"\nlevel = 1\ncalls = []\n{programs}\n[[check]]\nname = \"c\"\npoints = 1\nhints = [\"\", \"\", \"\"]\n"
        );
        let manifest = Manifest::parse(&text, Path::new("lab.toml")).unwrap();
        LabFolder { path: folder.into(), folder: folder.into(), name: folder[3..].into(), manifest }
    }

    #[test]
    fn the_more_of_the_labs_path_the_better() {
        let labs = [lab("01-a", &["src/main.rs"]), lab("02-b", &["src/bin/x.rs", "src/bin/y.rs"])];
        let fit = |path: &str, only| place(path, &labs, only).map(|placed| (placed.lab, placed.program, placed.fit));
        assert_eq!(fit("work/labs/02-b/src/bin/y.rs", None), Some((1, 1, Fit::InLabFolder)));
        assert_eq!(fit("src/main.rs", None), None);
        assert_eq!(fit("pipe/src/main.rs", Some(0)), Some((0, 0, Fit::SamePath)));
        assert_eq!(fit("main.rs", Some(0)), Some((0, 0, Fit::SameName)));
        assert_eq!(fit("main-12.rs", Some(0)), Some((0, 0, Fit::Numbered)));
        assert_eq!(fit("domain.rs", Some(0)), None);
        assert_eq!(fit("02-b/src/main.rs", Some(0)), None, "it lies in another lab's folder");
        assert_eq!(fit("01-a/target/package/src/main.rs", Some(0)), None);
        assert_eq!(fit("__MACOSX/01-a/src/main.rs", None), None);
        assert_eq!(fit("x.rs", Some(1)), Some((1, 0, Fit::SameName)));
    }
}
