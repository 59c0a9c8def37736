//! One program, built by rustc without cargo.
//!
//! Theory of operation: a submission is source text and nothing else, so that building it needs no build script, no configuration and no resolver:
//! rustc is called directly (and not through rustup's shim, which costs as much as a small compilation) with the flags of cargo's dev profile, an
//! environment that holds only a search path for the linker, and limits on time, memory and file size.
//!
//! A compiler reads files that the source names: `include_str!("/etc/…")` would carry them into the program, or into a message. Every file that went into a
//! program is in its dep-info, and every file that a message shows is in the message's spans; both are looked at, and anything but the source
//! itself, the standard library and the lab's libraries is refused, without showing what it held.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::artifacts::Library;
use crate::escape::{cut, shown};
use crate::failure::Failure;
use crate::sources::Source;
use crate::supervise::{self, Ended, Limits};

/// What the compiler may use. The processor time decides; the wall clock is for a compiler that waits (for a FIFO that it was told to include).
const LIMITS: Limits = Limits { wall: Duration::from_secs(180), cpu_seconds: Some(30), memory_bytes: Some(3 << 30), file_bytes: Some(256 << 20) };

/// The longest compiler message that is kept.
const MESSAGE_BYTES: usize = 16 << 10;

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Built {
    /// The program is there.
    Program,
    /// The compiler found errors; its message, with paths as in the lab.
    Errors(String),
    /// The source asks for something that a submission may not have.
    Refused(String),
    /// The compiler crashed or ran out of time: nothing certain is known about the source.
    Unclear(String),
}

/// The compiler of the course.
#[derive(Debug, Clone)]
pub struct Compiler {
    rustc: PathBuf,
    sysroot: PathBuf,
    search_path: OsString,
    /// What `rustc --version --verbose` says.
    pub version: String,
}

impl Compiler {
    /// Finds the compiler that cargo uses in the course's folder.
    ///
    /// # Errors
    /// No rustc, or one that cannot say where it lives.
    pub fn find(root: &Path) -> Result<Self, Failure> {
        let ask = |rustc: &Path, arguments: &[&str]| {
            let output = Command::new(rustc).current_dir(root).args(arguments).output();
            let output = output.map_err(|error| Failure::Broken(format!("start {}: {error}", rustc.display())))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(Failure::Broken(format!("{} {}: {said}", rustc.display(), arguments.join(" "))));
            }
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let shim = PathBuf::from(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let sysroot = PathBuf::from(ask(&shim, &["--print", "sysroot"])?);
        let direct = sysroot.join("bin/rustc");
        let rustc = if direct.is_file() { direct } else { shim };
        let version = ask(&rustc, &["--version", "--verbose"])?;
        Ok(Self { rustc, sysroot, search_path: std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()), version })
    }

    /// Builds one program whose source has been laid out at `place`.
    ///
    /// # Errors
    /// The compiler cannot be started, or the disk is full.
    pub fn build(&self, source: &Source, libraries: &[Library], place: &Place<'_>) -> Result<Built, Failure> {
        if source.path.extension().is_some_and(|extension| extension == "c") {
            return in_c(source, place);
        }
        let executable = place.programs.join(&source.program);
        let dep_info = place.scratch.join(format!("{}.d", source.program));
        let mut command = Command::new(&self.rustc);
        // An empty environment, so that `env!` finds nothing; the linker is found by PATH, and writes below TMPDIR.
        command.env_clear().env("PATH", &self.search_path).env("TMPDIR", place.scratch).env("LC_ALL", "C");
        command.current_dir(place.sources);
        command.args([
            "--edition",
            "2024",
            "--crate-type",
            "bin",
            "--error-format",
            "json",
            "-C",
            "debuginfo=line-tables-only",
            "-C",
            "embed-bitcode=no",
        ]);
        command.args(["--crate-name", &source.program.replace('-', "_")]);
        command.arg(format!("--emit=link={},dep-info={}", executable.display(), dep_info.display()));
        // The sources lie in a folder whose name is different every time; the program must not be.
        command.arg("--remap-path-prefix").arg(format!("{}=labs/{}", place.sources.display(), place.lab_folder));
        for library in libraries {
            command.arg("--extern").arg(format!("{}={}", library.name, library.file.display()));
            if let Some(folder) = library.file.parent() {
                command.arg("-L").arg(format!("dependency={}", folder.display()));
            }
        }
        command.arg(&source.path);
        let ended = supervise::run(&mut command, &LIMITS, place.scratch).map_err(|error| Failure::machine("run", &self.rustc, &error))?;
        self.judge(source, libraries, place, &ended, &executable, &dep_info)
    }

