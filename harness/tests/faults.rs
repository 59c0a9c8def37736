//! Every permitted fault at every call, one at a time: a right program keeps what it promises, and each classic mistake is found.

mod support {
    pub mod compiled;
    pub mod deadline;
    pub mod folder;
    pub mod isolated;
    pub mod subject;
}

use std::process::ExitCode;
use std::time::Duration;

use harness::prelude::*;
use support::isolated;
use support::subject::{Subject, assert_passes, finding};

fn main() -> ExitCode {
    isolated::main(isolated::tests![
        a_right_program_goes_on_after_every_interruption,
        an_interrupted_read_that_is_taken_for_the_end_is_found,
        a_write_that_is_not_continued_is_found,
        a_wait_that_is_not_made_again_is_found,
        a_right_program_reports_every_failure,
        a_failure_that_goes_unseen_is_found,
        without_a_handler_nothing_is_interrupted,
        the_same_fault_fails_the_same_way_every_time,
        a_signal_is_delivered_at_the_call,
        a_program_without_such_calls_is_not_passed,
        a_right_program_bears_whatever_becomes_of_a_datagram,
        a_question_that_is_asked_once_is_found_when_it_is_lost,
        a_server_that_forgets_is_found_when_an_answer_is_lost,
        a_client_that_takes_any_answer_is_found,
        a_datagram_that_is_kept_arrives_when_the_check_says_so,
        what_is_overtaken_arrives_after_the_next,
        what_comes_later_than_the_time_limit_is_asked_for_again,
        a_datagram_that_is_never_sent_is_not_passed,
        what_the_kernel_refuses_is_refused_all_the_same,
        a_late_datagram_needs_a_run_in_which_time_jumps,
        the_fate_of_a_datagram_does_not_depend_on_luck,
    ])
}

/// More than a pipe takes in one piece.
fn input() -> Vec<u8> {
    (0..30_000_u32).map(|number| b'a' + (number % 26) as u8).collect()
}

fn interrupted(how: &str) -> Verdict {
    let subject = Subject::new("copies");
    let verdict = subject.lab().run(&subject.name).arg(how).stdin(input()).prints(input()).exits(0).under_every(every_interruption()).verdict();
    subject.assert_nothing_is_left();
    verdict
}

fn a_right_program_goes_on_after_every_interruption() {
    assert_passes(interrupted("well"));
}

#[track_caller]
fn assert_found(how: &str, kinds: &[&str], words: &str) {
    let finding = finding(interrupted(how));
    assert!(kinds.contains(&&*finding.kind) && finding.observed.contains(words), "{finding:?}");
}

fn an_interrupted_read_that_is_taken_for_the_end_is_found() {
    assert_found("read-once", &["output"], "when read fails with EINTR");
}

fn a_write_that_is_not_continued_is_found() {
    assert_found("write-once", &["output"], "when write moves only 1 byte");
}

fn a_wait_that_is_not_made_again_is_found() {
    assert_found("wait-once", &["exit"], "when wait fails with EINTR");
}

fn failing(how: &str) -> Verdict {
    let subject = Subject::new("copies");
    let failures = every_failure().of([Pipe, Fork]);
    subject.lab().run(&subject.name).arg(how).stdin("x").exits(1).complains(&["pipe: ", "fork: "]).in_case_of_every(failures).verdict()
}

fn a_right_program_reports_every_failure() {
    assert_passes(failing("well"));
}

fn a_failure_that_goes_unseen_is_found() {
    let finding = finding(failing("unchecked"));
    assert!(finding.observed.contains("when pipe fails with EMFILE"), "{finding:?}");
}

/// `transfers` sets no handler: its reads may come short, and nothing of it may fail with EINTR.
fn without_a_handler_nothing_is_interrupted() {
    let subject = Subject::new("two_writers");
    let run = || subject.lab().run(&subject.name).exits(0).under_every(every_interruption().of([Write, Wait])).verdict();
    let told = finding(run());
    assert_eq!(told.kind, "call", "no site for a fault: {told:?}");
    assert_passes({
        let interruptions = every_interruption().of(Wait).even_without_a_handler();
        let subject = Subject::new("copies");
        subject.lab().run(&subject.name).arg("well").stdin("x").exits(0).under_every(interruptions).verdict()
    });
}

fn the_same_fault_fails_the_same_way_every_time() {
    let first = format!("{:?}", finding(interrupted("read-once")));
    let number = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "#");
    for _ in 0..5 {
        assert_eq!(number(&format!("{:?}", finding(interrupted("read-once")))), number(&first));
    }
}

