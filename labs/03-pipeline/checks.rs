//! Checks for the pipeline lab, one for each promise in its README.
//!
//! The stages are coreutils, and `sh` with a script that the check writes: how a command was started shows in what it does. Stages may be started in any order, so
//! they are told apart by their commands and never by the order of their births.

use harness::prelude::*;

#[path = "checks/calls.rs"]
mod calls;
#[path = "checks/case.rs"]
mod case;
#[path = "checks/steps.rs"]
mod steps;
use calls::*;
use case::*;
use steps::*;

harness::checks! {
    data_flows, end_of_file, all_at_once, exit_status, one_stage, words_divided, own_descriptors, writer_dies, children_reaped, cannot_execute, setup_fails,
    interrupted_wait, calls_checked, closed_streams, usage
}

/// Each stage reads on its standard input what the stage before it writes to its standard output. The first stage has the program's own standard
/// input, the last one its standard output, and every stage its standard error. The program itself prints nothing on standard output.
fn data_flows(lab: &Lab) -> Verdict {
    let (words, tags) = (lab.words(5..12), distinct_words(lab, 3));
    let scripts = ["first", "second", "third"].into_iter().zip(&tags);
    // Each stage adds its tag to every line, and says on standard error that it is there.
    let case = scripts.fold(Case::of(&["sh ./first", "sh ./second", "sh ./third"]), |case, (name, tag)| {
        case.script(name, format!("echo {tag} >&2\nwhile read -r line; do echo \"$line {tag}\"; done\n"))
    });
    let printed: String = words.iter().map(|word| format!("{word} {}\n", tags.join(" "))).collect();
    case.input(lines(&words)).drive(lab, |session, pipeline| {
        // How the run ends is not looked at: stages that print everything and then wait for ever have printed everything.
        let ended = session.all_end();
        if let Err(broken @ Unpassed::Broken(_)) = ended {
            return Err(broken);
        }
        if session.stdout(pipeline) != printed.as_bytes() {
            // If the run came to a stop, that is why something is missing.
            ended?;
            prints(session, pipeline, printed.as_bytes())?;
        }
        tags.iter().try_for_each(|tag| says(session, pipeline, tag))?;
        session.pass()
    })
}

/// When a stage has ended, the next one reads end-of-file once it has read everything, since nobody else holds a write end of the pipe between them.
/// When all stages have ended, the program ends.
fn end_of_file(lab: &Lab) -> Verdict {
    // wc prints nothing before it reads end-of-file.
    each([&["cat", "wc -c"][..], &["cat", "cat", "cat", "wc -c"]], |stages| {
        let text = lines(&lab.words(5..20));
        let count = format!("{}\n", text.len());
        Case::of(stages).input(text).run(lab, |session, pipeline| prints(session, pipeline, count.as_bytes()))
    })
}

/// All stages run at the same time, however many there are. A stage may write more than a pipe holds, and what is given to the first stage can come
/// out of the last one while the input is still open.
fn all_at_once(lab: &Lab) -> Verdict {
    let numbers = lab.number(30_000..40_000);
    let case = Case::of(&[&format!("seq {numbers}"), "cat", "wc -l"]).when("the first stage writes more than a pipe holds");
    case.run(lab, |session, pipeline| prints(session, pipeline, format!("{numbers}\n").as_bytes()))?;

    let words = lab.words(3..6);
    let case = Case::of(&["cat", "cat", "cat"]).open_input().when("the input of the first stage stays open");
    case.drive(lab, |session, pipeline| {
        for word in &words {
            comes_through(session, pipeline, word)?;
        }
        end_input(session, pipeline)?;
        session.all_end()?;
        session.pass()
    })?;

    let (stages, words) = (vec!["cat"; lab.number(20..26) as usize], lab.words(5..20));
    let case = Case::of(&stages).input(lines(&words)).when(format!("there are {} stages", stages.len()));
    case.run(lab, |session, pipeline| prints(session, pipeline, lines(&words).as_bytes()))
}

