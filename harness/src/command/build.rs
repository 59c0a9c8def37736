//! Builds the labs' programs and check executables with cargo.
//!
//! Theory of operation: one call of cargo builds all labs and goes on past one that does not compile. Its JSON messages on standard output say which executables
//! there are; a lab without one does not compile. Its standard error is held back while a progress line is drawn, and then shown as cargo wrote it, without the
//! status lines.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde::Deserialize;

use super::NoAnswer;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::workspace::Workspace;
use crate::check::programs::{self, Places};
use crate::manifest::LabFolder;

/// The executables of one lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executables {
    /// The check executable.
    pub checks: PathBuf,
    /// Where the programs are: in the folder that cargo said, but for those that were given.
    pub programs: Places,
}

impl Executables {
    /// Options of the check executable that say where the programs are. The variable for them is the user's own word, and goes before what cargo said.
    pub fn options(&self) -> Vec<OsString> {
        let named = std::env::var_os(programs::VARIABLE).is_some();
        Places { folder: self.programs.folder.clone().filter(|_| !named), files: self.programs.files.clone() }.options()
    }
}

/// The executables of the labs that compile, by the lab's name.
pub type Built = HashMap<String, Executables>;

/// One of cargo's messages, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds `labs`, and prints what the compiler has to say.
///
/// # Errors
/// Cargo could not be started, or gave up on every lab before it compiled anything.
pub fn build(workspace: &Workspace, labs: &[&LabFolder], progress: Progress) -> Result<Built, NoAnswer> {
    let compiled = compile(workspace, labs, &progress, &Interrupt::never(), colours_wanted());
    // The line goes first: the two would be drawn over each other.
    drop(progress);
    let compiled = compiled?;
    eprint!("{}", compiled.diagnostics);
    compiled.built()
}

/// What a build came to.
pub struct Compiled {
    /// What the compiler has to say.
    pub diagnostics: String,
    built: Option<Built>,
}

impl Compiled {
    /// The executables.
    ///
    /// # Errors
    /// Cargo gave up on every lab before it compiled anything.
    pub fn built(self) -> Result<Built, NoAnswer> {
        self.built.ok_or_else(|| NoAnswer::bad_input("cargo gave up before it compiled anything; its own message is above"))
    }
}

/// Builds `labs`; what the compiler has to say is coloured or not.
///
/// # Errors
/// Cargo could not be started, or the task was given up.
pub fn compile(workspace: &Workspace, labs: &[&LabFolder], progress: &Progress, interrupt: &Interrupt, coloured: bool) -> Result<Compiled, NoAnswer> {
    let call = |labs: &[&LabFolder]| call(workspace, labs, progress, interrupt, coloured);
    let mut calls = vec![call(labs)?];
    if calls[0].gave_up && labs.len() > 1 {
        // One lab with a file missing makes cargo give up on all that are named with it, so each has a call of its own.
        calls = labs.iter().map(|lab| call(&[lab])).collect::<Result<_, _>>()?;
    }
    let mut diagnostics = String::new();
    for (index, call) in calls.iter().enumerate() {
        // What is wrong with the whole workspace is said once, not for each lab.
        if calls[..index].iter().all(|earlier| earlier.diagnostics != call.diagnostics) {
            diagnostics.push_str(&call.diagnostics);
        }
    }
    if calls.iter().all(|call| call.gave_up) {
        return Ok(Compiled { diagnostics, built: None });
    }
    let artifacts: Vec<Message> = calls.into_iter().flat_map(|call| call.artifacts).collect();
    let built = labs.iter().filter_map(|lab| Some((lab.name.clone(), executables(&artifacts, lab)?))).collect();
    Ok(Compiled { diagnostics, built: Some(built) })
}

/// What came out of one call of cargo.
struct Call {
    artifacts: Vec<Message>,
    diagnostics: String,
    /// Whether it ended before it came to compiling.
    gave_up: bool,
}

fn call(workspace: &Workspace, labs: &[&LabFolder], progress: &Progress, interrupt: &Interrupt, coloured: bool) -> Result<Call, NoAnswer> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    // `build`, as `test --no-run` cannot go on past an error. Choosing the test makes cargo build the lab's programs too.
    command.args(["build", "--keep-going", "--message-format=json-render-diagnostics", "--test", "checks"]);
    for lab in labs {
        command.args(["--package", &lab.name]);
    }
    command.args(["--color", if coloured { "always" } else { "never" }]);
    command.current_dir(&workspace.root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = interrupt.spawn(&mut command).map_err(|error| NoAnswer::broken(format!("failed to start {}: {error}", cargo.display())))?;
    let (stdout, stderr) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let (artifacts, diagnostics) = thread::scope(|scope| {
        let diagnostics = scope.spawn(|| diagnostics(stderr, progress));
        (artifacts(stdout), diagnostics.join().expect("reading does not panic"))
    });
    let status = interrupt.wait(&mut child).map_err(|error| NoAnswer::broken(format!("failed to wait for cargo: {error}")))?;
    let (artifacts, finished) = artifacts.map_err(|error| NoAnswer::broken(format!("failed to read cargo's messages: {error}")))?;
    Ok(Call { artifacts, diagnostics, gave_up: !finished && !status.success() })
}

