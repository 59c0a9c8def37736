//! Text laid out for a terminal.
//!
//! Theory of operation: a terminal gets lines broken between words at its width, with what follows a label standing under it. Anything else gets one line for each
//! line of text, so that it can be searched. Widths are counted in characters, which is right for the text of the labs.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

use crate::check::printable::escaped;
use crate::verdict::Word;

/// The widest text that is comfortable to read.
const COMFORTABLE: usize = 110;
/// Where a narrow terminal is left to break lines itself.
const NARROW: usize = 40;

/// Headings and names.
pub const BOLD: Style = Style::new().bold();
/// What can be passed over.
pub const DIM: Style = Style::new().dimmed();

/// The style of a verdict's word. The word itself is always there too.
pub const fn style_of(word: Word) -> Style {
    match word {
        Word::Pass => AnsiColor::Green.on_default(),
        Word::Fail => AnsiColor::Red.on_default().bold(),
        Word::Broken => AnsiColor::Magenta.on_default().bold(),
        Word::Skipped => AnsiColor::Yellow.on_default(),
    }
}

/// The width to break lines at on standard output, if they are to be broken.
pub fn width(plain: bool) -> Option<usize> {
    if plain || !std::io::stdout().is_terminal() {
        return None;
    }
    let columns = usize::from(console::Term::stdout().size_checked()?.1);
    (columns >= NARROW).then(|| columns.min(COMFORTABLE))
}

/// Appends `label` and `text`, which hangs from column `indent`; the text is made safe to print.
pub fn hang(out: &mut String, label: &str, style: Style, indent: usize, text: &str, width: Option<usize>) {
    let label_width = label.chars().count();
    let mut start = format!("{style}{label}{style:#}{}", " ".repeat(indent.saturating_sub(label_width)));
    let room = width.map(|width| width.saturating_sub(indent).max(20));
    for line in escaped(text).lines().flat_map(|line| broken(line, room)) {
        out.push_str(&start);
        out.push_str(&line);
        out.push('\n');
        start = " ".repeat(indent);
    }
}

/// `line` in pieces no longer than `room`, where words allow it. White space at the start is kept: evidence is indented.
fn broken(line: &str, room: Option<usize>) -> Vec<String> {
    let Some(room) = room.filter(|room| line.chars().count() > *room) else { return vec![line.to_owned()] };
    let margin: String = line.chars().take_while(|character| *character == ' ').take(room / 2).collect();
    let mut pieces = vec![margin.clone()];
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        let piece = pieces.last_mut().expect("there is a first piece");
        let fresh = piece.chars().count() <= margin.len();
        if !fresh && piece.chars().count() + 1 + word.chars().count() > room {
            pieces.push(format!("{margin}{word}"));
        } else {
            if !fresh {
                piece.push(' ');
            }
            piece.push_str(word);
        }
    }
    pieces
}

/// `count` of `thing`, in the singular or the plural.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_hang_under_the_text() {
        let mut out = String::new();
        hang(&mut out, "next", Style::new(), 6, "aaaa bbbb cccc dddd eeee ffff gggg", Some(26));
        assert_eq!(out, "next  aaaa bbbb cccc dddd\n      eeee ffff gggg\n");
    }

    #[test]
    fn without_a_width_lines_stay_whole() {
        let mut out = String::new();
        hang(&mut out, "a", Style::new(), 2, &"word ".repeat(50), None);
        assert_eq!(out.lines().count(), 1);
    }

    #[test]
    fn indented_evidence_stays_indented_and_long_words_whole() {
        let long = "x".repeat(30);
        assert_eq!(broken(&format!("  ab {long} cd"), Some(20)), ["  ab".to_owned(), format!("  {long}"), "  cd".to_owned()]);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut out = String::new();
        hang(&mut out, "", Style::new(), 0, "a\x1b[2Jb", None);
        assert_eq!(out, "a\\u{1b}[2Jb\n");
    }
}
