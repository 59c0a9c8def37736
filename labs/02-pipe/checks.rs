//! Checks for the pipe lab, one for each promise in its README.
//!
//! The two pipes are told apart by who uses them: the child reads from the words pipe and the parent writes to it; the count pipe goes the other way round.
//! So `.on(Kind::Pipe).by(Who::Children)` with `Read` means the words pipe, whichever pipe was made first and whatever its descriptors are.

use harness::prelude::*;

#[path = "checks/inputs.rs"]
mod inputs;
#[path = "checks/places.rs"]
mod places;
#[path = "checks/steps.rs"]
pub(crate) mod steps;
use inputs::*;
use places::*;
use steps::*;

harness::checks! {
    words_arrive, reader_sees_eof, count_comes_back, any_word, big_input, unused_ends_closed, child_reaped, child_failure, partial_transfers,
    interrupted_calls, errors_reported, usage
}

/// The child reads the words from the words pipe and prints every word, in the order of the command line, each on a line of its own. The words stay apart
/// even if several of them reach the child in one read.
fn words_arrive(lab: &Lab) -> Verdict {
    let words = lab.words(5..20);
    // Each write is read before the next one is made; then the other way round: everything is in the pipe before the first read.
    let slow_writer = delay_at(Write).on(Kind::Pipe).by(Who::Parent).if_called();
    child_prints(lab, &words, slow_writer)?;
    let slow_reader = delay_at(Read).on(Kind::Pipe).by(Who::Children);
    child_prints(lab, &words, slow_reader).map_err(|unpassed| when(unpassed, "the child reads so late that several words come in one read"))
}

/// When all words are sent, the parent closes its write end of the words pipe. The child reads until `read` returns 0, which tells it that there are no more
/// words. Then both processes end by themselves, and the parent exits 0.
fn reader_sees_eof(lab: &Lab) -> Verdict {
    settled(start(lab, &lab.words(5..20)).expect(child_reads_to_end_of_file).exits(0))
}

/// The child sends back through the count pipe how many bytes it has read from the words pipe, and the parent reads that number and prints it as `N bytes`.
/// This is all that the parent prints, and it is the last line of the output, however slowly the child prints the words.
fn count_comes_back(lab: &Lab) -> Verdict {
    let words = lab.words(5..20);
    let counted = || {
        let run = start(lab, &words).expect(parent_prints_last).exits(0).expect(prints_words_and_count(&words));
        run.expect(parent_reads_the_count_before_it_prints).expect(parent_prints_one_line)
    };
    let late_print = |who: Who| delay_at(Write).on(Kind::Standard).by(who);
    counted().inject(late_print(Who::Parent)).verdict()?;
    counted().when("the child prints slowly").inject(late_print(Who::Children)).verdict()
}

/// A word may be empty, begin with a dash, and hold spaces, tabs and characters of several bytes. It is printed byte for byte.
fn any_word(lab: &Lab) -> Verdict {
    each([unusual_words(lab), empty_words(1), empty_words(2)], |words| settled(whole(lab, &words)))?;
    // Only the first word is where most programs look for options.
    each([vec!["--help".to_owned()], vec!["--".to_owned(), lab.word()]], |words| {
        settled(whole(lab, &words)).map_err(|unpassed| when(unpassed, &format!("the command line is `pipe {}`", words.join(" "))))
    })
}

/// Words that are together longer than a pipe holds arrive as well: a few long ones, and thousands of short ones. The processes never wait for each other for
/// ever.
fn big_input(lab: &Lab) -> Verdict {
    settled(whole(lab, &longer_than_a_pipe(lab)).when("there are a few long words"))?;
    settled(whole(lab, &thousands_of_words(lab)).when("there are thousands of words"))
}

/// When a process makes its first read or write on a pipe, it has already closed the end of that pipe that it does not use.
fn unused_ends_closed(lab: &Lab) -> Verdict {
    settled(start(lab, &lab.words(5..20)).expect(closes_unused_ends))
}

// ANCHOR: child_reaped
/// If no call fails, the parent waits for its child, however long that takes, and without busy waiting. When the parent exits, the child has ended and no
/// zombie is left.
fn child_reaped(lab: &Lab) -> Verdict {
    let words = lab.words(5..20);
    let late_wait = delay_at(Wait).by(Who::Parent).if_called();
    start(lab, &words).inject(late_wait).reaps_its_children().expect(child_ends_first).exits(0).verdict()?;
    let verdict = lab.session(|session| {
        let end = session.arm(hold_at(ExitGroup).by(Who::Children));
        let pipe = session.program("pipe").args(&words).start()?;
        session.until_held(end)?;
        session.settle()?;
        parent_is_at_rest(session, pipe)?;
        session.release(end)?;
        session.all_end()?;
        reaps_its_children(session, pipe)?;
        child_ends_first(session, pipe)?;
        exits(session, pipe, Exit::Status(0))?;
        session.pass()
    });
    verdict.map_err(|unpassed| when(unpassed, "the child takes long to end"))
}
// ANCHOR_END: child_reaped

