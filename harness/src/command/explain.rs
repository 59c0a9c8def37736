//! `lab explain`: the pages on kinds of findings, for a terminal.
//!
//! Theory of operation: a page is Markdown of a simple kind: headings, paragraphs, code. A paragraph's lines are joined and broken again at the terminal's width;
//! code stays as it is.

use super::layout::{self, BOLD, DIM, hang};
use super::{NoAnswer, print};
use crate::finding::pages::{PAGES, Page};

/// Columns that code stands to the right.
const INDENT: &str = "    ";

/// Prints the page called `name`, or the list of all.
pub fn perform(name: Option<&str>) -> Result<(), NoAnswer> {
    let width = layout::width(false);
    match name {
        None => print(list(), false),
        Some(name) => print(drawn(Page::named(name).map_err(NoAnswer::bad_input)?, width), false),
    }
}

fn list() -> String {
    let names = PAGES.iter().map(|page| page.name.len()).max().unwrap_or(0);
    let lines: String = PAGES.iter().map(|page| format!("{BOLD}{:names$}{BOLD:#}  {}\n", page.name, page.title())).collect();
    format!("{lines}{DIM}cargo lab explain NAME shows a page.{DIM:#}\n")
}

/// A page for a terminal of this width.
pub fn drawn(page: &Page, width: Option<usize>) -> String {
    let (mut out, mut paragraph, mut in_code) = (String::new(), String::new(), false);
    let text = page.text();
    // An empty line at the end ends the last paragraph.
    for line in text.lines().chain([""]) {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            out.push_str(format!("{INDENT}{line}").trim_end());
            out.push('\n');
        } else if let Some(heading) = line.strip_prefix('#') {
            out.push_str(&format!("{BOLD}{}{BOLD:#}\n", heading.trim_start_matches(['#', ' '])));
        } else if !line.is_empty() {
            paragraph.push_str(if paragraph.is_empty() { "" } else { " " });
            paragraph.push_str(line);
        } else {
            if !paragraph.is_empty() {
                hang(&mut out, "", DIM, 0, &std::mem::take(&mut paragraph), width);
            }
            out.push('\n');
        }
    }
    format!("{}\n", out.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_broken_at_the_width_and_its_code_is_not() {
        let page = Page::named("data-race").unwrap();
        let drawn = anstream::adapter::strip_str(&drawn(page, Some(60))).to_string();
        assert!(drawn.starts_with("A data race, and the update that it loses\n\nWhat happened\n\nTwo processes use"), "{drawn}");
        assert!(drawn.lines().filter(|line| !line.starts_with(INDENT)).all(|line| line.chars().count() <= 60), "{drawn}");
        assert!(drawn.contains("        counter.write_volatile(counter.read_volatile() + 1);") && !drawn.contains("```"), "{drawn}");
        assert!(!drawn.contains("\n\n\n"), "{drawn}");
    }
}
