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

/// Few words, all together longer than a pipe holds (65,536 bytes), and the longest alone as well. One argument can have 128 KiB at most; execve(2).
pub fn long_words(lab: &Lab) -> Vec<String> {
    let lengths = [lab.number(66_000..72_000), lab.number(9_000..12_000), lab.number(5_000..7_000)];
    shuffled(lab, lengths.map(|length| long_word(lab, length)).into())
}

/// Short words, six letters in the mean, all together longer than a pipe holds.
pub fn thousands_of_words(lab: &Lab) -> Vec<String> {
    lab.words(11_500..12_500)
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