/// The handler runs, and the call that waits is interrupted.
fn a_signal_is_delivered_at_the_call() {
    let subject = Subject::new("copies");
    let run = |how: &str| {
        let signal = signal_at(Wait, libc::SIGUSR1);
        subject.lab().run(&subject.name).arg(how).stdin("x").inject(signal).prints("x").exits(0).verdict()
    };
    assert_passes(run("well"));
    let finding = finding(subject.lab().run(&subject.name).arg("wait-once").inject(signal_at(Wait, libc::SIGUSR1)).exits(0).verdict());
    assert!(finding.observed.contains("when SIGUSR1 comes at wait"), "{finding:?}");
}

fn a_program_without_such_calls_is_not_passed() {
    let subject = Subject::new("copies");
    let verdict = subject.lab().run(&subject.name).arg("well").exits(0).under_every(every_interruption().of(Msgrcv)).verdict();
    assert_eq!(finding(verdict).kind, "call");
}

/// The client asks again after a second.
const LONGER_THAN_A_TRY: Duration = Duration::from_millis(1500);
const ANSWERS: &str = "a1\nb2\nc3\n";

fn asking(how: &str, sockets: &str, fault: Fault) -> Verdict {
    let subject = Subject::new("ask_again");
    let verdict = subject.lab().run(&subject.name).args([how, sockets]).inject(fault).time_jumps().prints(ANSWERS).exits(0).verdict();
    subject.assert_nothing_is_left();
    verdict
}

fn fates() -> [Fault; 5] {
    [drop_datagram(), duplicate_datagram(), swap_datagrams(), delay_datagram(LONGER_THAN_A_TRY), delay_datagram(Duration::from_millis(5))]
}

fn a_right_program_bears_whatever_becomes_of_a_datagram() {
    for sockets in ["udp", "write", "local"] {
        for fault in fates() {
            // Three questions and their answers.
            for n in 1..=6 {
                let fault = fault.clone().on(Kind::Unix).nth(n);
                let words = fault.describe();
                let verdict = asking("well", sockets, fault);
                assert!(verdict.is_ok(), "{sockets}: {words}: {verdict:?}");
            }
        }
        for fault in [drop_datagram(), duplicate_datagram(), swap_datagrams()] {
            assert_passes(asking("well", sockets, fault.on(Kind::Unix).by(Who::Parent).alternately()));
        }
    }
}

fn a_question_that_is_asked_once_is_found_when_it_is_lost() {
    for (n, words) in [(1, "when datagram 1 is lost"), (4, "when datagram 4 is lost")] {
        let finding = finding(asking("once", "udp", drop_datagram().nth(n)));
        assert!(finding.kind == "deadlock" && finding.observed.contains(words), "{finding:?}");
        assert!(finding.labels.iter().any(|label| label.what == "this datagram is lost"), "{finding:?}");
    }
    assert_passes(asking("once", "udp", duplicate_datagram()));
}

fn a_server_that_forgets_is_found_when_an_answer_is_lost() {
    let finding = finding(asking("no-memory", "udp", drop_datagram().by(Who::Parent)));
    assert!(finding.kind == "output" && finding.observed.contains("when datagram 1 is lost"), "{finding:?}");
    assert_eq!(asking("no-memory", "write", duplicate_datagram().by(Who::Children)).map_err(|_| ()).unwrap_err(), ());
}

fn a_client_that_takes_any_answer_is_found() {
    for fault in [duplicate_datagram(), swap_datagrams()] {
        let words = fault.describe();
        let finding = finding(asking("any", "udp", fault.by(Who::Parent)));
        assert!(finding.kind == "output" && finding.observed.contains(&words), "{finding:?}");
    }
    assert_passes(asking("any", "udp", drop_datagram()));
}

/// Drives the program until its first question is on its way.
fn kept(drive: impl FnOnce(&mut Session, Program, Armed) -> Verdict) -> Verdict {
    let subject = Subject::new("ask_again");
    let verdict = subject.session(|session, name| {
        let kept = session.arm(keep_datagram());
        let program = session.program(name).args(["once", "udp"]).start()?;
        session.until_held(kept)?;
        session.settle()?;
        drive(session, program, kept)
    });
    subject.assert_nothing_is_left();
    verdict
}

fn a_datagram_that_is_kept_arrives_when_the_check_says_so() {
    assert_passes(kept(|session, program, kept| {
        session.release(kept)?;
        session.all_end()?;
        prints(session, program, ANSWERS.as_bytes())?;
        session.pass()
    }));
    let never = kept(|session, program, _| session.exit(program).and_then(|_| session.pass()));
    assert_eq!(finding(never).kind, "deadlock", "nobody lets it arrive");
}

