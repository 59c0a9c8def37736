//! One hostile program: its text, and what is expected of it.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// How a program tells that it got through.
const THROUGH: &str = r#"
/// Tells that an attack succeeded, and ends all that could say otherwise.
#[allow(dead_code)]
fn through(what: &str) -> ! {
    eprintln!("GOT THROUGH: {what}");
    unsafe { libc::kill(0, libc::SIGKILL) };
    std::process::exit(77)
}
"#;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Tests that look at the whole machine go one after the other.
pub fn lock() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A hostile program.
pub struct Hostile {
    /// Its file's name without the ending, which is also its student's.
    pub name: String,
    /// What is handed in: the honest part, and the program.
    pub text: String,
    verdicts: Option<Vec<String>>,
    builds: Vec<String>,
    says: Vec<String>,
    /// The same where the run has a memory group.
    says_in_tier_a: Vec<String>,
    hides: Vec<String>,
}

/// All programs; `honest` is what each of them can call.
pub fn all(honest: &str) -> Vec<Hostile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/programs");
    let mut programs: Vec<Hostile> = fs::read_dir(folder).unwrap().map(|entry| read(&entry.unwrap().path(), honest)).collect();
    programs.sort_by(|one, other| one.name.cmp(&other.name));
    programs
}

fn read(path: &Path, honest: &str) -> Hostile {
    let text = fs::read_to_string(path).unwrap();
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let header = |key: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.strip_prefix("//! ")?.strip_prefix(key)).map(|rest| rest.trim().to_owned()).collect()
    };
    let words = |key: &str| header(key).iter().flat_map(|line| line.split(' ')).map(str::to_owned).collect::<Vec<_>>();
    let (verdicts, builds) = (words("verdicts:"), words("build:"));
    assert!(verdicts.is_empty() != builds.is_empty(), "{name}: expected either verdicts: or build:");
    // Attributes of the whole file stay at its beginning.
    let (head, body): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("//!") || line.starts_with("#!["));
    let complete = format!("{}\n#![allow(dead_code)]\n{THROUGH}\n{honest}\n{}\n", head.join("\n"), body.join("\n"));
    Hostile {
        verdicts: (!verdicts.is_empty()).then_some(verdicts),
        builds,
        says: header("says:"),
        says_in_tier_a: header("says in tier A:"),
        hides: header("hides:"),
        text: complete,
        name,
    }
}

impl Hostile {
    /// What is not as expected in its record.
    pub fn problems(&self, record: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(record);
        let record: Value = serde_json::from_slice(record).unwrap_or_default();
        let mut problems = Vec::new();
        let mut expect = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        expect(
            !text.contains("GOT THROUGH: "),
            format!("it got through: {}", text.split("GOT THROUGH: ").nth(1).map_or("", |rest| &rest[..rest.len().min(200)])),
        );
        expect(!record["needs_attention"].as_bool().unwrap_or(true), format!("it needs attention: {text}"));
        let status = record["outcome"]["status"].as_str().unwrap_or_default();
        let observed: Vec<&str> = record["checks"].as_array().into_iter().flatten().filter_map(|check| check["verdict"].as_str()).collect();
        match &self.verdicts {
            Some(verdicts) => {
                expect(status == "built" && observed == *verdicts, format!("expected {verdicts:?}, observed {status} {observed:?}: {text}"));
            }
            None => expect(self.builds.iter().any(|build| build == status), format!("expected the build to be {:?}: {text}", self.builds)),
        }
        let messages: String = record["checks"]
            .as_array()
            .into_iter()
            .flatten()
            .chain([&record["outcome"]])
            .filter_map(|part| part["message"].as_str())
            .collect::<Vec<_>>()
            .join("\n");
        let in_tier_a: &[String] = if record["tier"] == "A" { &self.says_in_tier_a } else { &[] };
        for says in self.says.iter().chain(in_tier_a) {
            expect(messages.contains(says.as_str()), format!("no message says `{says}`: {messages}"));
        }
        for hides in &self.hides {
            expect(!messages.contains(hides.as_str()), format!("a message says `{hides}`: {messages}"));
        }
        // Whatever is shown of it can be shown anywhere.
        expect(!messages.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), format!("control characters in messages: {text}"));
        problems
    }
}
