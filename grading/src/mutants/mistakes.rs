//! The mistakes: small changes to the text of a program, each of which a student might have made.
//!
//! The changes are made to lines, by their looks: what does not compile afterwards is no mistake that a student can hand in, and is dropped.

use std::path::PathBuf;

use crate::sources::Source;

/// One change to one line of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, relative to the lab's folder.
    pub file: PathBuf,
    /// The line's number, from 0.
    number: usize,
    /// The line as it is in the solution, without margins.
    pub line: String,
    /// What is done to it, in words.
    pub what: String,
    /// The line as the mistake has it.
    changed: String,
}

impl Mistake {
    /// What tells it from the others: the file, what is done, and the line's own text, which moves less than its number.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} {} `{}`", self.file.display(), self.what, self.line)
    }

    /// The sources with the mistake in them.
    #[must_use]
    pub fn applied(&self, solution: &[Source]) -> Vec<Source> {
        let mut sources = solution.to_vec();
        for source in sources.iter_mut().filter(|source| source.path == self.file) {
            let text = String::from_utf8_lossy(&source.text).into_owned();
            let line = |(number, line): (usize, &str)| if number == self.number { format!("{}\n", self.changed) } else { line.to_owned() };
            source.text = text.split_inclusive('\n').enumerate().map(line).collect::<String>().into_bytes();
        }
        sources
    }
}

/// All mistakes in these sources.
#[must_use]
pub fn of(solution: &[Source]) -> Vec<Mistake> {
    solution
        .iter()
        .flat_map(|source| {
            let text = String::from_utf8_lossy(&source.text).into_owned();
            text.lines().enumerate().flat_map(|(number, line)| in_line(source, number, line)).collect::<Vec<_>>()
        })
        .collect()
}

fn in_line(source: &Source, number: usize, line: &str) -> Vec<Mistake> {
    let code = line.trim();
    if code.is_empty() || ["//", "#", "use ", "const ", "static ", "type "].iter().any(|start| code.starts_with(start)) {
        return Vec::new();
    }
    let mut mistakes = Vec::new();
    let mut add = |what: &str, changed: String| {
        mistakes.push(Mistake { file: source.path.clone(), number, line: code.to_owned(), what: what.to_owned(), changed });
    };
    if is_whole_statement(code) {
        add("without", String::new());
    }
    for (what, from, to) in [
        ("failure unseen in", "== -1", "== -2"),
        ("failure unseen in", "-1 =>", "-2 =>"),
        ("failure unseen in", "< 0", "< -9"),
        ("no retry in", "libc::EINTR", "libc::ENOMSG"),
        ("once instead of again and again:", "while ", "if "),
        ("off by one in", "+ 1", "+ 2"),
        ("off by one in", "- 1", "- 2"),
        ("the other way round in", "+=", "-="),
        ("byte order lost in", ".to_be()", ""),
        ("the wrong status in", "exit(1)", "exit(0)"),
        ("the wrong status in", "exit(2)", "exit(1)"),
        ("the wrong condition in", "!=", "=="),
        ("the wrong condition in", " && ", " || "),
    ] {
        if line.contains(from) {
            add(what, line.replacen(from, to, 1));
        }
    }
    for flag in flags(line) {
        for joined in [format!(" | {flag}"), format!("{flag} | ")] {
            if line.contains(&joined) {
                add(&format!("{flag} left out in"), line.replacen(&joined, "", 1));
                break;
            }
        }
    }
    mistakes
}

/// Whether the line is one statement that can be left out: no declaration, no way out, all brackets closed.
fn is_whole_statement(code: &str) -> bool {
    let excluded = ["let ", "return", "break", "continue", "}", "pub ", "fn "];
    let balanced = [('(', ')'), ('{', '}'), ('[', ']')].iter().all(|(open, close)| code.matches(*open).count() == code.matches(*close).count());
    code.ends_with(';') && balanced && !excluded.iter().any(|start| code.starts_with(start))
}

/// The constants of libc that the line names.
fn flags(line: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    line.match_indices("libc::")
        .map(|(at, prefix)| line[at + prefix.len()..].chars().take_while(|c| is_name(*c)).collect::<String>())
        .filter(|name| name.len() > 2)
        .map(|name| format!("libc::{name}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Vec<Source> {
        vec![Source { program: "p".into(), path: "src/main.rs".into(), text: text.into() }]
    }

    #[test]
    fn mistakes_are_made_one_at_a_time() {
        let solution =
            source("use a;\nfn main() {\n    close(fd);\n    if open(p, libc::O_CREAT | libc::O_EXCL) == -1 {\n        fail(\"open\");\n    }\n}\n");
        let mistakes = of(&solution);
        let places: Vec<String> = mistakes.iter().map(Mistake::place).collect();
        assert_eq!(places.len(), 5, "{places:#?}");
        assert!(
            places.contains(&"src/main.rs libc::O_EXCL left out in `if open(p, libc::O_CREAT | libc::O_EXCL) == -1 {`".to_owned()),
            "{places:#?}"
        );
        let first = String::from_utf8(mistakes[0].applied(&solution)[0].text.clone()).unwrap();
        assert_eq!(first, "use a;\nfn main() {\n\n    if open(p, libc::O_CREAT | libc::O_EXCL) == -1 {\n        fail(\"open\");\n    }\n}\n");
    }

    #[test]
    fn comments_and_declarations_are_left_alone() {
        assert_eq!(of(&source("// close(fd);\nconst A: i32 = -1;\nlet x = 1;\n")), Vec::new());
    }
}
