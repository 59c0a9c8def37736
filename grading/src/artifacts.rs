//! What cargo builds once for a lab: its check executable, and the libraries that its programs link.
//!
//! Theory of operation: cargo says in JSON, one message a line, which files it has made. Two calls are made. `cargo test --no-run` builds the check
//! executable. `cargo build` builds the lab's own programs and thereby the libraries with exactly the features that the lab asks for: in the first
//! call the harness's dependencies could have added some.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::manifest::LabFolder;
use serde::Deserialize;

use crate::failure::Failure;

/// The crates that a lab may depend on, and that its programs are linked with.
pub const LAB_DEPENDENCIES: [&str; 2] = ["libc", "memoffset"];

/// The files that cargo made for one lab.
#[derive(Debug, Clone)]
pub struct Artifacts {
    /// The check executable.
    pub checks: PathBuf,
    /// The libraries, by crate name.
    pub libraries: Vec<Library>,
}

/// One library that a lab's programs link.
#[derive(Debug, Clone)]
pub struct Library {
    /// The crate's name.
    pub name: String,
    /// The `.rlib`.
    pub file: PathBuf,
    /// The folder of its sources, which the compiler's messages may name.
    pub sources: PathBuf,
}

/// The part of cargo's `compiler-artifact` message that matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
    package_id: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

/// Has cargo build what the lab needs. `root` is the course's folder.
///
/// # Errors
/// Cargo cannot be started, the lab does not build (the text is cargo's own), or cargo made something other than expected.
pub fn build(root: &Path, lab: &LabFolder) -> Result<Artifacts, Failure> {
    let checks = cargo(root, &["test", "--no-run", "--package", &lab.name, "--test", "checks"])?
        .into_iter()
        .find_map(|message| message.target.filter(|target| target.name == "checks" && target.kind == ["test"]).and(message.executable))
        .ok_or_else(|| {
            Failure::Broken(format!("cargo built no check executable for {}: expected a [[test]] named `checks` in its Cargo.toml", lab.folder))
        })?;
    let mut libraries: Vec<Library> = Vec::new();
    for message in cargo(root, &["build", "--package", &lab.name, "--bins"])? {
        let Some(target) = message.target.filter(|target| target.kind == ["lib"] && LAB_DEPENDENCIES.contains(&&*target.name)) else { continue };
        let Some(file) = message.filenames.into_iter().find(|file| file.extension().is_some_and(|e| e == "rlib")) else { continue };
        if libraries.iter().any(|library| library.name == target.name) {
            let package = message.package_id.unwrap_or_default();
            return Err(Failure::Broken(format!(
                "cargo built `{}` twice for {} ({package}); a lab links one version of it",
                target.name, lab.folder
            )));
        }
        let sources = target.src_path.parent().map(Path::to_path_buf).unwrap_or_default();
        libraries.push(Library { name: target.name, file, sources });
    }
    Ok(Artifacts { checks, libraries })
}

/// Runs cargo in the course's folder; the artifact messages.
fn cargo(root: &Path, arguments: &[&str]) -> Result<Vec<Message>, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .output()
        .map_err(|error| Failure::Broken(format!("start cargo: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Broken(format!("`cargo {}` failed:\n{}", arguments.join(" "), said.trim_end())));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter(|line| line.starts_with('{')).map(serde_json::from_str::<Message>).collect::<Result<Vec<_>, _>>();
    let mut messages = messages.map_err(|error| Failure::Broken(format!("cargo's message cannot be read: {error}")))?;
    messages.retain(|message| message.reason == "compiler-artifact");
    Ok(messages)
}
