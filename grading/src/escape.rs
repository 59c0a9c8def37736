//! Text from submissions made harmless for where it is shown: terminals and spreadsheets.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Text for a terminal or a record: control characters (newline and tab excepted) and the characters that turn the direction of
/// writing are shown as escapes and not sent, so that a submission cannot repaint what a teacher reads.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let turns_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (c.is_control() && c != '\n' && c != '\t') || turns_direction {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A file's name on one line: as [`shown`], and with newlines, tabs and bytes that are not UTF-8 as escapes too. Backslashes are doubled, so that
/// different names are shown differently.
#[must_use]
pub fn shown_name(name: &OsStr) -> String {
    let mut safe = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        safe.push_str(&shown(&chunk.valid().replace('\\', "\\\\")).replace('\n', "\\n").replace('\t', "\\t"));
        for byte in chunk.invalid() {
            safe.push_str(&format!("\\x{byte:02x}"));
        }
    }
    safe
}

/// A cell that no spreadsheet takes for a formula: one that begins like a formula gets an apostrophe in front.
#[must_use]
pub fn csv_cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// At most `limit` bytes of `text`, ended between two characters.
#[must_use]
pub fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_are_shown_and_not_sent() {
        assert_eq!(shown("a\u{1b}[2Jb\u{9b}31m\nc"), "a\\u{1b}[2Jb\\u{9b}31m\nc");
        assert_eq!(shown("\u{202e}txt.exe"), "\\u{202e}txt.exe");
    }

    #[test]
    fn names_that_are_not_utf8_keep_every_byte_visible() {
        assert_eq!(shown_name(OsStr::from_bytes(b"a\xff\nb")), "a\\xff\\nb");
        assert_eq!(shown_name(OsStr::new("a\\xff")), "a\\\\xff");
    }

    #[test]
    fn cells_that_begin_like_formulas_are_neutralised() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(csv_cell(cell), format!("'{cell}"));
        }
        assert_eq!(csv_cell("ann=1"), "ann=1");
    }

    #[test]
    fn a_cut_is_never_inside_a_character() {
        assert_eq!((cut("a\u{e9}b", 2), cut("a\u{e9}b", 3), cut("ab", 9)), ("a", "a\u{e9}", "ab"));
    }
}
