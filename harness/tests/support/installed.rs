//! Programs that a test needs and that not every system has: without one the test says which package has it, and is skipped. With `CI=true` it fails.

use std::path::PathBuf;

/// Whether all these programs, each with the Debian package that has it, are installed; says on standard error which are not.
#[allow(dead_code, reason = "only some of the test executables need it")]
pub fn all_installed(programs: &[(&str, &str)]) -> bool {
    let missing: Vec<&str> = programs.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "not skipped where CI=true: install {}", missing.join(" "));
    eprintln!("skipped: install {}", missing.join(" "));
    false
}

/// The program's path, looked for as a shell does.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}
