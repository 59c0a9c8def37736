//! Checks that each look at another side of a run: its output, what it leaves, a fault, a session.

use harness::prelude::*;

harness::checks! { words_arrive, nothing_left, short_writes, line_by_line }

/// The child prints every word on a line of its own, and the parent exits 0.
fn words_arrive(lab: &Lab) -> Verdict {
    let words = lab.words(3..9);
    lab.run("relay").args(words.clone()).exits(0).prints_lines(&words).verdict()
}

/// No object outlives the program, and its child is waited for.
fn nothing_left(lab: &Lab) -> Verdict {
    lab.run("relay").args(lab.words(1..3)).exits(0).leaves_nothing().reaps_its_children().verdict()
}

/// A write that moves less than it was given is continued.
fn short_writes(lab: &Lab) -> Verdict {
    let words = lab.words(3..9);
    lab.run("relay").args(words.clone()).inject(short(Write, 2).on(Kind::Pipe).every()).prints_lines(&words).verdict()
}

/// Without words the program copies its standard input, each line as soon as it is there, and ends with it.
fn line_by_line(lab: &Lab) -> Verdict {
    lab.session(|session| {
        let program = session.program("relay").open_stdin().start()?;
        for word in lab.words(2..5) {
            session.feed(program, format!("{word}\n").as_bytes());
            let line = session.line(program)?;
            if line != word {
                return Err(difference("the line", word.as_bytes(), line.as_bytes()).into());
            }
        }
        session.end_input(program);
        session.exit(program)?;
        session.all_end()?;
        exits(session, program, Exit::Status(0))?;
        session.pass()
    })
}
