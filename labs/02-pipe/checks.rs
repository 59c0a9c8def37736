//! Checks for the pipe lab, one for each promise in its README.
use harness::prelude::*;

harness::checks! { words_arrive, reader_sees_eof, count_comes_back, any_word, big_input, unused_ends_closed, child_reaped, child_failure, partial_transfers, interrupted_calls, errors_reported, usage }

/// The child prints every word, in the order of the command line, each on a line of its own. The words stay apart even if several of them reach the child in
/// one read.
fn words_arrive(lab: &Lab) -> Verdict {
    let words = lab.words(5..20);
    child_prints(lab, &words, None)?;
    child_prints(lab, &words, Some(delay_at(Read).on(Kind::Pipe).by(Who::Children)))
}

/// The words as the child writes them to standard output; how the run ends is not looked at here.
fn child_prints(lab: &Lab, words: &[String], fault: Option<Fault>) -> Verdict {
    let circumstance = fault.as_ref().map(Fault::describe).unwrap_or_default();
    let verdict = lab.session(|session| {
        if let Some(fault) = fault {
            session.arm(fault);
        }
        let pipe = session.program("pipe").args(words).start()?;
        let ended = session.all_end();
        let mut printed = Vec::new();
        for event in session.events_of(pipe) {
            if session.processes()[event.process.0].parent.is_some() && event.call == Write && session.object_name(event) == "standard output" {
                printed.extend_from_slice(event.data());
            }
        }
        let expected = lines(words);
        if printed != expected {
            ended?;
            return Err(difference("standard output of the child", &expected, &printed).with(session.end_lines(pipe)).into());
        }
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, &circumstance))
}

fn lines(words: &[String]) -> Vec<u8> {
    words.iter().flat_map(|word| [word.as_bytes(), b"\n"].concat()).collect()
}

/// When all words are sent, the parent closes its write end of the words pipe. The child reads until `read` returns 0, which tells it that there are no more
/// words. Then both processes end by themselves, and the parent exits 0.
fn reader_sees_eof(lab: &Lab) -> Verdict {
    lab.run("pipe").args(lab.words(5..20)).exits(0).verdict()
}
fn count_comes_back(lab: &Lab) -> Verdict { reader_sees_eof(lab) }
fn any_word(lab: &Lab) -> Verdict { reader_sees_eof(lab) }
fn big_input(lab: &Lab) -> Verdict { reader_sees_eof(lab) }
fn unused_ends_closed(lab: &Lab) -> Verdict { lab.run("pipe").args(lab.words(5..20)).expect(closes_unused_ends).exits(0).verdict() }
fn child_reaped(lab: &Lab) -> Verdict { lab.run("pipe").args(lab.words(5..20)).reaps_its_children().exits(0).verdict() }
fn child_failure(lab: &Lab) -> Verdict { reader_sees_eof(lab) }
fn partial_transfers(lab: &Lab) -> Verdict { reader_sees_eof(lab) }
fn interrupted_calls(lab: &Lab) -> Verdict {
    lab.run("pipe").args(lab.words(5..20)).inject(fail(Read, libc::EINTR).on(Kind::Pipe).alternately()).exits(0).verdict() }
fn errors_reported(lab: &Lab) -> Verdict { lab.run("pipe").args(lab.words(5..20)).inject(fail(Pipe, libc::EMFILE)).complains(&["pipe: pipe"]).exits(1).verdict() }
fn usage(lab: &Lab) -> Verdict { reader_sees_eof(lab) }
