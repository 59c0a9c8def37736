//! A finding as a page shows it: expected, observed, evidence, the program's lines, the next step.

use std::collections::BTreeMap;

use harness::finding::drawing::token;
use harness::finding::{Finding, Label};
use maud::{Markup, html};

use crate::report::page::text;

/// The finding.
#[must_use]
pub fn finding(finding: &Finding) -> Markup {
    html! {
        dl.facts {
            dt { "expected" } dd { (text(&finding.expected)) }
            dt { "observed" } dd {
                (text(&finding.observed))
                @if !finding.evidence.is_empty() {
                    ul { @for line in &finding.evidence { li { (text(line)) } } }
                }
            }
        }
        (code(finding))
        @if !finding.next.is_empty() {
            dl.facts { dt { "next step" } dd { (text(&finding.next)) } }
        }
    }
}

/// The labelled lines, file by file in the order in which they matter, line by line in the file's.
fn code(finding: &Finding) -> Markup {
    let mut files: Vec<(&str, BTreeMap<u32, Vec<&Label>>)> = Vec::new();
    for label in &finding.labels {
        let place = files.iter().position(|(file, _)| *file == label.place.file).unwrap_or_else(|| {
            files.push((&label.place.file, BTreeMap::new()));
            files.len() - 1
        });
        files[place].1.entry(label.place.line).or_default().push(label);
    }
    let first = finding.labels.first();
    html! {
        @for (file, lines) in &files {
            figure.code tabindex="0" role="group" aria-label=(format!("lines of {}", text(file))) {
                figcaption { code { (text(file)) } }
                ol {
                    @for (place, (number, labels)) in lines.iter().enumerate() {
                        @if place > 0 && !lines.contains_key(&number.saturating_sub(1)) { li.gap aria-hidden="true" { "⋮" } }
                        li { (line(*number, labels, first)) }
                    }
                }
            }
        }
    }
}

fn line(number: u32, labels: &[&Label], first: Option<&Label>) -> Markup {
    let source = labels.iter().map(|label| &*label.text).find(|text| !text.is_empty()).unwrap_or_default();
    let (start, end) = labels.first().map_or((0, 0), |label| token(source, label.place.column as usize));
    html! {
        span.n { (number) }
        span.s { (text(&source[..start])) mark { (text(&source[start..end])) } (text(&source[end..])) }
        @for label in labels {
            span class={ "l" @if !first.is_some_and(|first| std::ptr::eq(first, *label)) { " also" } } { "↑ " (text(&label.what)) }
        }
    }
}
