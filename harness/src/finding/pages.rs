//! The pages that explain kinds of findings: what happened, why the kernel does that, an example before and after.
//!
//! They are chapters of the book, in `docs/src/findings`, and built into the command, so that both say the same. The examples are files of their own, which the tests
//! run.

use crate::manifest::did_you_mean;

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Its name, a stable word such as `end-of-file`.
    pub name: &'static str,
    markdown: &'static str,
    wrong: &'static str,
    mended: &'static str,
}

macro_rules! pages {
    ($($name:literal)+) => {
        [$(Page {
            name: $name,
            markdown: include_str!(concat!("../../../docs/src/findings/", $name, ".md")),
            wrong: include_str!(concat!("../../../docs/src/findings/", $name, ".rs")),
            mended: include_str!(concat!("../../../docs/src/findings/", $name, "-mended.rs")),
        }),+]
    };
}

/// All pages, those that beginners meet first before the others.
pub const PAGES: [Page; 16] = pages![
    "deadlock" "end-of-file" "leaked-descriptor" "zombie" "left-behind" "data-race" "lost-wakeup" "busy-waiting" "sleep" "short-transfer"
    "interrupted-call" "ignored-failure" "message-size" "byte-order" "sigpipe" "stale-pid"
];

impl Page {
    /// The page of this name.
    ///
    /// # Errors
    /// There is none; the text names the nearest.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        PAGES.iter().find(|page| page.name == name).ok_or_else(|| {
            let names: Vec<&str> = PAGES.iter().map(|page| page.name).collect();
            format!("there is no page `{name}`{}", did_you_mean(name, &names))
        })
    }

    /// Its title.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.markdown.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// The whole page in Markdown, with its examples.
    #[must_use]
    pub fn text(&self) -> String {
        let include = |file: &str| format!("{{{{#include {}{file}.rs}}}}\n", self.name);
        self.markdown.replace(&include(""), self.wrong).replace(&include("-mended"), self.mended)
    }
}

/// The page for findings of a kind, whatever led to them.
#[must_use]
pub fn of_kind(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "busy-waiting" => "busy-waiting",
        "data-race" | "lost-update" => "data-race",
        "deadlock" => "deadlock",
        "failure-unseen" | "kills-everyone" => "ignored-failure",
        "left-behind" => "left-behind",
        "sigpipe" => "sigpipe",
        "descriptor-inherited" | "descriptors" | "unused-end" => "leaked-descriptor",
        "zombie" => "zombie",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_parts_in_order_and_both_examples() {
        for page in PAGES {
            let text = page.text();
            let parts = [
                "# ",
                "## What happened\n",
                "## Why the kernel does that\n",
                "## An example that goes wrong\n",
                "fn main() {",
                "## The mend\n",
                "fn main() {",
                "\nSee ",
            ];
            let mut rest = &*text;
            for part in parts {
                rest = rest.split_once(part).unwrap_or_else(|| panic!("{}: `{}` is missing or in another place", page.name, part.trim())).1;
            }
            assert!(!text.contains("{{#include"), "{}", page.name);
            assert!(page.title().len() > 10, "{}", page.name);
        }
    }

    #[test]
    fn each_kind_leads_to_a_page_that_there_is() {
        for kind in [
            "busy-waiting",
            "data-race",
            "lost-update",
            "deadlock",
            "failure-unseen",
            "kills-everyone",
            "descriptor-inherited",
            "left-behind",
            "sigpipe",
            "unused-end",
            "descriptors",
            "zombie",
        ] {
            assert!(Page::named(of_kind(kind).unwrap()).is_ok(), "{kind}");
        }
        assert_eq!(of_kind("output"), None);
    }
}
