//! A course with the real harness and one small lab, and batches that are graded in it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

const LAB: &str = "01-relay";

/// The course.
pub struct Course {
    root: PathBuf,
    solution: String,
}

impl Course {
    /// The lab of `tests/hostile/course` in a workspace with this one's harness.
    pub fn new() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = here.parent().unwrap();
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-course");
        fs::create_dir_all(&root).unwrap();
        let lock = fs::File::create(root.join(".lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let manifest = fs::read_to_string(workspace.join("Cargo.toml")).unwrap();
        let line = |line: &str| if line.starts_with("members = ") { r#"members = ["harness", "labs/*"]"#.to_owned() } else { line.to_owned() };
        put(&root.join("Cargo.toml"), manifest.lines().map(|text| line(text) + "\n").collect::<String>().as_bytes());
        let lock_file = root.join("Cargo.lock");
        if !lock_file.exists() {
            fs::copy(workspace.join("Cargo.lock"), lock_file).unwrap();
        }
        if !root.join("harness").exists() {
            symlink(workspace.join("harness"), root.join("harness")).unwrap();
        }
        copy(&here.join("tests/hostile/course/labs"), &root.join("labs"));
        let solution = fs::read_to_string(root.join("labs").join(LAB).join("src/main.rs")).unwrap();
        Self { root, solution }
    }

    /// The right answer.
    pub fn solution(&self) -> &str {
        &self.solution
    }

    /// The right answer without its `main`.
    pub fn honest(&self) -> &str {
        let honest = self.solution.split("fn main()").next().unwrap();
        // What describes the whole file is at its beginning alone.
        honest.split_once("// BEGIN SOLUTION").unwrap().1
    }
}

/// Who grades.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// Whoever runs the tests.
    Own,
    /// Nobody, where root runs the tests.
    Nobody,
}

impl User {
    /// An ordinary user, where root can become one.
    pub fn ordinary() -> Option<Self> {
        let found = |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
        (rustix::process::geteuid().is_root() && found("setpriv") && found("unshare")).then_some(Self::Nobody)
    }
}

/// What `grade run` told.
#[derive(Debug)]
pub struct Told {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Submissions, an output folder, and a folder for temporary files.
pub struct Batch<'a> {
    course: &'a Course,
    user: User,
    folder: TempDir,
}

impl<'a> Batch<'a> {
    pub fn new(course: &'a Course, user: User) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["submissions", "out", "temporary"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { course, user, folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn hand_in(&self, student: &str, text: &str) {
        let folder = self.at("submissions").join(student).join(LAB).join("src");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("main.rs"), text).unwrap();
    }

    /// The text with the paths of this course and batch in it: an attacker may know them.
    pub fn with_places(&self, text: &str) -> String {
        let place = |path: &Path| path.to_string_lossy().into_owned();
        text.replace("@COURSE@", &place(&self.course.root))
            .replace("@OUT@", &place(&self.at("out")))
            .replace("@SUBMISSIONS@", &place(&self.at("submissions")))
    }

