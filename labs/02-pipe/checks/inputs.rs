//! Words for the runs, drawn from the seed.

use harness::prelude::*;

/// Letters of one to four bytes.
const LETTERS: [&str; 8] = ["a", "k", "z", "é", "ß", "→", "語", "🦀"];

/// A word of so many lower-case letters.
fn long_word(lab: &Lab, length: u64) -> String {
    (0..length).map(|_| char::from(b'a' + lab.number(0..26) as u8)).collect()
}

/// A word of so many letters of one to four bytes.
fn foreign_word(lab: &Lab, length: u64) -> String {
    (0..length).map(|_| LETTERS[lab.number(0..LETTERS.len() as u64) as usize]).collect()
}

/// The words in an order drawn from the seed.
fn shuffled(lab: &Lab, mut words: Vec<String>) -> Vec<String> {
    for last in (1..words.len()).rev() {
        words.swap(last, lab.number(0..last as u64 + 1) as usize);
    }
    words
}

/// What a pipe holds, in bytes; pipe(7).
const PIPE_HOLDS: u64 = 65_536;

/// Few words, of which one alone is longer than a pipe holds. One argument can have 128 KiB at most; execve(2).
pub fn longer_than_a_pipe(lab: &Lab) -> Vec<String> {
    let lengths = [lab.number(PIPE_HOLDS + 1..PIPE_HOLDS + 2000), lab.number(100..300), lab.number(100..300)];
    shuffled(lab, lengths.map(|length| long_word(lab, length)).into())
}

/// Thousands of short words that are together longer than a pipe holds, but not by much: an answer may well read byte by byte.
pub fn thousands_of_words(lab: &Lab) -> Vec<String> {
    let mut left = PIPE_HOLDS + 1;
    let mut words = Vec::new();
    while left > 0 {
        let length = lab.number(20..30);
        words.push(long_word(lab, length));
        left = left.saturating_sub(length);
    }
    words
}

/// Words that are longer than what a write to a pipe takes whole, which is PIPE_BUF (4096) bytes.
pub fn longer_than_an_atomic_write(lab: &Lab) -> Vec<String> {
    let lengths = [lab.number(9_000..11_000), lab.number(100..300), lab.number(5_000..6_000)];
    shuffled(lab, lengths.map(|length| long_word(lab, length)).into())
}

/// Empty words, and nothing else.
pub fn empty_words(count: usize) -> Vec<String> {
    vec![String::new(); count]
}

/// Empty words at the beginning, at the end and next to each other, and words that look like options or hold unusual characters. Few enough bytes that each
/// write is whole.
pub fn unusual_words(lab: &Lab) -> Vec<String> {
    let mut unusual: Vec<String> = ["-x", "--", "--help", "two words", " ", "a\ttab", "\\n", "%s", "\"'", "\r"].map(String::from).into();
    unusual.push(foreign_word(lab, 12));
    let [first, second] = [(); 2].map(|()| vec![String::new()]);
    let apart = [lab.word(), String::new(), String::new(), lab.word()];
    [first, shuffled(lab, unusual), apart.into(), second].concat()
}

/// A long word of characters of several bytes, an empty one, and short ones.
pub fn mixed_words(lab: &Lab) -> Vec<String> {
    let mut words = lab.words(3..6);
    words.extend([foreign_word(lab, 900), String::new(), foreign_word(lab, 5)]);
    shuffled(lab, words)
}
