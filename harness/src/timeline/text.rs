//! A timeline in a terminal: a column for each process where there is room, else a line for each step that begins with the process's name.

use std::fmt::Write;

use super::{Step, Timeline};

/// The narrowest column, in characters.
const NARROWEST: usize = 26;
/// Characters for a step's number and the space after it.
const NUMBER: usize = 6;

/// The timeline in lines of at most `width` characters where columns fit; steps that stand out are marked with `!`.
#[must_use]
pub fn draw(timeline: &Timeline, width: usize) -> String {
    let lanes = timeline.lanes.len().max(1);
    let column = width.saturating_sub(NUMBER) / lanes;
    if column < NARROWEST { listed(timeline) } else { in_columns(timeline, column) }
}

fn in_columns(timeline: &Timeline, column: usize) -> String {
    let mut out = String::new();
    let heads: String = timeline.lanes.iter().map(|lane| cell(lane, column)).collect();
    let _ = writeln!(out, "{:NUMBER$}{}", "", heads.trim_end());
    let rules: String = timeline.lanes.iter().map(|lane| cell(&"-".repeat(lane.chars().count()), column)).collect();
    let _ = writeln!(out, "{:NUMBER$}{}", "", rules.trim_end());
    for (number, step) in timeline.steps.iter().enumerate() {
        let margin = " ".repeat(column * step.lane);
        // A step's words may reach into the columns to its right: nobody else has anything in this line.
        let _ = writeln!(out, "{:>4}{} {margin}{}", number + 1, mark(step), words(step));
    }
    out
}

fn listed(timeline: &Timeline) -> String {
    let widest = timeline.lanes.iter().map(|lane| lane.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (number, step) in timeline.steps.iter().enumerate() {
        let _ = writeln!(out, "{:>4}{} {}  {}", number + 1, mark(step), cell(&timeline.lanes[step.lane], widest), words(step));
    }
    out
}

fn mark(step: &Step) -> char {
    if step.stands_out { '!' } else { ' ' }
}

/// The step's words, with what led to it.
fn words(step: &Step) -> String {
    let mut words = step.text.clone();
    if step.times > 1 {
        let _ = write!(words, ", {} times", step.times);
    }
    if let Some(since) = step.since {
        let _ = write!(words, ", waited since before {}", since + 1);
    }
    if let Some(from) = step.from {
        let _ = write!(words, "  <- {}", from + 1);
    }
    words
}

fn cell(text: &str, width: usize) -> String {
    let cut: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{cut:width$}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn processes_have_columns_where_there_is_room() {
        let expected = [
            "      the parent                    the child",
            "      ----------                    ---------",
            "   1  pipe = 3, 4",
            "   2  fork: the child",
            "   3  write 4 (pipe A) = 5 bytes",
            "   4                                read 3 (pipe A) = 5 bytes  <- 3",
            "   5!                               read 3 (pipe A): never comes back",
            "",
        ]
        .join("\n");
        assert_eq!(draw(&sample(), 66), expected);
    }

    #[test]
    fn and_names_where_there_is_none() {
        let drawn = draw(&sample(), 40);
        assert!(drawn.contains("   4  the child   read 3 (pipe A) = 5 bytes  <- 3\n"), "{drawn}");
    }
}