/// If the child is killed or exits with a status other than 0, the parent prints a line that begins with `pipe: ` on standard error and exits 1. It does not
/// wait for ever and is not killed by a signal. If the child ends before it has sent the count, no line `N bytes` is printed.
fn child_failure(lab: &Lab) -> Verdict {
    let few = lab.words(5..20);
    let long = [longer_than_a_pipe(lab), longer_than_a_pipe(lab), longer_than_a_pipe(lab)].concat();
    let in_child = |fault: Fault| fault.by(Who::Children);

    // The parent writes nothing until the child is dead, so that the pipe is broken for certain.
    let broken_pipe = [in_child(kill_at(Read).on(Kind::Pipe)), delay_at(Write).on(Kind::Pipe).by(Who::Parent)];
    child_fails(lab, &few, "the child is killed before it reads").inject_all(broken_pipe).expect(prints_no_count).verdict()?;
    // Whatever one read takes, there is more left than fits into the pipe: the parent is still sending.
    let killed = in_child(kill_at(Read).on(Kind::Pipe).nth(2));
    child_fails(lab, &long, "the child is killed between two reads").inject(killed).expect(prints_no_count).verdict()?;
    let killed = in_child(kill_at(Write).on(Kind::Pipe));
    child_fails(lab, &few, "the child is killed before it sends the count").inject(killed).expect(prints_no_count).verdict()?;

    // From here on the count is sent, and the line may have been printed or not.
    let killed = in_child(kill_at(ExitGroup));
    child_fails(lab, &few, "the child is killed after it has sent the count").inject(killed).verdict()?;
    let status = lab.number(2..100) as u8;
    child_fails(lab, &few, "the child sends the count and exits with another status than 0").inject(in_child(exit_with(status))).verdict()
}

/// Any read may return fewer bytes than asked for, down to one. A write of more than PIPE_BUF (4096) bytes to a pipe, and any write to standard output, may
/// take fewer bytes than given. The program goes on with the rest, and nothing is lost, doubled or changed.
fn partial_transfers(lab: &Lab) -> Verdict {
    let (mixed, long) = (mixed_words(lab), longer_than_an_atomic_write(lab));
    // An answer that never asks for more than one byte, or never writes more than 4096, has nothing that could be cut.
    let reads = short(Read, 1).on(Kind::Pipe).every().if_called();
    settled(whole(lab, &mixed).when("each read on a pipe returns one byte").inject(reads))?;
    let taken = lab.number(1000..4097);
    let writes = short(Write, taken).on(Kind::Pipe).longer_than(4096).every().if_called();
    settled(whole(lab, &long).when(format!("a long write to a pipe takes {taken} bytes")).inject(writes))?;
    let taken = lab.number(1..4);
    let prints = short(Write, taken).on(Kind::Standard).every().if_called();
    settled(whole(lab, &mixed).when(format!("a write to standard output takes at most {taken} of the bytes")).inject(prints))
}

/// A `read`, `write` or `waitpid` that fails with EINTR is made again. The output and the exit status are the same as without the interruption.
fn interrupted_calls(lab: &Lab) -> Verdict {
    let words = lab.words(5..20);
    each(&INTERRUPTIBLE, |place| {
        let run = whole(lab, &words).when(format!("a signal interrupts {}", place.what));
        settled(run.inject(place.fails(libc::EINTR)))
    })?;
    // Never all of them: a right program would call again for ever.
    let every_other = INTERRUPTIBLE.iter().map(|place| place.fails(libc::EINTR).alternately());
    settled(whole(lab, &words).when("a signal interrupts every other call").inject_all(every_other))
}

/// If `pipe`, `fork`, `read`, `write` or `waitpid` fails for another reason, also a write to standard output, the process in which it fails prints
/// `pipe: call: message (ERRNO)` on standard error and exits 1. The program as a whole exits 1.
fn errors_reported(lab: &Lab) -> Verdict {
    let words = lab.words(5..20);
    each(STARTING.iter().chain(&INTERRUPTIBLE), |place| {
        let run = start(lab, &words).when(format!("{} fails with {}", place.what, errno_name(place.errno)));
        settled(run.inject(place.fails(place.errno)).expect(reports(place)).exits(1))
    })?;
    // These are the first ones of their kind; of the writes to standard output each one counts.
    let words = lab.words(3..6);
    start(lab, &words).in_case_of_every(every_failure().of(Write)).complains(WRITE).exits(1).verdict()
}

/// Without a word, the program prints a line that begins with `usage: pipe` on standard error and nothing on standard output, starts no child, and exits 2.
fn usage(lab: &Lab) -> Verdict {
    start(lab, &[]).complains(&["usage: pipe"]).prints("").expect(starts_no_child).exits(2).verdict()
}