/// The program exits with the status of the last stage, or with 128 + S if signal S killed it. How the other stages end and which of them ends first
/// makes no difference.
fn exit_status(lab: &Lab) -> Verdict {
    // Statuses of one byte, no two the same.
    let (first, last) = (lab.number(1..100), lab.number(100..256));
    let [signal, other] = two_signals(lab);
    let cases = [
        (
            format!("exit {first}"),
            format!("exit {last}"),
            Exit::Status(last as i32),
            format!("the last stage exits with {last}, another one with {first}"),
        ),
        (format!("exit {first}"), "exit 0".into(), Exit::Status(0), format!("the last stage exits with 0, another one with {first}")),
        (dies_of(other), "exit 0".into(), Exit::Status(0), format!("the last stage exits with 0, and {} kills another one", other.0)),
        (format!("exit {first}"), dies_of(signal), Exit::Status(128 + signal.1), format!("{} kills the last stage", signal.0)),
        ("exit 0".into(), dies_of(KILL), Exit::Status(128 + KILL.1), format!("{} kills the last stage", KILL.0)),
    ];
    each(&cases, |(other, last, status, circumstance)| {
        // The last stage ends when it has read end-of-file and the other one can be reaped: its descriptors are closed a little before that.
        let late = delay_at([ExitGroup, Kill]).by(Who::Children).if_called();
        let case = Case::of(&["sh ./other", "sh ./last"]).script("other", other).script("last", format!("read -r line\n{last}\n")).inject(late);
        case.when(format!("{circumstance}, and the last stage ends last")).run(lab, |session, pipeline| exits(session, pipeline, *status))?;
        // The other stage goes on when the last one has ended.
        let case = Case::of(&["sh ./other", "sh ./last"]).script("other", format!("read -r line\n{other}\n")).script("last", last).open_input();
        case.when(format!("{circumstance}, and the last stage ends first")).drive(lab, |session, pipeline| {
            session.settle()?;
            end_input(session, pipeline)?;
            session.exit(pipeline)?;
            session.all_end()?;
            exits(session, pipeline, *status)?;
            session.pass()
        })
    })
}

/// A single stage works as well: it has the program's own standard input and standard output, and its status is the program's.
fn one_stage(lab: &Lab) -> Verdict {
    let (words, status, [signal, _]) = (lab.words(5..20), lab.number(2..256), two_signals(lab));
    let case = Case::of(&["cat"]).input(lines(&words));
    case.run(lab, |session, pipeline| {
        prints(session, pipeline, lines(&words).as_bytes())?;
        exits(session, pipeline, Exit::Status(0))
    })?;
    let alone = |script: String| Case::of(&["sh ./script"]).script("script", script);
    let case = alone(format!("exit {status}")).when(format!("the only stage exits with {status}"));
    case.run(lab, |session, pipeline| exits(session, pipeline, Exit::Status(status as i32)))?;
    let case = alone(dies_of(signal)).when(format!("{} kills the only stage", signal.0));
    case.run(lab, |session, pipeline| exits(session, pipeline, Exit::Status(128 + signal.1)))
}

/// A stage is divided into words at spaces and tabs. There may be several in a row, and some before the first word and after the last. No other character has
/// a meaning of its own, and a word need not be UTF-8. A command without a slash is looked for in PATH.
fn words_divided(lab: &Lab) -> Verdict {
    let words = lab.words(3..6);
    let bracketed = |words: &[String]| words.iter().map(|word| format!("[{word}]\n")).collect::<String>();
    let blanks = [" ", "  ", "\t", " \t ", "\t\t"];
    let divided: String = words.iter().map(|word| format!("{}{word}", blanks[lab.number(0..blanks.len() as u64) as usize])).collect();
    let case = Case::of(&[&format!("  printf\t[%s]\\n{divided} \t"), "\tcat "])
        .when("several blanks stand between words, before the first and after the last");
    case.run(lab, |session, pipeline| prints(session, pipeline, bracketed(&words).as_bytes()))?;

    let mut plain: Vec<String> = ["$HOME", "*", "\"one", "two\"", "'", ";", "a|b", ">c", "\\\\", "#", "~", "é→語", "--"].map(String::from).into();
    plain.insert(lab.number(0..plain.len() as u64) as usize, lab.word());
    let case = Case::of(&[&format!("printf [%s]\\n {}", plain.join(" ")), "cat"]).when("words hold characters that a shell would take for its own");
    case.run(lab, |session, pipeline| prints(session, pipeline, bracketed(&plain).as_bytes()))?;

    // What Rust's split_whitespace and C's isspace take for blanks.
    let other_blanks: Vec<String> =
        ["\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{a0}", "\u{2003}"].map(|blank| format!("a{blank}{}", lab.word())).into();
    let case = Case::of(&[&format!("printf [%s]\\n {}", other_blanks.join(" ")), "cat"]).when("words hold blanks that are neither spaces nor tabs");
    case.run(lab, |session, pipeline| prints(session, pipeline, bracketed(&other_blanks).as_bytes()))?;

    // Latin-1: none of these bytes is UTF-8 there.
    let latin = [b"caf\xe9-", words[0].as_bytes(), b"\xff\x80"].concat();
    let case = Case::of_bytes(&[&[b"printf [%s]\\n ", &latin[..]].concat(), b"cat"]).when("a word is not UTF-8");
    case.run(lab, |session, pipeline| prints(session, pipeline, &[b"[", &latin[..], b"]\n"].concat()))?;

    let case = Case::of(&["/bin/sh ./script", "cat"]).script("script", format!("echo {}\n", words[0])).when("a command holds a slash");
    case.run(lab, |session, pipeline| prints(session, pipeline, format!("{}\n", words[0]).as_bytes()))
}

