//! The pages of the book and the handouts hold together: no dead link, anchor, include or picture; no page, program or picture that nobody gets to; and no code that
//! is not compiled.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use support::{course, names};

/// What one page holds, as far as it is looked at here.
#[derive(Default)]
struct Page {
    anchors: BTreeSet<String>,
    links: Vec<(usize, String)>,
    pictures: Vec<(usize, String, String)>,
    code: Vec<(usize, String, String)>,
    titles: usize,
}

fn parse(text: &str) -> Page {
    let mut page = Page::default();
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let (mut heading, mut picture, mut code) =
        (None::<String>, None::<(usize, String, String)>, None::<(usize, String, String)>);
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let line = text[..range.start].matches('\n').count() + 1;
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                page.titles += usize::from(level == HeadingLevel::H1);
                heading = Some(String::new());
            }
            Event::End(TagEnd::Heading(_)) => {
                let name = anchor(&heading.take().unwrap_or_default());
                let before = used.entry(name.clone()).or_insert(0);
                page.anchors.insert(if *before == 0 {
                    name
                } else {
                    format!("{name}-{before}")
                });
                *before += 1;
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                page.links.push((line, dest_url.to_string()))
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                picture = Some((line, dest_url.to_string(), String::new()))
            }
            Event::End(TagEnd::Image) => page.pictures.extend(picture.take()),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                code = Some((line, language.to_string(), String::new()))
            }
            Event::End(TagEnd::CodeBlock) => page.code.extend(code.take()),
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
                if let Some(picture) = &mut picture {
                    picture.2.push_str(&words);
                }
                if let Some(code) = &mut code {
                    code.2.push_str(&words);
                }
            }
            _ => {}
        }
    }
    page
}

