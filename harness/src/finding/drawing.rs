//! Findings drawn as rustc draws its own, with the same crate: the program's lines, with labels at the places that matter.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Finding, Label};

/// Columns of a drawing; longer lines are cut.
const WIDTH: usize = 160;

/// The finding's source lines with their labels; empty where there are none to show. With `styled` in colour.
#[must_use]
pub fn draw(finding: &Finding, styled: bool) -> String {
    let shown: Vec<&Label> = finding.labels.iter().filter(|label| !label.text.is_empty()).collect();
    let Some(first) = shown.first() else { return places_only(finding) };
    let mut files: Vec<&str> = Vec::new();
    for label in &shown {
        if !files.contains(&&*label.place.file) {
            files.push(&label.place.file);
        }
    }
    let sources: Vec<Source> = files.iter().map(|file| Source::new(shown.iter().copied().filter(|label| label.place.file == *file))).collect();
    let mut group = Group::with_title(Level::ERROR.primary_title(&*finding.observed));
    for (file, source) in files.iter().zip(&sources) {
        let mut snippet = Snippet::source(&*source.text).line_start(source.first_line).path(*file).fold(true);
        for (label, span) in &source.spans {
            let kind = if std::ptr::eq(*label, *first) { AnnotationKind::Primary } else { AnnotationKind::Context };
            snippet = snippet.annotation(kind.span(span.clone()).label(&*label.what));
        }
        group = group.element(snippet);
    }
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    let drawn = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH).render(&[group]);
    // The title is said elsewhere: what was observed.
    drawn.split_once('\n').map_or(String::new(), |(_, rest)| format!("{rest}\n"))
}

/// The places without their lines, where the source cannot be read.
fn places_only(finding: &Finding) -> String {
    finding.labels.iter().map(|label| format!("  --> {}:{}:{}: {}\n", label.place.file, label.place.line, label.place.column, label.what)).collect()
}

/// The labelled lines of one file, blank where nothing is labelled: the drawing folds those.
struct Source<'finding> {
    text: String,
    first_line: usize,
    spans: Vec<(&'finding Label, Range<usize>)>,
}

impl<'finding> Source<'finding> {
    fn new(labels: impl Iterator<Item = &'finding Label>) -> Self {
        let mut lines: BTreeMap<usize, Vec<&Label>> = BTreeMap::new();
        for label in labels {
            lines.entry(label.place.line as usize).or_default().push(label);
        }
        let first_line = lines.keys().next().copied().unwrap_or(1);
        let mut text = String::new();
        let mut spans = Vec::new();
        let mut current = first_line;
        for (line, labels) in lines {
            while current < line {
                text.push('\n');
                current += 1;
            }
            for label in &labels {
                let (start, end) = token(&label.text, label.place.column as usize);
                spans.push((*label, text.len() + start..text.len() + end));
            }
            text.push_str(&labels[0].text);
        }
        text.push('\n');
        Self { text, first_line, spans }
    }
}

/// The bytes of the name that begins at a column (from 1): a path such as `libc::read`, or one character. Where it begins, and where it ends.
#[must_use]
pub fn token(line: &str, column: usize) -> (usize, usize) {
    let start = column.saturating_sub(1).min(line.len());
    let start = (0..=start).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let rest = &line[start..];
    let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
    let length = if length == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { length };
    (start, start + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Place;

    fn label(line: u32, column: u32, what: &str, text: &str) -> Label {
        Label { place: Place { file: "src/main.rs".into(), path: String::new(), line, column }, what: what.into(), text: text.into() }
    }

    #[test]
    fn labels_stand_under_their_lines() {
        let finding = Finding::new("deadlock", "e", "o", "n")
            .at([label(31, 9, "waits here", "        libc::read(fd, buffer, 1)"), label(18, 5, "this pipe", "    libc::pipe(fds)")]);
        let drawn = draw(&finding, false);
        assert!(drawn.contains("src/main.rs:31:9"), "{drawn}");
        assert!(drawn.contains("^^^^^^^^^^ waits here") && drawn.contains("---------- this pipe"), "{drawn}");
    }

    #[test]
    fn without_source_the_places_are_listed() {
        let finding = Finding::new("deadlock", "e", "o", "n").at([label(31, 9, "waits here", "")]);
        assert_eq!(draw(&finding, false), "  --> src/main.rs:31:9: waits here\n");
    }

    #[test]
    fn a_label_covers_a_path() {
        assert_eq!(token("  libc::read(1)", 3), (2, 12));
        assert_eq!(token("x", 9), (1, 1));
    }
}