/// A stage executes its command with the descriptors 0, 1 and 2 and with no other.
fn own_descriptors(lab: &Lab) -> Verdict {
    each([&["cat"][..], &["cat", "cat"], &["cat", "cat", "cat", "cat"]], |stages| {
        Case::of(stages).input(lines(&lab.words(5..20))).run(lab, |session, pipeline| {
            holds_its_three(session, pipeline)?;
            executed_once_each(session, pipeline, stages.len())
        })
    })
}

/// Every stage executes its command with SIGPIPE at its default disposition. A stage that goes on writing when the next one has ended dies of that
/// signal, since nobody else holds a read end of the pipe between them.
fn writer_dies(lab: &Lab) -> Verdict {
    Case::of(&["yes", "head -n 1"]).run(lab, |session, pipeline| {
        prints(session, pipeline, b"y\n")?;
        dies_of_a_broken_pipe(session, pipeline, "yes")?;
        exits(session, pipeline, Exit::Status(0))
    })?;
    let word = lab.word();
    Case::of(&[&format!("yes {word}"), "cat", "head -n 2"]).run(lab, |session, pipeline| {
        prints(session, pipeline, format!("{word}\n{word}\n").as_bytes())?;
        dies_of_a_broken_pipe(session, pipeline, "cat")?;
        dies_of_a_broken_pipe(session, pipeline, "yes")?;
        exits(session, pipeline, Exit::Status(0))
    })?;
    // A command that ignores SIGPIPE survives this.
    each([&["sh ./script"][..], &["true", "sh ./script"]], |stages| {
        let case = Case::of(stages).script("script", "kill -s PIPE $$\nexit 0\n").when("the last stage sends SIGPIPE to itself");
        case.run(lab, |session, pipeline| exits(session, pipeline, Exit::Status(128 + libc::SIGPIPE)).map_err(about_sigpipe))
    })
}

/// The program waits for every stage and not only for the last one, in a call that blocks, without asking again and again. When it exits, all stages
/// have ended and no zombie is left.
fn children_reaped(lab: &Lab) -> Verdict {
    let case = Case::of(&["cat", "cat", "true"]).open_input().when("the last stage ends first");
    case.drive(lab, |session, pipeline| {
        waits_for_the_others(session, pipeline)?;
        end_input(session, pipeline)?;
        session.exit(pipeline)?;
        session.all_end()?;
        reaps_its_children(session, pipeline)?;
        session.pass()
    })?;
    // The last stage ends when it reads end-of-file, which is when the others have ended.
    let case = Case::of(&["true", "true", "sh ./last"]).script("last", "read -r line\nexit 0\n").when("the last stage ends last");
    case.run(lab, reaps_its_children)
}

/// A stage whose command cannot be executed prints `pipeline: execvp: message (ERRNO)` on standard error and ends with status 127. The other stages
/// run as if it had been executed and had ended at once: each of them once and no more, with end-of-file after it and a broken pipe before it.
fn cannot_execute(lab: &Lab) -> Verdict {
    let missing = format!("no-such-{} {}", lab.word(), lab.word());
    let (numbers, not_found) = (format!("seq {}", lab.number(5..50)), "there is no such command");
    let refused = |case: Case, executed: usize, printed: &str, status: i32| {
        case.run(lab, |session, pipeline| {
            complains(session, pipeline, EXEC)?;
            prints(session, pipeline, printed.as_bytes())?;
            executed_once_each(session, pipeline, executed)?;
            exits(session, pipeline, Exit::Status(status))?;
            reaps_its_children(session, pipeline)
        })
    };
    refused(Case::of(&[&missing]).when(format!("{not_found} as the only stage")), 0, "", 127)?;
    refused(Case::of(&[&numbers, "cat", &missing]).when(format!("{not_found} as the last stage")), 2, "", 127)?;
    refused(Case::of(&[&missing, "cat", "wc -c"]).when(format!("{not_found} as the first stage")), 2, "0\n", 0)?;
    refused(Case::of(&["yes", &missing, "wc -c"]).when(format!("{not_found} as the second of three stages")), 2, "0\n", 0)?;
    let case = Case::of(&[&numbers, "./plain"]).script("plain", "exit 0\n").when("the last stage is a file that is not executable");
    refused(case, 1, "", 127)
}

