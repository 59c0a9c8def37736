//! Where a lab's programs are.
//!
//! Theory of operation: a check names programs, never files. Where their files are depends on who built them: grading gives a folder for each submission,
//! cargo and nextest tell it in variables, and otherwise cargo has put them above the check executable.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variable that names the folder of programs.
pub const VARIABLE: &str = "LAB_PROGRAMS";

/// Where a check executable was told that programs are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The folder of all of them.
    pub folder: Option<PathBuf>,
    /// Files of their own, by the program's name. They go before the folder.
    pub files: BTreeMap<String, PathBuf>,
}

impl Places {
    /// All programs in one folder.
    #[must_use]
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), files: BTreeMap::new() }
    }

    /// The same as options of a check executable.
    #[must_use]
    pub fn options(&self) -> Vec<OsString> {
        let folder = self.folder.iter().flat_map(|folder| ["--programs".into(), folder.into()]);
        let file = |(name, path): (&String, &PathBuf)| {
            let mut value = OsString::from(format!("{name}="));
            value.push(path);
            ["--program".into(), value]
        };
        folder.chain(self.files.iter().flat_map(file)).collect()
    }
}

/// Finds the executables of a lab's programs.
#[derive(Debug, Clone)]
pub struct Programs {
    places: Places,
    package: String,
}

impl Programs {
    /// The programs in these places, or where `LAB_PROGRAMS`, cargo or nextest put those of `package`.
    #[must_use]
    pub fn new(places: Places, package: &str) -> Self {
        let folder = places.folder.or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        Self { places: Places { folder, ..places }, package: package.to_owned() }
    }

    /// The absolute path of the executable of `program`.
    ///
    /// # Errors
    /// There is no such file; the text says where it was expected and what builds it.
    pub fn executable(&self, program: &str) -> Result<PathBuf, String> {
        let path = self.expected_at(program, |name| std::env::var_os(name))?;
        if !path.is_file() {
            let next = match self.places.folder {
                _ if self.places.files.contains_key(program) => "give the file that was built".to_owned(),
                Some(_) => "give the folder that the programs were built into".to_owned(),
                None => format!("build it with `cargo build -p {} --bin {program}`", self.package),
            };
            return Err(format!("expected the program `{program}` at {}, found no file there; {next}", path.display()));
        }
        path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
    }

    fn expected_at(&self, program: &str, variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, String> {
        if let Some(file) = self.places.files.get(program) {
            return Ok(file.clone());
        }
        if let Some(folder) = &self.places.folder {
            return Ok(folder.join(program));
        }
        for prefix in ["CARGO_BIN_EXE_", "NEXTEST_BIN_EXE_"] {
            for name in [program.to_owned(), program.replace('-', "_")] {
                if let Some(path) = variable(&format!("{prefix}{name}")) {
                    return Ok(PathBuf::from(path));
                }
            }
        }
        let this = std::env::current_exe().map_err(|error| format!("cannot tell where this executable is: {error}"))?;
        this.parent().and_then(Path::parent).map(|folder| folder.join(program)).ok_or_else(|| format!("{} is in no target folder", this.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn a_given_folder_comes_first() {
        let programs = Programs { places: Places::folder("/somewhere"), package: "pipe".into() };
        assert_eq!(programs.expected_at("pipe", |_| Some("/else".into())), Ok("/somewhere/pipe".into()));
    }

    #[test]
    fn variables_of_cargo_and_nextest_come_next() {
        let programs = Programs { places: Places::default(), package: "pipe".into() };
        let cargo = |name: &str| (name == "CARGO_BIN_EXE_a-b").then(|| "/cargo/a-b".into());
        let nextest = |name: &str| (name == "NEXTEST_BIN_EXE_a_b").then(|| "/nextest/a-b".into());
        assert_eq!(programs.expected_at("a-b", cargo), Ok("/cargo/a-b".into()));
        assert_eq!(programs.expected_at("a-b", nextest), Ok("/nextest/a-b".into()));
    }

    #[test]
    fn the_folder_above_deps_comes_last() {
        let programs = Programs { places: Places::default(), package: "pipe".into() };
        let deps = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
        assert_eq!(programs.expected_at("pipe", nothing), Ok(deps.parent().unwrap().join("pipe")));
    }

    #[test]
    fn a_missing_program_says_what_builds_it() {
        let programs = Programs { places: Places::default(), package: "fifo".into() };
        let error = programs.executable("no-such-program").unwrap_err();
        assert!(error.contains("`cargo build -p fifo --bin no-such-program`"), "{error}");
    }
}
