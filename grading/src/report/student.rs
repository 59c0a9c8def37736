//! The page of one student.

use harness::verdict::Word;
use maud::{Markup, html};

use crate::export::{KEPT_BACK, KeptBack, ToldCheck, in_words, told};
use crate::late::decimal;
use crate::records::StudentRecords;
use crate::report::page::{counted, name, prose, text};
use crate::report::{Course, finding, page, timeline};
use crate::run::record::{Record, Status};
use crate::run::timelines::Timelines;

/// The page. `timelines` gives those of a record, `released` says that the marks are.
#[must_use]
pub fn page(student: &StudentRecords, timelines: &dyn Fn(&Record) -> Option<Timelines>, course: &Course, released: bool) -> String {
    let hundredths = student.records.iter().map(|record| student.hundredths(record)).sum();
    let (points, of) = (decimal(hundredths), student.records.iter().map(|record| record.max_points).sum::<u32>());
    let body = html! {
        main.reading {
            h1 { (name(&student.name)) }
            p.number { strong { (points) " of " (of) " points" } @if student.records.len() > 1 { " in " (counted(student.records.len(), "lab")) } }
            @if student.records.len() > 1 {
                nav aria-label="Labs" {
                    ul { @for record in &student.records { li { a href={ "#" (record.lab) } { (text(&record.lab)) } " " span.faint.number { (decimal(student.hundredths(record))) "/" (record.max_points) } } } }
                }
            }
            @for record in &student.records { (lab(student, record, timelines(record).as_ref(), course, released)) }
        }
    };
    page::page(&format!("{}: {points} of {of} points", student.name), None, &body)
}

fn lab(student: &StudentRecords, record: &Record, timelines: Option<&Timelines>, course: &Course, released: bool) -> Markup {
    let title = course.title(&record.lab);
    html! {
        section aria-labelledby=(record.lab) {
            h2 id=(record.lab) { (text(&record.lab)) @if !title.is_empty() { " · " (text(title)) } }
            p.number {
                (record.points) " of " (record.max_points) " points"
                span.faint { " · seed " (record.seed) @if let Some(tier) = &record.tier { " · sandbox tier " (text(tier)) } }
            }
            @if let Some(mark) = student.marks.get(&record.lab).filter(|mark| mark.days_late > 0) {
                p {
                    "Handed in " (counted(usize::try_from(mark.days_late).unwrap_or_default(), "day")) " late"
                    @if mark.grace_days > 0 { ", " (mark.grace_days) " of grace" }
                    @if !mark.note.is_empty() { ", " (mark.note) }
                    ": " (mark.percent) " % are deducted, and "
                    strong { (mark.points()) " of " (record.max_points) " points" } " count."
                }
            }
            @if record.needs_attention {
                p.note { strong { "Not final." } " Something could not be observed, through no fault of the program. An instructor will look at it." }
            }
            @match record.outcome.status {
                Status::Built => {},
                Status::CompileError => {
                    p { "The program does not compile, so that no check could be done:" }
                    pre tabindex="0" { (text(&record.outcome.message)) }
                },
                Status::MissingFile | Status::Refused => { p { "There is no program to check: " (text(&record.outcome.message)) } },
            }
            @if record.outcome.status == Status::Built {
                @let told = told(record, released);
                @for told in &told.shown { (check(record, told, timelines, course)) }
                @if let Some(kept_back) = &told.kept_back { (total(kept_back)) }
            }
        }
    }
}

fn total(kept_back: &KeptBack) -> Markup {
    html! {
        article.check {
            header { h3 { "Other checks" } span.number { (kept_back.points) " of " (kept_back.max_points) " points" } }
            p { (KEPT_BACK) }
        }
    }
}

fn check(record: &Record, told: &ToldCheck<'_>, timelines: Option<&Timelines>, course: &Course) -> Markup {
    let check = told.check;
    let help = course.check(&record.lab, &check.name);
    html! {
        article class={ "check " (check.verdict.as_str()) } {
            header {
                h3 { code { (text(&check.name)) } }
                span class={ "word " (check.verdict.as_str()) } { (in_words(check.verdict)) }
                span.number { (check.points) " of " (check.max_points) " points" }
            }
            @if let Some(promise) = help.map(|help| &help.promise).filter(|promise| !promise.is_empty()) { p.faint { (prose(promise)) } }
            @if check.verdict != Word::Pass {
                @match told.finding {
                    Some(found) => (finding::finding(found)),
                    // One line, as it is where a check before it failed, is no block of code.
                    None if told.message.trim_end().lines().count() <= 1 => p { (text(told.message.trim_start_matches("reason:").trim())) },
                    None => pre tabindex="0" { (text(told.message.trim_end())) },
                }
                // Whoever is not told the finding is not shown the run either.
                @if let Some(run) = timelines.and_then(|timelines| timelines.of(&check.name)).filter(|_| told.finding.is_some()) {
                    (timeline::drawn(run, &format!("{} {}", record.lab, check.name)))
                }
                @if check.verdict == Word::Fail {
                    @if let Some(help) = help {
                        @for (place, hint) in help.hints.iter().enumerate() { details { summary { "Hint " (place + 1) " of " (help.hints.len()) } p { (prose(hint)) } } }
                    }
                }
                @if check.verdict != Word::Skipped && !told.replay.is_empty() { p.faint { "The same again: " code { (text(told.replay)) } } }
            }
        }
    }
}
