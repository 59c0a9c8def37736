//! Gradescope's manifest, `submission_metadata.yml`: who handed in which submission, and when.
//!
//! Theory of operation: it is a mapping from `submission_<n>` to what is known of it, written by Ruby, with symbols as keys (`:submitters`) and all former results
//! in it. Only a few scalars matter. They are picked out of the stream of events of a YAML parser by where they are; nothing is built from the rest, and
//! an alias is a name and not a copy, so that no manifest is larger in memory than what is taken from it.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

use super::people::moment;

/// How deep a manifest may be nested.
const DEPTH: usize = 64;

/// One submission of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// Everybody who handed it in.
    pub submitters: Vec<Submitter>,
    /// When, as RFC 3339 has it, in UTC.
    pub created_at: Option<String>,
}

/// One of those who handed in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submitter {
    /// The name.
    pub name: String,
    /// The student's number.
    pub sid: String,
    /// The address.
    pub email: String,
}

/// Reads the manifest.
///
/// # Errors
/// Text that is not YAML; the text has the line.
pub fn read(text: &str) -> Result<BTreeMap<String, Submission>, String> {
    let mut submissions = BTreeMap::new();
    let mut stack: Vec<Level> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if stack.len() >= DEPTH {
                    return Err(format!("it is nested deeper than {DEPTH}"));
                }
                let opened = Level { is_mapping: matches!(event, Event::MappingStart(..)), ..Level::default() };
                begin(&stack, opened.is_mapping, &mut submissions);
                stack.push(opened);
            }
            Event::MappingEnd | Event::SequenceEnd => {
                stack.pop();
                if let Some(level) = stack.last_mut() {
                    level.value_done();
                }
            }
            Event::Scalar(value, ..) => {
                let is_key = stack.last().is_some_and(|level| level.is_mapping && !level.has_key);
                if is_key {
                    let level = stack.last_mut().expect("it was looked at above");
                    level.key = value.trim_start_matches(':').to_owned();
                    level.has_key = true;
                } else {
                    note(&stack, &value, &mut submissions);
                    if let Some(level) = stack.last_mut() {
                        level.value_done();
                    }
                }
            }
            Event::Alias(_) => {
                if let Some(level) = stack.last_mut() {
                    level.value_done();
                }
            }
            _ => {}
        }
    }
    Ok(submissions)
}

/// A mapping or a sequence that is being read.
#[derive(Debug, Default)]
struct Level {
    is_mapping: bool,
    has_key: bool,
    key: String,
}

impl Level {
    /// A value is over, or a key that is no scalar: the next thing is a key, or the value of a key without a name.
    fn value_done(&mut self) {
        self.key.clear();
        self.has_key = self.is_mapping && !self.has_key;
    }
}

/// Whether everything around is as it is around what matters: the keys from the outside in.
fn keys(stack: &[Level]) -> Vec<&str> {
    stack.iter().map(|level| if level.is_mapping { &*level.key } else { "-" }).collect()
}

fn begin(stack: &[Level], is_mapping: bool, submissions: &mut BTreeMap<String, Submission>) {
    match keys(stack)[..] {
        [submission] if is_mapping && !submission.is_empty() => {
            submissions.entry(submission.to_owned()).or_default();
        }
        [submission, "submitters", "-"] if is_mapping => {
            if let Some(submission) = submissions.get_mut(submission) {
                submission.submitters.push(Submitter::default());
            }
        }
        _ => {}
    }
}

fn note(stack: &[Level], value: &str, submissions: &mut BTreeMap<String, Submission>) {
    match keys(stack)[..] {
        [submission, "created_at"] => {
            if let Some(submission) = submissions.get_mut(submission) {
                submission.created_at = moment(value);
            }
        }
        [submission, "submitters", "-", key] => {
            if let Some(submitter) = submissions.get_mut(submission).and_then(|submission| submission.submitters.last_mut()) {
                // What the parser gives for no value.
                let value = if value == "~" { String::new() } else { value.to_owned() };
                match key {
                    "name" => submitter.name = value,
                    "sid" => submitter.sid = value,
                    "email" => submitter.email = value,
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "---
submission_101:
  :submitters:
  - :name: Ann Example
    :sid: '0123'
    :email: ann@example.edu
  - :name: \"Bob: the Second\"
    :sid:
    :email: bob@example.edu
  :created_at: 2026-10-05 23:50:06.459570000 +02:00
  :score: 4.0
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    tests: &1
    - name: a
      created_at: 1999-01-01 00:00:00 Z
  :history:
  - :created_at: 2026-10-01 10:00:00.000000000 Z
    :results: *1
submission_102:
  :submitters:
  - :name: Eve
    :sid: '7'
    :email: eve@example.edu
  :created_at: 2026-10-06 00:00:00 Z
";

    #[test]
    fn people_and_times_are_picked_out() {
        let read = read(MANIFEST).unwrap();
        assert_eq!(read.len(), 2);
        let first = &read["submission_101"];
        assert_eq!(first.created_at.as_deref(), Some("2026-10-05T21:50:06.45957Z"));
        let names: Vec<&str> = first.submitters.iter().map(|submitter| &*submitter.name).collect();
        assert_eq!(names, ["Ann Example", "Bob: the Second"]);
        assert_eq!((&*first.submitters[0].sid, &*first.submitters[1].email), ("0123", "bob@example.edu"));
        assert_eq!(read["submission_102"].submitters[0].email, "eve@example.edu");
    }

    #[test]
    fn what_is_not_yaml_is_named_by_its_line() {
        assert!(read("a: 1\nb: [1, 2\nc: }").unwrap_err().starts_with("line "));
        assert!(read(&"[".repeat(100_000)).is_err());
        assert_eq!(read("").unwrap(), BTreeMap::new());
    }
}
