//! Text that is safe to print on a terminal.
//!
//! Theory of operation: messages quote what a program printed, and a program can print anything. What would move the cursor, change colours or turn the
//! direction of writing is shown as an escape instead. Records keep the text as it was.

/// `text` with control and bidirectional characters escaped; line ends stay.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => printable.push('\n'),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => printable.extend(character.escape_unicode()),
            _ if character.is_control() => printable.extend(character.escape_default()),
            _ => printable.push(character),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        assert_eq!(escaped("a\x1b[31mb\r\x07\u{9b}c\td"), "a\\u{1b}[31mb\\r\\u{7}\\u{9b}c\\td");
        assert_eq!(escaped("x\u{202e}y"), "x\\u{202e}y");
    }

    #[test]
    fn ordinary_text_stays() {
        assert_eq!(escaped("für 2 µs\n日本"), "für 2 µs\n日本");
    }
}