fn colours_wanted() -> bool {
    std::io::stderr().is_terminal() && anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// Cargo's messages about executables, and whether it came to the end of its work.
fn artifacts(stdout: impl Read) -> std::io::Result<(Vec<Message>, bool)> {
    let (mut artifacts, mut finished) = (Vec::new(), false);
    for line in BufReader::new(stdout).lines() {
        // What is not a message of cargo's is the output of a build script.
        let Ok(message) = serde_json::from_str::<Message>(&line?) else { continue };
        match message.reason.as_str() {
            "compiler-artifact" if message.executable.is_some() => artifacts.push(message),
            "build-finished" => finished = true,
            _ => {}
        }
    }
    Ok((artifacts, finished))
}

/// The executables of `lab`; nothing if one of its programs or its checks did not compile. That a file is there does not count: an earlier build may have left it.
fn executables(artifacts: &[Message], lab: &LabFolder) -> Option<Executables> {
    let folder = lab.path.canonicalize().unwrap_or_else(|_| lab.path.clone());
    let executable = |kind: &str, name: &str| {
        let is = |target: &Target| target.name == name && target.kind.iter().any(|has| has == kind);
        let of_lab = artifacts.iter().filter(|message| message.manifest_path.as_deref().and_then(Path::parent) == Some(&folder));
        of_lab.filter(|message| message.target.as_ref().is_some_and(is)).find_map(|message| message.executable.clone())
    };
    let programs = lab.manifest.programs.iter().map(|program| executable("bin", &program.name)).collect::<Option<Vec<PathBuf>>>()?;
    let folder_of_programs = programs.first().and_then(|path| path.parent()).map(Path::to_path_buf);
    Some(Executables { checks: executable("test", "checks")?, programs: Places { folder: folder_of_programs, ..Places::default() } })
}

/// What cargo writes to standard error, without its status lines, which go to the progress line.
fn diagnostics(stderr: impl Read, progress: &Progress) -> String {
    let mut diagnostics = String::new();
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    while let Ok(1..) = stderr.read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line);
        let bare = anstream::adapter::strip_str(&text).to_string();
        if is_status(&bare) {
            progress.say(bare.split(" (").next().unwrap_or(&bare).trim());
        } else {
            diagnostics.push_str(&text);
        }
        line.clear();
    }
    diagnostics
}

/// Whether `line` is one in which cargo says what it is doing. Its words end in column 12.
fn is_status(line: &str) -> bool {
    const WORDS: [&str; 12] =
        ["Adding", "Blocking", "Building", "Compiling", "Checking", "Dirty", "Downloaded", "Downloading", "Finished", "Fresh", "Locking", "Updating"];
    let word = line.split_whitespace().next().unwrap_or("");
    WORDS.contains(&word) && line.len() - line.trim_start().len() + word.len() == 12
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn artifact(folder: &str, kind: &str, name: &str, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","manifest_path":"{folder}/Cargo.toml","target":{{"name":"{name}","kind":["{kind}"]}},"executable":"{executable}"}}"#
        )
    }

    fn lab(name: &str, programs: &[&str]) -> LabFolder {
        let programs: String = programs.iter().map(|name| format!("[[program]]\nname = \"{name}\"\nsource = \"s.rs\"\nusage = \"u\"\n")).collect();
        let manifest = format!(
            "title = \"T\"\nsummary = \"S\"\nlevel = 1\ncalls = []\n{programs}[[check]]\nname = \"c\"\npoints = 1\nhints = [\"\", \"\", \"\"]\n"
        );
        let path = PathBuf::from(format!("/w/labs/{name}"));
        LabFolder { manifest: Manifest::parse(&manifest, &path).unwrap(), path, folder: name.into(), name: name.into() }
    }

    #[test]
    fn a_lab_needs_its_checks_and_all_its_programs_from_this_build() {
        let lines = [
            artifact("/w/labs/pipe", "bin", "pipe", "/t/debug/pipe"),
            "a build script says hello".into(),
            artifact("/w/labs/pipe", "test", "checks", "/t/debug/deps/checks-1"),
            artifact("/w/labs/fifo", "bin", "seqd", "/t/debug/seqd"),
            artifact("/w/labs/fifo", "test", "checks", "/t/debug/deps/checks-2"),
            artifact("/w/labs/tcp", "bin", "echod", "/t/debug/echod"),
            r#"{"reason":"build-finished","success":false}"#.into(),
        ];
        let (artifacts, finished) = artifacts(lines.join("\n").as_bytes()).unwrap();
        assert!(finished);
        let pipe = Executables { checks: "/t/debug/deps/checks-1".into(), programs: Places::folder("/t/debug") };
        assert_eq!(executables(&artifacts, &lab("pipe", &["pipe"])), Some(pipe));
        assert_eq!(executables(&artifacts, &lab("fifo", &["seqd", "seqc"])), None, "a program is missing");
        assert_eq!(executables(&artifacts, &lab("tcp", &["echod"])), None, "the checks are missing");
    }

    #[test]
    fn status_lines_are_not_diagnostics() {
        let cargo = "   Compiling pipe v0.1.0\nerror: expected `;`\n   Compiling is a word here: rustc's text\n    Finished `dev` profile\n";
        let progress = Progress::spinner("", false);
        assert_eq!(diagnostics(cargo.as_bytes(), &progress), "error: expected `;`\n");
        assert!(!is_status("error: could not compile `pipe`"));
    }
}
