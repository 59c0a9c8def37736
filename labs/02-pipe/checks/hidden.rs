//! The check of the pipe lab that is not handed out. It asks for what the handout says of words in general, with characters that the other checks do not try.

use harness::prelude::*;

#[path = "../checks.rs"]
mod checks;
use checks::steps::{each, settled, whole};

harness::hidden_checks! { beside checks; any_character }

/// A word may hold any character but a newline, control characters too, and is printed byte for byte.
fn any_character(lab: &Lab) -> Verdict {
    let controls: Vec<char> = (1..32).chain([127]).map(char::from).filter(|character| *character != '\n').collect();
    // Alone, at both ends of a word, and all of them in one: a mark may be looked for at any place.
    let alone = controls.iter().map(char::to_string).collect();
    let around = controls.iter().map(|character| format!("{character}{}{character}", lab.word())).collect();
    let together = vec![lab.word(), controls.iter().collect(), lab.word()];
    each([alone, around, together], |words: Vec<String>| settled(whole(lab, &words)))
}
