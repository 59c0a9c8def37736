//! Tests that fork: each in a process of its own with one thread, as the harness asks of whoever drives a session; and the processes around it that a test
//! wants to be in (another user, a container that refuses namespaces).
//!
//! The executable is its own runner: `--alone NAME` does one test in this very process. Everything else is libtest's command line.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

use super::{deadline, folder};

/// Cargo must not take such a file for one with libtest's main: no test in it would ever run.
#[test]
fn cargo_toml_says_harness_false() {
    panic!("harness/Cargo.toml needs [[test]] with harness = false for this file");
}

/// Seconds for one test.
/// Seconds for one test; `TEST_SECONDS` gives those of a nightly run more.
const SECONDS: u64 = 180;

/// A test.
pub struct Test {
    /// Its name: a fact.
    pub name: &'static str,
    /// What it does; a panic is a failure.
    pub test: fn(),
    /// The command that it runs under, if any; without a command in it, the reason why it is skipped.
    pub under: fn() -> Result<Vec<String>, String>,
    /// The environment that it adds.
    pub environment: &'static [(&'static str, &'static str)],
}

impl Test {
    /// A test that runs where the runner does.
    pub const fn new(name: &'static str, test: fn()) -> Self {
        Self { name, test, under: || Ok(Vec::new()), environment: &[] }
    }
}

/// Makes a list of [`Test`]s out of functions.
#[allow(unused_macros, reason = "an executable with tests of several kinds writes its list out")]
macro_rules! tests {
    ($($test:ident),+ $(,)?) => {
        vec![$($crate::support::isolated::Test::new(stringify!($test), $test)),+]
    };
}
#[allow(unused_imports, reason = "an executable with tests of several kinds writes its list out")]
pub(crate) use tests;

/// The `main` of a test executable.
pub fn main(tests: Vec<Test>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, alone, name, ..] = arguments.as_slice()
        && alone == "--alone"
    {
        let test = tests.iter().find(|test| test.name == name).unwrap_or_else(|| panic!("there is no test {name}"));
        (test.test)();
        return ExitCode::SUCCESS;
    }
    let trials = tests.into_iter().map(|test| Trial::test(test.name, move || run(&test))).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn run(test: &Test) -> Result<(), Failed> {
    let under = match (test.under)() {
        Ok(under) => under,
        Err(reason) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            return Err(format!("not skipped where CI=true: {reason}").into());
        }
        Err(reason) => {
            println!("skipped {}: {reason}", test.name);
            return Ok(());
        }
    };
    let executable = std::env::current_exe()?;
    // Only another user needs another place than cargo's.
    let place = if under.is_empty() { None } else { Some(Place::for_anyone(&executable, test.name)?) };
    let executable = place.as_ref().map_or(executable, |place| place.executable.clone());
    // The runner's id tells this test's processes from those of another run of the same test.
    let alone = [executable.to_string_lossy().into_owned(), "--alone".into(), test.name.into(), std::process::id().to_string()];
    let words = [under, alone.to_vec()].concat();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_remove("LAB_SANDBOX").envs(test.environment.iter().copied());
    // A folder for temporary files of its own: what other tests have in theirs is no leftover of this one.
    match &place {
        Some(place) => command.env(folder::VARIABLE, &place.folder).env("TMPDIR", &place.folder).current_dir("/"),
        None => command.env("TMPDIR", folder::empty(&format!("temporary/{}", test.name))),
    };
    let seconds = std::env::var("TEST_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let output = deadline::output_within(seconds, &mut command);
    let errors = String::from_utf8_lossy(&output.stderr);
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() { Ok(()) } else { Err(format!("{}\n{errors}", output.status).into()) }
}

/// A folder that every user can reach and write to, with the executable in it: cargo's own may lie in somebody's home.
struct Place {
    folder: PathBuf,
    executable: PathBuf,
}

impl Place {
    fn for_anyone(executable: &Path, test: &str) -> std::io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("harness-test-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777))?;
        let copy = folder.join(executable.file_name().unwrap_or_default());
        std::fs::copy(executable, &copy)?;
        Ok(Self { folder, executable: copy })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left there costs space in the temporary folder, and nothing else.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