    /// Files that would run at build time, if they were taken.
    pub fn add_what_is_never_taken(&self, student: &str) {
        let lab = self.at("submissions").join(student).join(LAB);
        let mark = self.at("temporary").join("was-run");
        let script = format!("#!/bin/sh\ntouch {0}\nexec \"$@\"\n", mark.display());
        fs::create_dir_all(lab.join(".cargo")).unwrap();
        for (name, text) in [
            ("build.rs", format!("fn main() {{ std::fs::write(\"{}\", \"\").unwrap() }}", mark.display())),
            ("Cargo.toml", "[package]\nname = \"relay\"\nversion = \"0.1.0\"\nbuild = \"build.rs\"\n[dependencies]\nserde = \"1\"\n".to_owned()),
            (".cargo/config.toml", "[build]\nrustc-wrapper = \"./wrapper\"\nrustflags = [\"-Clinker=./wrapper\"]\n".to_owned()),
            ("rust-toolchain.toml", "[toolchain]\npath = \".\"\n".to_owned()),
            ("wrapper", script),
            ("checks.rs", "fn main() { println!(\"ok\") }".to_owned()),
        ] {
            fs::write(lab.join(name), text).unwrap();
            fs::set_permissions(lab.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// Grades all; the exit code and both outputs.
    pub fn grade(&self, seed: &str, jobs: usize) -> Told {
        let grade = env!("CARGO_BIN_EXE_grade");
        let mut command = match self.user {
            User::Own => Command::new(grade),
            User::Nobody => self.as_nobody(Path::new(grade)),
        };
        command.current_dir(&self.course.root);
        command.arg("run").arg(self.at("submissions")).arg("--out").arg(self.at("out"));
        command.args(["--seed", seed, "--jobs", &jobs.to_string()]);
        command.env("CARGO_TARGET_DIR", target()).env("CARGO_NET_OFFLINE", "true").env("NO_COLOR", "1").env("TMPDIR", self.at("temporary"));
        command.env("GRADER_SECRET", "open sesame").env_remove("LAB_SANDBOX");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Told { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    pub fn record(&self, student: &str) -> Vec<u8> {
        fs::read(self.at("out/records").join(student).join(format!("{LAB}.json"))).unwrap_or_default()
    }

    /// `grade` as nobody, in a mount namespace where compiler and target folder are within reach, and with a cargo that says what root's said: there is nothing
    /// left to build.
    fn as_nobody(&self, grade: &Path) -> Command {
        const SCRIPT: &str = "mount --bind \"$TOOLCHAIN\" \"$PLACE/toolchain\" && mount --bind \"$TARGET\" \"$PLACE/target\" && cd \"$COURSE\" && \
                              exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
        let place = self.at("reach");
        for name in ["toolchain", "target", "cargo"] {
            fs::create_dir_all(place.join(name)).unwrap();
        }
        let stub = place.join("cargo/cargo");
        fs::write(&stub, "#!/bin/sh\nexec cat \"$(dirname \"$0\")/$1.json\"\n").unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        let (target, reached) = (target().to_string_lossy().into_owned(), place.join("target").to_string_lossy().into_owned());
        for arguments in [&["test", "--no-run", "--package", "relay", "--test", "checks"][..], &["build", "--package", "relay", "--bins"]] {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut command = Command::new(cargo);
            command.current_dir(&self.course.root).args(arguments).arg("--message-format=json-render-diagnostics");
            let output = command.env("CARGO_TARGET_DIR", &target).env("CARGO_NET_OFFLINE", "true").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let said = String::from_utf8_lossy(&output.stdout).replace(&target, &reached);
            fs::write(place.join("cargo").join(arguments[0]).with_extension("json"), said).unwrap();
        }
        let sysroot = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).args(["--print", "sysroot"]).output().unwrap();
        let within = |path: &Path| path.to_string_lossy().replace(&target, &reached);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(within(grade));
        command.env("TOOLCHAIN", String::from_utf8_lossy(&sysroot.stdout).trim()).env("TARGET", &target).env("PLACE", &place);
        command.env("COURSE", within(&self.course.root)).env("CARGO", stub).env("RUSTC", place.join("toolchain/bin/rustc")).env("HOME", "/");
        command
    }

    /// What is left of the batch besides its records.
    pub fn left_behind(&self) -> Vec<String> {
        let names = |folder: &str| {
            let mut names: Vec<String> =
                fs::read_dir(self.at(folder)).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        let mut left = Vec::new();
        let expected = [".lock", "grades.csv", "records", "seed", "timelines"];
        let out: Vec<String> = names("out").into_iter().filter(|name| !expected.contains(&&**name)).collect();
        for (folder, names) in [("out", out), ("temporary", names("temporary"))] {
            if !names.is_empty() {
                left.push(format!("left in the folder {folder}: {names:?}"));
            }
        }
        left
    }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_path_buf()
}

/// Writes a file where it differs, since cargo builds again what is newer.
fn put(path: &Path, bytes: &[u8]) {
    if fs::read(path).ok().as_deref() != Some(bytes) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { copy(&entry.path(), &target) } else { put(&target, &fs::read(entry.path()).unwrap()) }
    }
}
