//! Hidden checks stay at home.
//!
//! Theory of operation: their functions are in files of their own, which are not copied. What `lab.toml` says of them is cut out of its text, so that all else stays as its
//! author wrote it, comments included; the result is read again and must say exactly what is left. `Cargo.toml` names `checks.rs` in the place of the file that is gone.
//! In the end no text of the lab or of the docs that is handed out may name a hidden check: whoever mentioned it is told where.

use std::fs;
use std::path::Path;

use super::put;
use crate::failure::Failure;
use crate::manifest::{FILE_NAME, LabFolder, Manifest};

/// The file of a lab's hidden checks.
pub const FILE: &str = "checks/hidden.rs";
/// The folder of what only hidden checks need.
pub const FOLDER: &str = "checks/hidden";
/// The file of the checks that are handed out.
const HANDED_OUT: &str = "checks.rs";

/// Takes what is said of the lab's hidden checks out of its copy in `workspace`.
///
/// # Errors
/// Files that cannot be read or written, a `lab.toml` that cannot be cut, and a mention of a hidden check in what is handed out.
pub(super) fn cut(lab: &LabFolder, workspace: &Path) -> Result<(), Failure> {
    let inside = Path::new("labs").join(&lab.folder);
    let folder = workspace.join(&inside);
    let read = |name: &str| {
        let path = lab.path.join(name);
        fs::read_to_string(&path).map_err(|error| Failure::input("read", &path, &error))
    };
    if lab.manifest.checks.iter().any(|check| check.hidden) {
        let path = lab.path.join(FILE_NAME);
        put(&folder.join(FILE_NAME), &manifest(&read(FILE_NAME)?, &lab.manifest, &path)?)?;
    }
    if lab.path.join(FILE).exists() {
        put(&folder.join("Cargo.toml"), &read("Cargo.toml")?.replace(FILE, HANDED_OUT))?;
    }
    let hidden: Vec<&str> = lab.manifest.checks.iter().filter(|check| check.hidden).map(|check| &*check.name).collect();
    let mut handed_out = [inside, "docs".into()].into_iter().filter(|inside| !hidden.is_empty() && workspace.join(inside).is_dir());
    handed_out.try_for_each(|inside| refuse_mentions(&hidden, workspace, &workspace.join(inside)))
}

/// The text of `lab.toml` without the hidden checks. A comment right above a header belongs to it.
fn manifest(text: &str, whole: &Manifest, path: &Path) -> Result<String, Failure> {
    let lines: Vec<&str> = text.lines().collect();
    let mut starts: Vec<usize> = Vec::new();
    for (number, _) in lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with('[')) {
        let comments = lines[..number].iter().rev().take_while(|line| line.trim_start().starts_with('#')).count();
        starts.push(number - comments);
    }
    let mut checks = whole.checks.iter();
    let mut kept = lines[..starts.first().copied().unwrap_or(lines.len())].to_vec();
    for (place, &start) in starts.iter().enumerate() {
        let part = &lines[start..starts.get(place + 1).copied().unwrap_or(lines.len())];
        let is_check = part.iter().any(|line| line.split('#').next().unwrap_or_default().replace(' ', "").trim() == "[[check]]");
        if !(is_check && checks.next().is_some_and(|check| check.hidden)) {
            kept.extend(part);
        }
    }
    let kept = kept.join("\n") + "\n";
    let mut expected = whole.clone();
    expected.checks.retain(|check| !check.hidden);
    // Debug shows every key.
    let same = Manifest::parse(&kept, path).is_ok_and(|left| format!("{left:?}") == format!("{expected:?}"));
    if same {
        Ok(kept)
    } else {
        Err(Failure::BadInput(format!(
            "{}: its hidden checks cannot be cut out; expected each [[check]] with its keys below a header line of its own",
            path.display()
        )))
    }
}

/// Refuses a text below `folder` that holds one of these names as a word.
fn refuse_mentions(names: &[&str], workspace: &Path, folder: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(|error| Failure::machine("read", folder, &error))? {
        let path = entry.map_err(|error| Failure::machine("read", folder, &error))?.path();
        if path.is_dir() {
            refuse_mentions(names, workspace, &path)?;
            continue;
        }
        let text = fs::read(&path).map_err(|error| Failure::machine("read", &path, &error))?;
        for (number, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let is_word = |name: &&&str| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == **name);
            if let Some(name) = names.iter().find(is_word) {
                let place = path.strip_prefix(workspace).unwrap_or(&path);
                return Err(Failure::BadInput(format!(
                    "{}:{}: names the hidden check `{name}`, and is handed out; say it without the name, or in {FILE}",
                    place.display(),
                    number + 1
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# The lab.\ntitle='t'\nsummary='s'\nlevel=1\ncalls=[]\n\n[[program]]\nname='p'\nsource='s.rs'\nusage='p'\n\n# Shown.\n[[check]]\nname='a'\n\
        points=1\nhints=['','','']\n\n# Nobody knows.\n[[check]] # b\nname='b'\npoints=2\nhidden=true\nhints=[\n  '[',\n  '',\n  '']\n# Still b.\n\n# Limits.\n[limits]\n\
        wall_seconds=7\n";

    fn cut(text: &str) -> Result<String, Failure> {
        let path = Path::new("labs/01-x/lab.toml");
        manifest(text, &Manifest::parse(text, path).unwrap(), path)
    }

    #[test]
    fn hidden_checks_are_cut_out_with_their_comments_and_the_rest_stays() {
        let left = TEXT.replace(&TEXT[TEXT.find("# Nobody").unwrap()..TEXT.find("# Limits").unwrap()], "");
        assert_eq!(cut(TEXT), Ok(left));
    }

    #[test]
    fn a_manifest_that_is_written_otherwise_is_refused() {
        let inline = "title='t'\nsummary='s'\nlevel=1\ncalls=[]\nprogram=[{name='p',source='s.rs',usage='p'}]\n\
            check=[{name='a',points=1,hidden=true,hints=['','','']}]\n";
        assert!(matches!(cut(inline), Err(Failure::BadInput(text)) if text.contains("lab.toml: its hidden checks cannot be cut out")));
    }
}
