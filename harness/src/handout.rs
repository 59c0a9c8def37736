//! The promises of a handout: the list items below the heading *What the program promises* (or *promise*), one for each check.

/// One promise: the check that holds the program to it, and its text on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The name of the check.
    pub check: String,
    /// The text, without the check's name, white space folded.
    pub text: String,
}

/// The promises of a handout, in their order.
///
/// # Errors
/// A handout without the heading, or with an item under it that does not begin with `**name**:`; the text says the line.
pub fn promises(readme: &str) -> Result<Vec<Promise>, String> {
    let mut lines = readme.lines().enumerate().skip_while(|(_, line)| !is_heading(line));
    lines.next().ok_or("there is no heading `## What the program promises`")?;
    let mut promises: Vec<Promise> = Vec::new();
    for (number, line) in lines.take_while(|(_, line)| !line.starts_with('#')) {
        if let Some(item) = line.strip_prefix("- ") {
            let (check, text) = item
                .strip_prefix("**")
                .and_then(|rest| rest.split_once("**"))
                .and_then(|(name, text)| Some((name.trim_matches('`'), text.trim_start().strip_prefix(':')?)))
                .ok_or_else(|| format!("line {}: a promise begins with `- **check_name**: `", number + 1))?;
            promises.push(Promise { check: check.to_owned(), text: fold(text) });
        } else if line.starts_with("  ") && !line.trim().is_empty() {
            let last = promises.last_mut().ok_or_else(|| format!("line {}: text before the first promise", number + 1))?;
            last.text = fold(&format!("{} {line}", last.text));
        }
    }
    Ok(promises)
}

fn is_heading(line: &str) -> bool {
    line.starts_with("## What the program") && line.trim_end().trim_end_matches('s').ends_with("promise")
}

/// White space folded to single blanks.
#[must_use]
pub fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The doc comments of the functions in `checks.rs`, by name: what the source promises.
#[must_use]
pub fn documented_checks(source: &str) -> Vec<Promise> {
    let mut documented = Vec::new();
    let mut comment = String::new();
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("///") {
            comment.push(' ');
            comment.push_str(text);
        } else {
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            if let Some(name) = name.filter(|_| !comment.is_empty()) {
                documented.push(Promise { check: name.to_owned(), text: fold(&comment) });
            }
            if !line.starts_with('#') {
                comment.clear();
            }
        }
    }
    documented
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_may_run_over_several_lines() {
        let readme = "# T\n\n## What the program promises\n\nSome text.\n\n- **a_b**: One\n  two.\n- **c**: Three.\n\n## Traps\n- **d**: no\n";
        let promises = promises(readme).unwrap();
        assert_eq!(promises.len(), 2);
        assert_eq!((&*promises[0].check, &*promises[0].text), ("a_b", "One two."));
        assert_eq!((&*promises[1].check, &*promises[1].text), ("c", "Three."));
    }

    #[test]
    fn a_promise_without_its_check_is_an_error_with_its_line() {
        assert_eq!(promises("## What the program promises\n- nothing\n"), Err("line 2: a promise begins with `- **check_name**: `".into()));
    }

    #[test]
    fn doc_comments_belong_to_the_function_below_them() {
        let source = "/// First\n/// line.\nfn a(lab: &Lab) -> Verdict {\n}\n// no\nfn b() {}\n";
        assert_eq!(documented_checks(source), vec![Promise { check: "a".into(), text: "First line.".into() }]);
    }
}