/// If `pipe2` or `fork` fails, the program prints `pipeline: call: message (ERRNO)` on standard error. It closes its ends of the pipes, so that the
/// stages which run already come to an end, waits for these, and exits 1.
fn setup_fails(lab: &Lab) -> Verdict {
    let endless = format!("yes {}", lab.word());
    each(&SET_UP, |place| {
        // The first stage never ends by itself, and what the others say does not matter.
        let case = Case::of(&[&endless, "cat", "cat", "wc -c"]).inject(place.fails());
        case.when(place.circumstance()).run(lab, |session, pipeline| {
            complains(session, pipeline, place.names)?;
            reaps_its_children(session, pipeline)?;
            exits(session, pipeline, Exit::Status(1))
        })
    })
}

/// A `waitpid` that fails with EINTR is made again. The output and the exit status are the same as without the interruption.
fn interrupted_wait(lab: &Lab) -> Verdict {
    let (numbers, status) = (lab.number(5..50), lab.number(2..256));
    let interrupted = fail(Wait, libc::EINTR).by(Who::Parent);
    each([("the first waitpid", interrupted.clone()), ("every other waitpid", interrupted.alternately())], |(which, fault)| {
        // The last stage prints what it reads, and then exits with its status.
        let case = Case::of(&[&format!("seq {numbers}"), "cat", "sh ./last"]).script("last", format!("cat\nexit {status}\n"));
        case.inject(fault).when(format!("a signal interrupts {which}")).run(lab, |session, pipeline| {
            prints(session, pipeline, numbers_to(numbers).as_bytes())?;
            exits(session, pipeline, Exit::Status(status as i32))?;
            reaps_its_children(session, pipeline)
        })
    })
}

/// A stage in which `dup2` fails prints `pipeline: dup2: message (ERRNO)` on standard error, does not execute its command and ends with a status
/// other than 0. If `waitpid` fails for another reason than EINTR, the program prints `pipeline: waitpid: message (ERRNO)` on standard error and
/// exits 1.
fn calls_checked(lab: &Lab) -> Verdict {
    let numbers = format!("seq {}", lab.number(5..50));
    // In all stages alike: which of them comes first is a matter of luck. An answer may do without dup2 in its children.
    let fault = fail(Dup, libc::EBUSY).by(Who::Children).every().if_called();
    let case = Case::of(&[&numbers, "wc -l"]).inject(fault).when("dup2 fails with EBUSY");
    case.run(lab, stages_without_dup2_report_and_end)?;
    let fault = fail(Wait, libc::EINVAL).by(Who::Parent);
    let case = Case::of(&[&numbers, "wc -l"]).inject(fault).when("the first waitpid fails with EINVAL");
    case.run(lab, |session, pipeline| {
        complains(session, pipeline, WAIT)?;
        exits(session, pipeline, Exit::Status(1))
    })
}

/// A program that is started with its standard input, its standard output or both of them closed connects its stages all the same, and no stage has a
/// descriptor above 2. Whether a stage finds such a stream closed or finds `/dev/null` in its place is left open.
fn closed_streams(lab: &Lab) -> Verdict {
    let cases: [(&[usize], &str); 3] =
        [(&[0], "standard input is"), (&[1], "standard output is"), (&[0, 1], "standard input and standard output are")];
    each(cases, |(streams, names)| {
        let numbers = lab.number(5..50);
        // dd writes to the file whatever its standard output is.
        let case = Case::of(&[&format!("seq {numbers}"), "cat", "cat", "dd of=collected status=none"]).closed(streams);
        case.when(format!("{names} closed at the start")).run(lab, |session, pipeline| {
            let (expected, collected) = (numbers_to(numbers), std::fs::read(session.path("collected")).unwrap_or_default());
            if collected != expected.as_bytes() {
                return Err(difference("what reaches the last stage", expected.as_bytes(), &collected).with(session.end_lines(pipeline)).into());
            }
            holds_nothing_above_two(session, pipeline)?;
            exits(session, pipeline, Exit::Status(0))
        })
    })
}

/// Without a stage, or with a stage that holds no word, the program prints a line that begins with `usage: pipeline` on standard error and nothing on
/// standard output, starts no stage, and exits 2.
fn usage(lab: &Lab) -> Verdict {
    let echo = format!("echo {}", lab.word());
    let cases: [(&[&str], &str); 5] = [
        (&[], "there is no stage"),
        (&[""], "the only stage is empty"),
        (&[" \t "], "the only stage holds nothing but blanks"),
        (&[&echo, ""], "the last stage is empty"),
        (&[&echo, "  ", "cat"], "a stage in the middle holds nothing but blanks"),
    ];
    each(cases, |(stages, circumstance)| {
        Case::of(stages).when(circumstance).run(lab, |session, pipeline| {
            complains(session, pipeline, &["usage: pipeline"])?;
            prints(session, pipeline, b"")?;
            starts_nothing(session, pipeline)?;
            exits(session, pipeline, Exit::Status(2))
        })
    })
}
