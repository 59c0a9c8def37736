//! The starter comes out of the solution.
//!
//! Theory of operation: a solution is ordinary code with comment markers, each on a line of its own. What stands between `// BEGIN SOLUTION` and
//! `// END SOLUTION` is left out; the `// STUB: code` lines directly before a `BEGIN SOLUTION` become `code`, with their own indentation. Nothing
//! else is touched, so that a line of the starter is a line of the solution. Anything that only looks like a marker is an error: a marker that
//! was missed would hand the solution to the class.

use std::fmt;
use std::path::Path;

const BEGIN: &str = "BEGIN SOLUTION";
const END: &str = "END SOLUTION";
const STUB: &str = "STUB:";

/// A marker that cannot be followed, with its file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadMarker {
    /// The file, as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub reason: String,
}

impl fmt::Display for BadMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

impl std::error::Error for BadMarker {}

/// What a line is to the starter.
enum Line<'a> {
    Begin,
    End,
    Stub(&'a str),
    Code,
    Malformed(&'static str),
}

/// The starter that comes out of `solution`. `file` is the name that errors carry.
///
/// # Errors
/// Markers that are unbalanced, nested or stray, `STUB` lines that no `BEGIN SOLUTION` follows, and markers that share their line with code.
pub fn starter(solution: &str, file: &Path) -> Result<String, BadMarker> {
    let bad = |line: usize, reason: String| BadMarker { file: file.display().to_string(), line, reason };
    let mut out = String::with_capacity(solution.len());
    let mut begun: Option<usize> = None;
    let mut last_stub: Option<usize> = None;
    for (number, line) in (1..).zip(solution.lines()) {
        let kind = classify(line);
        if let (Some(stub), Line::End | Line::Code) = (last_stub, &kind) {
            return Err(bad(stub, format!("a STUB must stand directly before `// {BEGIN}`, but line {number} is not one")));
        }
        match kind {
            Line::Malformed(reason) => return Err(bad(number, reason.to_owned())),
            Line::Begin => {
                if let Some(first) = begun {
                    return Err(bad(number, format!("`// {BEGIN}` inside the solution that line {first} begins; expected `// {END}` first")));
                }
                begun = Some(number);
                last_stub = None;
            }
            Line::End if begun.is_none() => return Err(bad(number, format!("`// {END}` without a `// {BEGIN}` before it"))),
            Line::End => begun = None,
            Line::Stub(_) if begun.is_some() => return Err(bad(number, format!("a STUB inside a solution; it stands directly before `// {BEGIN}`"))),
            Line::Stub(code) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                out.push_str(format!("{indent}{code}").trim_end());
                out.push('\n');
                last_stub = Some(number);
            }
            Line::Code if begun.is_some() => {}
            Line::Code => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    if let Some(line) = begun {
        return Err(bad(line, format!("`// {BEGIN}` without a `// {END}` after it")));
    }
    if let Some(line) = last_stub {
        return Err(bad(line, format!("a STUB must stand directly before `// {BEGIN}`, but the file ends")));
    }
    Ok(out)
}

/// A solution as it is to be read: without its markers.
#[must_use]
pub fn unmarked(solution: &str) -> String {
    solution.lines().filter(|line| matches!(classify(line), Line::Code | Line::Malformed(_))).map(|line| format!("{line}\n")).collect()
}

fn classify(line: &str) -> Line<'_> {
    let trimmed = line.trim();
    if let Some(comment) = trimmed.strip_prefix("//") {
        let comment = comment.trim_start();
        if comment == BEGIN {
            return Line::Begin;
        }
        if comment == END {
            return Line::End;
        }
        if let Some(code) = comment.strip_prefix(STUB) {
            return Line::Stub(code.strip_prefix(' ').unwrap_or(code));
        }
    }
    let upper = trimmed.to_ascii_uppercase();
    let marker_like = |word: &str| upper.split("//").skip(1).any(|comment| comment.trim_start_matches(['/', '!', ' ']).starts_with(word));
    if marker_like(BEGIN) || marker_like(END) {
        return Line::Malformed("a marker is a line of its own: `// BEGIN SOLUTION` or `// END SOLUTION`, with nothing before or after it");
    }
    if marker_like(STUB) {
        return Line::Malformed("a STUB is a line of its own: `// STUB: code`");
    }
    Line::Code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(solution: &str) -> Result<String, String> {
        starter(solution, Path::new("src/main.rs")).map_err(|bad| bad.to_string())
    }

    fn refused(solution: &str, start: &str) {
        let message = made(solution).expect_err("the markers are wrong");
        assert!(message.starts_with(start), "{message}");
    }

    #[test]
    fn the_solution_goes_and_the_stub_stays_with_its_indentation() {
        let solution =
            "fn f() -> i32 {\n    // STUB: let n = 1;\n    // STUB: todo!(\"n\")\n    // BEGIN SOLUTION\n    secret()\n    // END SOLUTION\n}\n";
        assert_eq!(made(solution).unwrap(), "fn f() -> i32 {\n    let n = 1;\n    todo!(\"n\")\n}\n");
    }

    #[test]
    fn a_solution_may_be_empty_or_without_a_stub_and_the_rest_is_untouched() {
        assert_eq!(
            made("//! a\n// BEGIN SOLUTION\n//! b\n// END SOLUTION\n// STUB: x\n// BEGIN SOLUTION\n// END SOLUTION\n\ty  \n").unwrap(),
            "//! a\nx\n\ty  \n"
        );
        assert_eq!(made("fn main() {}").unwrap(), "fn main() {}\n");
    }

    #[test]
    fn without_its_markers_it_is_the_solution() {
        assert_eq!(unmarked("a\n    // STUB: x\n    // BEGIN SOLUTION\n    b\n    // END SOLUTION\nc\n"), "a\n    b\nc\n");
    }

    #[test]
    fn a_begin_without_an_end_is_an_error_at_the_begin() {
        refused("a\n// BEGIN SOLUTION\nb\n", "src/main.rs:2: `// BEGIN SOLUTION` without");
    }

    #[test]
    fn an_end_without_a_begin_is_an_error() {
        refused("a\n// END SOLUTION\n", "src/main.rs:2: `// END SOLUTION` without");
    }

    #[test]
    fn nesting_is_an_error_at_the_inner_begin() {
        refused("// BEGIN SOLUTION\n// BEGIN SOLUTION\n// END SOLUTION\n", "src/main.rs:2: `// BEGIN SOLUTION` inside");
    }

    #[test]
    fn a_stray_stub_is_an_error_wherever_it_stands() {
        refused("// STUB: a\nfn f() {}\n// BEGIN SOLUTION\n// END SOLUTION\n", "src/main.rs:1: a STUB must stand directly before");
        refused("x\n// STUB: a\n", "src/main.rs:2: a STUB must stand directly before");
        refused("// BEGIN SOLUTION\n// STUB: a\n// END SOLUTION\n", "src/main.rs:2: a STUB inside a solution");
    }

    #[test]
    fn what_only_looks_like_a_marker_is_an_error() {
        for line in ["x(); // BEGIN SOLUTION", "// BEGIN SOLUTION:", "// begin solution", "/// END SOLUTION", "x // stub: y", "//! STUB: z"] {
            refused(line, "src/main.rs:1: a ");
        }
    }
}