/// The anchor that mdBook and GitHub give a heading.
fn anchor(heading: &str) -> String {
    let kept =
        heading.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

/// The Markdown files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("read {}: {error}", folder.display()))
    {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(below(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn book() -> PathBuf {
    course().join("docs/src")
}

/// The book's pages, the handouts, and the files for readers at the top.
fn pages() -> Vec<PathBuf> {
    let mut all = below(&book());
    for entry in fs::read_dir(course().join("labs")).expect("labs") {
        all.push(entry.expect("a lab").path().join("README.md"));
    }
    all.extend(["README.md", "CHANGELOG.md"].map(|name| course().join(name)));
    all.retain(|path| path.is_file());
    all.sort();
    all
}

/// `path/../other` without the dots.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// The places of a page's includes: line, file, and the anchor in it.
fn includes(page: &Path) -> Vec<(usize, PathBuf, Option<String>)> {
    let mut found = Vec::new();
    for (number, line) in read(page).lines().enumerate() {
        if let Some(inside) =
            line.trim().strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"))
        {
            let (path, anchor) = inside
                .split_once(':')
                .map_or((inside, None), |(path, anchor)| (path, Some(anchor.to_owned())));
            found.push((
                number + 1,
                plain(&page.parent().expect("a folder").join(path)),
                anchor,
            ));
        }
    }
    found
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn links_lead_somewhere() {
    let mut problems = Vec::new();
    for path in pages() {
        let page = parse(&read(&path));
        for (line, link) in &page.links {
            let place = format!("{}:{line}", path.display());
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, wanted) = link
                .split_once('#')
                .map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() {
                path.clone()
            } else {
                plain(&path.parent().expect("a folder").join(file))
            };
            if !target.exists() {
                problems.push(format!(
                    "{place}: a link to {link}, and there is no {}",
                    target.display()
                ));
            } else if path.starts_with(book()) && !target.starts_with(book()) {
                problems.push(format!(
                    "{place}: a link to {link} leaves docs/src, and is dead in the built book"
                ));
            } else if let Some(wanted) = wanted
                && !anchors(&target).contains(wanted)
            {
                problems.push(format!(
                    "{place}: a link to {link}, and {} has no such heading",
                    target.display()
                ));
            }
        }
    }
    assert_none(&problems);
}

/// The anchors of a page, with those of what it includes.
fn anchors(page: &Path) -> BTreeSet<String> {
    let mut all = parse(&read(page)).anchors;
    for (_, path, _) in includes(page) {
        if path.extension().is_some_and(|extension| extension == "md") {
            all.extend(parse(&read(&path)).anchors);
        }
    }
    all
}

#[test]
fn includes_name_what_is_there() {
    let mut problems = Vec::new();
    for page in pages() {
        for (line, path, anchor) in includes(&page) {
            let place = format!("{}:{line}", page.display());
            let Ok(text) = fs::read_to_string(&path) else {
                problems.push(format!(
                    "{place}: an include of {}, which is not there",
                    path.display()
                ));
                continue;
            };
            if let Some(anchor) = anchor
                && !["ANCHOR", "ANCHOR_END"].iter().all(|word| {
                    text.lines().any(|line| line.trim().ends_with(&format!("{word}: {anchor}")))
                })
            {
                problems.push(format!("{place}: {} has no anchor {anchor}", path.display()));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn code_in_rust_and_c_comes_from_files_that_are_compiled() {
    let mut problems = Vec::new();
    for path in below(&book()) {
        for (line, language, text) in parse(&read(&path)).code {
            let mut words = language.split(',');
            let is_code = ["rust", "c"].contains(&words.next().unwrap_or_default());
            // `ignore` is a sketch, which says so.
            let included = text
                .lines()
                .filter(|line| !line.is_empty())
                .all(|line| line.starts_with("{{#include ") && line.ends_with("}}"));
            if is_code && !words.any(|word| word == "ignore") && !included {
                problems.push(format!(
                    "{}:{line}: code that no test compiles; include it from docs/examples",
                    path.display()
                ));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn every_program_and_every_output_is_in_the_book() {
    let included: BTreeSet<PathBuf> = below(&book())
        .iter()
        .flat_map(|page| includes(page))
        .map(|(_, path, _)| path)
        .collect();
    let examples = support::examples();
    let mut problems = Vec::new();
    for (folder, ending) in [
        ("src/bin", ".rs"),
        ("c", ".c"),
        ("output", ".txt"),
        ("src", "signatures.rs"),
        (".", "signatures.c"),
    ] {
        for name in names(&examples.join(folder), ending) {
            let path = plain(&examples.join(folder).join(format!("{name}{ending}")));
            if !included.contains(&path) {
                problems.push(format!("{}: no page includes it", path.display()));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn pictures_are_there_and_told_in_words_and_each_is_used() {
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for path in below(&book()) {
        for (line, picture, words) in parse(&read(&path)).pictures {
            let place = format!("{}:{line}", path.display());
            let target = plain(&path.parent().expect("a folder").join(&picture));
            if !target.is_file() {
                problems.push(format!("{place}: there is no picture {}", target.display()));
            }
            if words.split_whitespace().count() < 4 {
                problems.push(format!("{place}: the picture {picture} needs a sentence for those who do not see it"));
            }
            used.insert(target);
        }
    }
    let folder = book().join("pictures");
    for name in names(&folder, ".svg") {
        let path = folder.join(format!("{name}.svg"));
        if !used.contains(&path) {
            problems.push(format!("{}: no page shows it", path.display()));
        }
    }
    assert_none(&problems);
}

#[test]
fn the_summary_lists_every_page_once() {
    let summary = book().join("SUMMARY.md");
    let listed: Vec<PathBuf> = parse(&read(&summary))
        .links
        .into_iter()
        .map(|(_, link)| plain(&book().join(link)))
        .collect();
    let mut problems = Vec::new();
    for (position, path) in listed.iter().enumerate() {
        if listed[..position].contains(path) {
            problems.push(format!("{}: listed twice", path.display()));
        }
    }
    for path in below(&book()).into_iter().filter(|path| *path != summary) {
        if !listed.contains(&path) {
            problems.push(format!("{}: SUMMARY.md does not list it", path.display()));
        }
        let included = includes(&path).iter().any(|(line, included, _)| {
            *line == 1 && included.extension().is_some_and(|ending| ending == "md")
        });
        let titles = parse(&read(&path)).titles;
        if titles != 1 && !included {
            problems.push(format!(
                "{}: expected one title (`# …`), observed {titles}",
                path.display()
            ));
        }
    }
    assert_none(&problems);
}

#[test]
fn what_is_looked_for_is_found() {
    let page = parse(
        "# A title\n\n[one](a.md#b) ![some words for it](p.svg) `[not](a.md)`\n\n## The `exit` code, twice\n\n## The exit code twice\n\n```rust\nfn x() {}\n```\n",
    );
    assert_eq!(
        page.anchors.iter().map(String::as_str).collect::<Vec<_>>(),
        ["a-title", "the-exit-code-twice", "the-exit-code-twice-1"]
    );
    assert_eq!(page.links, [(3, "a.md#b".to_owned())]);
    assert_eq!(page.pictures, [(3, "p.svg".to_owned(), "some words for it".to_owned())]);
    assert_eq!(page.code, [(9, "rust".to_owned(), "fn x() {}\n".to_owned())]);
    assert_eq!(page.titles, 1);
}

#[test]
fn programs_are_narrow_enough_for_paper() {
    let mut problems = Vec::new();
    for page in below(&book()) {
        for (_, path, _) in includes(&page)
            .into_iter()
            .filter(|(_, path, _)| path.starts_with(support::examples()))
        {
            for (number, line) in
                read(&path).lines().enumerate().filter(|(_, line)| line.chars().count() > 96)
            {
                problems.push(format!(
                    "{}:{}: expected at most 96 columns, observed {}",
                    path.display(),
                    number + 1,
                    line.chars().count()
                ));
            }
        }
    }
    problems.sort();
    problems.dedup();
    assert_none(&problems);
}
