//! The pictures of the book are those that their text gives. `BLESS=1 cargo test -p book --test pictures` makes them anew.

mod support;

use std::fs;

use support::{course, names};

/// A picture's text: `NAME.txt` beside it, or for `lab-FOLDER.svg` the first picture with a box in that lab's handout.
fn text(name: &str) -> String {
    if let Some(folder) = name.strip_prefix("lab-") {
        let path = course().join("labs").join(folder).join("README.md");
        let handout = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("the text of {name}.svg is in {}: {error}", path.display())
        });
        let idea = handout
            .split("## The idea")
            .nth(1)
            .unwrap_or_else(|| panic!("{}: no section `The idea`", path.display()));
        let mut drawings =
            idea.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
        let picture = drawings.find(|drawing| drawing.contains("+-") || drawing.contains("+="));
        picture
            .unwrap_or_else(|| panic!("{}: no picture in `The idea`", path.display()))
            .to_owned()
    } else {
        let path = course().join("docs/src/pictures").join(format!("{name}.txt"));
        fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("the text of {name}.svg is {}: {error}", path.display())
        })
    }
}

#[test]
fn pictures_are_what_their_text_gives() {
    let folder = course().join("docs/src/pictures");
    let mut all = names(&folder, ".svg");
    all.extend(names(&folder, ".txt"));
    all.sort();
    all.dedup();
    assert!(!all.is_empty());
    for name in all {
        let path = folder.join(format!("{name}.svg"));
        let drawn = book::picture::svg(&text(&name));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, drawn)
                .unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
        } else {
            let kept = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                kept == drawn,
                "{} is not what its text gives: BLESS=1 cargo test -p book --test pictures",
                path.display()
            );
        }
    }
}

#[test]
fn pictures_are_plain_ascii_and_narrow_enough_for_a_phone() {
    let folder = course().join("docs/src/pictures");
    for name in names(&folder, ".txt") {
        for (number, line) in text(&name).lines().enumerate() {
            let place = format!("docs/src/pictures/{name}.txt:{}", number + 1);
            assert!(line.is_ascii(), "{place}: expected ASCII alone, observed {line}");
            assert!(
                line.len() <= 84,
                "{place}: expected at most 84 columns, observed {}",
                line.len()
            );
        }
    }
}

#[test]
fn words_with_hyphens_are_text_and_rows_of_hyphens_are_lines() {
    let drawn = book::picture::svg("  a close-on-exec end --fork ---> b\n");
    assert!(drawn.contains(">a close-on-exec end --fork</text>"), "{drawn}");
    assert!(drawn.contains(">b</text>"), "{drawn}");
    assert_eq!(drawn.matches('H').count(), 1, "one line: {drawn}");
    assert_eq!(drawn.matches('Z').count(), 1, "one arrowhead: {drawn}");
}

#[test]
fn a_box_with_double_lines_is_tinted() {
    let drawn = book::picture::svg("+===+  +---+\n| a |  | b |\n+===+  +---+\n");
    assert_eq!(drawn.matches("fill=\"#dbe8f4\"").count(), 1, "{drawn}");
    assert_eq!(drawn.matches("fill=\"#ffffff\"").count(), 1, "{drawn}");
}

#[test]
fn lines_meet() {
    let folder = course().join("docs/src/pictures");
    for name in names(&folder, ".svg") {
        let loose = book::picture::loose_ends(&text(&name));
        assert!(
            loose.is_empty(),
            "{name}: joined to nothing (line and column of the drawing): {loose:?}"
        );
    }
    // The box is one column too wide for what is in it.
    assert_eq!(book::picture::loose_ends("+----+\n| ab | \n+----+\n"), []);
    assert_eq!(book::picture::loose_ends("+----+\n| abc |\n+----+\n"), [(2, 7)]);
}
