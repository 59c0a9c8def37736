//! Programs that are given to `lab check` instead of the lab's own: a promise can be kept in any language.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::NoAnswer;
use crate::manifest::{LabFolder, did_you_mean};

/// The files of `[NAME=]FILE…`, absolute, by the names of the lab's programs.
///
/// # Errors
/// An unknown name, a name that is missing or given twice, a file that is not there or may not be executed.
pub fn programs(labs: &[&LabFolder], values: &[OsString]) -> Result<BTreeMap<String, PathBuf>, NoAnswer> {
    let mut files = BTreeMap::new();
    for value in values {
        let names: Vec<&str> = labs.iter().flat_map(|lab| &lab.manifest.programs).map(|program| &*program.name).collect();
        let (name, file) = name_and_file(value, &names)?;
        if files.insert(name.to_owned(), executable(file)?).is_some() {
            return Err(NoAnswer::bad_input(format!("--program: `{name}` is given twice")));
        }
    }
    Ok(files)
}

/// The options once more, for the command that replays a check.
pub fn shown(values: &[OsString]) -> String {
    values.iter().map(|value| format!(" --program {}", value.display())).collect()
}

fn name_and_file<'value>(value: &'value OsStr, names: &[&'value str]) -> Result<(&'value str, &'value Path), NoAnswer> {
    let (before, after) = match value.as_bytes().iter().position(|byte| *byte == b'=') {
        Some(place) => (std::str::from_utf8(&value.as_bytes()[..place]).ok(), OsStr::from_bytes(&value.as_bytes()[place + 1..])),
        None => (None, value),
    };
    match (before, names) {
        (Some(name), _) if names.contains(&name) => Ok((name, Path::new(after))),
        // A file of which the name has a `=`.
        (_, [only]) if Path::new(value).is_file() || before.is_none() => Ok((only, Path::new(value))),
        (Some(name), _) => Err(NoAnswer::bad_input(format!("--program: the lab has no program `{name}`{}", did_you_mean(name, names)))),
        (None, _) => {
            let each: Vec<String> = names.iter().map(|name| format!("--program {name}=FILE")).collect();
            Err(NoAnswer::bad_input(format!("--program: the lab has several programs: say which this is, with {}", each.join(" or "))))
        }
    }
}

fn executable(file: &Path) -> Result<PathBuf, NoAnswer> {
    let wrong = |what: &str| NoAnswer::bad_input(format!("--program: {}: {what}", file.display()));
    let path = file.canonicalize().map_err(|error| wrong(&error.to_string()))?;
    let metadata = path.metadata().map_err(|error| wrong(&error.to_string()))?;
    if !metadata.is_file() {
        return Err(wrong("expected an executable file, found something else"));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(wrong("nobody may execute it; build it, or chmod +x"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(value: &str, names: &[&'static str]) -> Result<(String, String), String> {
        let taken = name_and_file(OsStr::new(value), &names.iter().map(|name| *name as &str).collect::<Vec<_>>());
        taken.map(|(name, file)| (name.to_owned(), file.display().to_string())).map_err(|error| error.text)
    }

    #[test]
    fn a_name_is_needed_where_there_are_several_programs() {
        assert_eq!(taken("./a.out", &["pipe"]), Ok(("pipe".into(), "./a.out".into())));
        assert_eq!(taken("pipe=./a.out", &["pipe"]), Ok(("pipe".into(), "./a.out".into())));
        assert_eq!(taken("echoc=c", &["echod", "echoc"]), Ok(("echoc".into(), "c".into())));
        assert!(taken("./a.out", &["echod", "echoc"]).unwrap_err().contains("--program echod=FILE or --program echoc=FILE"));
        assert!(taken("echo=c", &["echod", "echoc"]).unwrap_err().contains("did you mean"));
    }

    #[test]
    fn what_cannot_be_executed_is_bad_input() {
        assert!(executable(Path::new("/no/such")).unwrap_err().text.contains("/no/such"));
        assert!(executable(Path::new("/etc/passwd")).unwrap_err().text.contains("chmod +x"));
        assert!(executable(Path::new("/etc")).unwrap_err().text.contains("something else"));
    }
}
