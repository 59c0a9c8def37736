//! The programs of the book, in Rust as cargo has built them and in C as `cc` builds them here, and how they are run.

#![allow(dead_code, reason = "each test executable uses a part of it")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// No program here runs for long. This is the last resort, for one that hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// The folder `docs/examples`.
pub fn examples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folder that holds `docs` and `labs`.
pub fn course() -> PathBuf {
    examples().ancestors().nth(2).expect("docs/examples lies two levels deep").to_path_buf()
}

/// The names of the files in a folder that end like this, without the ending, sorted.
pub fn names(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("read {}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            Some(entry.ok()?.file_name().to_str()?.strip_suffix(ending)?.to_owned())
        })
        .collect();
    names.sort();
    names
}

/// Where cargo has put the Rust program of this name.
pub fn rust(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_book-tcp-server")).with_file_name(format!("book-{name}"))
}

/// The program of this name in each language that this system can build.
pub fn both(name: &str) -> Vec<PathBuf> {
    std::iter::once(rust(name)).chain(c(name)).collect()
}

/// Builds the C program of this name; with a warning it does not count as built. None where the C
/// library's headers are not installed.
pub fn c(name: &str) -> Option<PathBuf> {
    if !headers_installed() {
        return None;
    }
    let draft = temporary(name);
    let source = examples().join("c").join(format!("{name}.c"));
    let more = ["-Wextra".as_ref(), "-Wpedantic".as_ref(), "-o".as_ref(), draft.as_os_str()];
    let complaints = compile(&source, &more);
    assert!(complaints.is_empty(), "{}:\n{complaints}", source.display());
    // In one step, since other tests build the same program and run it.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c-{name}"));
    fs::rename(&draft, &target)
        .unwrap_or_else(|error| panic!("make {}: {error}", target.display()));
    Some(target)
}

/// Whether C programs can be compiled and not only linked, which is all that Rust needs; says on
/// standard error if not. With `CI=true` that is an error.
pub fn headers_installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let probe = temporary("probe.c");
        fs::write(&probe, "#include <stdio.h>\n#include <sys/socket.h>\n").expect("a file");
        let installed = compile(&probe, &["-fsyntax-only".as_ref()]).is_empty();
        fs::remove_file(&probe).expect("our file");
        let strict = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(installed || !strict, "not skipped where CI=true: install gcc and libc6-dev");
        if !installed {
            eprintln!("the C programs are skipped: install gcc and libc6-dev");
        }
        installed
    })
}

/// A file that no other test and no other run of the tests uses.
pub fn temporary(name: &str) -> PathBuf {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{}-{number}-{name}", std::process::id()))
}

/// Runs `cc` on a source, with every warning an error, and gives what it says: nothing if all is well.
pub fn compile(source: &Path, more: &[&std::ffi::OsStr]) -> String {
    let output = Command::new("cc")
        .args(["-std=gnu17", "-Wall", "-Werror"])
        .arg(source)
        .args(more)
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "run cc: {error}; Rust needs it too, as its linker: install gcc and libc6-dev"
            )
        });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || !said.is_empty(), "cc: {}", output.status);
    said
}

/// How a program ended, and what it printed.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program to its end.
pub fn run(program: &Path, arguments: &[&str]) -> Ended {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("run {}: {error}", program.display()));
    let stdout = reader(child.stdout.take().expect("a pipe"));
    let stderr = reader(child.stderr.take().expect("a pipe"));
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("our child") {
            break status;
        }
        if begin.elapsed() > DEADLINE {
            child.kill().expect("our child");
            child.wait().expect("our child");
            panic!("{} {arguments:?} has not ended within {DEADLINE:?}", program.display());
        }
        thread::sleep(Duration::from_millis(2));
    };
    Ended {
        status,
        stdout: stdout.join().expect("a reader"),
        stderr: stderr.join().expect("a reader"),
    }
}

fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        from.read_to_end(&mut text).expect("a pipe can be read");
        String::from_utf8_lossy(&text).into_owned()
    })
}