    fn judge(
        &self,
        source: &Source,
        libraries: &[Library],
        place: &Place<'_>,
        ended: &Ended,
        executable: &Path,
        dep_info: &Path,
    ) -> Result<Built, Failure> {
        let said = String::from_utf8_lossy(&ended.stderr);
        if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
            return Err(Failure::BadInput(format!(
                "the compiler found no room to write below {}: make room, then start again",
                place.scratch.display()
            )));
        }
        if ended.over_time {
            return Ok(Built::Unclear(format!(
                "the compiler was still waiting after {} s: does the source include something that is no file?",
                LIMITS.wall.as_secs()
            )));
        }
        let diagnostics: Vec<Diagnostic> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ours = |file: &str| self.may_show(file, source, libraries, place.lab_folder);
        if let Some(file) = diagnostics.iter().flat_map(Diagnostic::files).find(|file| !ours(file)) {
            return Ok(Built::Refused(refusal(source, &file)));
        }
        if ended.status.success() {
            // A program without its list of files was not checked: it is refused by the error.
            let list = fs::read_to_string(dep_info).map_err(|error| Failure::machine("read", dep_info, &error))?;
            if let Some(file) = included(&list).into_iter().find(|file| !ours(file)) {
                fs::remove_file(executable).map_err(|error| Failure::machine("remove", executable, &error))?;
                return Ok(Built::Refused(refusal(source, &file)));
            }
            return Ok(Built::Program);
        }
        let errors = || diagnostics.iter().filter(|d| d.level == "error" && !d.message.starts_with("aborting due to"));
        if ended.status.code() != Some(1) || errors().next().is_none() {
            return Ok(Built::Unclear(format!("the compiler itself failed ({})", ended.status)));
        }
        let text: String = errors().map(|d| d.rendered.as_deref().unwrap_or(&d.message).trim_end().to_owned() + "\n\n").collect();
        let text = text.replace(&format!("{}/", place.scratch.display()), "").replace(&format!("labs/{}/", place.lab_folder), "");
        Ok(Built::Errors(shown(cut(text.trim_end(), MESSAGE_BYTES))))
    }

    fn may_show(&self, file: &str, source: &Source, libraries: &[Library], lab_folder: &str) -> bool {
        let path = Path::new(file);
        if path.components().any(|part| part == std::path::Component::ParentDir) {
            return false;
        }
        path == source.path
            || path.strip_prefix("labs").is_ok_and(|rest| rest.strip_prefix(lab_folder).is_ok_and(|rest| rest == source.path))
            || path.starts_with(&self.sysroot)
            || path.starts_with("/rustc/")
            // rustc's name for what a derive or a built-in macro has made.
            || (file.starts_with('<') && file.ends_with('>'))
            || libraries.iter().any(|library| path.starts_with(&library.sources))
    }
}

/// Builds a program in C with the C compiler that rustc links with. Only the course's own submissions can be in C: students hand in what `lab.toml` names.
fn in_c(source: &Source, place: &Place<'_>) -> Result<Built, Failure> {
    let mut command = Command::new("cc");
    command.current_dir(place.sources).env("TMPDIR", place.scratch).env("LC_ALL", "C");
    command
        .args(["-std=gnu11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-pthread", "-o"])
        .arg(place.programs.join(&source.program))
        .arg(&source.path);
    let ended = supervise::run(&mut command, &LIMITS, place.scratch).map_err(|error| Failure::machine("run", Path::new("cc"), &error))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    // Warnings count too: these submissions are examples.
    Ok(if ended.status.success() && said.is_empty() { Built::Program } else { Built::Errors(shown(cut(said.trim_end(), MESSAGE_BYTES))) })
}

