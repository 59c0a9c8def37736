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

use harness::sandbox::enclosure::{Answer, Request};
use serde::Deserialize;

use crate::artifacts::Library;
use crate::enclosed;
use crate::escape::{cut, shown};
use crate::failure::Failure;
use crate::sources::Source;
use crate::supervise::{self, Limits};

/// What the compiler may use. The processor time decides; the wall clock is for a compiler that waits (for a FIFO that it was told to include).
const WALL: Duration = Duration::from_secs(180);
const CPU_SECONDS: u64 = 30;
const MEMORY_BYTES: u64 = 3 << 30;
const FILE_BYTES: u64 = 256 << 20;
/// Processes and threads of the compiler and the linker.
const PROCESSES: u64 = 256;

/// The same for a compiler that is not enclosed.
fn limits() -> Limits {
    Limits { wall: WALL, cpu_seconds: Some(CPU_SECONDS), memory_bytes: Some(MEMORY_BYTES), core_bytes: Some(0), file_bytes: Some(FILE_BYTES) }
}

/// Where things are in the enclosure.
const TOOLCHAIN: &str = "/toolchain";
const LIBRARIES: &str = "/libraries";
const SOURCES: &str = "/source";
const OUTPUT: &str = "/tmp";

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
    /// The executable that encloses it, or why it is not enclosed.
    pub enclosure: Result<PathBuf, String>,
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
        let search_path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let enclosure = enclosed::helper().ok_or_else(|| "the command `grade` is not beside this one".to_owned());
        let mut compiler = Self { rustc, sysroot, search_path, enclosure, version };
        // The whole of it is tried once: what one machine refuses another allows, and no student's program is to find out.
        if let Err(reason) = compiler.try_enclosure() {
            compiler.enclosure = Err(reason);
        }
        Ok(compiler)
    }

    fn try_enclosure(&self) -> Result<(), String> {
        let Ok(helper) = &self.enclosure else { return Ok(()) };
        let attempt = || {
            let folder = tempfile::tempdir().map_err(|error| Failure::machine("make a folder in", &std::env::temp_dir(), &error))?;
            let source = Source { program: "probe".into(), path: "main.rs".into(), text: b"fn main() {}".to_vec() };
            let place = Place { lab_folder: "probe", sources: folder.path(), programs: folder.path(), scratch: folder.path() };
            self.build_enclosed(helper, &source, &[], &place)
        };
        match attempt() {
            Ok(Built::Program) => Ok(()),
            Ok(Built::Errors(text) | Built::Refused(text) | Built::Unclear(text)) => Err(text),
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// Builds one program whose source has been laid out at `place`.
    ///
    /// # Errors
    /// The compiler cannot be started, or the disk is full.
    pub fn build(&self, source: &Source, libraries: &[Library], place: &Place<'_>) -> Result<Built, Failure> {
        if source.path.extension().is_some_and(|extension| extension == "c") {
            return in_c(source, place);
        }
        match &self.enclosure {
            Ok(helper) => self.build_enclosed(helper, source, libraries, place),
            Err(_) if has_assembly(&source.text) => Ok(Built::Refused(format!(
                "expected no assembly, since this machine cannot enclose the compiler, and an assembler reads any file; observed that {} has the word `asm`; \
                 take that out, and hand in again",
                source.path.display()
            ))),
            Err(_) => self.build_unenclosed(source, libraries, place),
        }
    }

    /// The compiler's arguments, for a source in the folder `sources`, with libraries in the places given.
    fn arguments(
        source: &Source,
        libraries: &[(String, PathBuf)],
        lab_folder: &str,
        sources: &Path,
        executable: &Path,
        dep_info: &Path,
    ) -> Vec<String> {
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        let mut arguments: Vec<String> = ["--edition", "2024", "--crate-type", "bin", "--error-format", "json"].map(str::to_owned).to_vec();
        arguments.extend(["-C", "debuginfo=line-tables-only", "-C", "embed-bitcode=no", "--crate-name"].map(str::to_owned));
        arguments.push(source.program.replace('-', "_"));
        arguments.push(format!("--emit=link={},dep-info={}", shown(executable), shown(dep_info)));
        // The sources may lie in a folder whose name is different every time; the program must not be.
        arguments.extend(["--remap-path-prefix".to_owned(), format!("{}=labs/{lab_folder}", shown(sources))]);
        for (name, file) in libraries {
            arguments.extend(["--extern".to_owned(), format!("{name}={}", shown(file))]);
            if let Some(folder) = file.parent() {
                arguments.extend(["-L".to_owned(), format!("dependency={}", shown(folder))]);
            }
        }
        arguments.push(shown(&source.path));
        arguments
    }

    /// Builds where there is nothing to read but the standard library, the lab's libraries and the source.
    fn build_enclosed(&self, helper: &Path, source: &Source, libraries: &[Library], place: &Place<'_>) -> Result<Built, Failure> {
        let (executable, dep_info) = (place.programs.join(&source.program), place.scratch.join(format!("{}.d", source.program)));
        let (made, made_list) = (Path::new(OUTPUT).join(&source.program), Path::new(OUTPUT).join("files.d"));
        let within = |library: &Library| (library.name.clone(), Path::new(LIBRARIES).join(library.file.file_name().unwrap_or_default()));
        let placed: Vec<(String, PathBuf)> = libraries.iter().map(within).collect();
        let mut command = vec![self.within(&self.rustc)];
        command.extend(Self::arguments(source, &placed, place.lab_folder, Path::new(SOURCES), &made, &made_list));
        let search_path = self.search_path.to_string_lossy().into_owned();
        let request = Request {
            command,
            environment: [("PATH", &*search_path), ("TMPDIR", OUTPUT), ("LC_ALL", "C")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            readable: std::iter::once((self.sysroot.clone(), PathBuf::from(TOOLCHAIN)))
                .chain(libraries.iter().zip(&placed).map(|(library, (_, place))| (library.file.clone(), place.clone())))
                .collect(),
            given: vec![(Path::new(SOURCES).join(&source.path), source.text.clone())],
            directory: PathBuf::from(SOURCES),
            wanted: vec![(made, executable.clone()), (made_list, dep_info.clone())],
            cpu_seconds: CPU_SECONDS,
            memory_bytes: MEMORY_BYTES,
            file_bytes: FILE_BYTES,
            processes: PROCESSES,
        };
        let ended = enclosed::run(helper, &request, WALL, place.scratch).map_err(|error| Failure::machine("run", &self.rustc, &error))?;
        let (code, signal) = match ended.answer {
            None => (None, None),
            Some(Answer::Exited(code)) => (Some(code), None),
            Some(Answer::Killed(signal)) => (None, Some(signal)),
            Some(Answer::Refused(reason) | Answer::Failed(reason)) => return Err(Failure::Broken(format!("enclose the compiler: {reason}"))),
        };
        let over_time = code.is_none() && signal.is_none();
        let outcome = Outcome { code, signal, over_time, said: &ended.said };
        let built = self.judge(source, libraries, place, &outcome, &executable, &dep_info)?;
        if built == Built::Program {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&executable, open).map_err(|error| Failure::machine("open", &executable, &error))?;
        } else if executable.exists() {
            fs::remove_file(&executable).map_err(|error| Failure::machine("remove", &executable, &error))?;
        }
        Ok(built)
    }

    /// The path of a file of the toolchain inside.
    fn within(&self, file: &Path) -> String {
        let place = file.strip_prefix(&self.sysroot).map_or_else(|_| file.to_path_buf(), |rest| Path::new(TOOLCHAIN).join(rest));
        place.to_string_lossy().into_owned()
    }

    /// Builds where the system refuses namespaces: limits, an empty environment, and a look at the list of the files that were read.
    fn build_unenclosed(&self, source: &Source, libraries: &[Library], place: &Place<'_>) -> Result<Built, Failure> {
        let executable = place.programs.join(&source.program);
        let dep_info = place.scratch.join(format!("{}.d", source.program));
        let mut command = Command::new(&self.rustc);
        // An empty environment, so that `env!` finds nothing; the linker is found by PATH, and writes below TMPDIR.
        command.env_clear().env("PATH", &self.search_path).env("TMPDIR", place.scratch).env("LC_ALL", "C");
        let placed: Vec<(String, PathBuf)> = libraries.iter().map(|library| (library.name.clone(), library.file.clone())).collect();
        command.current_dir(place.sources).args(Self::arguments(source, &placed, place.lab_folder, place.sources, &executable, &dep_info));
        let ended = supervise::run(&mut command, &limits(), place.scratch).map_err(|error| Failure::machine("run", &self.rustc, &error))?;
        let signal = std::os::unix::process::ExitStatusExt::signal(&ended.status);
        let outcome = Outcome { code: ended.status.code(), signal, over_time: ended.over_time, said: &ended.stderr };
        self.judge(source, libraries, place, &outcome, &executable, &dep_info)
    }

    fn judge(
        &self,
        source: &Source,
        libraries: &[Library],
        place: &Place<'_>,
        ended: &Outcome<'_>,
        executable: &Path,
        dep_info: &Path,
    ) -> Result<Built, Failure> {
        let said = String::from_utf8_lossy(ended.said);
        if self.enclosure.is_err() && (said.contains("No space left on device") || said.contains("Disk quota exceeded")) {
            return Err(Failure::BadInput(format!(
                "the compiler found no room to write below {}: make room, then start again",
                place.scratch.display()
            )));
        }
        if ended.over_time {
            return Ok(Built::Unclear(format!(
                "the compiler was still waiting after {} s: does the source include something that is no file?",
                WALL.as_secs()
            )));
        }
        if let Some(limit) = limit_reached(ended, &said) {
            return Ok(Built::Errors(format!(
                "expected a program that can be built; observed that {limit}; look for what makes it grow without end"
            )));
        }
        let diagnostics: Vec<Diagnostic> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ours = |file: &str| self.may_show(file, source, libraries, place.lab_folder);
        if let Some(file) = diagnostics.iter().flat_map(Diagnostic::files).find(|file| !ours(file)) {
            return Ok(Built::Refused(refusal(source, &file)));
        }
        if ended.code == Some(0) {
            // A program without its list of files was not checked: it is refused by the error.
            let list = fs::read_to_string(dep_info).map_err(|error| Failure::machine("read", dep_info, &error))?;
            if let Some(file) = included(&list).into_iter().find(|file| !ours(file)) {
                fs::remove_file(executable).map_err(|error| Failure::machine("remove", executable, &error))?;
                return Ok(Built::Refused(refusal(source, &file)));
            }
            return Ok(Built::Program);
        }
        let errors = || diagnostics.iter().filter(|d| d.level == "error" && !d.message.starts_with("aborting due to"));
        if ended.code != Some(1) || errors().next().is_none() {
            let how = ended.signal.map_or_else(|| format!("exit status {}", ended.code.unwrap_or(-1)), |signal| format!("signal {signal}"));
            return Ok(Built::Unclear(format!("the compiler itself failed ({how})")));
        }
        let text: String = errors().map(|d| d.rendered.as_deref().unwrap_or(&d.message).trim_end().to_owned() + "\n\n").collect();
        let mut text = text.replace(&format!("{}/", place.scratch.display()), "").replace(&format!("labs/{}/", place.lab_folder), "");
        for library in libraries {
            // Where the machine keeps its libraries is nobody's business.
            text = text.replace(&*library.sources.to_string_lossy(), &library.name);
        }
        for (within, shown) in [(&*self.sysroot.to_string_lossy(), "rust"), (TOOLCHAIN, "rust"), (LIBRARIES, "libraries"), (OUTPUT, "build")] {
            text = text.replace(&format!("{within}/"), &format!("{shown}/"));
        }
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
            || path.starts_with(TOOLCHAIN)
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
    let ended = supervise::run(&mut command, &limits(), place.scratch).map_err(|error| Failure::machine("run", Path::new("cc"), &error))?;
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

/// How the compiler ended.
struct Outcome<'a> {
    code: Option<i32>,
    signal: Option<i32>,
    over_time: bool,
    said: &'a [u8],
}

/// Which limit the compiler met, if it was one.
fn limit_reached(ended: &Outcome<'_>, said: &str) -> Option<String> {
    const ABORTED: i32 = 6;
    const OVER_TIME: i32 = 24;
    const TOO_LARGE: i32 = 25;
    let no_memory =
        ["memory allocation of ", "out of memory", "Cannot allocate memory", "failed to allocate"].iter().any(|words| said.contains(words));
    match ended.signal {
        Some(OVER_TIME) => Some(format!("the compiler used more than {CPU_SECONDS} s of processor time")),
        Some(TOO_LARGE) => Some(format!("the compiler wrote a file of more than {} MiB", FILE_BYTES >> 20)),
        Some(ABORTED) if no_memory => Some(format!("the compiler asked for more than {} GiB of memory", MEMORY_BYTES >> 30)),
        _ => None,
    }
}

/// Whether a source can hold assembly: the macros have no other names, and a name cannot be put together.
fn has_assembly(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| ["asm", "global_asm", "naked_asm"].contains(&word))
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
