//! Heat maps: students by labs, and students by the checks of a lab. Colour is never alone: every cell says what it means.

use harness::verdict::Word;
use maud::{Markup, html};

use crate::records::{Records, StudentRecords};
use crate::report::page::{address, name, text};
use crate::run::record::{Check, Record, Status};

/// Students by labs: points.
#[must_use]
pub fn labs(records: &Records, labs: &[&str]) -> Markup {
    let sum = |student: &StudentRecords, of: fn(&Record) -> u32| student.records.iter().map(of).sum::<u32>();
    // Whoever lacks a record is measured by what the others could earn.
    let of = records.students.iter().map(|student| sum(student, |record| record.max_points)).max().unwrap_or(0);
    let total = |student: &StudentRecords| (sum(student, |record| record.points), of);
    html! {
        (scroll("Students by labs", &html! {
            table.heat {
                thead { tr {
                    (head("student", false)) (head("total", false))
                    @for lab in labs { (head(lab, true)) }
                } }
                tbody {
                    @for student in &records.students {
                        @let (points, _) = total(student);
                        tr class=[row_class(student.records.iter())] {
                            (row_head(student))
                            td class=(share(points, of)) { (points) }
                            @for lab in labs { (lab_cell(student.of(lab))) }
                        }
                    }
                }
                tfoot { tr {
                    th scope="row" { "mean" }
                    td { (mean(records.students.iter().map(total))) }
                    @for lab in labs { td { (mean(records.students.iter().filter_map(|student| student.of(lab)).map(|record| (record.points, record.max_points)))) } }
                } }
            }
        }))
    }
}

/// Students by the checks of a lab: verdicts.
#[must_use]
pub fn checks(records: &Records, lab: &str) -> Markup {
    let rows: Vec<(&StudentRecords, &Record)> = records.all().filter(|(_, record)| record.lab == lab).collect();
    // Records of other versions of the lab may have other checks: every name that occurs is a column, in the order of the first record that has it.
    let mut columns: Vec<&Check> = Vec::new();
    for check in rows.iter().flat_map(|(_, record)| &record.checks) {
        if !columns.iter().any(|known| known.name == check.name) {
            columns.push(check);
        }
    }
    html! {
        (scroll(&format!("Students by checks of {lab}"), &html! {
            table.heat {
                thead { tr {
                    (head("student", false)) (head("points", false))
                    @for check in &columns { (head(&format!("{} ({})", check.name, check.max_points), true)) }
                } }
                tbody {
                    @for (student, record) in &rows {
                        tr class=[row_class(std::iter::once(*record))] {
                            (row_head(student))
                            td class=(share(record.points, record.max_points)) { (record.points) }
                            @for column in &columns { (check_cell(record, record.checks.iter().find(|check| check.name == column.name))) }
                        }
                    }
                }
                tfoot { tr {
                    th scope="row" { "mean, passed" }
                    td { (mean(rows.iter().map(|(_, record)| (record.points, record.max_points)))) }
                    @for column in &columns {
                        @let passed = rows.iter().flat_map(|(_, record)| &record.checks).filter(|check| check.name == column.name && check.verdict == Word::Pass).count();
                        td { (passed * 100 / rows.len().max(1)) " %" }
                    }
                } }
            }
        }))
    }
}

/// What the cells of [`checks`] mean.
#[must_use]
pub fn legend() -> Markup {
    html! {
        ul.plain.legend {
            li { span.p { "2" } "pass, with its points" }
            li { span.f { "✗" } "fail" }
            li { span.s { "–" } "not done: a check before it failed" }
            li { span.s { "·" } "nothing was built" }
            li { span.b { "?" } "not observed, through no fault of the program" }
        }
    }
}

/// A part of the page that scrolls by itself; the keyboard reaches it.
fn scroll(label: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(text(label)) { (table) } }
}

fn head(label: &str, tall: bool) -> Markup {
    html! { th scope="col" class=[tall.then_some("tall")] { button type="button" disabled { (text(label)) } } }
}

fn row_head(student: &StudentRecords) -> Markup {
    html! { th scope="row" { a href={ "students/" (address(&student.folder)) ".html" } { (name(&student.name)) } } }
}

/// What the filter may ask of a row.
fn row_class<'a>(records: impl Iterator<Item = &'a Record>) -> Option<String> {
    let (mut less, mut attention, mut unbuilt) = (false, false, false);
    for record in records {
        less |= record.points < record.max_points;
        attention |= record.needs_attention;
        unbuilt |= record.outcome.status != Status::Built;
    }
    let words: Vec<&str> =
        [(less, "less"), (attention, "attention"), (unbuilt, "unbuilt")].iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    Some(words.join(" ")).filter(|words| !words.is_empty())
}

fn lab_cell(record: Option<&Record>) -> Markup {
    match record {
        None => html! { td {} },
        Some(record) if record.needs_attention => html! { td.b { "?" (record.points) } },
        Some(record) if record.outcome.status != Status::Built => html! { td.s { "·" } },
        Some(record) => html! { td class=(share(record.points, record.max_points)) { (record.points) } },
    }
}

fn check_cell(record: &Record, check: Option<&Check>) -> Markup {
    match check.map(|check| (check.verdict, check.points)) {
        None => html! { td {} },
        Some((Word::Pass, points)) => html! { td.p { (points) } },
        Some((Word::Fail, _)) => html! { td.f { "✗" } },
        Some((Word::Broken, _)) => html! { td.b { "?" } },
        Some((Word::Skipped, _)) if record.outcome.status != Status::Built => html! { td.s { "·" } },
        Some((Word::Skipped, _)) => html! { td.s { "–" } },
    }
}

/// The colour of points: five steps from none to all.
fn share(points: u32, of: u32) -> &'static str {
    match if of == 0 { 100 } else { u64::from(points) * 100 / u64::from(of) } {
        0..=24 => "q0",
        25..=49 => "q1",
        50..=74 => "q2",
        75..=99 => "q3",
        _ => "q4",
    }
}

/// The mean share of the points.
fn mean(points: impl Iterator<Item = (u32, u32)>) -> String {
    let (points, of) = points.fold((0_u64, 0_u64), |(points, of), (more, more_of)| (points + u64::from(more), of + u64::from(more_of)));
    (points * 100).checked_div(of).map_or("–".to_owned(), |percent| format!("{percent} %"))
}
