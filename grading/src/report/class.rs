//! The page of the class.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use crate::records::Records;
use crate::report::mistakes::{self, Mistake};
use crate::report::page::{address, counted, name, text};
use crate::report::{Course, distribution, finding, heat, page};
use crate::run::record::Status;

/// What sorts and filters.
const SCRIPT: &str = include_str!("class.js");

/// How many mistakes are shown.
const MOST_MISTAKES: usize = 20;

/// The page.
#[must_use]
pub fn page(records: &Records, course: &Course) -> String {
    let labs = records.labs();
    let mistakes = mistakes::most_common(records, 1, MOST_MISTAKES);
    let body = html! {
        a.skip href="#tables" { "Skip to the tables" }
        header {
            h1 { "Class report" }
            (facts(records, &labs))
            nav aria-label="Parts of this page" { ul {
                @if !records.attention().is_empty() { li { a href="#attention" { "Needs attention" } } }
                li { a href="#marks" { "Marks" } }
                li { a href="#mistakes" { "Mistakes" } }
                @if labs.len() > 1 { li { a href="#all" { "All labs" } } }
                @for lab in &labs { li { a href={ "#" (lab) } { (text(lab)) } } }
            } }
        }
        main {
            (attention(records))
            (marks(records, &labs, course))
            (common(&mistakes))
            div #tables {
                (controls())
                @if labs.len() > 1 {
                    section.lab { h2 #all { "All labs" } (heat::labs(records, &labs)) }
                }
                @for lab in &labs {
                    section.lab {
                        h2 id=(lab) { (text(lab)) @if !course.title(lab).is_empty() { " · " (text(course.title(lab))) } }
                        (heat::legend())
                        (heat::checks(records, lab))
                    }
                }
            }
        }
    };
    page::page("Class report", Some(SCRIPT), &body)
}

fn facts(records: &Records, labs: &[&str]) -> Markup {
    let mut tiers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut seeds = BTreeSet::new();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, record) in records.all() {
        *tiers.entry(record.tier.as_deref().unwrap_or("none: nothing was run")).or_default() += 1;
        seeds.insert(record.seed);
        versions.entry(&record.lab).or_default().insert(&record.lab_version);
    }
    let late = records.all().filter(|(student, record)| student.hundredths(record) < u64::from(record.points) * 100).count();
    let unbuilt = records.all().filter(|(_, record)| record.outcome.status != Status::Built).count();
    let mixed: Vec<&str> = versions.iter().filter(|(_, versions)| versions.len() > 1).map(|(lab, _)| *lab).collect();
    html! {
        dl.facts {
            dt { "students" } dd.number { (records.students.len()) }
            dt { "labs" } dd { (labs.len()) }
            dt { "submissions" } dd.number { (records.all().count()) " records, " (unbuilt) " of them without a program that could be built" }
            dt { "sandbox tier" } dd { @for (place, (tier, count)) in tiers.iter().enumerate() { @if place > 0 { " · " } (text(tier)) " (" (counted(*count, "record")) ")" } }
            dt { @if seeds.len() == 1 { "seed" } @else { "seeds" } } dd.number { @for (place, seed) in seeds.iter().enumerate() { @if place > 0 { ", " } (seed) } }
        }
        @if late > 0 { p { "Points on this page are those earned. The late policy deducts from " (counted(late, "record")) "; the students' pages and the exports have the marks." } }
        @if seeds.len() > 1 { p.note { "Not all students had the same inputs: there are records of several seeds. Grade all of them with one " code { "--seed" } "." } }
        @if !mixed.is_empty() {
            p.note { "Records of different versions of the same lab are mixed: " (text(&mixed.join(", "))) ". Start " code { "cargo grade run" } " again." }
        }
    }
}