/// Where a build takes place.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The lab's folder name.
    pub lab_folder: &'a str,
    /// The folder below which the sources lie as in the lab.
    pub sources: &'a Path,
    /// The folder for executables.
    pub programs: &'a Path,
    /// The folder for everything else.
    pub scratch: &'a Path,
}

fn refusal(source: &Source, file: &str) -> String {
    format!(
        "expected one file, complete in itself; observed that {} includes {}; take that out, and hand in again",
        source.path.display(),
        shown(file)
    )
}

/// The files that the dep-info names: what stands after the executable's colon, blanks escaped with a backslash.
fn included(dep_info: &str) -> Vec<String> {
    let mut files = Vec::new();
    // Each file also has a line of its own with nothing after the colon, so those lines are enough, and have no blank to be told from a separator.
    for line in dep_info.lines().filter(|line| !line.starts_with('#')) {
        if let Some(file) = line.strip_suffix(':') {
            files.push(file.replace("\\ ", " "));
        }
    }
    files
}

/// One message of the compiler.
#[derive(Deserialize)]
struct Diagnostic {
    message: String,
    level: String,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    children: Vec<Diagnostic>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    expansion: Option<Box<Expansion>>,
}

#[derive(Deserialize)]
struct Expansion {
    span: Span,
    def_site_span: Option<Span>,
}

impl Diagnostic {
    /// Every file that the message shows a line of.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        self.spans.iter().for_each(|span| span.files(&mut files));
        self.children.iter().for_each(|child| files.extend(child.files()));
        files
    }
}

impl Span {
    fn files(&self, files: &mut Vec<String>) {
        files.push(self.file_name.clone());
        if let Some(expansion) = &self.expansion {
            expansion.span.files(files);
            if let Some(definition) = &expansion.def_site_span {
                definition.files(files);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds `text` as the program `p` of a lab `01-x`.
    fn built(text: &str) -> Built {
        let folder = tempfile::tempdir().unwrap();
        let source = Source { program: "p".into(), path: "src/main.rs".into(), text: text.as_bytes().to_vec() };
        for name in ["sources", "programs"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let (sources, programs) = (folder.path().join("sources"), folder.path().join("programs"));
        crate::sources::lay_out(std::slice::from_ref(&source), &sources).unwrap();
        let place = Place { lab_folder: "01-x", sources: &sources, programs: &programs, scratch: folder.path() };
        let built = Compiler::find(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap().build(&source, &[], &place).unwrap();
        assert_eq!(programs.join("p").exists(), built == Built::Program, "{built:?}");
        built
    }

    #[test]
    fn a_right_program_is_built_and_warnings_do_not_matter() {
        assert_eq!(built("fn unused() {}\nfn main() { println!(\"{:?}\", Some(1)); }"), Built::Program);
    }

    #[test]
    fn an_error_names_the_file_as_the_lab_does() {
        let Built::Errors(message) = built("fn main() {\n    let n: u8 = \"x\";\n}") else { panic!("it has a type error") };
        assert!(message.starts_with("error[E0308]: mismatched types\n"), "{message}");
        assert!(message.contains("--> src/main.rs:2:17"), "{message}");
    }

    #[test]
    fn other_files_are_refused_and_not_shown() {
        for text in [
            "fn main() { print!(\"{}\", include_str!(\"/etc/passwd\")); }",
            "include!(\"/etc/passwd\");\nfn main() {}",
            "#[path = \"/etc/passwd\"]\nmod secret;\nfn main() {}",
        ] {
            let Built::Refused(message) = built(text) else { panic!("{:?}", built(text)) };
            assert!(message.contains("includes /etc/passwd") && !message.contains("root"), "{message}");
        }
    }

    #[test]
    fn the_environment_is_empty() {
        let Built::Errors(message) = built("fn main() { print!(\"{}\", env!(\"HOME\")); }") else { panic!("HOME is not defined there") };
        assert!(message.contains("HOME"), "{message}");
    }

    #[test]
    fn a_source_that_eats_all_memory_is_stopped() {
        assert!(matches!(
            built("static Z: &[u8] = include_bytes!(\"/dev/zero\");\nfn main() { println!(\"{}\", Z[0]); }"),
            Built::Unclear(_) | Built::Errors(_)
        ));
    }
}