fn what_is_overtaken_arrives_after_the_next() {
    let subject = Subject::new("datagrams");
    let echoed = |fault: Fault, words: [&[u8]; 3], expected: [&[u8]; 3]| {
        let verdict = subject.session(|session, name| {
            session.arm(fault);
            let program = session.program(name).start()?;
            let port = session.line(program)?.parse().expect("a port");
            let client = session.mailbox()?;
            for word in words {
                client.send(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port), word)?;
            }
            for bytes in expected {
                let came = session.datagram(&client)?;
                assert_eq!(came.bytes, bytes);
                assert_eq!(came.from.port(), port, "it comes from where it was sent");
            }
            session.settle()?;
            assert_eq!(session.datagrams(&client)?, []);
            session.pass()
        });
        assert_passes(verdict);
    };
    echoed(swap_datagrams(), [b"one", b"two", b"three"], [b"two", b"one", b"three"]);
    echoed(swap_datagrams().every(), [b"one", b"", b"three"], [b"", b"one", b"three"]);
    echoed(swap_datagrams().nth(2), [b"one", b"two", b"three"], [b"one", b"three", b"two"]);
    let long = [b'x'; 60_000];
    echoed(swap_datagrams().nth(3), [b"one", b"two", &long], [b"one", b"two", &long]);
}

fn what_comes_later_than_the_time_limit_is_asked_for_again() {
    let subject = Subject::new("ask_again");
    for (late, questions) in [(5, 4), (999, 4), (1001, 5), (1999, 5)] {
        assert_passes(subject.session(|session, name| {
            // The clocks stand still meanwhile: a slow machine changes nothing.
            session.schedule_by(late);
            session.arm(delay_datagram(Duration::from_millis(late)).by(Who::Parent));
            session.program(name).args(["well", "udp"]).start()?;
            session.all_end()?;
            let sent = session.events().iter().filter(|event| event.call == Send && event.process == ProcessId(1)).count();
            assert_eq!(sent, questions, "three questions and the end, and one more after {late} ms");
            session.pass()
        }));
    }
    assert_passes(asking("once", "udp", delay_datagram(LONGER_THAN_A_TRY)));
}

fn a_datagram_that_is_never_sent_is_not_passed() {
    let finding = finding(asking("well", "udp", drop_datagram().nth(50)));
    assert!(finding.kind == "call" && finding.expected.contains("datagram 50 is lost") && finding.observed.contains("7 such calls"), "{finding:?}");
}

/// More bytes than a datagram holds, and nobody to send to: the sender learns of it, whatever becomes of its datagram.
fn what_the_kernel_refuses_is_refused_all_the_same() {
    let subject = Subject::new("refused");
    for fault in fates().into_iter().chain([keep_datagram()]) {
        assert_passes(subject.lab().run(&subject.name).inject(fault.every()).time_jumps().prints("EMSGSIZE EDESTADDRREQ named\n").exits(0).verdict());
    }
}

fn a_late_datagram_needs_a_run_in_which_time_jumps() {
    let subject = Subject::new("ask_again");
    let verdict = subject.lab().run(&subject.name).args(["well", "udp"]).inject(delay_datagram(LONGER_THAN_A_TRY)).exits(0).verdict();
    assert!(matches!(&verdict, Err(Unpassed::Broken(reason)) if reason.contains("let_time_jump")), "{verdict:?}");
}

fn the_fate_of_a_datagram_does_not_depend_on_luck() {
    let subject = Subject::new("ask_again");
    for fault in fates() {
        let calls = || {
            let told = subject.session(|session, name| {
                session.schedule_by(2);
                session.arm(fault.clone().nth(2));
                session.program(name).args(["any", "udp"]).start()?;
                session.all_end()?;
                // What each of the two does, each for itself.
                let transfers = session.events().iter().filter(|event| matches!(event.call, Send | Recv | Write));
                let mut calls: Vec<_> = transfers.map(|event| (event.process, event.call, event.data().to_vec())).collect();
                calls.sort_by_key(|(process, ..)| *process);
                Err(Unpassed::Skipped(format!("{calls:?}")))
            });
            let Err(Unpassed::Skipped(text)) = told else { panic!("{told:?}") };
            text
        };
        let first = calls();
        (0..5).for_each(|_| assert_eq!(calls(), first));
    }
}
