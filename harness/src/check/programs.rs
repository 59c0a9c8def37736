//! Where a lab's programs are.
//!
//! Theory of operation: a check names programs, never files. Where their files are depends on who built them: grading gives a folder for each submission,
//! cargo and nextest tell it in variables, and otherwise cargo has put them above the check executable.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variable that names the folder of programs.
pub const VARIABLE: &str = "LAB_PROGRAMS";

/// Finds the executables of a lab's programs.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: Option<PathBuf>,
    package: String,
}

impl Programs {
    /// The programs in `folder`, or where `LAB_PROGRAMS`, cargo or nextest put those of `package`.
    #[must_use]
    pub fn new(folder: Option<PathBuf>, package: &str) -> Self {
        Self { folder: folder.or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from)), package: package.to_owned() }
    }

    /// The absolute path of the executable of `program`.
    ///
    /// # Errors
    /// There is no such file; the text says where it was expected and what builds it.
    pub fn executable(&self, program: &str) -> Result<PathBuf, String> {
        let path = self.expected_at(program, |name| std::env::var_os(name))?;
        if !path.is_file() {
            let next = match self.folder {
                Some(_) => "give the folder that the programs were built into".to_owned(),
                None => format!("build it with `cargo build -p {} --bin {program}`", self.package),
            };
            return Err(format!("expected the program `{program}` at {}, found no file there; {next}", path.display()));
        }
        path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
    }

    fn expected_at(&self, program: &str, variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, String> {
        if let Some(folder) = &self.folder {
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
        let programs = Programs { folder: Some("/somewhere".into()), package: "pipe".into() };
        assert_eq!(programs.expected_at("pipe", |_| Some("/else".into())), Ok("/somewhere/pipe".into()));
    }

    #[test]
    fn variables_of_cargo_and_nextest_come_next() {
        let programs = Programs { folder: None, package: "pipe".into() };
        let cargo = |name: &str| (name == "CARGO_BIN_EXE_a-b").then(|| "/cargo/a-b".into());
        let nextest = |name: &str| (name == "NEXTEST_BIN_EXE_a_b").then(|| "/nextest/a-b".into());
        assert_eq!(programs.expected_at("a-b", cargo), Ok("/cargo/a-b".into()));
        assert_eq!(programs.expected_at("a-b", nextest), Ok("/nextest/a-b".into()));
    }

    #[test]
    fn the_folder_above_deps_comes_last() {
        let programs = Programs { folder: None, package: "pipe".into() };
        let deps = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
        assert_eq!(programs.expected_at("pipe", nothing), Ok(deps.parent().unwrap().join("pipe")));
    }

    #[test]
    fn a_missing_program_says_what_builds_it() {
        let programs = Programs { folder: None, package: "fifo".into() };
        let error = programs.executable("no-such-program").unwrap_err();
        assert!(error.contains("`cargo build -p fifo --bin no-such-program`"), "{error}");
    }
}