fn attention(records: &Records) -> Markup {
    let lines: Vec<(Markup, String)> = records
        .all()
        .filter_map(|(student, record)| {
            let reason = record.attention()?;
            let link =
                html! { a href={ "students/" (address(&student.folder)) ".html#" (record.lab) } { (name(&student.name)) " " (text(&record.lab)) } };
            Some((link, reason))
        })
        .collect();
    html! {
        @if !lines.is_empty() {
            section aria-labelledby="attention" {
                h2 #attention { "Needs attention" }
                p { "What could not be observed counts 0 points until it is graded again: start " code { "cargo grade run" } " once more." }
                details open[lines.len() <= 10] {
                    summary { (counted(lines.len(), "record")) }
                    ul { @for (link, reason) in &lines { li { (link) ": " (text(reason)) } } }
                }
            }
        }
    }
}

fn marks(records: &Records, labs: &[&str], course: &Course) -> Markup {
    let totals: Vec<u32> = records.students.iter().map(|student| student.records.iter().map(|record| record.points).sum()).collect();
    let of = records.students.iter().map(|student| student.records.iter().map(|record| record.max_points).sum()).max().unwrap_or(0);
    html! {
        section aria-labelledby="marks" {
            h2 #marks { "Distribution of marks" }
            p.faint { "Students by their share of the points, in percent. Whoever handed in nothing that could be built is counted with 0." }
            div.charts {
                @if labs.len() > 1 { (distribution::chart(&html! { strong { "All labs" } }, &totals, of)) }
                @for lab in labs {
                    @let (points, of) = records.all().filter(|(_, record)| record.lab == *lab).fold((Vec::new(), 0), |(mut points, of), (_, record)| {
                        points.push(record.points);
                        (points, of.max(record.max_points))
                    });
                    (distribution::chart(&html! { a href={ "#" (lab) } { (text(lab)) } " " span.faint { (text(course.title(lab))) } }, &points, of))
                }
            }
        }
    }
}

fn common(mistakes: &[Mistake<'_>]) -> Markup {
    html! {
        section aria-labelledby="mistakes" {
            h2 #mistakes { "Most common mistakes" }
            @if mistakes.is_empty() { p { "None: every check passed." } } @else {
                p.faint { "Findings of the same check that differ at most in numbers and quoted text are one mistake. The example is of the first student who made it." }
                table.mistakes {
                    thead { tr { th scope="col" { "Students" } th scope="col" { "Lab" } th scope="col" { "Check" } th scope="col" { "Mistake" } } }
                    tbody { @for mistake in mistakes { tr {
                        td { (counted(mistake.students, "student")) }
                        td { (text(mistake.lab)) }
                        td { @match mistake.check { Some(check) => code { (text(&check.name)) }, None => "the compiler" } }
                        td { (text(mistake.observed)) (example(mistake)) }
                    } } }
                }
            }
        }
    }
}

fn example(mistake: &Mistake<'_>) -> Markup {
    let record = mistake.first.of(mistake.lab);
    html! {
        details {
            summary { "Example" }
            p { a href={ "students/" (address(&mistake.first.folder)) ".html#" (mistake.lab) } { (name(&mistake.first.name)) } }
            @match (mistake.check, record) {
                (Some(check), _) => @match &check.finding {
                    Some(found) => (finding::finding(found)),
                    None => pre tabindex="0" { (text(check.message.trim_end())) },
                },
                (None, Some(record)) => pre tabindex="0" { (text(&record.outcome.message)) },
                (None, None) => {},
            }
        }
    }
}

/// What asks which students are shown, in all tables at once. Without the script there is nothing to ask.
fn controls() -> Markup {
    html! {
        div.controls #controls role="search" hidden {
            div { label for="find" { "Student" } input #find type="search" autocomplete="off" spellcheck="false"; }
            div {
                label for="show" { "Show" }
                select #show {
                    option value="all" { "everyone" }
                    option value="less" { "less than full marks" }
                    option value="attention" { "needs attention" }
                    option value="unbuilt" { "nothing was built" }
                }
            }
            output #shown for="find show" role="status" {}
        }
    }
}
